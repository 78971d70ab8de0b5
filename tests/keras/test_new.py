"""`zoo new --from model.h5`: a Keras file becomes an entry, of which nothing is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras_files import sequential, write_h5

from zoo.cards.card import card_of
from zoo.entries.check import check_example
from zoo.entries.new import new
from zoo.errors import UsageError

KERNEL = np.random.default_rng(4).normal(size=(3, 4, 2)).astype(np.float32)
CONV = {"name": "conv", "filters": 2, "kernel_size": [3], "use_bias": False, "padding": "valid"}
POOL = ("GlobalMaxPooling1D", {"name": "pool"})


def keras_file(path, *more, length=12):
    layers = sequential(("Conv1D", {**CONV, "batch_input_shape": [None, length, 4]}), *more)
    return write_h5(path, layers, {"conv": [("kernel:0", KERNEL)]})


def test_a_keras_file_becomes_an_entry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras_file(Path("model.h5"), POOL)
    draft = new("toy", "model.h5", tracks=["a", "b"], units="scores")
    assert check_example("toy", trust=False).ok
    card = card_of(draft.folder)
    assert (card.input.length, card.outputs[0].tracks, card.outputs[0].kind) == (12, ["a", "b"], "scalar")
    assert Path("toy/model.h5").read_bytes() == Path("model.h5").read_bytes()


def test_a_profile_of_keras_needs_its_bins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras_file(Path("model.h5"))
    with pytest.raises(UsageError, match="where they lie is not known"):
        new("toy", "model.h5")
    new("toy", "model.h5", bin_size=1, offset=1)
    assert check_example("toy").ok
    assert card_of(Path("toy")).outputs[0].offset == 1


def test_a_file_without_a_length_needs_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras_file(Path("model.h5"), POOL, length=None)
    with pytest.raises(UsageError, match="any length"):
        new("toy", "model.h5")
    new("toy", "model.h5", length=30)
    assert card_of(Path("toy")).input.length == 30 and check_example("toy").ok
    with pytest.raises(UsageError, match="--axes"):
        new("b", "model.h5", length=30, axes="4xL")
