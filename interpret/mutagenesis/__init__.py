"""What a single-base edit changes, followed through the graph of a module.

Read in this order: ``window.py`` (what a window is), ``plan.py`` (which operations pass windows on), ``layers.py``
(what they do), ``ends.py``, ``analysis.py``, ``graph.py`` (all edits of a sequence); ``nodes.py`` reads nodes of the
graph. ``interpret/methods/ism.py`` is what is called.
"""
