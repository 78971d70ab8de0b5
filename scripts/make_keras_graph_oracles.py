"""Small models of joined tensors, as Keras saves them, and what TensorFlow predicts with them.

    python make_keras_graph_oracles.py OUT.tar.xz

Operations on tensors, models within models, and each way to save them: HDF5, ``.keras``, weights beside a JSON. Run
once with tensorflow 2.15 (Keras 2) and once with 2.21 (Keras 3), in environments of their own. OUT gets the files of
each case of ``CASES`` and one ``.npz`` with inputs and predictions. The files are kept in ``tests/keras/oracles``.
"""

from __future__ import annotations

import argparse
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from published_lambda_sources import SOURCES

K = tf.keras
L = K.layers
KERAS_2 = tf.__version__ < "2.16"
OPS = tf if KERAS_2 else K.ops
LENGTH, CHANNELS = 6, 3
THIRDS = np.array([1.0, 2.0, 4.0], np.float32)
CASES: dict[str, Callable[[Any, Any], list[Any]]] = {}


def case(make: Callable[[Any, Any], list[Any]]) -> Callable[[Any, Any], list[Any]]:
    """A model of two tensors (N, 6, 3), its outputs in a list."""
    CASES[make.__name__] = make
    return make


@case
def arithmetic(c: Any, d: Any) -> list[Any]:
    return [
        c * 2.0 + 1.0,
        1.0 - c,
        c - 1.0,
        2.0 * c,
        c / 4.0,
        3.0 / (c * c + 1.0),
        (c * c) ** 1.5,
        2.0**c,
        -c,
        abs(c),
        c - d,
        d - c,
        c / (d * d + 1.0),
        c * THIRDS,
        c // 0.5,
        c % 0.75,
        1 - d + c * -3,
    ]


@case
def slices(c: Any, d: Any) -> list[Any]:
    return [
        c[:, 2:-1:2, 0],
        c[:, ::-1],
        c[:, ::-1, ::-1],
        c[:, -3:],
        c[:, 4:0:-2, 1],
        c[:, 0],
        c[:, 1, :],
        c[:, :, 1:][:, 1:3],
        c[:, -1, -1:],
    ]


@case
def functions(c: Any, d: Any) -> list[Any]:
    positive = c * c + 0.5
    if KERAS_2:
        m, n = tf.math, tf.nn
        found = [m.exp(c), m.log(positive), m.log1p(positive), m.sqrt(positive), m.rsqrt(positive), m.square(c)]
        found += [m.sign(c), m.tanh(c), m.sigmoid(c), n.relu(c), n.relu6(c * 9.0), n.softplus(c), n.elu(c), n.selu(c)]
        found += [n.gelu(c), n.gelu(c, approximate=True), n.leaky_relu(c, alpha=0.3), n.silu(c), n.softsign(c)]
        found += [n.softmax(c, axis=1), n.log_softmax(c), m.maximum(c, 0.1), m.minimum(0.1, c), m.maximum(c, d)]
        found += [m.minimum(c, d), tf.clip_by_value(c, -0.5, 0.5), m.squared_difference(c, d), m.add_n([c, d, c])]
        found += [tf.where(c > 0, c, d), tf.where(c >= d, c, -1.0), tf.cast(c < 0.2, "float32"), m.erf(c), m.sin(c)]
        return [*found, m.l2_normalize(c, axis=-1), K.activations.hard_sigmoid(c), K.backend.square(c), m.pow(c, 2)]
    found = [OPS.exp(c), OPS.log(positive), OPS.log1p(positive), OPS.sqrt(positive), OPS.rsqrt(positive), OPS.square(c)]
    found += [
        OPS.sign(c),
        OPS.tanh(c),
        OPS.sigmoid(c),
        OPS.relu(c),
        OPS.relu6(c * 9.0),
        OPS.softplus(c),
        OPS.elu(c),
        OPS.selu(c),
    ]
    found += [
        OPS.gelu(c),
        OPS.gelu(c, approximate=False),
        OPS.leaky_relu(c, negative_slope=0.3),
        OPS.silu(c),
        OPS.softsign(c),
    ]
    found += [OPS.softmax(c, axis=1), OPS.log_softmax(c), OPS.maximum(c, 0.1), OPS.minimum(0.1, c), OPS.maximum(c, d)]
    found += [OPS.minimum(c, d), OPS.clip(c, -0.5, 0.5), OPS.where(c > 0, c, d), OPS.where(c >= d, c, -1.0)]
    found += [
        OPS.cast(c < 0.2, "float32"),
        OPS.erf(c),
        OPS.sin(c),
        OPS.hard_sigmoid(c),
        OPS.absolute(c),
        OPS.power(c, 2),
    ]
    return [
        *found,
        OPS.log_sigmoid(c),
        OPS.celu(c),
        OPS.hard_silu(c),
        OPS.reciprocal(positive),
        OPS.floor(c),
        OPS.round(c),
    ]


