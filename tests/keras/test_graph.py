"""Whole files written by hand with h5py: graphs, several inputs and outputs, shared and inner models, old names."""

from __future__ import annotations

import json
import re

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_files import functional, node, sequential, write_h5

from zoo.errors import ModelError
from zoo.models.keras import load_keras

RNG = np.random.default_rng(1)


def array(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def call(module, *inputs):
    with torch.no_grad():
        result = module(*inputs)
    return [part.numpy() for part in result] if isinstance(result, list) else result.numpy()


def tensor(x):
    return torch.from_numpy(x)


def relu(x):
    return np.maximum(x, 0)


def two_inputs(path):
    """relu(seq @ W + b) summed with features @ V, and its double: returns path and the arrays."""
    w, b, v = array(8, 3), array(3), array(2, 3)
    layers = [
        node("seq", "InputLayer", [], batch_input_shape=[None, 2, 4]),
        node("half_life", "InputLayer", [], batch_input_shape=[None, 2]),
        node("double", "Add", [["sum", "sum"]]),  # listed before what it needs
        node("flat", "Flatten", [["seq"]]),
        node("hidden", "Dense", [["flat"]], units=3, activation="relu", use_bias=True),
        node("linear", "Dense", [["half_life"]], units=3, activation="linear", use_bias=False),
        node("sum", "Add", [["hidden", "linear"]]),
    ]
    config = functional(layers, ["half_life", "seq"], ["sum", "double"])
    write_h5(path, config, {"hidden": [("kernel:0", w), ("bias:0", b)], "linear": [("kernel:0", v)]})
    return path, w, b, v


def test_two_inputs_and_two_outputs_in_the_files_order(tmp_path):
    path, w, b, v = two_inputs(tmp_path / "m.h5")
    seq, features = array(5, 2, 4), array(5, 2)
    expected = relu(seq.reshape(5, 8) @ w + b) + features @ v
    module = load_keras(path)
    assert (module.input_names, module.output_names) == (("half_life", "seq"), ("sum", "double"))
    for inputs in (
        (tensor(features), tensor(seq)),
        ([tensor(features), tensor(seq)],),
        ({"seq": tensor(seq), "half_life": tensor(features)},),
    ):
        once, twice = call(module, *inputs)
        np.testing.assert_allclose(once, expected, atol=1e-6)
        np.testing.assert_allclose(twice, 2 * expected, atol=1e-6)


def test_missing_input_is_named(tmp_path):
    module = load_keras(two_inputs(tmp_path / "m.h5")[0])
    with pytest.raises(ModelError, match="half_life, seq"):
        module(torch.zeros(1, 2, 4))
    with pytest.raises(ModelError, match="half_life, seq"):
        module({"seq": torch.zeros(1, 2, 4)})


def test_a_shared_layer_has_one_set_of_parameters_and_a_module_for_each_call(tmp_path):
    w = array(4, 3)
    layers = [
        node("left", "InputLayer", []),
        node("right", "InputLayer", []),
        node("shared", "Dense", [["left"], ["right"]], units=3, activation="relu", use_bias=False),
        node("difference", "Subtract", [[("shared", 1), ("shared", 0)]]),
    ]
    config = functional(layers, ["left", "right"], ["difference"])
    path = write_h5(tmp_path / "m.h5", config, {"shared": [("kernel:0", w)]})
    module = load_keras(path)
    left, right = array(2, 4), array(2, 4)
    np.testing.assert_allclose(call(module, tensor(left), tensor(right)), relu(right @ w) - relu(left @ w), atol=1e-6)
    assert len(list(module.parameters())) == 1
    assert sum(isinstance(part, torch.nn.ReLU) for part in module.modules()) == 2


def test_sequential_in_all_three_forms(tmp_path):
    kernel, bias, out = array(3, 4, 2), array(2), array(2, 1)
    x = array(2, 6, 4)
    cut = np.stack([x[:, i : i + 3] for i in range(4)], axis=1)
    expected = relu(np.einsum("npwc,wco->npo", cut, kernel) + bias).max(1) @ out
    layers = [
        ("Conv1D", {"name": "conv", "filters": 2, "kernel_size": [3], "activation": "relu", "use_bias": True}),
        ("GlobalMaxPooling1D", {"name": "pool"}),
        ("Dense", {"name": "out", "units": 1, "use_bias": False}),
    ]
    arrays = {"conv": [("kernel:0", kernel), ("bias:0", bias)], "out": [("kernel:0", out)]}
    new = sequential(*layers)
    bare = new | {"config": new["config"]["layers"]}  # Keras before 2.2.3
    with_input = sequential(("InputLayer", {"name": "seq"}), *layers)
    for config in (new, bare, with_input):
        np.testing.assert_allclose(
            call(load_keras(write_h5(tmp_path / "m.h5", config, arrays)), tensor(x)), expected, atol=1e-6
        )


def keras_1(path, backend):
    """A Sequential model with the names, shapes and array names of Keras 1.2."""
    kernel, gates = array(3, 4, 2), [array(*shape) for _ in range(4) for shape in ((2, 3), (3, 3), (3,))]
    out = array(3, 2)
    layers = [
        {
            "class_name": "Convolution1D",
            "config": {
                "name": "convolution1d_1",
                "nb_filter": 2,
                "filter_length": 3,
                "border_mode": "same",
                "subsample_length": 1,
                "activation": "relu",
                "bias": False,
                "batch_input_shape": [None, 8, 4],
            },
        },
        {
            "class_name": "MaxPooling1D",
            "config": {"name": "maxpooling1d_1", "pool_length": 2, "stride": 2, "border_mode": "valid"},
        },
        {
            "class_name": "LSTM",
            "config": {
                "name": "lstm_1",
                "output_dim": 3,
                "activation": "tanh",
                "inner_activation": "hard_sigmoid",
                "return_sequences": False,
            },
        },
        {"class_name": "Dropout", "config": {"name": "dropout_1", "p": 0.5}},
        {"class_name": "Dense", "config": {"name": "dense_1", "output_dim": 2, "bias": False, "activation": "linear"}},
    ]
    arrays = {
        "convolution1d_1": [("convolution1d_1_W", kernel[:, None])],
        "lstm_1": [(f"lstm_1_{i}", gate) for i, gate in enumerate(gates)],
        "dense_1": [("dense_1_W", out)],
    }
    write_h5(path, {"class_name": "Sequential", "config": layers}, arrays, "1.2.2", backend)
    return kernel, gates, out


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_a_file_of_keras_1(tmp_path, backend):
    kernel, gates, out = keras_1(tmp_path / "m.h5", backend)
    x = array(2, 8, 4)
    used = kernel[::-1] if backend == "theano" else kernel  # Theano convolves, it does not correlate
    edges = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    conv = relu(np.stack([np.einsum("nwc,wco->no", edges[:, i : i + 3], used) for i in range(8)], axis=1))
    pooled = conv.reshape(2, 4, 2, 2).max(2)
    (wi, ui, bi), (wc, uc, bc), (wf, uf, bf), (wo, uo, bo) = (gates[3 * i : 3 * i + 3] for i in range(4))

    def hard(value):
        return np.clip(0.2 * value + 0.5, 0, 1)

    state = cell = np.zeros((2, 3))
    for step in range(4):
        p = pooled[:, step]
        added = hard(p @ wi + state @ ui + bi) * np.tanh(p @ wc + state @ uc + bc)
        cell = hard(p @ wf + state @ uf + bf) * cell + added
        state = hard(p @ wo + state @ uo + bo) * np.tanh(cell)
    np.testing.assert_allclose(call(load_keras(tmp_path / "m.h5"), tensor(x)), state @ out, atol=1e-6)


def test_a_file_of_keras_3(tmp_path):
    w = array(4, 4)

    def source(name):
        return {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "keras_history": [name, 0, 0]}}

    def layer(kind, name, arguments, **options):
        nodes = [{"args": arguments, "kwargs": {"mask": None}}] if arguments else []
        return {
            "module": "keras.layers",
            "class_name": kind,
            "config": {"name": name, **options},
            "name": name,
            "inbound_nodes": nodes,
            "registered_name": None,
        }

    layers = [
        layer("InputLayer", "x", [], batch_shape=[None, 4]),
        layer("Dense", "dense", [source("x")], units=4, activation="hard_sigmoid", use_bias=False),
        layer("Add", "add", [[source("dense"), source("x")]]),
    ]
    config = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {"name": "f", "layers": layers, "input_layers": ["x", 0, 0], "output_layers": ["add", 0, 0]},
    }
    write_h5(tmp_path / "m.h5", config, {"dense": [("kernel", w)]}, "3.15.1")
    x = array(3, 4)
    expected = np.clip(x @ w / 6 + 0.5, 0, 1) + x
    np.testing.assert_allclose(call(load_keras(tmp_path / "m.h5"), tensor(x)), expected, atol=1e-6)


