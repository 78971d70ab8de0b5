"""What stands among the arguments of a call: numbers, slices, names are applied as Keras does, or refused by name."""

from __future__ import annotations

import json
import re

import h5py
import numpy as np
import pytest
import torch
from keras_files import functional, node, write_h5

import zoo
from zoo.errors import ModelError
from zoo.models.keras import load_keras

X = np.arange(-6, 6, dtype=np.float32).reshape(2, 2, 3)
OTHER = np.linspace(1, 2, 12, dtype=np.float32).reshape(2, 2, 3)


def tensor(name, call=0, index=0):
    """A tensor among the arguments of a Keras 3 call."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 2, 3], "dtype": "float32", "keras_history": [name, call, index]},
    }


def call3(kind, name, *calls, module="keras.src.ops.numpy", kwargs=None, **options):
    """A layer or operation as Keras 3 writes it; each call is its list of arguments."""
    nodes = [{"args": list(args), "kwargs": kwargs or {}} for args in calls]
    item = {"class_name": kind, "config": {"name": name, **options}, "name": name, "inbound_nodes": nodes}
    return item | ({"module": module} if module else {})


def file3(path, *items, outputs=("out",), arrays=None):
    inputs = [call3("InputLayer", name, module="keras.layers", dtype="float32") for name in ("x", "y")]
    config = {
        "name": "f",
        "layers": [*inputs, *items],
        "input_layers": [["x", 0, 0], ["y", 0, 0]],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return write_h5(path, {"class_name": "Functional", "config": config}, arrays or {}, "3.15.1")


def run(path):
    with torch.no_grad():
        found = load_keras(path)(torch.from_numpy(X), torch.from_numpy(OTHER))
    return [part.numpy() for part in found] if isinstance(found, list) else found.numpy()


MODULES = ["keras.src.ops.numpy", "keras.ops", "keras.src.ops.math", None, "keras.layers"]
OPERATORS = {
    "x * 2": ("Multiply", (tensor("x"), 2.0), X * 2),
    "2 * x": ("Multiply", (2.0, tensor("x")), X * 2),
    "x + 1": ("Add", (tensor("x"), 1), X + 1),
    "1 - x": ("Subtract", (1.0, tensor("x")), 1 - X),
    "x - 1": ("Subtract", (tensor("x"), 1.0), X - 1),
    "x - y": ("Subtract", (tensor("x"), tensor("y")), X - OTHER),
    "y - x": ("Subtract", (tensor("y"), tensor("x")), OTHER - X),
    "max": ("Maximum", (0.5, tensor("x")), np.maximum(X, 0.5)),
}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("case", OPERATORS)
def test_an_operator_with_a_number_is_applied_whatever_the_file_calls_its_module(tmp_path, case, module):
    """HDF5 of Keras 3 has no modules; a layer of the same name never takes two arguments."""
    kind, arguments, expected = OPERATORS[case]
    found = run(file3(tmp_path / "m.h5", call3(kind, "out", arguments, module=module)))
    np.testing.assert_array_equal(found, expected.astype(np.float32))


DIVISIONS = {
    "x / y": ("TrueDivide", (tensor("x"), tensor("y")), X / OTHER),
    "y / x": ("Divide", (tensor("y"), 4), OTHER / 4),
    "1 / y": ("TrueDivide", (1, tensor("y")), 1 / OTHER),
    "x ** 2": ("Power", (tensor("x"), 2), X**2),
    "2 ** x": ("Power", (2.0, tensor("x")), 2**X),
    "-x": ("Negative", (tensor("x"),), -X),
    "array": (
        "Multiply",
        (tensor("x"), {"class_name": "__numpy__", "config": {"value": [1, 2, 3], "dtype": "float32"}}),
        X * [1, 2, 3],
    ),
    "tensor": (
        "Add",
        (tensor("x"), {"class_name": "__tensor__", "config": {"value": [[1.0]], "dtype": "float32"}}),
        X + 1,
    ),
}


@pytest.mark.parametrize("module", ["keras.src.ops.numpy", None])
@pytest.mark.parametrize("case", DIVISIONS)
def test_other_operators(tmp_path, case, module):
    kind, arguments, expected = DIVISIONS[case]
    found = run(file3(tmp_path / "m.h5", call3(kind, "out", arguments, module=module)))
    np.testing.assert_allclose(found, expected.astype(np.float32), rtol=1e-6)


def test_the_case_of_the_issue(tmp_path):
    """conv(x) * 2.0 + 1.0 and 1.0 - conv(x), the convolution called once, its result used by both."""
    kernel = np.random.default_rng(1).integers(-3, 4, (1, 3, 2)).astype(np.float32)
    items = [
        call3("Conv1D", "conv", [tensor("x")], module="keras.layers", trainable=True, filters=2, kernel_size=[1],
              use_bias=False),
        call3("Multiply", "multiply", [tensor("conv"), 2.0]),
        call3("Add", "add", [tensor("multiply"), 1.0]),
        call3("Subtract", "subtract", [1.0, tensor("conv")]),
    ]  # fmt: skip
    path = file3(tmp_path / "m.h5", *items, outputs=("add", "subtract"), arrays={"conv": [("kernel", kernel)]})
    convolved = X @ kernel[0]
    first, second = run(path)
    np.testing.assert_array_equal(first, convolved * 2 + 1)
    np.testing.assert_array_equal(second, 1 - convolved)


def test_layers_of_the_same_names_still_join_lists(tmp_path):
    listed = [[tensor("x"), tensor("y")]]
    items = [call3(kind, kind.lower(), listed, module="keras.layers") for kind in ("Add", "Subtract", "Multiply")]
    found = run(file3(tmp_path / "m.h5", *items, outputs=("add", "subtract", "multiply")))
    for ours, expected in zip(found, (X + OTHER, X - OTHER, X * OTHER), strict=True):
        np.testing.assert_allclose(ours, expected)


def node2(name, function, first, arguments, kind="TFOpLambda"):
    """An operation as TensorFlow's Keras 2 writes it."""
    nodes = [[*first, arguments]] if isinstance(first[0], str) else [[[*entry, arguments] for entry in first]]
    return {"class_name": kind, "name": name, "config": {"name": name, "function": function}, "inbound_nodes": nodes}


