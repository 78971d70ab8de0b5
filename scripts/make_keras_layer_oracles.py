"""Small models of each supported Keras layer, as Keras saves them, and what TensorFlow predicts with them.

    python make_keras_layer_oracles.py OUT.tar.xz

Run once with tensorflow 2.15 (Keras 2) and once with 2.21 (Keras 3), in environments of their own. OUT gets an HDF5
file of ``model.save()`` for each case of ``CASES``, for some a ``.keras`` archive, and one ``.npz`` with inputs and
predictions. The files are kept in ``tests/keras/oracles``.
"""

from __future__ import annotations

import argparse
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

K = tf.keras
L = K.layers
KERAS_2 = tf.__version__ < "2.16"
# Cases that are saved as an archive too: layers that hold layers, or several arrays.
ARCHIVES = (
    *("mha_self", "mha_values", "attention_concat_scale", "separable", "depthwise", "group_norm_2", "layer_norm_axes"),
    *("normalization", "masking_deep", "masking_inside", "both_ways_last", "time_distributed", "einsum", "local"),
)
SEQUENCE, OTHER, VECTOR, IMAGE = (6, 4), (5, 4), (4,), (4, 6, 3)
# Name -> shapes of the inputs without the batch, and the layers on them.
CASES: dict[str, tuple[tuple[tuple[int, ...], ...], Callable[..., Any]]] = {}


