"""Lambda layers: known code is replaced, other code is refused by the layer's name, and nothing is run."""

from __future__ import annotations

import base64
import marshal

import numpy as np
import pytest
import torch
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
from zoo.models.keras.config import LayerConfig


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