def file2(path, *items):
    inputs = [node("x", "InputLayer", []), node("y", "InputLayer", [])]
    return write_h5(path, functional([*inputs, *items], ["x", "y"], [items[-1]["name"]]), {}, "2.15.0")


FULL = {"start": None, "stop": None, "step": None}
KERAS_2 = {
    "1 - x": (("math.subtract", ["_CONSTANT_VALUE", -1, 1.0], {"y": ["x", 0, 0], "name": None}), 1 - X),
    "x - 1": (("math.subtract", ["x", 0, 0], {"y": 1.0, "name": "minus"}), X - 1),
    "y - x": (("math.subtract", ["y", 0, 0], {"y": ["x", 0, 0]}), OTHER - X),
    "3 / y": (("math.truediv", ["_CONSTANT_VALUE", -1, 3.0], {"y": ["y", 0, 0]}), 3 / OTHER),
    "list": (("math.multiply", ["x", 0, 0], {"y": [1.0, 2.0, 3.0]}), X * [1, 2, 3]),
    "concat": (("concat", [["x", 0, 0], ["y", 0, 0]], {"axis": 1}), np.concatenate([X, OTHER], axis=1)),
    "add_n": (("math.add_n", [["x", 0, 0], ["y", 0, 0], ["x", 0, 0]], {}), X + OTHER + X),
    "mean of a list": (("math.reduce_mean", [["x", 0, 0], ["y", 0, 0]], {"axis": 0}), (X + OTHER) / 2),
    "one in a list": (("concat", [["x", 0, 0]], {"axis": 1}), X),
    "matmul": (("linalg.matmul", ["x", 0, 0], {"b": ["y", 0, 0], "transpose_b": True}), X @ OTHER.transpose(0, 2, 1)),
}


@pytest.mark.parametrize("case", KERAS_2)
def test_operations_of_tensorflow(tmp_path, case):
    (function, first, arguments), expected = KERAS_2[case]
    found = run(file2(tmp_path / "m.h5", node2("out", function, first, arguments)))
    np.testing.assert_allclose(found, expected.astype(np.float32), rtol=1e-5, atol=1e-6)


