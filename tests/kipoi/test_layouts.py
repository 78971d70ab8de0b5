"""Folders without a card: which axis has the tracks, and what reads the input where no dataloader.yaml says it."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from kipoi_toys import SEQUENCE, loader_yaml, model_yaml, write_data, write_folder

import zoo
from zoo.cards.kipoi_layout import implied_loader_args, target_layout
from zoo.cards.kipoi_schema import ArraySchema
from zoo.cli import run
from zoo.errors import ModelError
from zoo.models.sequence_loader import SequenceLoader
from zoo.store.registry import info

NAMES = ("first", "second", "third", "fourth", "fifth")

# shape, number of labels -> kind, axis of the tracks, tracks, bins, whether something was assumed
LAYOUTS = [
    ((), 0, "scalar", 0, 1, 1, False),
    ((1,), 0, "scalar", 0, 1, 1, False),
    ((3,), 3, "scalar", 0, 3, 1, False),
    ((3,), 2, "scalar", 0, 3, 1, True),
    ((None,), 0, "scalar", 0, None, 1, False),
    ((5000, 3), 3, "profile", 1, 3, 5000, False),
    ((3, 5000), 3, "profile", 0, 3, 5000, False),
    ((None, 3), 3, "profile", 1, 3, None, False),
    ((1000, 1), 1, "profile", 1, 1, 1000, False),
    ((1, 1000), 1, "profile", 0, 1, 1000, False),
    ((5000, 1, 3), 3, "profile", 2, 3, 5000, False),
    ((20, 3, 2), 3, "profile", 1, 3, 40, False),
    ((5000, 3), 0, "profile", 1, 3, 5000, True),
    ((3, 3), 3, "profile", 1, 3, 3, True),
    ((4, 6), 5, "profile", 1, 6, 4, True),
    ((None, 8), 0, "profile", 1, 8, None, False),
    ((1024, None), 0, "profile", 0, 1024, None, False),
]


@pytest.mark.parametrize(("shape", "labels", "kind", "axis", "tracks", "bins", "assumed"), LAYOUTS)
def test_the_axis_of_the_tracks(shape, labels, kind, axis, tracks, bins, assumed):
    found = target_layout(ArraySchema("out", shape, NAMES[:labels] or None), "custom")
    assert (found.kind, found.axis, found.n_tracks, found.n_bins) == (kind, axis, tracks, bins)
    assert (found.assumed is not None) == assumed
    if labels == tracks:
        assert found.tracks == NAMES[:labels]


def test_the_order_of_a_framework_counts_where_nothing_tells():
    for framework, axis in (("pytorch", 0), ("keras", 1), ("tensorflow", 1), ("custom", 1)):
        for labels in (None, NAMES[:3]):
            assert target_layout(ArraySchema("out", (3, 3), labels), framework).axis == axis


def test_what_the_model_gave_fills_in_free_axes():
    assert target_layout(ArraySchema("out", (None, 3), NAMES[:3]), "keras", (7, 3)).shape == (7, 3)
    assert target_layout(ArraySchema("out", (None, 3), NAMES[:3]), "keras", (3, 3)).axis == 1
    assert target_layout(ArraySchema("out", (None,)), "keras", (7,)).n_tracks == 7
    assert target_layout(ArraySchema("out", (7, 1, 3), NAMES[:3]), "keras", (7, 3)).axis == 1


INPUTS = [(7, 4), (4, 7), (1, 7, 4), (7, 1, 4), (7, 4, 1), (1, 4, 7), (4, 1, 7), (4, 7, 1)]


@pytest.mark.parametrize("shape", INPUTS)
def test_the_implied_loader_makes_the_shape_of_the_schema(shape):
    args = implied_loader_args([ArraySchema("seq", shape)])
    loader = SequenceLoader(args.pop("auto_resize_len"), **args)
    assert loader.length == 7
    made = loader.arrange(torch.eye(4).repeat(1, 2)[None, :, :7])
    assert tuple(made.shape[1:]) == shape
    axis = shape.index(4)
    assert torch.equal(made.sum(axis + 1), torch.ones(made.sum(axis + 1).shape))


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [ArraySchema("seq", (4, 4))],
        [ArraySchema("seq", (1, 1, 4))],
        [ArraySchema("seq", (7,))],
        [ArraySchema("seq", (7, 5))],
        [ArraySchema("seq", (2, 7, 4))],
        [ArraySchema("seq", (7, 4), special_type="bigwig")],
        [ArraySchema("seq", (7, 4)), ArraySchema("dnase", (7, 1))],
    ],
)
def test_other_inputs_imply_none(inputs):
    assert implied_loader_args(inputs) is None


# ---------------------------------------------------------------- through the product

MODULE = '''\
import torch


class Channels(torch.nn.Module):
    """(N, 10, 4) -> (N, 10, 3): A, C and G at every position."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x[:, :, :3] * self.scale
