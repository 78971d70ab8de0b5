"""`zoo add` of a folder: what cannot load is refused with the reason, and its code is not run for that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from kipoi_toys import loader_yaml, model_yaml, write_folder
from toys import make_toy_entry

from zoo.entries.add import add
from zoo.errors import ModelError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


def edit(folder, name, old, new):
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


TENSORFLOW = """\
type: tensorflow
args: {}
info:
schema: {inputs: {shape: "(8, 4)"}, targets: {shape: "(1,)"}}
"""

# What is done to a toy of PyTorch, and what is told.
FAULTS = {
    "no weights": (lambda f: (f / "weights.pth").unlink(), "weights.pth does not exist"),
    "pointer": (lambda f: (f / "weights.pth").write_text(POINTER), "is a Git LFS pointer"),
    "page": (lambda f: (f / "weights.pth").write_text("<html>"), "is not a weights file"),
    "pickle": (lambda f: torch.save(torch.nn.Linear(2, 2), f / "weights.pth"), "holds more than tensors"),
    "no python": (lambda f: next(f.glob("*.py")).unlink(), "does not exist"),
    "syntax": (lambda f: next(f.glob("*.py")).write_text("x = (\n"), "is not Python"),
    "no class": (lambda f: next(f.glob("*.py")).write_text("x = 1\n"), "has no "),
    "yaml": (lambda f: (f / "model.yaml").write_text("a: [\n"), "YAML does not parse"),
    "type": (lambda f: (f / "model.yaml").write_text(TENSORFLOW), "models of TensorFlow"),
}


def test_layouts_that_kipoiseq_does_not_know(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=False, loader_args={"alphabet_axis": 7})
    with pytest.raises(ModelError, match="alphabet_axis is 7"):
        add(toy.folder, "new", tmp_path / "out")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_folder_is_refused(tmp_path, fault):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=False)
    damage, told = FAULTS[fault]
    damage(toy.folder)
    with pytest.raises(ModelError) as caught:
        add(toy.folder, "new", tmp_path / "out")
    assert told in str(caught.value)
    assert not (tmp_path / "out/new").exists()


def test_nothing_of_the_folder_is_run(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=False, module_prefix="raise SystemExit(9)\n")
    assert add(toy.folder, "new", tmp_path / "out").is_dir()


OWN = {
    "no loader": (lambda f: (f / "loaders.py").unlink(), "no package loaders is installed"),
    "loader class": (lambda f: edit(f, "loaders.py", "class Rows", "class Other"), "has no 'Rows'"),
    "model class": (lambda f: edit(f, "models.py", "class Counts", "class Other"), "has no 'Counts'"),
    "outside": (lambda f: edit(f, "model.yaml", "factor.txt", "../outside.txt"), "is outside of the folder"),
}


@pytest.mark.parametrize("fault", [None, *OWN])
def test_a_folder_with_a_dataloader_of_its_own(tmp_path, monkeypatch, fault):
    # Kipoi, in other tests of this process, leaves the folders of its models on the path.
    monkeypatch.setattr(sys, "path", [one for one in sys.path if not (Path(one) / "loaders.py").exists()])
    monkeypatch.delitem(sys.modules, "loaders", raising=False)
    (tmp_path / "outside.txt").write_text("1")
    folder = write_folder(tmp_path / "own", model_yaml(), loader_yaml())
    if fault is None:
        assert (add(folder, "new", tmp_path / "out") / "loaders.py").is_file()
        return
    damage, told = OWN[fault]
    damage(folder)
    with pytest.raises(ModelError) as caught:
        add(folder, "new", tmp_path / "out")
    assert told in str(caught.value)
    assert not (tmp_path / "out/new").exists()


def test_a_dataloader_that_lies_elsewhere(tmp_path):
    write_folder(tmp_path / "shared", model_yaml(), loader_yaml())
    folder = write_folder(tmp_path / "own", model_yaml(default_dataloader="../shared"))
    with pytest.raises(ModelError, match="shared is outside of the folder"):
        add(folder, "new", tmp_path / "out")
