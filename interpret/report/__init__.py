"""One HTML file of motifs: ``page.py`` renders ``assets/page.html``, and each part has a module, a template, a script.

Read ``page.py`` first, then ``head.py``, ``table.py``, ``section.py`` and ``regions.py`` beside the templates of the
same names; ``numbers.py`` computes what they show, ``drawing.py`` draws it.
"""