def test_an_inner_model_takes_the_flat_list_trained_arrays_first(tmp_path):
    """Two batch normalisations: gamma, beta of both, then mean, variance of both. Calls are counted from 1."""
    inner = functional(
        [
            node("inner_in", "InputLayer", []),
            node("one", "BatchNormalization", [["inner_in"]], epsilon=0.001),
            node("two", "BatchNormalization", [["one"]], epsilon=0.001),
        ],
        ["inner_in"],
        ["two"],
        "inner",
    )
    layers = [
        node("x", "InputLayer", []),
        {"class_name": "Model", "name": "inner", "config": inner["config"], "inbound_nodes": [[["x", 0, 0, {}]]]},
        node("out", "Activation", [[("inner", 1)]], activation="linear"),
    ]
    g1, b1, g2, b2, m1, v1, m2, v2 = (abs(array(3)) for _ in range(8))
    arrays = {"inner": [(f"{i}:0", a) for i, a in enumerate([g1, b1, g2, b2, m1, v1, m2, v2])]}
    module = load_keras(write_h5(tmp_path / "m.h5", functional(layers, ["x"], ["out"]), arrays))
    x = array(4, 3)
    first = (x - m1) / np.sqrt(v1 + 0.001) * g1 + b1
    np.testing.assert_allclose(call(module, tensor(x)), (first - m2) / np.sqrt(v2 + 0.001) * g2 + b2, rtol=1e-4)


