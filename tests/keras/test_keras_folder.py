"""Kipoi folders with ``kipoi.model.KerasModel``, as other people's sources hold them."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from keras_files import functional, node, sequential, write_h5

import zoo
from zoo.errors import ModelError

RNG = np.random.default_rng(2)
KERNEL = RNG.normal(size=(3, 4, 2)).astype(np.float32)
BASES = "ACGT"

CARD = """---
schema_version: 1
name: tiny
version: 1.0.0
summary: Two tracks.
input: {length: 12}
outputs:
  - {name: tracks, kind: profile, tracks: [first, second], bin_size: 1, offset: 1}
training: {data: [{name: none, licence: CC0}]}
---

# Tiny
"""


def conv_config():
    return sequential(
        ("Conv1D", {"name": "conv", "filters": 2, "kernel_size": [3], "use_bias": False, "padding": "valid"})
    )


def make_folder(path, config, arrays, target, arch_beside=False, args="", alphabet_axis=1):
    path.mkdir()
    write_h5(path / "model.h5", None if arch_beside else config, arrays)
    if arch_beside:
        (path / "model.json").write_text(json.dumps(config))
    (path / "model.yaml").write_text(f"""
type: keras
args:
  weights: model.h5
  {"arch: model.json" if arch_beside else ""}
  {args}
default_dataloader:
  defined_as: kipoiseq.dataloaders.SeqIntervalDl
  default_args: {{auto_resize_len: 12, alphabet_axis: {alphabet_axis}}}
info: {{authors: [{{name: A}}], doc: tiny}}
schema:
  inputs: {{name: seq, shape: "(12, 4)"}}
  targets: {{name: tracks, shape: "{target}"}}
""")
    return path


@pytest.fixture
def genome(tmp_path):
    sequence = "".join(RNG.choice(list(BASES), 60))
    (tmp_path / "g.fa").write_text(f">chr1\n{sequence}\n")
    (tmp_path / "r.bed").write_text("chr1\t10\t22\ta\nchr1\t30\t42\tb\n")
    windows = [sequence[10:22], sequence[30:42]]
    hot = np.array([[[base == letter for letter in BASES] for base in window] for window in windows], np.float32)
    return tmp_path / "g.fa", tmp_path / "r.bed", hot


def convolved(hot):
    return np.stack([np.einsum("nwc,wco->no", hot[:, i : i + 3], KERNEL) for i in range(10)], axis=1)


@pytest.mark.parametrize("arch_beside", [False, True])
def test_a_foreign_folder_predicts_without_trust(tmp_path, genome, arch_beside):
    fasta, bed, hot = genome
    layers = sequential(
        ("Conv1D", {"name": "conv", "filters": 2, "kernel_size": [3], "use_bias": False}),
        ("GlobalMaxPooling1D", {"name": "pool"}),
    )
    folder = make_folder(tmp_path / "m", layers, {"conv": [("kernel:0", KERNEL)]}, "(2,)", arch_beside)
    out = tmp_path / "out.h5"
    zoo.predict(folder, bed, fasta, out)
    with h5py.File(out) as handle:
        np.testing.assert_allclose(handle["preds"][:], convolved(hot).max(1), atol=1e-6)


def test_with_a_card_profiles_come_tracks_first(tmp_path, genome):
    _, _, hot = genome
    folder = make_folder(tmp_path / "m", conv_config(), {"conv": [("kernel:0", KERNEL)]}, "(10, 2)")
    (folder / "README.md").write_text(CARD)
    model = zoo.load_model(folder)
    assert model.info["framework"] == "keras"
    predicted = model.predict(hot.transpose(0, 2, 1).copy())
    np.testing.assert_allclose(predicted, convolved(hot).transpose(0, 2, 1), atol=1e-6)


def test_without_a_card_the_last_axis_has_the_tracks(tmp_path, genome):
    _, _, hot = genome
    folder = make_folder(tmp_path / "m", conv_config(), {"conv": [("kernel:0", KERNEL)]}, "(10, 2)")
    model = zoo.load_model(folder)
    assert "the last axis is taken for the tracks" in model.notes[0]  # neither labels nor a card tell
    predicted = model.predict(hot.transpose(0, 2, 1).copy())
    np.testing.assert_allclose(predicted, convolved(hot).transpose(0, 2, 1), atol=1e-6)


def test_custom_objects_are_not_run(tmp_path):
    folder = make_folder(
        tmp_path / "m", sequential(("Mystery", {"name": "odd_layer"})), {}, "(2,)", args="custom_objects: objects.py"
    )
    (folder / "objects.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")
    with pytest.raises(ModelError, match=r"layer 'odd_layer' \(Mystery\) is not supported"):
        zoo.load_model(folder, trust=True)
    assert not (tmp_path / "was_run").exists()


def test_more_inputs_than_the_schema_names(tmp_path):
    layers = [node("a", "InputLayer", []), node("b", "InputLayer", []), node("sum", "Add", [["a", "b"]])]
    folder = make_folder(tmp_path / "m", functional(layers, ["a", "b"], ["sum"]), {}, "(12, 4)")
    with pytest.raises(ModelError, match=r"2 inputs: a, b"):
        zoo.load_model(folder)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("weights: missing.h5", r"model.yaml:\d+: .*missing.h5 does not exist"),
        ("weights: 3", r"model.yaml:\d+: `args.weights` is neither a path"),
        ("weights: model.h5\n  backend: cntk", r"model.yaml:\d+: the backend 'cntk'"),
    ],
)
def test_broken_arguments_have_a_line(tmp_path, broken, says):
    folder = make_folder(tmp_path / "m", conv_config(), {"conv": [("kernel:0", KERNEL)]}, "(10, 2)")
    text = (folder / "model.yaml").read_text().replace("weights: model.h5", broken)
    (folder / "model.yaml").write_text(text)
    with pytest.raises(ModelError, match=says):
        zoo.load_model(folder)


def test_a_changed_file_is_noticed(tmp_path):
    folder = make_folder(tmp_path / "m", conv_config(), {"conv": [("kernel:0", KERNEL)]}, "(10, 2)")
    files = f"files: [{{path: model.h5, sha256: {'a' * 64}, bytes: 1}}]\n---\n\n# Tiny"
    (folder / "README.md").write_text(CARD.replace("---\n\n# Tiny", files))
    with pytest.raises(zoo.errors.FetchError):
        zoo.load_model(folder)
