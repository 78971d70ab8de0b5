"""Keras models as torch modules: HDF5 and JSON are read as data, TensorFlow and Keras are never imported.

Why a converter and not Keras 3 on torch: Keras 3.15 loads 6 of the 19 files that stand for the models here. It
refuses Lambda bytecode (all of DeepBind), layers of other packages (MMSplice, MTSplice, Borzoi) and JSON of Keras 2.2.

Read in this order: ``files.py`` (what a file is), ``config.py`` and ``calls.py`` (what it says), ``weights.py`` (its
arrays), ``registry.py`` (which layers there are, and what builds each), ``operations.py`` (arithmetic, slices and
functions between them), ``graph.py`` (all of it joined), ``backends.py`` (kernels that Theano trained).
"""

from zoo.models.keras.graph import KerasGraph, load_keras

__all__ = ["KerasGraph", "load_keras"]
