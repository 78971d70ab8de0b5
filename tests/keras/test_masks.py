"""Masks: what is skipped changes no number, what has no rule for a mask is refused. Classes named as Keras's own."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from keras_files import functional, node, write_h5
from keras_layers import array, layer_of, run

from zoo.errors import ModelError
from zoo.models.keras import load_keras
from zoo.models.keras.config import parse_config
from zoo.models.keras.registry import KINDS, build_layer, check_kinds

GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
ATTENTION = {"use_scale": False, "score_mode": "dot"}


def load(tmp_path, layers, outputs, arrays=None):
    layers = [node("x", "InputLayer", []), node("masked", "Masking", [["x"]], mask_value=0.0), *layers]
    return load_keras(write_h5(tmp_path / "m.h5", functional(layers, ["x"], outputs), arrays or {}))


def sequence():
    """(1, 6, 4) with nothing at positions 1, 4 and 5."""
    x = array(1, 6, 4)
    x[:, [1, 4, 5]] = 0
    return x


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("backwards", [False, True])
def test_the_state_after_masked_positions_is_that_without_them(tmp_path, kind, backwards):
    n = GATES[kind]
    roles = [("kernel", array(4, n * 2)), ("recurrent_kernel", array(2, n * 2)), ("bias", array(n * 2))]
    options = {"go_backwards": backwards, "recurrent_activation": "sigmoid", "units": 2}
    layers = [node("rnn", kind, [["masked"]], **options)]
    module = load(tmp_path, layers, ["rnn"], {"rnn": [(f"{role}:0", values) for role, values in roles]})
    x = sequence()
    with torch.no_grad():
        ours = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours, run(kind, options, dict(roles), x[:, [0, 2, 3]].copy()), atol=1e-6)


def test_a_mean_is_one_over_the_positions_that_count(tmp_path):
    layers = [
        node("dense", "Dense", [["masked"]], use_bias=True),
        node("drop", "Dropout", [["dense"]], rate=0.5),
        node("mean", "GlobalAveragePooling1D", [["drop"]]),
        node("highest", "GlobalMaxPooling1D", [["drop"]]),
    ]
    kernel, bias = array(4, 2), np.float32([100, -100])
    module = load(tmp_path, layers, ["mean", "highest"], {"dense": [("kernel:0", kernel), ("bias:0", bias)]})
    x = sequence()
    dense = x @ kernel + bias
    mean, highest = module(torch.from_numpy(x))
    np.testing.assert_allclose(mean.detach(), dense[:, [0, 2, 3]].mean(1), rtol=1e-5)
    np.testing.assert_allclose(highest.detach(), dense.max(1), rtol=1e-5)  # Keras's maximum knows no mask


def test_a_value_other_than_0_is_masked_and_becomes_0(tmp_path):
    x = np.full((1, 3, 2), 0.25, np.float32)
    x[0, 1] = [0.25, 1]
    found, mask = build_layer(layer_of("Masking", {"mask_value": 0.25}), {})(torch.from_numpy(x))
    assert found.tolist() == [[[0, 0], [0.25, 1], [0, 0]]] and mask.tolist() == [[False, True, False]]


@pytest.mark.parametrize("kind", [*GATES, "GlobalAveragePooling1D"])
def test_a_second_tensor_is_no_mask(tmp_path, kind):
    """Keras 2 lists the first state of a recurrent layer among its inputs."""
    layers = [
        node("x", "InputLayer", []),
        node("state", "InputLayer", []),
        node("odd", kind, [["x", "state"]], units=1, recurrent_activation="sigmoid"),
    ]
    n = GATES.get(kind, 0)
    arrays = [("k:0", array(4, n)), ("r:0", array(1, n)), ("b:0", array(n))] if n else []
    path = write_h5(tmp_path / "m.h5", functional(layers, ["x", "state"], ["odd"]), {"odd": arrays})
    with pytest.raises(ModelError, match=re.escape(f"layer 'odd' ({kind}) is called with 2 tensors")):
        load_keras(path)


REFUSED = {
    "Softmax": [node("odd", "Softmax", [["masked"]])],
    "EinsumDense": [node("odd", "EinsumDense", [["masked"]], equation="abc,cd->abd")],
    "GroupNormalization": [node("odd", "GroupNormalization", [["masked"]], groups=2, axis=-1, epsilon=0.1)],
    "TimeDistributed": [
        node("odd", "TimeDistributed", [["masked"]], layer={"class_name": "Dense", "config": {"name": "d"}})
    ],
    "Attention": [node("odd", "Attention", [["masked", "x"]], **ATTENTION)],
    "Dot": [node("odd", "Dot", [["masked", "masked"]], axes=2)],
    "Concatenate": [node("odd", "Concatenate", [["masked", "masked"]], axis=1)],
    "Add": [node("odd", "Add", [["x", "masked"]])],  # Keras 2 keeps the mask of the one, Keras 3 has none
}
ARRAYS = {
    "EinsumDense": [("kernel:0", array(4, 2))],
    "GroupNormalization": [("gamma:0", array(4)), ("beta:0", array(4))],
    "TimeDistributed": [("kernel:0", array(4, 2)), ("bias:0", array(2))],
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_layer_without_a_rule_for_the_mask_that_comes_to_it_is_refused(tmp_path, kind):
    with pytest.raises(ModelError, match=re.escape(f"layer 'odd' ({kind}) with a mask")):
        load(tmp_path, REFUSED[kind], ["odd"], {"odd": ARRAYS.get(kind, [])})


def test_a_mask_that_enters_or_leaves_an_inner_model_is_refused(tmp_path):
    def inner(*layers):
        made = functional([node("inside", "InputLayer", []), *layers], ["inside"], [layers[-1]["name"]], "inner")
        return {"class_name": "Model", "name": "inner", "config": made["config"], "inbound_nodes": [[["a", 0, 0, {}]]]}

    into = [node("a", "Masking", [["x"]], mask_value=0.0), inner(node("relu", "ReLU", [["inside"]]))]
    out = [node("a", "ReLU", [["x"]]), inner(node("m", "Masking", [["inside"]], mask_value=0.0))]
    for layers, says in ((into, "layer 'inner' (Model) with a mask"), (out, "layer 'inner' is a model that gives")):
        config = functional([node("x", "InputLayer", []), *layers], ["x"], ["inner"])
        with pytest.raises(ModelError, match=re.escape(says)):
            load_keras(write_h5(tmp_path / "m.h5", config, {}))


def test_a_wrapper_around_what_makes_a_mask_is_refused():
    inner = layer_of("Masking", {"mask_value": 0.0})
    with pytest.raises(ModelError, match="around Masking, which makes a mask, is not supported"):
        build_layer(layer_of("TimeDistributed", wrapped=inner), {})


def test_every_rule_for_masks_is_one_that_is_known():
    assert {kind.mask for kind in KINDS.values()} == {"passes", "ends", "used", "made", "refused"}


# ---------------------------------------------------------------- what is not in the table, or only by its name


def test_all_layers_that_are_not_supported_are_named_before_arrays_are_counted(tmp_path):
    layers = [
        node("x", "InputLayer", []),
        node("caps", "CapsuleLayer", [["x"]]),
        node("per", "TimeDistributed", [["caps"]], layer={"class_name": "Highway", "config": {"name": "hw"}}),
    ]
    path = write_h5(tmp_path / "m.h5", functional(layers, ["x"], ["per"]), {"caps": [("w:0", array(3))]})
    with pytest.raises(ModelError) as caught:
        load_keras(path)
    assert caught.value.what == f"{path}: layer 'caps' (CapsuleLayer), 'hw' (Highway) are not supported"
    assert caught.value.extent.startswith("2 layers; supported are Activation, ")
    assert "array" not in str(caught.value)


FOREIGN = {
    "a package": ({"class_name": "mine>LayerNormalization"}, "its class is mine's own"),
    "a registered name": ({"class_name": "Dense", "registered_name": "mine>Dense"}, "its class is mine's own"),
    "a module": ({"class_name": "Dense", "module": "lab.layers"}, "its class is lab.layers's own"),
    "norm": ({"class_name": "LayerNormalization"}, "its config lacks axis, epsilon"),
    "heads": ({"class_name": "MultiHeadAttention"}, "its config lacks num_heads, key_dim"),
    "attention": ({"class_name": "Attention"}, "its config lacks use_scale"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_class_of_another_package_with_the_name_of_keras_is_refused(case):
    item, says = FOREIGN[case]
    text = json.dumps({"class_name": "Sequential", "config": [item | {"config": {"name": "odd"}}]})
    kind = item["class_name"].rpartition(">")[2]
    with pytest.raises(ModelError, match=re.escape(f"m.h5: layer 'odd' ({kind}) is not supported: {says}")):
        check_kinds(parse_config(text), "m.h5")


@pytest.mark.parametrize("module", [None, "keras.layers", "tensorflow.keras.layers", "keras.src.layers.core"])
def test_a_class_of_keras_itself_is_taken(module):
    item = {"class_name": "Dense", "module": module, "registered_name": None, "config": {"name": "d"}}
    config = parse_config(json.dumps({"class_name": "Sequential", "config": [item]}))
    check_kinds(config)
    assert [layer.package for layer in config.layers] == ["", ""]


def test_a_layer_that_is_called_in_two_ways_is_refused(tmp_path):
    """Its module is built once: a causal call and one that is not would be the same."""
    layers = [
        node("x", "InputLayer", []),
        node("same", "Attention", [["x", "x"], ["x", "x"]], **ATTENTION),
        node("sum", "Add", [[("same", 0), ("same", 1)]]),
    ]
    layers[1]["inbound_nodes"][1][0][3] = {"use_causal_mask": True}
    with pytest.raises(ModelError, match=re.escape("layer 'same' (Attention) called with different arguments")):
        load_keras(write_h5(tmp_path / "m.h5", functional(layers, ["x"], ["sum"]), {}))


def test_attention_over_some_axes_of_an_image_is_refused():
    heads = {f"{side}/kernel": array(3, 1, 2) for side in ("query", "key", "value")}
    options = {"use_bias": False, "attention_axes": [2], "num_heads": 1, "key_dim": 2}
    arrays = heads | {"attention_output/kernel": array(1, 2, 3)}
    with pytest.raises(ModelError, match=re.escape("over the axes (2,) of 4 is not supported")):
        run("MultiHeadAttention", options, arrays, *[array(1, 2, 3, 3)] * 2)


def test_two_sides_of_different_kinds_are_refused():
    other = {"class_name": "LSTM", "config": {"units": 2, "activation": "relu"}}
    inner = layer_of("LSTM", {"units": 2, "activation": "tanh", "name": "f"})
    with pytest.raises(ModelError, match="with a backward_layer that differs") as caught:
        build_layer(layer_of("Bidirectional", {"backward_layer": other}, wrapped=inner), {})
    assert caught.value.extent == "it differs in activation"


def test_an_activation_that_is_a_layer_keeps_its_options():
    x = np.float32([[-2, 0.5, 3]])
    capped = {"class_name": "ReLU", "config": {"name": "re_lu", "max_value": 1.0, "negative_slope": 0.5}}
    assert run("Activation", {"activation": capped}, {}, x).tolist() == [[-1, 0.5, 1]]
    named = {"class_name": "Snake", "config": {"name": "relu"}}  # a name that its author chose is no function
    with pytest.raises(ModelError, match="the activation 'snake'"):
        run("Activation", {"activation": named}, {}, x)