SLICES = {
    "x[:, 1]": ([FULL, 1], X[:, 1]),
    "x[:, ::-1]": ([FULL, FULL | {"step": -1}], X[:, ::-1]),
    "x[:, :, 2:0:-1]": ([FULL, FULL, {"start": 2, "stop": 0, "step": -1}], X[:, :, 2:0:-1]),
    "x[..., 1]": ([{"class_name": "__ellipsis__"}, 1], X[..., 1]),
    "x[:, None]": ([FULL, None], X[:, None]),
    "x[:, 0, None, 1:]": ([FULL, 0, None, FULL | {"start": 1}], X[:, 0, None, 1:]),
    "x[...]": ({"class_name": "__ellipsis__"}, X),
    "x[:]": (FULL, X),
}


@pytest.mark.parametrize("case", SLICES)
def test_slices_of_tensorflow(tmp_path, case):
    spec, expected = SLICES[case]
    item = node2("out", "__operators__.getitem", ["x", 0, 0], {"slice_spec": spec}, "SlicingOpLambda")
    np.testing.assert_array_equal(run(file2(tmp_path / "m.h5", item)), expected)


OVER_WINDOWS = {
    "mean of all": ("math.reduce_mean", ["x", 0, 0], {}),
    "mean of windows": ("math.reduce_mean", ["x", 0, 0], {"axis": 0}),
    "mean of windows from behind": ("math.reduce_mean", ["x", 0, 0], {"axis": -3}),
    "softmax": ("nn.softmax", ["x", 0, 0], {"axis": 0}),
    "one window": ("__operators__.getitem", ["x", 0, 0], {"slice_spec": 0}),
    "windows but the first": ("__operators__.getitem", ["x", 0, 0], {"slice_spec": FULL | {"start": 1}}),
    "windows in turn": ("__operators__.getitem", ["x", 0, 0], {"slice_spec": FULL | {"step": -1}}),
    "all windows in front": ("__operators__.getitem", ["x", 0, 0], {"slice_spec": [None]}),
    "turned around": ("compat.v1.transpose", ["x", 0, 0], {"perm": [1, 0, 2]}),
    "all axes turned": ("compat.v1.transpose", ["x", 0, 0], {"perm": None}),
    "concat": ("concat", [["x", 0, 0], ["y", 0, 0]], {"axis": 0}),
    "reverse": ("reverse", ["x", 0, 0], {"axis": [0]}),
    "cumsum": ("math.cumsum", ["x", 0, 0], {}),
    "gather": ("compat.v1.gather", ["x", 0, 0], {"indices": [1], "axis": 0}),
    "pad": ("compat.v1.pad", ["x", 0, 0], {"paddings": [[1, 0], [0, 0], [0, 0]]}),
    "tile": ("tile", ["x", 0, 0], {"multiples": [2, 1, 1]}),
}


@pytest.mark.parametrize("case", OVER_WINDOWS)
def test_an_operation_over_the_windows_of_a_batch_is_refused(tmp_path, case):
    """A window's number would depend on those that are predicted with it."""
    function, first, arguments = OVER_WINDOWS[case]
    path = file2(tmp_path / "m.h5", node2("out", function, first, arguments))
    with pytest.raises(ModelError, match=r"layer 'out'.*works over the batch axis"):
        run(path)


def test_products_of_two_batches_are_refused(tmp_path):
    items = [
        node2("a", "__operators__.getitem", ["x", 0, 0], {"slice_spec": [FULL, 0]}),
        node2("b", "__operators__.getitem", ["y", 0, 0], {"slice_spec": [FULL, 0]}),
        node2("out", "linalg.matmul", ["a", 0, 0], {"b": ["b", 0, 0], "transpose_b": True}),
    ]
    with pytest.raises(ModelError, match="works over the batch axis"):
        run(file2(tmp_path / "m.h5", *items))


def test_positions_that_stay_in_the_batch_are_refused(tmp_path):
    """(N, 2, 3) -> (2 N, 3): the rows belong to no windows."""
    path = file2(tmp_path / "m.h5", node2("out", "reshape", ["x", 0, 0], {"shape": [-1, 3]}))
    with pytest.raises(ModelError, match=r"an output of shape \(4, 3\) for 2 window"):
        run(path)