'''


def channels_folder(folder, targets, loader=True):
    default = {"defined_as": "kipoiseq.dataloaders.SeqIntervalDl", "default_args": {"auto_resize_len": 10}}
    args = {"module_file": "channels.py", "module_class": "Channels", "weights": "weights.pth"}
    schema = {"inputs": {"name": "seq", "shape": "(10, 4)"}, "targets": targets}
    found = model_yaml("Sum", args=args, schema=schema, default_dataloader=default if loader else None)
    write_folder(folder, found)
    (folder / "channels.py").write_text(MODULE)
    return folder


LABELLED = {"name": "tracks", "shape": "(10, 3)", "column_labels": ["A", "C", "G"]}
START, END = 20, 30


def expected():
    """(tracks, bins) of the second region, by hand."""
    letters = SEQUENCE[START:END]
    return np.array([[0.25 if one == "N" else float(one == base) for one in letters] for base in "ACG"])


def test_labels_of_the_last_axis_are_one_reading_for_all(tmp_path, capsys):
    from interpret import ism

    fasta, _ = write_data(tmp_path)
    bed = tmp_path / "one.bed"
    bed.write_text(f"chrA\t{START}\t{END}\n")
    folder = channels_folder(tmp_path / "toy", LABELLED)
    output = info(folder)["outputs"][0]
    assert (output["tracks"], output["n_tracks"], output["n_bins"]) == (["A", "C", "G"], 3, 10)
    assert output["offset"] is None and output["bin_size"] is None and output["assumed"] is None
    assert run(["info", str(folder)]) == 0
    assert "A, C, G; 10 bins, whose size and offset are not known" in capsys.readouterr().out
    notes = []
    zoo.predict(folder, bed, fasta, tmp_path / "o.h5", trust=True, report=notes.append)
    with h5py.File(tmp_path / "o.h5") as handle:
        np.testing.assert_array_equal(handle["preds"][:], [expected()])
        assert list(handle["preds"].attrs["tracks"]) == ["A", "C", "G"]
    assert notes == ["where the bins of tracks lie in the window is not known: neither bin size nor offset is given"]
    zoo.predict(folder, bed, fasta, tmp_path / "o.tsv", trust=True, tracks=["G"])
    header, row = (line.split("\t") for line in (tmp_path / "o.tsv").read_text().splitlines())
    assert header[8:] == [f"G/{i}" for i in range(10)] and [float(one) for one in row[8:]] == list(expected()[2])
    model = zoo.load_model(folder, trust=True)
    found = ism(model, ["ACGTACGTAC"], tracks="C", bins="1:2", explain="predictions")
    changes = found[0] - found[0].min(0)
    assert changes[1, 1] == 1 and np.delete(changes, 1, axis=1).max() == 0  # only a C at position 1 counts


def test_without_labels_the_reading_is_said(tmp_path, capsys):
    fasta, bed = write_data(tmp_path)
    folder = channels_folder(tmp_path / "toy", {"name": "tracks", "shape": "(10, 3)"})
    notes = []
    zoo.predict(folder, bed, fasta, tmp_path / "o.tsv", trust=True, report=notes.append)
    said = [note for note in notes if "no column_labels name its tracks" in note]
    assert said and "as PyTorch orders axes" in said[0] and said[0].endswith("10 tracks of 3 bins")
    assert run(["info", str(folder)]) == 0
    assert said[0] in capsys.readouterr().out


def test_a_test_compares_with_what_kipoi_expects(tmp_path):
    """Kipoi keeps predictions as the model gives them."""
    from zoo.entries.check import check_example

    folder = channels_folder(tmp_path / "toy", LABELLED)
    fasta, _ = write_data(folder)
    (folder / "one.bed").write_text(f"chrA\t{START}\t{END}\n")
    described = yaml.safe_load((folder / "model.yaml").read_text())
    described["default_dataloader"]["default_args"] |= {"intervals_file": "one.bed", "fasta_file": fasta.name}
    described["test"] = {"expect": "expected.h5"}
    (folder / "model.yaml").write_text(yaml.safe_dump(described))
    with h5py.File(folder / "expected.h5", "w") as handle:
        handle["preds"] = expected().T[None]
    assert check_example(folder, trust=True).ok


def test_a_dataloader_of_its_own_has_the_same_reading(tmp_path):
    pytest.importorskip("kipoi")
    fasta, bed = write_data(tmp_path)
    targets = {"name": "tracks", "shape": "(2, 3)", "column_labels": ["A", "C", "G"]}
    folder = write_folder(
        tmp_path / "own",
        model_yaml(
            defined_as="grid.Grid", args={}, schema={"inputs": model_yaml()["schema"]["inputs"], "targets": targets}
        ),
        loader_yaml(),
    )
    (folder / "grid.py").write_text(
        "import numpy as np\nfrom kipoi.model import BaseModel\n\n\nclass Grid(BaseModel):\n"
        "    def predict_on_batch(self, x):\n"
        "        return np.tile(np.arange(6.0).reshape(1, 2, 3), (len(x['g']), 1, 1))\n"
    )
    zoo.predict(folder, bed, fasta, tmp_path / "o.h5", trust=True)
    with h5py.File(tmp_path / "o.h5") as handle:
        assert handle["preds"].shape == (7, 3, 2)
        assert handle["preds"][0].tolist() == [[0, 3], [1, 4], [2, 5]]
    model = zoo.load_model(folder, trust=True)
    assert model.predict({"g": np.zeros((1, 1))}).tolist() == [[[0, 3], [1, 4], [2, 5]]]
    assert model.predict_regions(bed, fasta).values["tracks"].shape == (7, 3, 2)


# ---------------------------------------------------------------- no dataloader.yaml


def test_a_folder_without_dataloader_yaml(tmp_path, capsys):
    fasta, _ = write_data(tmp_path)
    bed = tmp_path / "one.bed"
    bed.write_text(f"chrA\t{START}\t{END}\n")
    folder = channels_folder(tmp_path / "toy", LABELLED, loader=False)
    notes = []
    zoo.predict(folder, bed, fasta, tmp_path / "o.h5", trust=True, report=notes.append)
    with h5py.File(tmp_path / "o.h5") as handle:
        np.testing.assert_array_equal(handle["preds"][:], [expected()])
    assert notes[0].startswith("no dataloader.yaml: the input (10, 4) is taken for one-hot sequence")
    assert run(["info", str(folder)]) == 0
    assert notes[0] in capsys.readouterr().out


def test_where_the_schema_implies_none_the_missing_file_is_named(tmp_path):
    folder = write_folder(tmp_path / "own", model_yaml(default_dataloader=None))
    with pytest.raises(ModelError) as caught:
        info(folder)
    assert "there is no dataloader.yaml beside it" in caught.value.what
    assert caught.value.extent == "inputs: g (1,), length (1,)" and "add a dataloader.yaml" in caught.value.fix
    elsewhere = write_folder(tmp_path / "other", model_yaml(default_dataloader="../gone"))
    with pytest.raises(ModelError, match="gone holds no dataloader"):
        info(elsewhere)


# ---------------------------------------------------------------- relative paths

HERE = """
import os

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "factor.txt")) as handle:
    handle.read()
"""


@pytest.mark.parametrize("name", ["own", "./own", "own/", "link", "own/model.yaml", "../{up}/own", "{absolute}"])
def test_however_a_folder_with_a_dataloader_is_named(tmp_path, monkeypatch, name):
    pytest.importorskip("kipoi")
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    folder = write_folder(tmp_path / "own", model_yaml(), loader_yaml())
    for file in ("loaders.py", "models.py"):
        (folder / file).write_text(HERE + (folder / file).read_text())
    (tmp_path / "link").symlink_to("own")
    given = name.format(up=tmp_path.name, absolute=folder)
    zoo.predict(given, "toy.bed", "toy.fa", "o.tsv", trust=True)
    model = zoo.load_model(given, trust=True)
    assert Path(model.folder).is_absolute() and len(model.predict_regions("toy.bed", "toy.fa")) == 7
    monkeypatch.chdir(folder)
    zoo.predict(".", "../toy.bed", "../toy.fa", "../p.tsv", trust=True)
    assert (tmp_path / "o.tsv").read_text() == (tmp_path / "p.tsv").read_text()
    assert str(tmp_path) not in sys.path
