"""One HTML file of motifs. Read ``page.py`` first, then ``table.py``, ``section.py``, ``logo.py``, ``views.py``."""