def case(name: str, *shapes: tuple[int, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(make: Callable[..., Any]) -> Callable[..., Any]:
        CASES[name] = (shapes, make)
        return make

    return add


def one(name: str, layer: Callable[[], Any], *shapes: tuple[int, ...]) -> None:
    """A case of a single layer, called with its input, or with a list of several."""
    CASES[name] = (shapes or (SEQUENCE,), lambda *x: layer()(list(x) if len(x) > 1 else x[0]))


# ---------------------------------------------------------------- attention

case("mha_self", SEQUENCE)(lambda x: L.MultiHeadAttention(2, 3)(x, x))
case("mha_values", SEQUENCE, (5, 3))(
    lambda x, y: L.MultiHeadAttention(2, 3, value_dim=5, output_shape=7, use_bias=False)(x, y)
)
case("mha_by_name", SEQUENCE, (5, 3))(lambda x, y: L.MultiHeadAttention(2, 3)(query=x, value=y))
case("mha_key", SEQUENCE, (5, 3), (5, 2))(lambda x, y, z: L.MultiHeadAttention(3, 2)(x, y, z))
case("mha_key_by_name", SEQUENCE, (5, 3), (5, 2))(lambda x, y, z: L.MultiHeadAttention(3, 2)(x, key=z, value=y))
case("mha_causal", SEQUENCE)(lambda x: L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True))
case("mha_causal_cross", SEQUENCE, (8, 3))(lambda x, y: L.MultiHeadAttention(1, 3)(x, y, use_causal_mask=True))
case("mha_image", IMAGE)(lambda x: L.MultiHeadAttention(2, 3)(x, x))
case("mha_axes", SEQUENCE)(lambda x: L.MultiHeadAttention(2, 3, attention_axes=(1,))(x, x))
one("attention", lambda: L.Attention(), SEQUENCE, OTHER)
one("attention_key", lambda: L.Attention(use_scale=True), SEQUENCE, (5, 3), OTHER)
one("attention_concat", lambda: L.Attention(score_mode="concat"), SEQUENCE, OTHER)
one("attention_concat_scale", lambda: L.Attention(score_mode="concat", use_scale=True), SEQUENCE, OTHER)
case("attention_causal", SEQUENCE)(lambda x: L.Attention()([x, x], use_causal_mask=True))
one("additive", lambda: L.AdditiveAttention(), SEQUENCE, OTHER)
one("additive_plain", lambda: L.AdditiveAttention(use_scale=False), SEQUENCE, OTHER, OTHER)

# ---------------------------------------------------------------- convolutions

one("conv_causal", lambda: L.Conv1D(3, 2, dilation_rate=2, padding="causal", activation="relu"))
one("conv_groups", lambda: L.Conv1D(4, 3, groups=2, padding="same"))
one("conv2d_height_1", lambda: L.Conv2D(3, (1, 4), padding="same"), (1, 9, 4))
one("conv2d_height_4", lambda: L.Conv2D(3, (4, 3), activation="relu"), (4, 9, 1))
one("separable", lambda: L.SeparableConv1D(3, 3, depth_multiplier=2, padding="same", dilation_rate=2))
one("separable2d", lambda: L.SeparableConv2D(2, (2, 3), strides=2, depth_multiplier=2, padding="same"), IMAGE)
one("depthwise", lambda: L.DepthwiseConv1D(3, depth_multiplier=2, padding="same", activation="relu"))
one("depthwise_stride", lambda: L.DepthwiseConv1D(3, strides=2, use_bias=False))
one("depthwise_dilated", lambda: L.DepthwiseConv1D(2, dilation_rate=2, padding="same"))
one("depthwise2d", lambda: L.DepthwiseConv2D((1, 3), depth_multiplier=2, padding="same"), IMAGE)
for padding in ("valid", "same"):
    for width, stride in ((3, 1), (4, 1), (2, 3), (3, 2), (5, 2), (4, 3)):
        one(
            f"transposed_{padding}_{width}_{stride}",
            lambda w=width, s=stride, p=padding: L.Conv1DTranspose(2, w, strides=s, padding=p),
        )
    one(f"transposed_{padding}_dilated", lambda p=padding: L.Conv1DTranspose(2, 3, dilation_rate=2, padding=p))
    one(
        f"transposed_{padding}_more",
        lambda p=padding: L.Conv1DTranspose(2, 3, strides=2, padding=p, output_padding=1, use_bias=False),
    )
one("transposed2d", lambda: L.Conv2DTranspose(2, (2, 3), strides=(1, 2), padding="same", activation="tanh"), IMAGE)
if KERAS_2:
    one("local", lambda: L.LocallyConnected1D(2, 3, activation="relu"))
    one("local_stride", lambda: L.LocallyConnected1D(2, 3, strides=2, use_bias=False))
    one("local_dense", lambda: L.LocallyConnected1D(2, 3, strides=2, implementation=2))

# ---------------------------------------------------------------- normalisation

for groups in (2, 1, -1):
    one(f"group_norm_{groups}", lambda g=groups: L.GroupNormalization(g))
one("group_norm_axis", lambda: L.GroupNormalization(3, axis=1, epsilon=0.01))
one("group_norm_image", lambda: L.GroupNormalization(3, scale=False), IMAGE)
one("group_norm_vector", lambda: L.GroupNormalization(2), VECTOR)
one("layer_norm_axes", lambda: L.LayerNormalization(axis=[1, 2]))
one("layer_norm_axis_1", lambda: L.LayerNormalization(axis=1))
one("layer_norm_last_two", lambda: L.LayerNormalization(axis=[-2, -1], scale=False), IMAGE)
one("layer_norm_apart", lambda: L.LayerNormalization(axis=[1, 3]), IMAGE)
one("layer_norm_last", lambda: L.LayerNormalization(epsilon=0.1), IMAGE)
one("layer_norm_bare", lambda: L.LayerNormalization(scale=False, center=False))
one("batch_norm_axis", lambda: L.BatchNormalization(axis=1))
one("batch_norm_image", lambda: L.BatchNormalization(), IMAGE)
one("unit_norm", lambda: L.UnitNormalization())
one("unit_norm_axis", lambda: L.UnitNormalization(axis=1))
one("unit_norm_axes", lambda: L.UnitNormalization(axis=[1, 2]))
one("rescaling", lambda: L.Rescaling(2.5, offset=-1.0))
one("rescaling_channels", lambda: L.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 1.0, 0.0, -1.0]))
one("normalization", lambda: L.Normalization())
one("normalization_given", lambda: L.Normalization(mean=0.5, variance=4.0))

# ---------------------------------------------------------------- masks


def inner(y: Any, x: Any) -> Any:
    return K.Model(x, y)


