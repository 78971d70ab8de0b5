"""Lambda layers: known code is replaced, other code is refused by the layer's name, and nothing is run."""

from __future__ import annotations

import base64
import json
import marshal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from keras_files import sequential, write_h5

from zoo.errors import ModelError
from zoo.models.keras import load_keras
from zoo.models.keras.activations import (
    KNOWN_LAMBDAS,
    MaxOverPositions,
    PadUnknown,
    ReverseComplement,
    bytecode_hash,
    lambda_module,
)
from zoo.models.keras.bytecode import read_code
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.published_lambdas import FrameSlices


def lambda_options(function, closure=None):
    """What Keras 2 writes for a Lambda of a Python function."""
    code = base64.b64encode(marshal.dumps(function.__code__)).decode()
    return {
        "name": "lambda_7",
        "function": [code, None, closure],
        "function_type": "lambda",
        "arguments": {},
        "output_shape": None,
        "output_shape_type": "raw",
    }


def make_file(path):
    code = f"__import__('pathlib').Path({str(path)!r}).touch()"
    return eval(f"lambda x: {code} or x")  # the trap of this test: written here, read by the converter


def test_unknown_code_is_refused_by_name_and_never_run(tmp_path):
    trace = tmp_path / "was_run"
    trap = make_file(trace)
    trap(None)
    assert trace.exists(), "the trap works when it is run"
    trace.unlink()
    config = sequential(("Dense", {"name": "d", "units": 1, "use_bias": False}), ("Lambda", lambda_options(trap)))
    path = write_h5(tmp_path / "m.h5", config, {"d": [("kernel:0", np.ones((4, 1)))]})
    with pytest.raises(ModelError, match="'lambda_7' is a Lambda") as caught:
        load_keras(path)
    assert bytecode_hash(LayerConfig("lambda_7", "Lambda", lambda_options(trap))) in str(caught.value)
    assert not trace.exists()


def test_output_shape_code_is_not_run_either(tmp_path):
    trace = tmp_path / "was_run"
    options = lambda_options(lambda x: x) | {
        "output_shape": lambda_options(make_file(trace))["function"],
        "output_shape_type": "lambda",
    }
    with pytest.raises(ModelError, match="lambda_7"):
        load_keras(write_h5(tmp_path / "m.h5", sequential(("Lambda", options)), {}))
    assert not trace.exists()


@pytest.mark.parametrize(
    "function",
    ["tf.nn.relu", ["not base64 at all!", None, None], None, {"class_name": "__lambda__", "config": {"code": "AAAA"}}],
)
def test_other_forms_of_functions_are_refused_too(function):
    with pytest.raises(ModelError, match="'odd' is a Lambda"):
        lambda_module(LayerConfig("odd", "Lambda", {"name": "odd", "function": function}))


def test_known_code_takes_its_closure(monkeypatch):
    options = lambda_options(lambda x: x, closure=[24])
    layer = LayerConfig("lambda_7", "Lambda", options)
    monkeypatch.setitem(KNOWN_LAMBDAS, bytecode_hash(layer), lambda closure: PadUnknown(closure[0]))
    x = torch.rand(2, 5, 4)
    padded = lambda_module(layer)(x)
    assert padded.shape == (2, 5 + 2 * 23, 4)
    assert torch.equal(padded[:, 23:28], x)
    assert (padded[:, :23] == 0.25).all() and (padded[:, 28:] == 0.25).all()


def test_what_replaces_deepbinds_code():
    x = np.random.default_rng(0).random((2, 6, 4), np.float32)
    np.testing.assert_array_equal(ReverseComplement()(torch.from_numpy(x)).numpy(), x[:, ::-1, ::-1])
    scores = x[:, :, :1]
    np.testing.assert_array_equal(MaxOverPositions()(torch.from_numpy(scores)).numpy(), scores.max(1))


# ---------------------------------------------------------------- published Lambdas: FramePool, APARENT2

# Codes of the published sources as Python 3.6 (Keras 2.2 of that time), 3.7 and 3.13 marshal them.
CODES = json.loads((Path(__file__).parent / "oracles" / "lambdas.json").read_text())
X, Y, MASK = (
    np.random.default_rng(1).normal(size=shape).astype(np.float32) for shape in ((2, 6, 4), (2, 6, 4), (2, 6))
)
CUT = np.random.default_rng(2).normal(size=(2, 1, 206, 1)).astype(np.float32)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


