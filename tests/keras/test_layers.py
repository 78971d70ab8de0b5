"""Each kind of layer against plain numpy: loops over positions, written from Keras's documentation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zoo.errors import ModelError
from zoo.models.keras.config import Call, LayerConfig, TensorRef
from zoo.models.keras.registry import KINDS, build_layer
from zoo.models.keras.sequence_layers import central_mask_features, spline_bases

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def run(kind, options, arrays, *inputs, version=2, **more):
    call = Call(tuple(TensorRef(f"in{i}") for i in range(len(inputs))))
    layer = LayerConfig("layer", kind, options, version, (call,), **more)
    module = build_layer(layer, arrays).eval()
    with torch.no_grad():
        return module(*[torch.from_numpy(part) for part in inputs]).numpy()


def close(ours, expected):
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-6 * max(1.0, np.abs(expected).max()))


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def padded(x, width, stride, dilation, mode, value=0.0):
    """Pads of TensorFlow: ceil(L / stride) positions for `same`, the odd pad at the end."""
    reach = (width - 1) * dilation
    before = after = 0
    if mode == "causal":
        before = reach
    if mode == "same":
        total = max((math.ceil(x.shape[1] / stride) - 1) * stride + reach + 1 - x.shape[1], 0)
        before, after = total // 2, total - total // 2
    return np.pad(x, ((0, 0), (before, after), (0, 0)), constant_values=value)


def windows(x, width, stride, dilation=1):
    """(N, positions, width, C)."""
    starts = range(0, x.shape[1] - (width - 1) * dilation, stride)
    return np.stack([x[:, s : s + (width - 1) * dilation + 1 : dilation] for s in starts], axis=1)


@pytest.mark.parametrize("mode", ["valid", "same", "causal"])
@pytest.mark.parametrize(("width", "stride", "dilation"), [(3, 1, 1), (4, 1, 1), (4, 2, 1), (5, 3, 1), (4, 1, 3)])
def test_conv1d(mode, width, stride, dilation):
    x, kernel, bias = array(2, 23, 4), array(width, 4, 5), array(5)
    options = {"padding": mode, "strides": [stride], "dilation_rate": [dilation], "activation": "relu"}
    cut = windows(padded(x, width, stride, dilation, mode), width, stride, dilation)
    expected = relu(np.einsum("npwc,wco->npo", cut, kernel) + bias)
    close(run("Conv1D", options, {"kernel": kernel, "bias": bias}, x), expected)


def test_conv1d_of_keras_1_has_an_axis_more_and_theano_order():
    x, kernel = array(1, 9, 4), array(3, 4, 2)
    expected = np.einsum("npwc,wco->npo", windows(x, 3, 1), kernel)
    options = {"filters": 2, "kernel_size": 3, "use_bias": False}
    close(run("Conv1D", options, {"kernel": kernel[:, None]}, x, version=1), expected)
    close(run("Conv1D", options, {"kernel": kernel[:, None].transpose(3, 2, 0, 1)}, x, version=1), expected)


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_conv2d(mode):
    x, kernel = array(1, 7, 6, 3), array(2, 3, 3, 4)
    options = {"padding": mode, "strides": [1, 1], "use_bias": False}
    pads = ((0, 0), (0, 1), (1, 1), (0, 0)) if mode == "same" else ((0, 0),) * 4
    p = np.pad(x, pads)
    rows, columns = p.shape[1] - 1, p.shape[2] - 2
    expected = np.zeros((1, rows, columns, 4), np.float32)
    for r in range(rows):
        for c in range(columns):
            expected[:, r, c] = np.einsum("nijc,ijco->no", p[:, r : r + 2, c : c + 3], kernel)
    close(run("Conv2D", options, {"kernel": kernel}, x), expected)


def test_conv_channels_first():
    x, kernel = array(2, 4, 9), array(3, 4, 5)
    expected = np.einsum("npwc,wco->npo", windows(x.transpose(0, 2, 1), 3, 1), kernel).transpose(0, 2, 1)
    close(run("Conv1D", {"data_format": "channels_first", "use_bias": False}, {"kernel": kernel}, x), expected)


def test_separable_conv_order_of_multiplied_channels():
    x, depth, point, bias = array(2, 11, 3), array(4, 3, 2), array(1, 6, 5), array(5)
    filtered = np.einsum("npwc,wcm->npcm", windows(padded(x, 4, 1, 1, "same"), 4, 1), depth).reshape(2, 11, 6)
    arrays = {"depthwise_kernel": depth, "pointwise_kernel": point, "bias": bias}
    close(run("SeparableConv1D", {"padding": "same"}, arrays, x), filtered @ point[0] + bias)


def test_dense_works_on_the_last_axis():
    x, kernel, bias = array(2, 5, 4), array(4, 3), array(3)
    close(run("Dense", {"activation": "sigmoid"}, {"kernel": kernel, "bias": bias}, x), sigmoid(x @ kernel + bias))


@pytest.mark.parametrize("mode", ["valid", "same"])
@pytest.mark.parametrize(("width", "stride"), [(2, 2), (3, 1), (4, 3), (2, 5)])
def test_pooling_ignores_its_pads(mode, width, stride):
    x = array(2, 13, 3)
    options = {"pool_size": [width], "strides": [stride], "padding": mode}
    close(
        run("MaxPooling1D", options, {}, x), windows(padded(x, width, stride, 1, mode, -np.inf), width, stride).max(2)
    )
    cut = windows(padded(x, width, stride, 1, mode, np.nan), width, stride)
    close(run("AveragePooling1D", options, {}, x), np.nanmean(cut, axis=2).astype(np.float32))


def test_pooling_stride_defaults_to_its_width():
    x = array(1, 9, 2)
    close(run("MaxPooling1D", {"pool_size": 3, "strides": None}, {}, x), x.reshape(1, 3, 3, 2).max(2))


def test_global_pooling_and_flatten_order():
    x = array(2, 5, 3)
    close(run("GlobalMaxPooling1D", {}, {}, x), x.max(1))
    close(run("GlobalAveragePooling1D", {}, {}, x), x.mean(1))
    close(run("Flatten", {}, {}, x), x.reshape(2, 15))
    close(run("Flatten", {"data_format": "channels_first"}, {}, x), x.transpose(0, 2, 1).reshape(2, 15))


def test_batch_normalisation_epsilon_and_absent_scale():
    x, gamma, beta, mean, variance = array(2, 5, 3), array(3), array(3), array(3), array(3) ** 2
    arrays = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    expected = (x - mean) / np.sqrt(variance + 0.01) * gamma + beta
    close(run("BatchNormalization", {"epsilon": 0.01}, arrays, x), expected)
    without = {key: value for key, value in arrays.items() if key != "gamma"}
    close(run("BatchNormalization", {"scale": False}, without, x), (x - mean) / np.sqrt(variance + 0.001) + beta)
    close(run("BatchNormalization", {"epsilon": 0.01}, arrays, x[:, 0]), expected[:, 0])


def test_batch_normalisation_of_another_axis():
    x, mean, variance = array(2, 5, 3), array(5), array(5) ** 2
    arrays = {"moving_mean": mean, "moving_variance": variance}
    options = {"axis": [1], "scale": False, "center": False}
    close(run("BatchNormalization", options, arrays, x), (x - mean[:, None]) / np.sqrt(variance[:, None] + 0.001))


def test_layer_normalisation():
    x, gamma, beta = array(2, 5, 6), array(6), array(6)
    spread = np.sqrt(x.var(-1, keepdims=True) + 0.001)
    expected = (x - x.mean(-1, keepdims=True)) / spread * gamma + beta
    close(run("LayerNormalization", {"axis": [2]}, {"gamma": gamma, "beta": beta}, x), expected)


X = np.linspace(-40, 40, 81, dtype=np.float32)[None]
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": relu,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(x)),
    "swish": lambda x: x * sigmoid(x),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    close(run("Activation", {"activation": name}, {}, X), ACTIVATIONS[name](X.astype(np.float64)).astype(np.float32))


def test_hard_sigmoid_has_another_slope_in_keras_3():
    expected = np.clip(X / 6 + 0.5, 0, 1)
    close(run("Activation", {"activation": "hard_sigmoid"}, {}, X, version=3), expected)


def test_gelu_of_tensorflow_is_the_tanh_form_when_it_says_so():
    call = Call((TensorRef("x"),), {"approximate": True})
    layer = LayerConfig("op", "TFOpLambda", {"function": "nn.gelu"}, 2, (call,))
    expected = 0.5 * X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3)))
    close(build_layer(layer, {})(torch.from_numpy(X)).numpy(), expected)


def test_relu_layers():
    above = run("ReLU", {"max_value": 6.0, "negative_slope": 0.1, "threshold": 1.0}, {}, X)
    close(above, np.where(X >= 1, np.minimum(X, 6), 0.1 * (X - 1)).astype(np.float32))
    close(run("LeakyReLU", {"alpha": 0.2}, {}, X), np.where(X > 0, X, 0.2 * X))
    close(
        run("PReLU", {}, {"alpha": np.float32([[0.5, 2.0]])}, -np.ones((1, 3, 2), np.float32)),
        np.tile(np.float32([-0.5, -2.0]), (1, 3, 1)),
    )


def test_shapes():
    x = array(2, 6, 3)
    close(run("Cropping1D", {"cropping": [1, 2]}, {}, x), x[:, 1:4])
    close(run("Cropping1D", {"cropping": 2}, {}, x), x[:, 2:4])
    close(run("ZeroPadding1D", {"padding": [1, 2]}, {}, x), np.pad(x, ((0, 0), (1, 2), (0, 0))))
    close(run("UpSampling1D", {"size": 2}, {}, x), np.repeat(x, 2, axis=1))
    close(run("Reshape", {"target_shape": [2, -1]}, {}, x), x.reshape(2, 2, 9))
    close(run("Permute", {"dims": [2, 1]}, {}, x), x.transpose(0, 2, 1))
    close(run("RepeatVector", {"n": 4}, {}, x[:, 0]), np.repeat(x[:, :1], 4, axis=1))


def test_joining():
    a, b, c = array(2, 5), array(2, 5), array(2, 5)
    close(run("Add", {}, {}, a, b, c), a + b + c)
    close(run("Average", {}, {}, a, b, c), (a + b + c) / 3)
    close(run("Multiply", {}, {}, a, b, c), a * b * c)
    close(run("Maximum", {}, {}, a, b, c), np.maximum(np.maximum(a, b), c))
    close(run("Minimum", {}, {}, a, b), np.minimum(a, b))
    close(run("Subtract", {}, {}, a, b), a - b)
    close(run("Concatenate", {"axis": -1}, {}, a, b), np.concatenate([a, b], axis=-1))


def lstm(x, kernel, recurrent, bias, gate):
    state = cell = np.zeros((len(x), recurrent.shape[0]), np.float32)
    for step in range(x.shape[1]):
        i, f, c, o = np.split(x[:, step] @ kernel + state @ recurrent + bias, 4, axis=1)
        cell = gate(f) * cell + gate(i) * np.tanh(c)
        state = gate(o) * np.tanh(cell)
    return state


def test_lstm_and_both_ways():
    x, kernel, recurrent, bias = array(2, 7, 4), array(4, 12), array(3, 12), array(12)
    arrays = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
    forward = lstm(x, kernel, recurrent, bias, sigmoid)
    close(run("LSTM", {"recurrent_activation": "sigmoid"}, arrays, x), forward)
    hard = ACTIVATIONS["hard_sigmoid"]
    close(run("LSTM", {}, arrays, x), lstm(x, kernel, recurrent, bias, hard))
    inner = LayerConfig("lstm", "LSTM", {"recurrent_activation": "sigmoid"})
    sides = {f"{side}/{role}": value for side in ("forward", "backward") for role, value in arrays.items()}
    backward = lstm(x[:, ::-1], kernel, recurrent, bias, sigmoid)
    both = run("Bidirectional", {"merge_mode": "concat"}, sides, x, wrapped=inner)
    close(both, np.concatenate([forward, backward], 1))


@pytest.mark.parametrize("after", [True, False])
def test_gru(after):
    x, kernel, recurrent, bias = array(2, 7, 4), array(4, 9), array(3, 9), array(2, 9)
    bias = bias if after else bias[:1] * [[1], [0]]
    state = np.zeros((2, 3))
    for step in range(7):
        z_x, r_x, h_x = np.split(x[:, step] @ kernel + bias[0], 3, axis=1)
        z_h, r_h, h_h = np.split(state @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(z_x + z_h), sigmoid(r_x + r_h)
        candidate = np.tanh(h_x + (r * h_h if after else (r * state) @ recurrent[:, 6:]))
        state = z * state + (1 - z) * candidate
    arrays = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": np.float32(bias if after else bias[0])}
    options = {"recurrent_activation": "sigmoid", "reset_after": after}
    close(run("GRU", options, arrays, x), state.astype(np.float32))


def test_masked_average_of_concise():
    x, sequence = array(2, 6, 3), np.zeros((2, 6, 4), np.float32)
    sequence[0, :4, 1] = 1
    expected = np.stack([x[0, :4].mean(0), np.zeros(3, np.float32)])
    close(run("GlobalAveragePooling1D_Mask0", {}, {}, x, sequence), expected)


def test_spline_bases_are_scipys():
    interpolate = pytest.importorskip("scipy.interpolate")
    length, n, degree = 50, 10, 3
    start, end = -0.001 * (length - 1), 1.001 * (length - 1)
    step = (end - start) / (n - degree)
    knots = np.linspace(start - 3 * step, end + 3 * step, n + degree + 1).astype(np.float32)
    expected = np.stack([interpolate.BSpline(knots, np.eye(n)[i], degree)(np.arange(length)) for i in range(n)], axis=1)
    np.testing.assert_allclose(spline_bases(length, n, degree), expected, atol=1e-6)
    np.testing.assert_allclose(spline_bases(length, n, degree).sum(1), 1, atol=1e-6)


def test_spline_weight():
    x, kernel = array(2, 30, 4), array(10, 4)
    close(run("SplineWeight1D", {}, {"kernel": kernel}, x), x * (1 + spline_bases(30, 10, 3) @ kernel))


def test_relative_attention_by_loops():
    length, heads, key, value, features = 6, 2, 3, 4, 8
    x = array(1, length, 5)
    arrays = {
        "q_layer/kernel": array(5, 6),
        "k_layer/kernel": array(5, 6),
        "v_layer/kernel": array(5, 8),
        "r_k_layer/kernel": array(features, 6),
        "embedding_layer/kernel": array(8, 8),
        "embedding_layer/bias": array(8),
        "r_w_bias": array(1, heads, 1, key),
        "r_r_bias": array(1, heads, 1, key),
    }
    position = central_mask_features(length, features) @ arrays["r_k_layer/kernel"]
    joined = np.zeros((length, heads * value))
    for h in range(heads):
        cut = slice(h * key, (h + 1) * key)
        q = x[0] @ arrays["q_layer/kernel"][:, cut] / math.sqrt(key)
        k = x[0] @ arrays["k_layer/kernel"][:, cut]
        v = x[0] @ arrays["v_layer/kernel"][:, h * value : (h + 1) * value]
        for i in range(length):
            logits = np.array(
                [
                    (q[i] + arrays["r_w_bias"][0, h, 0]) @ k[j]
                    + (q[i] + arrays["r_r_bias"][0, h, 0]) @ position[j - i + length - 1, cut]
                    for j in range(length)
                ]
            )
            weights = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            joined[i, h * value : (h + 1) * value] = weights @ v
    expected = joined @ arrays["embedding_layer/kernel"] + arrays["embedding_layer/bias"]
    ours = run("MultiheadAttention", {"key_size": key, "value_size": value}, arrays, x)
    close(ours, expected[None].astype(np.float32))


def test_central_masks_by_hand():
    """Length 3, 4 features: widths 4**(1/2) - 1 = 1 and 4 - 1 = 3; distances -2 ... 2."""
    masks = [[0, 1], [0, 1], [1, 1], [0, 1], [0, 1]]
    signs = [-1, -1, 0, 1, 1]
    expected = [[*mask, *(sign * m for m in mask)] for mask, sign in zip(masks, signs, strict=True)]
    np.testing.assert_array_equal(central_mask_features(3, 4), expected)


def test_an_unknown_kind_is_refused_by_name_with_what_is_supported():
    with pytest.raises(ModelError) as caught:
        build_layer(LayerConfig("odd_1", "CapsuleLayer", {}), {})
    text = str(caught.value)
    assert text.startswith("layer 'odd_1' (CapsuleLayer) is not supported") and all(kind in text for kind in KINDS)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ModelError, match=r"'layer'.*'wavelet'"):
        run("Activation", {"activation": "wavelet"}, {}, X)