def test_positions_in_the_batch_for_a_while(tmp_path):
    items = [
        node2("a", "reshape", ["x", 0, 0], {"shape": [-1, 3]}),
        node2("b", "math.multiply", ["a", 0, 0], {"y": 2.0}),
        node2("out", "reshape", ["b", 0, 0], {"shape": [-1, 2, 3]}),
    ]
    np.testing.assert_array_equal(run(file2(tmp_path / "m.h5", *items)), X * 2)


REFUSED = {
    "unknown operation": (node2("out", "linalg.svd", ["x", 0, 0], {}), "calls TensorFlow's 'linalg.svd', which is not"),
    "unknown argument": (
        node2("out", "nn.relu", ["x", 0, 0], {"alpha": 0.1}),
        "called with .*alpha=0.1.*not supported",
    ),
    "missing argument": (node2("out", "math.multiply", ["x", 0, 0], {}), "is called with .*not supported"),
    "no tensor": (node2("out", "einsum", ["_CONSTANT_VALUE", -1, "ij->i"], {}), "'out'.*not supported"),
    "number of windows": (node2("out", "reshape", ["x", 0, 0], {"shape": [2, 6]}), "fixes the number of windows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_operations_that_are_refused_by_name(tmp_path, case):
    item, says = REFUSED[case]
    with pytest.raises(ModelError, match=says):
        load_keras(file2(tmp_path / "m.h5", item))


LAYERS_REFUSED = {
    "a number": ("Flatten", [tensor("x"), 2.0], {}, "2.0"),
    "a number in the list": ("Add", [[tensor("x"), 2.0]], {}, "2.0"),
    "a number by name": ("Flatten", [tensor("x")], {"scale": 0.5}, "scale"),
    "a text by name": ("Flatten", [tensor("x")], {"mode": "fast"}, "mode"),
    "a tensor by name": ("Flatten", [tensor("x")], {"context": tensor("y")}, "a tensor as context"),
    "two tensors": ("Flatten", [tensor("x"), tensor("y")], {}, "2 tensors"),
    "a list for one": ("Flatten", [[tensor("x"), tensor("y")]], {}, "2 tensors"),
    "a mask beside the list": ("Concatenate", [[tensor("x"), tensor("y")], tensor("y")], {}, "2 arguments"),
    "an initial state": ("Dropout", [tensor("x")], {"initial_state": [tensor("y")]}, "initial_state"),
    "training": ("Dropout", [tensor("x")], {"training": True}, "training"),
}


@pytest.mark.parametrize("case", LAYERS_REFUSED)
def test_what_a_layer_cannot_take_is_refused(tmp_path, case):
    kind, arguments, kwargs, says = LAYERS_REFUSED[case]
    item = call3(kind, "out", arguments, module="keras.layers", kwargs=kwargs, trainable=True)
    with pytest.raises(ModelError, match=rf"layer 'out' \({kind}\) is called with {says}.*which is not supported"):
        load_keras(file3(tmp_path / "m.h5", item))


@pytest.mark.parametrize("kwargs", [{"training": False}, {"mask": None}, {"mask": [None, None]}, {"name": None}])
def test_what_changes_nothing_is_left_aside(tmp_path, kwargs):
    item = call3("Dropout", "out", [tensor("x"), None], module="keras.layers", kwargs=kwargs, rate=0.5)
    np.testing.assert_array_equal(run(file3(tmp_path / "m.h5", item)), X)


@pytest.mark.parametrize("kind", ["Dropout", "BatchNormalization", "GaussianNoise", "LSTM"])
def test_training_in_a_file_of_keras_2_is_refused(tmp_path, kind):
    item = node("out", kind, [["x"]], units=2)
    item["inbound_nodes"][0][0][3] = {"training": True}
    arrays = {"out": [(f"{i}:0", a) for i, a in enumerate(ARRAYS.get(kind, []))]}
    path = write_h5(tmp_path / "m.h5", functional([node("x", "InputLayer", []), item], ["x"], ["out"]), arrays)
    with pytest.raises(ModelError, match=rf"layer 'out' \({kind}\) is called with training"):
        load_keras(path)


ARRAYS = {
    "BatchNormalization": [np.ones(3)] * 4,
    "LSTM": [np.ones((3, 8)), np.ones((2, 8)), np.ones(8)],
}


def test_a_layer_called_twice_and_its_results_swapped(tmp_path):
    weights = np.random.default_rng(0).integers(-3, 4, (3, 2)).astype(np.float32)
    items = [
        call3("Dense", "dense", [tensor("x")], [tensor("y")], module="keras.layers", trainable=True, use_bias=False),
        call3("Subtract", "out", [tensor("dense", 1), tensor("dense", 0)]),
    ]
    found = run(file3(tmp_path / "m.h5", *items, arrays={"dense": [("kernel", weights)]}))
    np.testing.assert_allclose(found, OTHER @ weights - X @ weights, rtol=1e-5, atol=1e-6)


def inner3(*names):
    """A model of Keras 3 that gives its first input less its second."""
    inputs = [call3("InputLayer", name, module="keras.layers", dtype="float32") for name in names]
    out = call3("Subtract", "less", [tensor(names[0]), tensor(names[1])])
    config = {"name": "inner", "layers": [*inputs, out], "input_layers": [[name, 0, 0] for name in names],
              "output_layers": [["less", 0, 0]]}  # fmt: skip
    return {"class_name": "Functional", "name": "out", "config": config, "module": "keras"}


def test_inputs_of_an_inner_model_by_name_go_to_their_names(tmp_path):
    """The dict of the call has another order than the model."""
    nodes = [{"args": [{"b": tensor("y"), "a": tensor("x")}], "kwargs": {}}]
    path = file3(tmp_path / "m.h5", inner3("a", "b") | {"inbound_nodes": nodes})
    np.testing.assert_array_equal(run(path), X - OTHER)
    nodes = [{"args": [{"first": tensor("x"), "second": tensor("y")}], "kwargs": {}}]
    with pytest.raises(ModelError, match="is called with inputs by the names first, second, which is not supported"):
        load_keras(file3(tmp_path / "n.h5", inner3("a", "b") | {"inbound_nodes": nodes}))


def test_numbers_of_another_operation_are_not_shared(tmp_path):
    """Two operations of one class: each has its own number."""
    items = [call3("Multiply", "a", [tensor("x"), 2.0]), call3("Multiply", "out", [tensor("a"), 5.0])]
    np.testing.assert_array_equal(run(file3(tmp_path / "m.h5", *items)), X * 10)


def test_gradients_pass_through_numbers(tmp_path):
    items = [call3("Multiply", "a", [tensor("x"), 3.0]), call3("Subtract", "out", [1.0, tensor("a")])]
    x = torch.from_numpy(X.copy()).requires_grad_()
    load_keras(file3(tmp_path / "m.h5", *items))(x, torch.from_numpy(OTHER)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full_like(X, -3))


def test_a_folder_predicts_with_its_numbers(tmp_path):
    """1 - 2 x, summed over bases, of one-hot sequence: 1 * 4 - 2 at every position."""
    layers = [
        call3("InputLayer", "seq", module="keras.layers", dtype="float32", batch_shape=[None, 8, 4]),
        call3("Multiply", "double", [tensor("seq"), 2.0]),
        call3("Subtract", "rest", [1.0, tensor("double")]),
        call3("Sum", "out", [tensor("rest")], axis=-1, keepdims=False),
    ]
    config = {"name": "f", "layers": layers, "input_layers": [["seq", 0, 0]], "output_layers": [["out", 0, 0]]}
    write_h5(tmp_path / "m.h5", {"class_name": "Functional", "config": config}, {}, "3.15.1")
    (tmp_path / "model.yaml").write_text("""
type: keras
args: {weights: m.h5}
default_dataloader: {defined_as: kipoiseq.dataloaders.SeqIntervalDl, default_args: {auto_resize_len: 8}}
info: {authors: [{name: A}], doc: tiny}
schema: {inputs: {name: seq, shape: "(8, 4)"}, targets: {name: score, shape: "(8,)"}}
""")
    hot = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (3, 8))].transpose(0, 2, 1)
    np.testing.assert_array_equal(zoo.load_model(tmp_path).predict(hot.copy()), np.full((3, 8), 2.0))


