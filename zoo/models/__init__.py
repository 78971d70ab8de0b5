"""An entry becomes a module: ``entry.py`` (found and read), ``load.py`` (built), ``loaded.py`` (what predicts).

``pytorch.py``, ``keras_folder.py``, ``grelu.py`` and ``kipoi_native.py`` build one kind of model each;
``foreign_python.py`` is the one place where Python of a model's folder is imported.
"""
