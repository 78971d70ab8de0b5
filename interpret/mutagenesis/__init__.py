"""What a single-base edit changes, followed through the graph of a module.

Read in this order: ``window.py`` (what a window is), ``plan.py`` (which operations pass windows on), ``layers.py``
(what they do), ``ends.py``, ``analysis.py``, ``edits.py`` (all edits of a sequence). ``interpret/methods/ism.py`` is
what is called.
"""
