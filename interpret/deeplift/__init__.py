"""DeepLIFT on the graph of a module.

Read in this order: ``pairs.py`` (sequences and their references in one batch, the primitive rules), ``rules.py`` (which
operation has which rule; those that are no primitives in ``products.py``, ``normalizations.py``, ``orders.py`` and
``recurrence.py``), ``multipliers.py`` (every operation has a rule, or is named; choices by a condition; the pass).
``interpret/methods/deepliftshap.py`` is what is called.
"""