@case("masking_lstm", SEQUENCE)
def masking_lstm(x: Any) -> Any:
    return L.LSTM(3)(L.Masking()(x))


@case("masking_deep", SEQUENCE)
def masking_deep(x: Any) -> Any:
    x = L.Dropout(0.5)(L.Dense(5, activation="relu")(L.Masking()(x)))
    x = L.LSTM(4, return_sequences=True)(L.LayerNormalization()(x))
    return L.GRU(3, go_backwards=True)(x)


@case("masking_both_ways", SEQUENCE)
def masking_both_ways(x: Any) -> Any:
    x = L.Bidirectional(L.LSTM(3, return_sequences=True))(L.Masking()(x))
    return L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum")(x)


@case("masking_residual", SEQUENCE)
def masking_residual(x: Any) -> Any:
    x = L.Masking(mask_value=0.0)(x)
    y = L.Concatenate()([x, L.Add()([x, L.Dense(4)(x)])])
    return L.SimpleRNN(3)(y)


case("masking_average", SEQUENCE)(lambda x: L.GlobalAveragePooling1D()(L.Dense(3)(L.Masking()(x))))
case("masking_average_kept", SEQUENCE)(lambda x: L.GlobalAveragePooling1D(keepdims=True)(L.Masking()(x)))
case("masking_highest", SEQUENCE)(lambda x: L.GlobalMaxPooling1D()(L.Dense(3)(L.Masking()(x))))
case("masking_conv", SEQUENCE)(lambda x: L.LSTM(2)(L.Conv1D(3, 2)(L.Masking()(x))))
case("masking_pooled", SEQUENCE)(lambda x: L.LSTM(2)(L.MaxPooling1D(2)(L.Masking()(x))))
case("masking_flat", SEQUENCE)(lambda x: L.Dense(2)(L.Flatten()(L.Masking()(x))))
case("masking_reshaped", SEQUENCE)(lambda x: L.GlobalAveragePooling1D()(L.Reshape((3, 8))(L.Masking()(x))))
case("masking_permuted", SEQUENCE)(lambda x: L.GlobalAveragePooling1D()(L.Permute((2, 1))(L.Masking()(x))))
case("masking_padded", SEQUENCE)(lambda x: L.LSTM(2)(L.ZeroPadding1D(1)(L.Masking()(x))))
case("masking_cropped", SEQUENCE)(lambda x: L.LSTM(2)(L.Cropping1D(1)(L.Masking()(x))))
case("masking_upsampled", SEQUENCE)(lambda x: L.LSTM(2)(L.UpSampling1D(2)(L.Masking()(x))))
case("masking_unit", SEQUENCE)(lambda x: L.LSTM(2)(L.UnitNormalization()(L.Masking()(x))))
case("masking_batch_norm", SEQUENCE)(lambda x: L.LSTM(2)(L.BatchNormalization()(L.Masking()(x))))
case("masking_chain", SEQUENCE)(lambda x: K.Sequential([x, L.Masking(), L.PReLU(), L.GRU(2), L.Dense(1)]))
case("masking_inside", SEQUENCE)(lambda x: L.Dense(2)(inner(L.LSTM(3)(L.Masking()(y := K.Input(SEQUENCE))), y)(x)))
case("masking_operation", SEQUENCE)(lambda x: L.GlobalAveragePooling1D()(L.Masking()(x) * 2.0))
case("embedding", (6,))(lambda x: L.Conv1D(2, 3)(L.Embedding(5, 3)(x)))
case("embedding_masked", (6,))(lambda x: L.LSTM(2)(L.Embedding(5, 3, mask_zero=True)(x)))

# ---------------------------------------------------------------- recurrent layers

for mode in ("concat", "sum", "mul", "ave"):
    one(f"both_ways_{mode}", lambda m=mode: L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode=m))
one("both_ways_last", lambda: L.Bidirectional(L.LSTM(2, recurrent_activation="hard_sigmoid")))
one("gru_before", lambda: L.GRU(2, reset_after=False))
one("time_distributed", lambda: L.TimeDistributed(L.Conv1D(2, 3, padding="same")), IMAGE)