@case
def reductions(c: Any, d: Any) -> list[Any]:
    if KERAS_2:
        m, b = tf.math, K.backend
        found = [m.reduce_sum(c, axis=-1), m.reduce_mean(c, 1), m.reduce_mean(c, axis=[1, 2], keepdims=True)]
        found += [m.reduce_max(c, axis=1), m.reduce_min(c, axis=2), m.reduce_prod(c, axis=1), m.reduce_std(c, axis=1)]
        found += [m.reduce_variance(c, axis=2), m.reduce_logsumexp(c, axis=1), b.sum(c, axis=1), b.max(c, axis=-1)]
        return [*found, m.cumsum(c, axis=1), m.cumsum(c, axis=1, exclusive=True, reverse=True)]
    found = [OPS.sum(c, axis=-1), OPS.mean(c, 1), OPS.mean(c, axis=[1, 2], keepdims=True), OPS.max(c, axis=1)]
    found += [OPS.min(c, axis=2), OPS.prod(c, axis=1), OPS.std(c, axis=1), OPS.var(c, axis=2), OPS.logsumexp(c, axis=1)]
    return [*found, OPS.cumsum(c, axis=1), OPS.amax(c, axis=-1)]


@case
def shapes(c: Any, d: Any) -> list[Any]:
    if KERAS_2:
        found = [tf.transpose(c, (0, 2, 1)), tf.reshape(c, (-1, 9, 2)), tf.reshape(c, [tf.shape(c)[0], 18])]
        found += [tf.expand_dims(c, -1), tf.squeeze(tf.expand_dims(c, 1), 1), tf.concat([c, d], axis=1)]
        found += [tf.stack([c, d], axis=2), tf.tile(c, [1, 2, 1]), tf.repeat(c, 2, axis=1), tf.reverse(c, [1])]
        found += [tf.pad(c, [[0, 0], [1, 2], [0, 0]]), tf.pad(c, [[0, 0], [2, 0], [0, 0]], constant_values=0.25)]
        found += [tf.gather(c, [2, 0], axis=2), *tf.split(c, 3, axis=1), tf.split(c, [1, 2], axis=2)[1]]
        found += [tf.unstack(c, axis=2)[1], tf.matmul(c, d, transpose_b=True), tf.roll(c, 2, 1), tf.identity(c)]
        return [*found, K.backend.permute_dimensions(c, (0, 2, 1)), K.backend.concatenate([c, d], axis=-1)]
    found = [
        OPS.transpose(c, (0, 2, 1)),
        OPS.reshape(c, (-1, 9, 2)),
        OPS.expand_dims(c, -1),
        OPS.squeeze(OPS.expand_dims(c, 1), 1),
    ]
    found += [
        OPS.concatenate([c, d], axis=1),
        OPS.stack([c, d], axis=2),
        OPS.tile(c, [1, 2, 1]),
        OPS.repeat(c, 2, axis=1),
    ]
    found += [
        OPS.flip(c, axis=1),
        OPS.pad(c, ((0, 0), (1, 2), (0, 0))),
        OPS.take(c, [2, 0], axis=2),
        *OPS.split(c, 3, axis=1),
    ]
    found += [
        OPS.split(c, [1], axis=2)[1],
        OPS.unstack(c, axis=2)[1],
        OPS.matmul(c, OPS.swapaxes(d, 1, 2)),
        OPS.roll(c, 2, 1),
    ]
    found += [OPS.einsum("nlc,nlk->nck", c, d), OPS.moveaxis(c, 1, 2), c[..., None], c[:, None, ..., 1]]
    return [
        *found,
        OPS.pad(c, ((0, 0), (2, 0), (0, 0)), constant_values=0.25),
        OPS.matmul(c, np.eye(3, 2, dtype="float32")),
    ]


