"""The methods, a file each; ``registry.py`` opens one by its name.

``gradients.py`` holds saliency and input x gradient. Every method is a function of a module and sequences (N, 4, L)
that gives (N, 4, L), but for ``marginalize``, which gives a number a sequence.
"""