# ---------------------------------------------------------------- activations

NAMED = "relu sigmoid tanh softplus softsign elu selu gelu exponential swish mish softmax log_softmax hard_sigmoid"
NAMED_3 = "relu6 leaky_relu silu hard_silu hard_tanh celu glu log_sigmoid tanh_shrink"
for name in (NAMED if KERAS_2 else f"{NAMED} {NAMED_3}").split():
    one(f"activation_{name}", lambda n=name: L.Activation(n))
one("dense_log_softmax", lambda: L.Dense(3, activation="log_softmax"))
one("conv_leaky", lambda: L.Conv1D(3, 2, activation=L.LeakyReLU(0.2)))
one("dense_relu_capped", lambda: L.Dense(3, activation=L.ReLU(max_value=0.5)))
one("softmax_axis", lambda: L.Softmax(axis=1))
one("softmax_axes", lambda: L.Softmax(axis=[1, 2]))
one("relu_layer", lambda: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2))
one("leaky_layer", lambda: L.LeakyReLU())
one("elu_layer", lambda: L.ELU(0.5))
one("prelu", lambda: L.PReLU(shared_axes=[1]))
one("prelu_units", lambda: L.PReLU())
if KERAS_2:
    one("thresholded", lambda: L.ThresholdedReLU(0.3))

# ---------------------------------------------------------------- shapes

for kind in ("Max", "Average"):
    one(f"pool_{kind}", lambda k=kind: getattr(L, f"{k}Pooling1D")(3, strides=2, padding="same"))
    one(f"pool2d_{kind}", lambda k=kind: getattr(L, f"{k}Pooling2D")((1, 2)), IMAGE)
    for keep in (False, True):
        one(f"global_{kind}_{keep}", lambda k=kind, s=keep: getattr(L, f"Global{k}Pooling1D")(keepdims=s))
        one(f"global2d_{kind}_{keep}", lambda k=kind, s=keep: getattr(L, f"Global{k}Pooling2D")(keepdims=s), IMAGE)