def normalised(name: str, trainable: bool = True) -> Any:
    """A model of two normalisations whose arrays all have one shape: only their order tells them apart."""
    x = K.Input((LENGTH, CHANNELS))
    first, second = L.BatchNormalization(), L.BatchNormalization()
    first.trainable = trainable
    return K.Model(x, second(L.Dense(CHANNELS, activation="tanh")(first(x))), name=name)


@case
def nested(c: Any, d: Any) -> list[Any]:
    inner, frozen = normalised("inner"), normalised("frozen", trainable=False)
    x = K.Input((LENGTH, CHANNELS))
    middle = K.Model(x, L.Conv1D(CHANNELS, 3, padding="same")(inner(x)) + x, name="middle")
    x = K.Input((LENGTH, CHANNELS))
    outer = K.Model(x, [middle(x), L.GRU(2)(middle(x * 2.0))], name="outer")
    sequence = K.Sequential(
        [L.Input((LENGTH, CHANNELS)), L.Dense(4), frozen_dense(), L.LayerNormalization()], name="row"
    )
    a, b = K.Input((LENGTH, CHANNELS)), K.Input((LENGTH, CHANNELS))
    pair = K.Model([a, b], a - L.Dense(CHANNELS)(b), name="pair")
    return [*outer(c), *outer(d), frozen(c), sequence(c), sequence(d) - sequence(c), pair([d, c]), pair([c, d])]


def frozen_dense() -> Any:
    layer = L.Dense(CHANNELS, activation="relu")
    layer.trainable = False
    return layer


@case
def wrapped(c: Any, d: Any) -> list[Any]:
    x = K.Input((CHANNELS,))
    each = K.Model(x, L.Dense(2, activation="tanh")(L.BatchNormalization()(x)), name="each")
    both = L.Bidirectional(L.LSTM(2, return_sequences=True))(c)
    found = [L.TimeDistributed(each)(c), L.TimeDistributed(L.Dense(2))(c), both, L.Bidirectional(L.GRU(2))(d)]
    found += [L.SimpleRNN(2)(c), L.GRU(2)(c, mask=None), L.LSTM(2)(d), L.BatchNormalization()(c, training=False)]
    return [*found, L.Dropout(0.3)(c, training=False), L.MultiHeadAttention(2, 2)(c, value=d)]


@case
def counted(c: Any, d: Any) -> list[Any]:
    """Several layers of a class, of which ``.keras`` archives keep no more than the order."""
    shared = L.Conv1D(2, 3)
    found = [shared(c), shared(d), L.Conv1D(2, 2, name="aaa")(c), L.Conv1D(2, 2, padding="causal")(c)]
    found += [L.SeparableConv1D(2, 3)(c), L.PReLU()(c), L.Subtract()([d, c]), L.LayerNormalization()(c)]
    return [*found, L.Add()([c, d]) * 2.0, L.Multiply()([c, d]), L.Dense(2)(L.Flatten()(c))]


# ---------------------------------------------------------------- published models, small


def published(name: str, **options: Any) -> Any:
    """A Lambda with the code of the published source."""
    used = ("concatenate", "expand_dims", "relu", "shape", "softmax", "sum", "tile")
    backend = SimpleNamespace(zeros=tf.zeros, **{key: getattr(K.backend, key) for key in used})  # zeros as in Keras 2.2
    names = {"K": backend, "tf": tf}
    exec(SOURCES[name][0], names)  # a constant of this repository
    return L.Lambda(names["f"], **options)


class FrameSliceLayer(L.Layer):
    """FramePool's own layer: the positions of each reading frame, the last one first."""

    def call(self, x: Any) -> list[Any]:
        return [tf.reverse(x, [1])[:, frame::3] for frame in range(3)]


def framepool() -> Any:
    """FramePool of three residual convolutions, 4 filters and 5 units."""
    sequence, library = K.Input((None, 4)), K.Input((2,))
    known = published("known_positions")(sequence)
    x = sequence
    for i in range(3):
        found = published("masked")([L.Conv1D(4, 5, padding="same", activation="relu")(x), known])
        x = L.Add()([found, x]) if i else found
    frames = FrameSliceLayer()(x)
    highest, average = L.GlobalMaxPooling1D(), published("masked_average")
    pooled = L.Concatenate()([*(highest(frame) for frame in frames), *(average([frame, known]) for frame in frames)])
    score = L.Dense(1)(L.Dropout(0.2)(L.Dense(5, activation="relu")(pooled)))
    scaled = L.Concatenate(axis=1)([published("product")([score, library]), library])
    return K.Model([sequence, library], L.Dense(1, use_bias=False)(scaled))