# ---------------------------------------------------------------- weights of another architecture


def two_dense(path, order, names=("a", "b")):
    """Architecture a then b; the file lists its weights in ``order``."""
    layers = [node("x", "InputLayer", []), node(names[0], "Dense", [["x"]], units=3, use_bias=False),
              node(names[1], "Dense", [[names[0]]], units=3, use_bias=False)]  # fmt: skip
    (path / "m.json").write_text(json.dumps(functional(layers, ["x"], [names[1]])))
    arrays = {name: [("kernel:0", np.eye(3) * (i + 1))] for i, name in enumerate(order)}
    return write_h5(path / "w.h5", None, arrays), path / "m.json"


def test_weights_of_layers_in_another_order_are_refused(tmp_path):
    """Keras goes by order, this by names: where they disagree one of them would be wrong in silence."""
    assert load_keras(*two_dense(tmp_path, ["a", "b"])) is not None
    with pytest.raises(ModelError, match="in another order") as caught:
        load_keras(*two_dense(tmp_path, ["b", "a"]))
    assert "b, a" in caught.value.extent


def test_weights_of_layers_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ModelError, match="weights of 1 layer that the architecture lacks") as caught:
        load_keras(*two_dense(tmp_path, ["a", "b", "dense_7"]))
    assert caught.value.extent.startswith("dense_7")