one("pad", lambda: L.ZeroPadding1D((1, 2)))
one("pad2d", lambda: L.ZeroPadding2D(((1, 2), (0, 3))), IMAGE)
one("pad2d_first", lambda: L.ZeroPadding2D(((1, 2), (0, 3)), data_format="channels_first"), IMAGE)
one("crop", lambda: L.Cropping1D((1, 2)))
one("crop2d", lambda: L.Cropping2D(((1, 2), (0, 3))), IMAGE)
one("up", lambda: L.UpSampling1D(3))
one("up2d", lambda: L.UpSampling2D((2, 3)), IMAGE)
one("permute", lambda: L.Permute((3, 1, 2)), IMAGE)
one("repeat", lambda: L.RepeatVector(3), VECTOR)
one("reshape", lambda: L.Reshape((-1, 9)), IMAGE)
one("flatten_first", lambda: L.Flatten(data_format="channels_first"), IMAGE)
for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    one(f"join_{kind}", lambda k=kind: getattr(L, k)(), SEQUENCE, SEQUENCE)
one("join_three", lambda: L.Average(), SEQUENCE, SEQUENCE, SEQUENCE)
one("join_axis", lambda: L.Concatenate(axis=1), SEQUENCE, OTHER)
one("dot", lambda: L.Dot(axes=1), VECTOR, VECTOR)
one("dot_scores", lambda: L.Dot(axes=2), SEQUENCE, OTHER)
one("dot_unit", lambda: L.Dot(axes=(2, 1), normalize=True), SEQUENCE, (4, 3))
one("dot_weighted", lambda: L.Dot(axes=(1, 1)), SEQUENCE, (6, 3))
one("dot_vector", lambda: L.Dot(axes=(2, 1)), SEQUENCE, VECTOR)
one("dot_negative", lambda: L.Dot(axes=-1, normalize=True), VECTOR, VECTOR)
one("einsum", lambda: L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"))
one("einsum_rest", lambda: L.EinsumDense("...x,xy->...y", output_shape=3, bias_axes="y", activation="relu"))
one("einsum_positions", lambda: L.EinsumDense("abc,bd->adc", output_shape=(3, 4), bias_axes="d"))
case("noise", SEQUENCE)(
    lambda x: L.ActivityRegularization(0.1)(
        L.AlphaDropout(0.5)(L.GaussianDropout(0.5)(L.GaussianNoise(1.0)(L.SpatialDropout1D(0.5)(x))))
    )
)


one("noise2d", lambda: L.SpatialDropout2D(0.5), IMAGE)
one("global_first", lambda: L.GlobalAveragePooling1D(data_format="channels_first"))
if KERAS_2:
    one("batch_norm_sync", lambda: L.experimental.SyncBatchNormalization())
else:
    one("identity", lambda: L.Identity())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    expected: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            expected |= {f"{name}/{key}": values for key, values in run(name, Path(folder)).items()}
        if KERAS_2:
            expected |= cudnn(Path(folder))
        np.savez(Path(folder) / "expected.npz", **expected)
        with tarfile.open(out, "w:xz", preset=9) as archive:
            for path in sorted(Path(folder).iterdir()):
                info = tarfile.TarInfo(path.name)  # no times and owners: the same numbers are the same file
                info.size = path.stat().st_size
                with path.open("rb") as handle:
                    archive.addfile(info, handle)


def run(name: str, folder: Path) -> dict[str, np.ndarray]:
    """Save the model of a case; its inputs and what it predicts."""
    shapes, make = CASES[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    K.backend.clear_session()
    inputs = [K.Input(shape) for shape in shapes]
    made = make(*inputs)
    model = made if isinstance(made, K.Model) else K.Model(inputs, made)
    for layer in model.layers:
        if not isinstance(layer, L.Normalization) or layer.input_mean is None:
            layer.set_weights([weights(rng, array) for array in layer.get_weights()])
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    arrays = [example(rng, shape, "embedding" in name, "masking" in name) for shape in shapes]
    model.save(folder / f"{name}.h5")
    if name in ARCHIVES:
        model.save(folder / f"{name}.keras")
    predicted = model(arrays if len(arrays) > 1 else arrays[0], training=False).numpy()
    return {f"in{i}": array for i, array in enumerate(arrays)} | {"out": predicted}


def weights(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """Numbers in (0.1, 0.9), which may be a variance too, of four bits: a small file; signs where there are many."""
    if not np.issubdtype(like.dtype, np.floating):
        return like
    values = rng.integers(1, 10, like.shape) / 10
    return (values * np.where(rng.random(like.shape) < 0.5, -1, 1) if like.ndim > 1 else values).astype(np.float32)


def example(rng: np.random.Generator, shape: tuple[int, ...], whole: bool, holes: bool) -> np.ndarray:
    """Two inputs; with holes the ends of both and the middle of one are 0."""
    if whole:
        return rng.integers(0, 5, (2, *shape)).astype(np.float32)
    x = (rng.integers(-10, 11, (2, *shape)) / 8).astype(np.float32)
    if holes:
        x[0, 4:] = x[1, :1] = x[1, 3] = 0
    return x


def cudnn(folder: Path) -> dict[str, np.ndarray]:
    """Layers that need a GPU are saved without one; an LSTM or GRU that loads their file predicts."""
    found = {}
    for kind, plain in (("CuDNNLSTM", "LSTM"), ("CuDNNGRU", "GRU")):
        K.backend.clear_session()
        rng = np.random.default_rng(5)
        x = K.Input(SEQUENCE)
        model = K.Model(x, getattr(tf.compat.v1.keras.layers, kind)(3, name="rnn")(x))
        model.set_weights([weights(rng, array) for array in model.get_weights()])
        model.save(folder / f"{kind}.h5")
        same = K.Model(x, getattr(L, plain)(3, name="rnn")(x))
        same.load_weights(folder / f"{kind}.h5")
        array = example(rng, SEQUENCE, False, False)
        found |= {f"{kind}/in0": array, f"{kind}/out": same(array).numpy()}
    return found


if __name__ == "__main__":
    main()