def aparent2() -> Any:
    """APARENT2 of two groups of one residual block and 4 channels."""
    sequence, library = K.Input((1, 205, 4)), K.Input((13,))
    x = L.Conv2D(4, (1, 1), padding="same")(sequence)
    skips = []
    for dilation in (1, 2):
        skips.append(L.Conv2D(4, (1, 1), padding="same")(x))
        found = published("relu")(L.BatchNormalization()(x, training=False))
        found = L.Conv2D(4, (1, 3), dilation_rate=dilation, padding="same")(found)
        found = published("relu")(L.BatchNormalization()(found, training=False))
        found = L.Conv2D(4, (1, 3), dilation_rate=dilation, padding="same")(found)
        x = published("sum_of_two")([L.Dropout(0.25)(found), x])
    x, add = L.Conv2D(4, (1, 1), padding="same")(x), published("sum_of_two")
    for skip in skips:
        x = add([x, skip])
    x = published("one_position_more")(L.Conv2D(1, (1, 1), padding="same")(x))
    own = L.LocallyConnected2D(1, (1, 1))(published("at_every_position")(library))
    cut = published("cut_probabilities")(published("sum_of_two")([x, own]))
    return K.Model([sequence, library], [published("share_of_window")(cut), cut])


def one_hot(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[rng.integers(0, 4, shape)]


def publications(folder: Path) -> dict[str, np.ndarray]:
    """Save the published models; their inputs and predictions. FramePool's first sequence begins with padding."""
    rng, found = np.random.default_rng(3), {}
    sequences = one_hot(rng, 2, 50)
    sequences[0, :7] = 0
    inputs = {"framepool": [sequences, np.eye(2, dtype=np.float32)],
              "aparent2": [one_hot(rng, 2, 1, 205), np.eye(13, dtype=np.float32)[[4, 9]]]}  # fmt: skip
    for name, make in (("framepool", framepool), ("aparent2", aparent2)):
        K.backend.clear_session()
        model = filled(make(), rng)
        model.save(folder / f"{name}.h5")
        predicted = model(inputs[name], training=False)
        predicted = predicted if isinstance(predicted, list) else [predicted]
        found |= {f"{name}/in{i}": x for i, x in enumerate(inputs[name])}
        found |= {f"{name}/out{i}": part.numpy() for i, part in enumerate(predicted)}
    return found


def built(make: Callable[[Any, Any], list[Any]], seed: int) -> Any:
    K.backend.clear_session()
    x, y = K.Input((LENGTH, CHANNELS), name="x"), K.Input((LENGTH, CHANNELS), name="y")
    model = K.Model([x, y], [L.Flatten()(part) for part in make(L.Conv1D(3, 1, name="conv")(x), y)])
    return filled(model, np.random.default_rng(seed))


def filled(model: Any, rng: np.random.Generator) -> Any:
    """The model with numbers of few digits, which make small files; variances are above 0."""
    for weight in model.weights:
        values = (rng.integers(-14, 15, tuple(weight.shape)) / 16).astype(np.float32)
        weight.assign(np.abs(values) + 0.25 if "variance" in getattr(weight, "path", weight.name) else values)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    expected: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key, make in CASES.items():
            seed = zlib.crc32(key.encode())
            model = built(make, seed)
            rng = np.random.default_rng(seed + 1)
            inputs = [rng.normal(size=(2, LENGTH, CHANNELS)).astype(np.float32) for _ in range(2)]
            predicted = model(inputs, training=False)
            expected |= {f"{key}/in{i}": x for i, x in enumerate(inputs)}
            expected |= {f"{key}/out{i}": np.asarray(part) for i, part in enumerate(predicted)}
            model.save(folder / f"{key}.keras")
            model.save(folder / f"{key}.h5")
            if key == "nested":
                model.save_weights(folder / f"{key}_beside.weights.h5")
                (folder / f"{key}_beside.json").write_text(model.to_json())
        if KERAS_2:
            expected |= publications(folder)
        np.savez_compressed(folder / "expected.npz", **expected)
        with tarfile.open(out, "w:xz", preset=9) as archive:
            for path in sorted(folder.iterdir()):
                info = tarfile.TarInfo(path.name)  # no times and owners: the same numbers are the same file
                info.size = path.stat().st_size
                with path.open("rb") as handle:
                    archive.addfile(info, handle)


if __name__ == "__main__":
    main()
