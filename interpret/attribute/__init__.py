"""``zoo attribute``: contributions of bases for the windows of a BED, or what a given motif does to them.

Read in this order: ``attribute.py`` (order of work), ``options.py``, ``explainer.py`` (what is computed of the windows
of a run), ``marginal_effects.py`` (the same for a motif that is inserted).
"""