ANSWERS = {
    "relu": ((X,), np.maximum(X, 0)),
    "sum_of_two": ((X, Y), X + Y),
    "one_position_more": ((CUT,), np.concatenate([CUT, np.zeros((2, 1, 1, 1))], axis=2)),
    "at_every_position": ((MASK,), np.tile(MASK[:, None, None], (1, 1, 206, 1))),
    "cut_probabilities": ((CUT,), softmax(CUT[:, 0, :, 0])),
    "share_of_window": ((CUT[:, 0, :, 0],), CUT[:, 0, 80:110, 0].sum(-1)[:, None]),
    "known_positions": ((X,), X.sum(2)),
    "masked": ((X, MASK), X * MASK[:, :, None]),
    "masked_average": ((X, MASK), X.sum(1) / MASK.sum(1)[:, None]),
    "product": ((X, Y), X * Y),
    "complement": ((X,), 1 - X),
}


def of_code(code):
    return LayerConfig("lambda_7", "Lambda", {"function": [code, None, None], "arguments": {}})


@pytest.mark.parametrize("python", CODES)
@pytest.mark.parametrize("name", CODES["3.6"])
def test_published_code_is_recognised_whatever_python_wrote_it(python, name):
    inputs, expected = ANSWERS[name.split("/")[0]]
    found = lambda_module(of_code(CODES[python][name]))(*map(torch.from_numpy, inputs))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def code_of(text, path="/home/someone/model.py"):
    names = {}
    exec(compile("\n" * 40 + text, path, "exec"), names)
    return base64.b64encode(marshal.dumps(names["f"].__code__)).decode()


@pytest.mark.parametrize("path", ["<ipython-input-3>", "/data/utr/model.py"])
def test_the_place_of_the_source_and_names_of_variables_do_not_matter(path):
    text = "def f(input_tensors):\n    tensor = input_tensors[0]\n    mask = input_tensors[1]\n"
    text += "    mask = K.expand_dims(mask, axis=2)\n    return tf.multiply(tensor, mask)\n"
    found = lambda_module(of_code(code_of(text, path)))(torch.from_numpy(X), torch.from_numpy(MASK))
    np.testing.assert_allclose(found.numpy(), X * MASK[:, :, None], rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "f = lambda x: x[1] + x[0] * 2",
        "f = lambda x: x[0] - x[1]",
        "f = lambda x: x[0] + x[2]",
        "f = lambda x: K.relu(x, alpha=0.1)",
        "f = lambda x: J.relu(x, alpha=0.0)",
        "f = lambda x: K.softmax(x[:, 0, :, 0], axis=1)",
        "f = lambda *x: x[0] + x[1]",
        "f = lambda x: 2-x",
        "f = lambda x: 1.0-x",
    ],
)
def test_code_that_differs_in_anything_is_refused(text):
    with pytest.raises(ModelError, match=r"'lambda_7' is a Lambda.*not supported"):
        lambda_module(of_code(code_of(text)))


def test_published_code_with_defaults_or_a_closure_is_refused():
    code = CODES["3.6"]["relu/0"]
    for function in ([code, [0.5], None], [code, None, [3]]):
        with pytest.raises(ModelError, match="is a Lambda"):
            lambda_module(LayerConfig("lambda_7", "Lambda", {"function": function}))


@pytest.mark.parametrize("config", ["value", "keys"])
def test_keras_3_writes_the_code_in_two_ways(config):
    code = CODES["3.7"]["complement/0"]
    parts = {"value": [code, None, None]} if config == "value" else {"code": code, "defaults": None, "closure": None}
    options = {"function": {"class_name": "__lambda__", "config": parts}}
    found = lambda_module(LayerConfig("lambda_7", "Lambda", options))(torch.from_numpy(X))
    np.testing.assert_allclose(found.numpy(), 1 - X)


@given(st.binary(max_size=200))
def test_damaged_code_is_read_as_nothing(data):
    assert read_code(data) is None


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_changed_code_is_another_or_none(place, byte):
    """One byte of known code changed: it may still be read, but nothing is raised."""
    code = bytearray(base64.b64decode(CODES["3.6"]["cut_probabilities/0"]))
    code[place % len(code)] = byte
    read_code(bytes(code))


def test_frames_are_counted_from_the_end():
    x = np.arange(14, dtype=np.float32).reshape(1, 7, 2)
    parts = [part.numpy()[0, :, 0].tolist() for part in FrameSlices()(torch.from_numpy(x))]
    assert parts == [[12, 6, 0], [10, 4], [8, 2]]
