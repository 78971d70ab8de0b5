"""What is not supported is refused by the layer's name, with the option that is meant and a fix; never guessed."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest
import torch
from keras_files import functional, node, sequential, write_h5
from keras_layers import array, layer_of

from zoo.errors import ModelError
from zoo.models.keras import load_keras
from zoo.models.keras.config import parse_config
from zoo.models.keras.registry import build_layer
from zoo.words import counted

BATCH_NORM = {"moving_mean": array(3), "moving_variance": array(3) ** 2}
LAYERS = {
    "mode": ("BatchNormalization", {"mode": 1}, BATCH_NORM, "BatchNormalization of mode 1 is not supported"),
    "axes": ("BatchNormalization", {"axis": [1, 2]}, BATCH_NORM, "BatchNormalization of the axes [1, 2]"),
    "renorm": ("BatchNormalization", {"renorm": True}, BATCH_NORM, "BatchNormalization with renorm is not supported"),
    "rms": ("LayerNormalization", {"rms_scaling": True}, {"gamma": array(3)}, "with rms_scaling is not supported"),
    "no arrays": ("GroupNormalization", {"axis": -1}, {}, "GroupNormalization without scale and center"),
    "padding": ("Conv1D", {"padding": "reflect"}, {"kernel": array(3, 4, 2)}, "padding 'reflect' is not supported"),
    "bilinear": ("UpSampling2D", {"interpolation": "bilinear"}, {}, "with interpolation 'bilinear' is not supported"),
    "padding transposed": ("Conv1DTranspose", {"padding": "causal"}, {"kernel": array(3, 4, 2)}, "padding 'causal'"),
    "own kernels": ("LocallyConnected1D", {"implementation": 3}, {"kernel": array(9)}, "of implementation 3"),
    "own kernels same": ("LocallyConnected1D", {"padding": "same"}, {"kernel": array(3, 4, 2)}, "padding 'same'"),
    "gate": ("MultiHeadAttention", {"use_gate": True}, {}, "with use_gate is not supported"),
    "own attention": ("Attention", {}, {}, "of 1 input, which is not Keras's own"),
    "scores": ("Attention", {"use_scale": False, "score_mode": "sum"}, {}, "score_mode 'sum' is not supported"),
    "time": ("LSTM", {"time_major": True}, {}, "with time_major is not supported"),
    "inverse": ("Normalization", {"invert": True}, {}, "inverted is not supported"),
    "operation": ("TFOpLambda", {"function": "math.lgamma"}, {}, "calls TensorFlow's 'math.lgamma', which is"),
    "attention": ("MultiheadAttention", {}, {"q/kernel": array(2, 2)}, "not the attention of baskerville"),
    "rank": ("Dense", {}, {"kernel": array(2, 3, 4)}, "holds a kernel of shape (2, 3, 4)"),
    "rank 2D": ("Conv2D", {}, {"kernel": array(2, 3, 4)}, "holds a kernel of shape (2, 3, 4)"),
    "bias": ("Dense", {}, {"kernel": array(4, 3), "bias": array(5)}, "holds an array of shape (5,)"),
    "kernel": ("Dense", {}, {}, "cannot be built: KeyError: 'kernel'"),
    "repeat": ("RepeatVector", {}, {}, "cannot be built: KeyError: 'n'"),
    "size": ("UpSampling1D", {"size": "two"}, {}, "cannot be built: ValueError"),
    "dims": ("Permute", {"dims": None}, {}, "cannot be built: TypeError"),
    "function": ("Activation", {"activation": {"class_name": "Snake", "config": {}}}, {}, "the activation 'snake'"),
}


@pytest.mark.parametrize("case", LAYERS)
def test_a_layer_that_cannot_be_built(case):
    kind, options, arrays, says = LAYERS[case]
    with pytest.raises(ModelError, match=re.escape(says)) as caught:
        build_layer(layer_of(kind, options, 2 if "score_mode" in options else 1), arrays)
    assert caught.value.what.startswith("layer 'odd_3'")
    assert caught.value.fix.startswith("Fix: ") and caught.value.exit_code == 4


def test_a_refused_option_is_said_before_its_arrays_are_counted(tmp_path):
    """Keras makes no beta with rms_scaling: "has 2 arrays" would be beside the point."""
    options = {"axis": [-1], "epsilon": 1e-3, "rms_scaling": True}
    norm = ("LayerNormalization", options | {"name": "n", "batch_input_shape": [None, 10, 4]})
    path = write_h5(tmp_path / "m.h5", sequential(norm), {"n": [("gamma:0", array(4))]})
    with pytest.raises(ModelError, match="with rms_scaling is not supported"):
        load_keras(path)


def test_the_fix_of_an_unknown_activation_lists_names_that_do_build():
    with pytest.raises(ModelError) as caught:
        build_layer(layer_of("Activation", {"activation": "wavelet"}), {})
    names = caught.value.fix.removeprefix("Fix: use one of ").split(", ")
    assert {"relu", "hard_sigmoid", "leaky_relu"} <= set(names)
    for name in names:
        assert isinstance(build_layer(layer_of("Activation", {"activation": name}), {}), torch.nn.Module)


def test_the_fix_of_an_unknown_operation_lists_names_that_do_build():
    with pytest.raises(ModelError) as caught:
        build_layer(layer_of("TFOpLambda", {"function": "linalg.svd"}), {})
    names = re.findall(r"(?:nn|math)\.\w+", caught.value.fix)
    assert len(names) >= 10
    for name in names:
        assert isinstance(build_layer(layer_of("TFOpLambda", {"function": name}), {}), torch.nn.Module)


@pytest.mark.parametrize("arguments", [{"initial_state": [1]}, {"training": True, "constants": 2}])
def test_a_call_with_further_arguments_is_refused(tmp_path, arguments):
    """A state given from outside changes the result: to leave it out would be a wrong prediction."""
    layers = [node("x", "InputLayer", []), node("sum", "Add", [["x", "x"]])]
    layers[1]["inbound_nodes"][0][0][3] = arguments
    path = write_h5(tmp_path / "m.h5", functional(layers, ["x"], ["sum"]), {})
    name = next(key for key in arguments if key != "training")
    with pytest.raises(ModelError, match=rf"layer 'sum' \(Add\) is called with {name}, which is not supported"):
        load_keras(path)


@pytest.mark.parametrize("arguments", [{"training": True}, {"mask": None}, {"other": None}])
def test_arguments_that_say_nothing_for_a_prediction_are_left_aside(tmp_path, arguments):
    layers = [node("x", "InputLayer", []), node("sum", "Add", [["x", "x"]])]
    layers[1]["inbound_nodes"][0][0][3] = arguments
    module = load_keras(write_h5(tmp_path / "m.h5", functional(layers, ["x"], ["sum"]), {}))
    assert module(torch.ones(1, 2)).tolist() == [[2.0, 2.0]]


# Arrays of a file


def inner_model(*layers):
    """A model with one inner model, called once."""
    inner = functional([node("inner_in", "InputLayer", []), *layers], ["inner_in"], [layers[-1]["name"]], "inner")
    outer = [
        node("x", "InputLayer", []),
        {"class_name": "Model", "name": "inner", "config": inner["config"], "inbound_nodes": [[["x", 0, 0, {}]]]},
    ]
    return functional(outer, ["x"], ["inner"])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_arrays_of_an_inner_model_that_do_not_fit_are_counted(tmp_path, count):
    config = inner_model(node("dense", "Dense", [["inner_in"]], units=3))
    arrays = {"inner": [(f"{i}:0", array(4, 3)) for i in range(count)]}
    with pytest.raises(ModelError, match="the arrays of the inner model 'inner' do not fit its layers") as caught:
        load_keras(write_h5(tmp_path / "m.h5", config, arrays))
    assert caught.value.extent == counted(count, "array")


def test_a_list_of_names_that_keras_split_in_parts_is_joined(tmp_path):
    """An attribute of HDF5 holds at most 64 KiB: Keras writes layer_names0, layer_names1 ..."""
    weights = array(4, 3)
    config = sequential(
        ("Dense", {"name": "first", "units": 3, "use_bias": False}),
        ("Activation", {"name": "last", "activation": "relu"}),
    )
    path = write_h5(tmp_path / "m.h5", config, {"first": [("kernel:0", weights)]})
    with h5py.File(path, "a") as handle:
        group = handle["model_weights"]
        names = list(group.attrs["layer_names"])
        del group.attrs["layer_names"]
        for i, name in enumerate(names):
            group.attrs[f"layer_names{i}"] = [name]
    x = array(2, 4)
    np.testing.assert_allclose(
        load_keras(path)(torch.from_numpy(x)).detach().numpy(), np.maximum(x @ weights, 0), atol=1e-6
    )


def test_a_file_without_the_list_of_layers_is_no_weights_of_keras(tmp_path):
    path = write_h5(tmp_path / "m.h5", sequential(("Flatten", {"name": "f"})), {})
    with h5py.File(path, "a") as handle:
        del handle["model_weights"].attrs["layer_names"]
    with pytest.raises(ModelError, match="cannot be read as weights of Keras") as caught:
        load_keras(path)
    assert "/model_weights lacks the attribute layer_names" in caught.value.what
    assert str(path) in caught.value.what and caught.value.exit_code == 4


def test_a_layer_that_is_listed_but_absent_is_a_damaged_file(tmp_path):
    config = sequential(("Dense", {"name": "d", "units": 1, "use_bias": False}))
    path = write_h5(tmp_path / "m.h5", config, {"d": [("kernel:0", array(4, 1))]})
    with h5py.File(path, "a") as handle:
        del handle["model_weights/d/d/kernel:0"]
    with pytest.raises(ModelError, match="cannot be read as weights of Keras"):
        load_keras(path)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("Dense", {}, 2),
        ("SeparableConv1D", {}, 3),
        ("SeparableConv1D", {"use_bias": False}, 2),
        ("SplineWeight1D", {}, 1),
        ("SplineWeight1D", {"use_bias": True}, 2),
        ("BatchNormalization", {"scale": False}, 3),
        ("BatchNormalization", {"scale": False, "center": False}, 2),
        ("LayerNormalization", {"center": False, "axis": [1, 2], "epsilon": 0.001}, 1),
        ("PReLU", {}, 1),
        ("Embedding", {}, 1),
    ],
)
def test_the_number_of_arrays_that_a_layer_has(tmp_path, kind, options, expected):
    """One too many in the file: the message says how many there should be."""
    config = sequential((kind, {"name": "layer_9", **options}))
    arrays = {"layer_9": [(f"{i}:0", array(2)) for i in range(expected + 1)]}
    words = re.escape(f"layer 'layer_9' ({kind}) has {counted(expected, 'array')}")
    with pytest.raises(ModelError, match=words) as caught:
        load_keras(write_h5(tmp_path / "m.h5", config, arrays))
    assert caught.value.extent.startswith(f"the file holds {expected + 1}: layer_9/0:0")


@pytest.mark.parametrize("kind", ["Flatten", "Add", "ReLU"])
def test_arrays_of_a_layer_that_has_none_tell_another_class_of_that_name(tmp_path, kind):
    path = write_h5(tmp_path / "m.h5", sequential((kind, {"name": "layer_9"})), {"layer_9": [("W:0", array(2))]})
    with pytest.raises(ModelError, match=rf"layer 'layer_9' \({kind}\) with arrays of its own is not supported"):
        load_keras(path)


# Architectures


def test_a_class_that_is_no_model_is_named():
    with pytest.raises(ModelError, match="a model of class 'Estimator'"):
        parse_config('{"class_name": "Estimator", "config": {}}', where="m.json")


def test_a_version_that_is_no_number_is_a_damaged_architecture():
    text = '{"class_name": "Sequential", "config": [], "keras_version": "two"}'
    with pytest.raises(ModelError, match=r"m\.json: the architecture is damaged") as caught:
        parse_config(text, "1.0", "m.json")
    assert caught.value.extent == "written by Keras 1.0"


def test_the_version_in_the_json_wins_over_that_of_the_file():
    text = '{"class_name": "Sequential", "keras_version": "3.1.0", "config": [{"class_name": "ReLU", "config": {}}]}'
    graph = parse_config(text, "1.2.2")
    assert {layer.version for layer in graph.layers} == {3}
    assert [layer.kind for layer in graph.layers] == ["InputLayer", "ReLU"]


def test_a_registered_name_of_a_package_is_its_last_part():
    text = '{"class_name": "Sequential", "config": [{"class_name": "concise>ConvDNA", "config": {"name": "c"}}]}'
    assert parse_config(text).layers[1].kind == "ConvDNA"


def test_names_that_torch_cannot_take_are_changed_and_still_found(tmp_path):
    """`double` and `train` are methods of every module, and a dot separates modules in names."""
    weights = {"double": array(4, 4), "dense.1": array(4, 4), "train": array(4, 2)}
    layers = [("Dense", {"name": name, "units": 4, "use_bias": False}) for name in weights]
    arrays = {name: [("kernel:0", values)] for name, values in weights.items()}
    module = load_keras(write_h5(tmp_path / "m.h5", sequential(*layers), arrays))
    x = array(3, 4)
    expected = x @ weights["double"] @ weights["dense.1"] @ weights["train"]
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-5)
    keys = module.state_dict().keys()
    assert len(keys) == 3 and all(key.startswith("layers.") for key in keys)
