"""What drives a prediction: contributions of bases, the motifs they make, and a page that shows both.

``attribution`` is ``zoo attribute``, ``motifs`` and ``report`` are the commands of their names. Each method is one
function ``(module, one_hot, ...) -> (N, 4, L)`` in a file of its own, usable without the zoo: ``saliency``,
``inputxgradient``, ``integrated_gradients``, ``deepliftshap``, ``ism``, ``ablation``, ``marginalize``.
"""
