"""Layers of baskerville that Mini-Borzoi's Keras file names, for ``make_keras_oracles.py``.

Written after what baskerville's layers do at prediction: shift and reverse complement leave the input as it is;
attention has two heads and relative positions of the central-mask kind (Enformer, doi:10.1038/s41592-021-01252-x).
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.layers import Dense, Layer

__all__ = ["load_by_name"]

N_HEADS = 2
N_POSITION_FEATURES = 32


class StochasticReverseComplement(Layer):
    """Nothing at prediction."""

    def call(self, x, training=None):
        return x, tf.constant(False)


class StochasticShift(Layer):
    """Nothing at prediction."""

    def __init__(self, shift_max=0, symmetric=True, pad="uniform", **kwargs) -> None:
        super().__init__(**kwargs)

    def call(self, x, training=None):
        return x


class SwitchReverse(Layer):
    """The forward strand at prediction."""

    def __init__(self, strand_pair=None, **kwargs) -> None:
        super().__init__(**kwargs)

    def call(self, inputs):
        return inputs[0]


class MultiheadAttention(Layer):
    """(N, length, channels) to the same."""

    def __init__(self, value_size, key_size, **kwargs) -> None:
        super().__init__(**kwargs)
        self.key_size, self.value_size = key_size, value_size
        self.q_layer, self.k_layer, self.r_k_layer = (Dense(N_HEADS * key_size, use_bias=False) for _ in range(3))
        self.v_layer = Dense(N_HEADS * value_size, use_bias=False)
        self.embedding_layer = Dense(N_HEADS * value_size)

    def build(self, shape) -> None:
        self.r_w_bias = self.add_weight(name="r_w_bias", shape=[1, N_HEADS, 1, self.key_size])
        self.r_r_bias = self.add_weight(name="r_r_bias", shape=[1, N_HEADS, 1, self.key_size])
        for layer in (self.q_layer, self.k_layer, self.v_layer):
            layer.build(shape)
        self.embedding_layer.build((None, None, N_HEADS * self.value_size))
        self.r_k_layer.build((None, None, N_POSITION_FEATURES))
        super().build(shape)

    def call(self, x, training=False):
        length = x.shape[1]
        query = heads(self.q_layer(x)) * self.key_size**-0.5
        key, value = heads(self.k_layer(x)), heads(self.v_layer(x))
        distances = heads(self.r_k_layer(position_features(length)))
        relative = shifted(tf.matmul(query + self.r_r_bias, distances, transpose_b=True))
        weights = tf.nn.softmax(tf.matmul(query + self.r_w_bias, key, transpose_b=True) + relative)
        mixed = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return self.embedding_layer(tf.reshape(mixed, [-1, length, N_HEADS * self.value_size]))


def heads(x):
    """(N, length, heads * size) to (N, heads, length, size)."""
    _, length, channels = x.shape
    return tf.transpose(tf.reshape(x, [-1, length, N_HEADS, channels // N_HEADS]), [0, 2, 1, 3])


def position_features(length: int):
    """(1, 2 length - 1, features): whether a distance lies within each of 16 widths, and the same with its sign."""
    half = N_POSITION_FEATURES // 2
    rate = np.exp(np.log(length + 1) / half).astype("float32")
    widths = tf.pow(rate, tf.range(1, half + 1, dtype=tf.float32)) - 1
    distances = tf.range(-length + 1, length, dtype=tf.float32)[tf.newaxis, :, tf.newaxis]
    within = tf.cast(widths > tf.abs(distances), tf.float32)
    return tf.concat([within, tf.sign(distances) * within], axis=-1)


def shifted(x):
    """(N, heads, length, 2 length - 1) by distance to (N, heads, length, length) by position.

    One zero before each row and the same numbers cut into rows one shorter: each row starts one further left.
    """
    _, n, length, distances = x.shape
    x = tf.reshape(tf.pad(x, [[0, 0], [0, 0], [0, 0], [1, 0]]), [-1, n, distances + 1, length])[:, :, 1:]
    return tf.reshape(x, [-1, n, length, distances])[..., :length]


LAYERS = {
    layer.__name__: layer for layer in (StochasticReverseComplement, StochasticShift, SwitchReverse, MultiheadAttention)
}


def load_by_name(path: Path) -> tf_keras.Model:
    """The network of a Keras file whose custom layers are those above."""
    with h5py.File(path) as file:
        model = tf_keras.models.model_from_json(file.attrs["model_config"], custom_objects=LAYERS)
        weights = file["model_weights"]
        for layer in model.layers:
            group = weights[layer.name]
            if isinstance(layer, MultiheadAttention):
                _load_attention(layer, group[layer.name])
            else:
                layer.set_weights([group[name][()] for name in group.attrs["weight_names"]])
    return model


def _load_attention(layer: MultiheadAttention, group: h5py.Group) -> None:
    for name in ("q_layer", "k_layer", "v_layer", "r_k_layer"):
        getattr(layer, name).set_weights([group[name]["kernel:0"][()]])
    embedding = group["embedding_layer"]
    layer.embedding_layer.set_weights([embedding["kernel:0"][()], embedding["bias:0"][()]])
    layer.r_w_bias.assign(group["r_w_bias:0"][()])
    layer.r_r_bias.assign(group["r_r_bias:0"][()])