def test_architecture_beside_the_weights(tmp_path):
    w = array(4, 2)
    config = sequential(("Dense", {"name": "dense_1", "units": 2, "use_bias": False}))
    weights = write_h5(tmp_path / "w.h5", None, {"dense_1": [("kernel:0", w)]})
    with pytest.raises(ModelError, match="no architecture"):
        load_keras(weights)
    (tmp_path / "m.json").write_text(json.dumps(config | {"keras_version": "2.2.4", "backend": "tensorflow"}))
    x = array(3, 4)
    np.testing.assert_allclose(call(load_keras(weights, tmp_path / "m.json"), tensor(x)), x @ w, atol=1e-6)


def test_gradients_reach_the_input(tmp_path):
    """All units far above 0: the gradient of their sum is the sum of the kernel over units."""
    path, w, *_ = two_inputs(tmp_path / "m.h5")
    module = load_keras(path)
    module.layers["hidden"][0].bias.data += 100
    seq = torch.rand(1, 2, 4, requires_grad=True)
    module(torch.ones(1, 2), seq)[0].sum().backward()
    np.testing.assert_allclose(seq.grad.reshape(8).numpy(), w.sum(1), atol=1e-5)


def wrong_arrays(w):
    return {
        "2 arrays": [("kernel:0", w)],
        "holds 3": [("kernel:0", w), ("bias:0", w[0]), ("more:0", w)],
        "(3, 5)": [("kernel:0", array(4, 5)), ("bias:0", array(3, 5))],
    }


@pytest.mark.parametrize("says", ["2 arrays", "holds 3", "(3, 5)"])
def test_weights_that_do_not_fit_name_the_layer(tmp_path, says):
    arrays = wrong_arrays(array(4, 3))[says]
    config = sequential(("Dense", {"name": "dense_1", "units": 3, "use_bias": True}))
    path = write_h5(tmp_path / "m.h5", config, {"dense_1": arrays})
    with pytest.raises(ModelError, match=re.escape(says)) as caught:
        load_keras(path)
    assert "dense_1" in str(caught.value)


def test_a_graph_without_a_beginning_is_damaged(tmp_path):
    layers = [node("x", "InputLayer", []), node("a", "Add", [["b", "x"]]), node("b", "Add", [["a", "x"]])]
    path = write_h5(tmp_path / "m.h5", functional(layers, ["x"], ["b"]), {})
    with pytest.raises(ModelError, match=r"cannot be ordered.*'a'"):
        load_keras(path)


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(40)])
def test_a_file_that_is_no_hdf5(tmp_path, content):
    (tmp_path / "m.h5").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.h5: is no HDF5 file"):
        load_keras(tmp_path / "m.h5")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"class_name": "Sequential"}'])
def test_json_that_is_no_architecture(tmp_path, text):
    weights = write_h5(tmp_path / "w.h5", None, {})
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ModelError, match=r"m\.json: holds no architecture"):
        load_keras(weights, tmp_path / "m.json")


def test_a_damaged_architecture_says_so(tmp_path):
    config = functional([{"class_name": "Dense"}], ["x"], ["x"])
    with pytest.raises(ModelError, match="damaged or of an unknown form"):
        load_keras(write_h5(tmp_path / "m.h5", config | {"config": config["config"] | {"layers": [{"name": "x"}]}}, {}))


def places(value, path=()):
    """Every place in nested dicts and lists but the root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield (*path, key)
        yield from places(part, (*path, key))


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_architecture_is_never_a_crash(tmp_path_factory, data):
    path, *_ = two_inputs(tmp_path_factory.mktemp("damaged") / "m.h5")
    with h5py.File(path, "a") as handle:
        config = json.loads(handle.attrs["model_config"])
        *way, last = data.draw(st.sampled_from(list(places(config))))
        where = config
        for key in way:
            where = where[key]
        where[last] = data.draw(st.sampled_from([None, 0, -1, 1.5, "x", [], {}, [None], {"class_name": "x"}]))
        handle.attrs["model_config"] = json.dumps(config).encode()
    try:
        assert isinstance(load_keras(path), torch.nn.Module)
    except ModelError as error:
        assert "Fix:" in str(error)