def test_models_to_be_merged_within_the_config_of_keras_1_are_refused(tmp_path):
    merge = {
        "class_name": "Merge",
        "config": {"name": "merge_1", "mode": "sum", "layers": [{"class_name": "Sequential"}]},
    }
    path = write_h5(tmp_path / "m.h5", {"class_name": "Sequential", "config": [merge]}, {}, "1.2.2")
    with pytest.raises(ModelError, match=r"'merge_1' \(Merge\).* not supported"):
        load_keras(path)


def frozen(*layers):
    inner = functional([node("in", "InputLayer", []), *layers], ["in"], [layers[-1]["name"]], "inner")
    item = {"class_name": "Model", "name": "inner", "config": inner["config"], "inbound_nodes": [[["x", 0, 0, {}]]]}
    return functional([node("x", "InputLayer", []), item], ["x"], ["inner"])


@pytest.mark.parametrize("trainable", [True, False])
def test_arrays_of_a_frozen_inner_model_lie_in_another_order(tmp_path, trainable):
    """Shapes are equal: trainable, gamma and beta of both come first, then the others; frozen, layer by layer."""
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    rng = np.random.default_rng(0)
    first, second = ({name: rng.uniform(0.5, 2, 3).astype(np.float32) for name in names} for _ in range(2))
    layers = [node("one", "BatchNormalization", [["in"]], epsilon=0.0, trainable=trainable),
              node("two", "BatchNormalization", [["one"]], epsilon=0.0, trainable=trainable)]  # fmt: skip
    flat = [(key, name) for part in (names[:2], names[2:]) for key in ("one", "two") for name in part]
    if not trainable:
        flat = [(key, name) for key in ("one", "two") for name in names]
    both = {"one": first, "two": second}
    arrays = {"inner": [(f"{key}/{name}:0", both[key][name]) for key, name in flat]}
    path = write_h5(tmp_path / "m.h5", frozen(*layers), arrays)
    x = rng.normal(size=(4, 3)).astype(np.float32)
    expected = x
    for p in (first, second):
        expected = (expected - p["moving_mean"]) / np.sqrt(p["moving_variance"]) * p["gamma"] + p["beta"]
    with torch.no_grad():
        np.testing.assert_allclose(load_keras(path)(torch.from_numpy(x)).numpy(), expected, rtol=1e-4, atol=1e-5)
    with h5py.File(path, "a") as handle:  # the other order, told by the names
        group = handle["model_weights/inner"]
        group.attrs["weight_names"] = group.attrs["weight_names"][[0, 2, 1, 3, 4, 5, 6, 7]]
    with pytest.raises(ModelError, match=re.escape("the arrays of the inner model 'inner' are in an unknown order")):
        load_keras(path)
