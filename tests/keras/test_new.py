"""`zoo new --from model.h5`: a Keras file becomes an entry, of which nothing is run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from keras_files import sequential, write_h5, write_keras
from toy_entries import edit_card

from zoo.cards.card import card_of
from zoo.check.check import check
from zoo.check.runs import _lacking
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


def _finished(folder):
    """What only the author knows, as CONTRIBUTING asks for it."""
    path = folder / "README.md"
    text = re.sub(r".*TODO: strand.*\n", "", path.read_text())
    path.write_text(re.sub(r"TODO: ", "Words on ", text))
    output = card_of(folder).outputs[0].name
    figure = {"metric": "pearson", "value": 0.5, "ci": [0.4, 0.6], "n": 10, "split": "test", "output": output}
    figure |= {"baseline": {"name": "mean", "value": 0.1}, "reported_by": "a paper"}
    edit_card(folder, lambda card: card["training"].update(data=[{"name": "peaks", "licence": "CC0-1.0"}]))
    edit_card(folder, lambda card: card.update(evaluation=[figure]))


@pytest.mark.parametrize("kind", ["scalar.h5", "profile.keras"])
def test_a_draft_of_a_keras_file_comes_to_a_green_check(tmp_path, monkeypatch, kind):
    """All that a contributor does; targets are written as Keras gives them: of a profile bins first, then tracks."""
    monkeypatch.chdir(tmp_path)
    name, suffix = kind.split(".")
    facts = {"tracks": ["a", "b"], "units": "scores", "licence": "MIT", "authors": ["Ada"], "summary": "A toy."}
    facts |= {"train": ["chr1"], "validation": ["chr2"], "test": ["chr3"], "assembly": "hg38"}
    if suffix == "h5":
        keras_file(Path("model.h5"), POOL)
        folder = new(name, "model.h5", **facts).folder
    else:
        layers = sequential(("Conv1D", {**CONV, "batch_input_shape": [None, 12, 4]}))
        write_keras(Path("model.keras"), layers, {"conv1d": [KERNEL]})
        folder = new(name, "model.keras", bin_size=1, offset=1, **facts).folder
    _finished(folder)
    target = yaml.safe_load((folder / "model.yaml").read_text())["schema"]["targets"]
    assert target["shape"] == {"scalar": "(2,)", "profile": "(10, 2)"}[name]
    report = check(folder, level="reproduces")
    assert report.code == 0, report.findings
    left = [one.rule for one in report.findings if one.severity == "warning"]
    assert left == ([] if importlib.util.find_spec("tensorflow") else ["kipoi"])


def test_a_package_that_kipoi_needs_and_is_not_here_is_no_fault_of_the_entry(tmp_path, monkeypatch):
    """tensorflow stands in the draft's dependencies; a module that does not is an error of the entry."""
    monkeypatch.chdir(tmp_path)
    keras_file(Path("model.h5"), POOL)
    folder = new("toy", "model.h5", tracks=["a", "b"], units="scores").folder
    missing = "ModuleNotFoundError: No module named '{}'"
    assert _lacking(folder, missing.format("tensorflow")) == "tensorflow"
    assert _lacking(folder, missing.format("tensorflow.keras")) == "tensorflow"
    assert _lacking(folder, missing.format("nowhere")) is None
    assert _lacking(folder, "ValueError: shapes differ") is None
