"""``zoo convert`` on published pickles whose classes are not installed here."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zoo.convert.convert import convert

pytestmark = pytest.mark.shared


def test_bpnet_of_bpnet_lite(shared_data, tmp_path):
    """The state_dict beside it was saved by bpnet-lite itself."""
    folder = shared_data / "m02_bpnet_ctcf_k562"
    done = convert(folder / "example.final.torch", tmp_path / "weights.pth")
    assert "bpnetlite" not in sys.modules and done.sha256.startswith("5455a4a97342940b")
    found = torch.load(done.path, weights_only=True)
    expected = torch.load(folder / "state_dict.pt", weights_only=True)
    assert list(found) == list(expected) and len(found) == 22
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert "n_filters=64, n_layers=8" in done.notes[2] and "trimming=557" in done.notes[2]


MOVED = {
    "sklearn.externals.joblib.numpy_pickle": "joblib.numpy_pickle",
    "sklearn.linear_model.huber": "sklearn.linear_model._huber",
    "sklearn.linear_model.logistic": "sklearn.linear_model._logistic",
    "sklearn.preprocessing.data": "sklearn.preprocessing._data",
}


@pytest.fixture
def old_scikit_learn(monkeypatch):
    """The modules of 2018 by their names of then, so that joblib itself can load pickles of then."""
    pytest.importorskip("sklearn")
    joblib = pytest.importorskip("joblib")
    for name in ("sklearn.externals", "sklearn.externals.joblib"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for old, new in MOVED.items():
        __import__(new)
        monkeypatch.setitem(sys.modules, old, sys.modules[new])
    return joblib


@pytest.mark.parametrize(("name", "features"), [("linear_model", 8), ("splicing_efficiency", 4), ("Pathogenicity", 13)])
@pytest.mark.filterwarnings("ignore")
def test_linear_models_of_mmsplice(shared_data, tmp_path, old_scikit_learn, name, features):
    path = shared_data / "m11_mmsplice" / f"{name}.pkl"
    state = load_file(convert(path, tmp_path / "w.safetensors").path)
    assert state["weight"].shape == (1, features)
    theirs = old_scikit_learn.load(path)
    x = np.random.default_rng(0).normal(size=(20, features))
    last = theirs
    if hasattr(theirs, "steps"):
        (_, scaler), (_, last) = theirs.steps
        scaled = (x - scaler.mean_) / scaler.scale_
    else:
        scaled = x
    expected = scaled @ np.ravel(last.coef_) + np.ravel(last.intercept_)
    found = x @ state["weight"].numpy().T + state["bias"].numpy()
    assert np.allclose(found[:, 0], expected, rtol=1e-10)
    assert np.abs(expected).std() > 0.01
