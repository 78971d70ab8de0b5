"""DeepLIFT on the graph of a module.

Read in this order: ``pairs.py`` (sequences and their references in one batch, the primitive rules), ``rules.py`` (one
an operation), ``where.py`` (choices by a condition), ``graph.py`` (the audit and the pass).
``interpret/methods/deepliftshap.py`` is what is called.
"""
