"""Keras models as torch modules: HDF5 and JSON are read as data, TensorFlow and Keras are never imported.

Read in this order: ``config.py`` (what the file says), ``weights.py`` (its arrays), ``layers.py`` and
its neighbours (a layer -> a torch module), ``graph.py`` (the layers joined).
"""

from zoo.models.keras.graph import KerasGraph, load_keras

__all__ = ["KerasGraph", "load_keras"]
