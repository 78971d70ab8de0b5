"""DeepLIFT on the graph of a module.

Read in this order: ``pairs.py`` (sequences and their references in one batch, the primitive rules), ``rules.py`` (one
an operation), ``multipliers.py`` (every operation has a rule, or is named; choices by a condition; the pass).
``interpret/methods/deepliftshap.py`` is what is called.
"""
