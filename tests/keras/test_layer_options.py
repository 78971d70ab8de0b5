"""Options of layers that models seldom set: groups, axes, kept dimensions, pads; against numpy or torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_layers import array, close, layer_of, run

from zoo.models.keras.registry import build_layer
from zoo.models.keras.sequence_layers import spline_bases

X = np.linspace(-8, 8, 65, dtype=np.float32)[None]


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


# Convolutions


@settings(max_examples=25)
@given(size=st.integers(1, 30), kernel=st.integers(1, 7), stride=st.integers(1, 4), dilation=st.integers(1, 3))
def test_same_padding_gives_ceil_of_length_by_stride_positions(size, kernel, stride, dilation):
    """TensorFlow's rule, and its values: torch's convolution on an input with enough zeros on both sides."""
    x, weight = array(1, size, 2), array(kernel, 2, 3)
    options = {"padding": "same", "strides": [stride], "dilation_rate": [dilation], "use_bias": False}
    ours = run("Conv1D", options, {"kernel": weight}, x)
    positions = -(-size // stride)
    assert ours.shape == (1, positions, 3)
    before = max((positions - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) // 2
    roomy = np.pad(x, ((0, 0), (before, 60), (0, 0)))
    turned = torch.from_numpy(weight.transpose(2, 1, 0).copy())
    theirs = F.conv1d(torch.from_numpy(roomy.transpose(0, 2, 1).copy()), turned, stride=stride, dilation=dilation)
    close(ours, theirs.numpy().transpose(0, 2, 1)[:, :positions])


def test_causal_positions_see_nothing_after_them():
    x, weight = array(1, 12, 3), array(4, 3, 2)
    options = {"padding": "causal", "dilation_rate": [2], "use_bias": False}
    whole = run("Conv1D", options, {"kernel": weight}, x)
    for position in range(12):
        changed = x.copy()
        changed[:, position + 1 :] = 99
        np.testing.assert_array_equal(
            run("Conv1D", options, {"kernel": weight}, changed)[:, : position + 1], whole[:, : position + 1]
        )


def test_groups_of_a_convolution_see_their_own_channels():
    x, weight = array(2, 10, 6), array(3, 2, 9)  # three groups: 2 channels in, 3 out each
    ours = run("Conv1D", {"groups": 3, "use_bias": False}, {"kernel": weight}, x)
    parts = [
        run(
            "Conv1D",
            {"use_bias": False},
            {"kernel": weight[:, :, 3 * g : 3 * g + 3].copy()},
            x[:, :, 2 * g : 2 * g + 2],
        )
        for g in range(3)
    ]
    close(ours, np.concatenate(parts, axis=-1))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_conv2d_with_strides_and_same_padding(stride):
    x, weight = array(2, 7, 9, 3), array(3, 2, 3, 4)
    ours = run("Conv2D", {"padding": "same", "strides": [stride, stride], "use_bias": False}, {"kernel": weight}, x)
    rows, columns = -(-7 // stride), -(-9 // stride)
    top = max((rows - 1) * stride + 3 - 7, 0) // 2
    left = max((columns - 1) * stride + 2 - 9, 0) // 2
    roomy = F.pad(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), (left, 9, top, 9))
    theirs = F.conv2d(roomy, torch.from_numpy(weight.transpose(3, 2, 0, 1).copy()), stride=stride)
    close(ours, theirs.numpy()[:, :, :rows, :columns].transpose(0, 2, 3, 1))


def test_kernels_of_conv2d_lie_in_another_order_in_keras_1_with_channels_first():
    x, weight = array(1, 3, 6, 5), array(2, 2, 3, 4)
    plain = run("Conv2D", {"data_format": "channels_first", "use_bias": False}, {"kernel": weight}, x)
    old = {"kernel": weight.transpose(3, 2, 0, 1).copy()}  # (out, in, rows, columns)
    close(run("Conv2D", {"data_format": "channels_first", "use_bias": False}, old, x, version=1), plain)


@pytest.mark.parametrize("kind", ["ConvDNA", "ConvSequence"])
def test_convolutions_of_concise_are_conv1d(kind):
    x, weight, bias = array(2, 9, 4), array(3, 4, 5), array(5)
    arrays, options = {"kernel": weight, "bias": bias}, {"activation": "relu"}
    np.testing.assert_array_equal(run(kind, options, arrays, x), run("Conv1D", options, arrays, x))


def test_separable_convolution_with_stride_dilation_and_activation():
    x, depth, point = array(2, 20, 3), array(3, 3, 2), array(1, 6, 4)
    options = {"strides": [2], "dilation_rate": [1], "activation": "tanh", "use_bias": False}
    ours = run("SeparableConv1D", options, {"depthwise_kernel": depth, "pointwise_kernel": point}, x)
    joined = np.einsum("wcm,cmo->wco", depth, point[0].reshape(3, 2, 4))  # the two filters are one
    plain = run("Conv1D", {"strides": [2], "use_bias": False}, {"kernel": joined.astype(np.float32)}, x)
    close(ours, np.tanh(plain))


# Pooling


@pytest.mark.parametrize("same", [False, True])
def test_pooling_of_two_axes_ignores_its_pads(same):
    x = array(1, 5, 4, 2) - 10  # all below 0: a zero pad would win
    options = {"pool_size": [2, 3], "strides": [2, 2], "padding": "same" if same else "valid"}
    spans = {False: ([(0, 2), (2, 4)], [(0, 3)]), True: ([(0, 2), (2, 4), (4, 5)], [(0, 3), (2, 4)])}[same]
    cut = [[x[:, a:b, c:d] for c, d in spans[1]] for a, b in spans[0]]
    highest = np.array([[part.max((1, 2)) for part in row] for row in cut]).transpose(2, 0, 1, 3)
    mean = np.array([[part.mean((1, 2)) for part in row] for row in cut]).transpose(2, 0, 1, 3)
    close(run("MaxPooling2D", options, {}, x), highest)
    close(run("AveragePooling2D", options, {}, x), mean)


def test_global_pooling_keeps_its_axes_where_asked_and_knows_the_layout():
    x, image = array(2, 5, 3), array(2, 5, 6, 3)
    close(run("GlobalMaxPooling1D", {"keepdims": True}, {}, x), x.max(1, keepdims=True))
    close(run("GlobalAveragePooling1D", {"keepdims": True}, {}, x), x.mean(1, keepdims=True))
    close(run("GlobalMaxPooling1D", {"data_format": "channels_first"}, {}, x), x.max(2))
    close(run("GlobalMaxPooling2D", {}, {}, image), image.max((1, 2)))
    close(run("GlobalAveragePooling2D", {"data_format": "channels_first"}, {}, image), image.mean((2, 3)))


def test_the_mask_of_concise_leaves_positions_without_a_base_out():
    features, sequence = array(1, 4, 2), np.zeros((1, 4, 4), np.float32)
    sequence[0, [0, 2], [1, 3]] = 1
    close(run("GlobalAveragePooling1D_Mask0", {}, {}, features, sequence), features[:, [0, 2]].mean(1))


# Shapes


def test_pads_of_two_axes_in_all_three_forms():
    x = array(1, 2, 3, 2)
    for padding, widths in ((1, (1, 1, 1, 1)), ([2, 1], (2, 2, 1, 1)), ([[0, 1], [2, 3]], (0, 1, 2, 3))):
        top, bottom, left, right = widths
        expected = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
        np.testing.assert_array_equal(run("ZeroPadding2D", {"padding": padding}, {}, x), expected)


@given(st.integers(0, 4), st.integers(0, 4))
def test_cropping_undoes_padding(before, after):
    x = array(2, 5, 3)
    padded = run("ZeroPadding1D", {"padding": [before, after]}, {}, x)
    assert padded.shape == (2, 5 + before + after, 3)
    np.testing.assert_array_equal(run("Cropping1D", {"cropping": [before, after]}, {}, padded), x)


def test_upsampling_and_then_pooling_gives_the_same():
    x = array(2, 5, 3)
    for times in (1, 2, 7):
        larger = run("UpSampling1D", {"size": times}, {}, x)
        assert larger.shape == (2, 5 * times, 3)
        close(run("AveragePooling1D", {"pool_size": times}, {}, larger), x)


def test_joining_along_another_axis():
    a, b = array(2, 3, 4), array(2, 5, 4)
    np.testing.assert_array_equal(run("Concatenate", {"axis": 1}, {}, a, b), np.concatenate([a, b], axis=1))


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum"])
def test_a_vector_beside_a_sequence_is_the_same_at_every_position_of_its_own_window(kind):
    """Four windows of four positions: torch by itself would take the windows' axis for the positions'."""
    x, v = array(4, 4, 3), array(4, 3)
    by_hand = {"Add": np.add, "Multiply": np.multiply, "Subtract": np.subtract, "Maximum": np.maximum}
    by_hand |= {"Minimum": np.minimum, "Average": lambda a, b: (a + b) / 2}
    close(run(kind, {}, {}, x, v), by_hand[kind](x, v[:, None]))


@given(st.integers(2, 5), st.booleans())
def test_the_largest_of_several_is_exact_where_numbers_are_alike(n, equal):
    parts = [array(2, 4) for _ in range(n)]
    if equal:
        parts = [parts[0]] * n
    close(run("Maximum", {}, {}, *parts), np.max(parts, axis=0))


@pytest.mark.parametrize("kind", ["Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout"])
def test_noise_of_the_training_is_nothing_at_prediction(kind):
    x = array(2, 6, 3)
    np.testing.assert_array_equal(run(kind, {"rate": 0.9, "stddev": 3.0}, {}, x), x)


def test_dropout_of_whole_channels_when_a_model_is_trained():
    layer = build_layer(layer_of("SpatialDropout1D", {"rate": 0.5}), {}).train()
    torch.manual_seed(0)
    dropped = layer(torch.ones(4, 10, 16))
    by_channel = dropped.amax(1)
    assert torch.equal(dropped, by_channel[:, None].expand(4, 10, 16)), "a channel is there whole or not at all"
    assert set(by_channel.flatten().tolist()) == {0.0, 2.0}


# Normalisation


def test_batch_normalisation_of_images_and_of_channels_first():
    x, mean, variance = array(2, 5, 6, 3), array(3), array(3) ** 2
    arrays = {"moving_mean": mean, "moving_variance": variance}
    options = {"scale": False, "center": False, "epsilon": 1e-3}
    expected = (x - mean) / np.sqrt(variance + 1e-3)
    close(run("BatchNormalization", options, arrays, x), expected, atol=1e-5)
    first = run("BatchNormalization", options | {"axis": 1}, arrays, x.transpose(0, 3, 1, 2).copy())
    close(first, expected.transpose(0, 3, 1, 2), atol=1e-5)


@pytest.mark.parametrize("role", ["gamma", "beta"])
def test_layer_normalisation_with_one_of_its_two_arrays(role):
    x, values = array(2, 5, 6), array(6)
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    expected = scaled * values if role == "gamma" else scaled + values
    close(run("LayerNormalization", {"axis": -1}, {role: values}, x), expected)


def test_prelu_with_a_slope_for_each_unit():
    x, slopes = -np.ones((2, 3, 2), np.float32), array(3, 2)
    close(run("PReLU", {}, {"alpha": slopes}, x), np.tile(-slopes, (2, 1, 1)))


# Activations


OTHER_ACTIVATIONS = {
    "relu6": lambda x: np.clip(x, 0, 6),
    "exponential": np.exp,
    "exp": np.exp,
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
}


@pytest.mark.parametrize("name", OTHER_ACTIVATIONS)
def test_activations_of_later_versions(name):
    close(run("Activation", {"activation": name}, {}, X), OTHER_ACTIVATIONS[name](X).astype(np.float32))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ({"class_name": "function", "config": "relu"}, "relu"),
        ({"class_name": "function", "config": {"name": "softplus"}}, "softplus"),
        ({"class_name": "ReLU", "config": {"name": "re_lu_1"}}, "relu"),
        ({"class_name": "Softsign", "config": {}}, "softsign"),
        (None, "linear"),
    ],
)
def test_activations_as_keras_3_writes_them(written, name):
    close(run("Activation", {"activation": written}, {}, X, version=3), run("Activation", {"activation": name}, {}, X))


def test_activation_layers_and_their_defaults():
    close(run("ELU", {"alpha": 0.5}, {}, X), np.where(X > 0, X, 0.5 * np.expm1(X)))
    close(run("LeakyReLU", {}, {}, X), np.where(X > 0, X, 0.3 * X))
    close(run("LeakyReLU", {"negative_slope": 0.1}, {}, X), np.where(X > 0, X, 0.1 * X))
    close(run("ThresholdedReLU", {"theta": 2.0}, {}, X), np.where(X > 2, X, 0))
    close(run("ReLU", {"max_value": None, "negative_slope": None, "threshold": None}, {}, X), np.maximum(X, 0))
    close(run("ReLU", {"max_value": 3.0}, {}, X), np.clip(X, 0, 3))


@pytest.mark.parametrize(("axis", "sums_over"), [(-1, 2), ([-1], 2), (1, 1)])
def test_softmax_over_the_axis_it_names(axis, sums_over):
    x = array(2, 5, 3)
    ours = run("Softmax", {"axis": axis}, {}, x)
    np.testing.assert_allclose(ours.sum(sums_over), 1, atol=1e-6)
    np.testing.assert_array_equal(ours.argmax(sums_over), x.argmax(sums_over))


@pytest.mark.parametrize(
    ("function", "same_as"),
    [("nn.relu", "relu"), ("math.sigmoid", "sigmoid"), ("math.exp", "exp"), ("nn.gelu", "gelu")],
)
def test_operations_of_tensorflow_are_activations(function, same_as):
    np.testing.assert_array_equal(
        run("TFOpLambda", {"function": function}, {}, X), run("Activation", {"activation": same_as}, {}, X)
    )


# Layers of other packages


def test_the_augmentation_of_baskerville_is_nothing_at_prediction():
    x = array(2, 6, 4)
    same, turned = build_layer(layer_of("StochasticReverseComplement"), {})(torch.from_numpy(x))
    assert torch.equal(same, torch.from_numpy(x)) and turned.dtype == torch.bool and not turned.item()
    back = build_layer(layer_of("SwitchReverse"), {})(same, turned)
    assert torch.equal(back, torch.from_numpy(x))
    np.testing.assert_array_equal(run("StochasticShift", {}, {}, x), x)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_spline_weight_with_bias_and_degree(degree):
    x, kernel, bias = array(2, 30, 4), array(8, 4), array(4)
    expected = x * (1 + spline_bases(30, 8, degree) @ kernel + bias)
    close(run("SplineWeight1D", {"spline_degree": degree}, {"kernel": kernel, "bias": bias}, x), expected)


@settings(max_examples=25)
@given(st.integers(2, 80), st.integers(4, 12), st.integers(1, 3))
def test_spline_bases_are_parts_of_one_that_are_nowhere_negative(length, n_bases, degree):
    bases = spline_bases(length, n_bases, degree)
    assert bases.shape == (length, n_bases) and bases.dtype == np.float32
    assert bases.min() >= 0
    np.testing.assert_allclose(bases.sum(1), 1, atol=1e-5)
    assert ((bases > 0).sum(1) <= degree + 1).all(), "a position is under at most degree + 1 of them"
