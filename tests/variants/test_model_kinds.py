"""Every kind of model that reads a window: a score equals what two predictions of windows cut by hand give."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from toys import make_toy_entry

import zoo
from zoo.cli import run
from zoo.errors import UsageError
from zoo.models.entry import open_entry
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec, choose_tracks
from zoo.variants.alleles.allele import Edit
from zoo.variants.windows.changes import Changes
from zoo.variants.windows.windows import PairPlan

sys.path += [str(Path(__file__).parents[1] / name) for name in ("keras", "kipoi")]

from keras_files import sequential, write_h5
from kipoi_toys import loader_yaml, model_yaml, write_folder

GENOME = "".join(random.Random(11).choices("ACGT", k=400))
#: 0-based position, REF, ALT.
SUBSTITUTION = (200, GENOME[200], "ACGT"[("ACGT".index(GENOME[200]) + 1) % 4])
DELETION = (150, GENOME[150:154], GENOME[150])
INSERTION = (230, GENOME[230], GENOME[230] + "GATTACA")
CHANGES = (SUBSTITUTION, DELETION, INSERTION)


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{GENOME}\n")
    return path


def rows(changes):
    return [("chr1", at + 1, ref, alt) for at, ref, alt in changes]


def windows(length, change):
    at, ref, alt = change
    start = at - length // 2
    return [text[start : start + length] for text in (GENOME, GENOME[:at] + alt + GENOME[at + len(ref) :])]


def scored(model, fasta, changes=CHANGES, **options):
    """The scores, and what is told."""
    notes = []
    scores = zoo.score_variants(model, rows(changes), fasta, report=notes.append, **options)
    return scores, notes


KERNEL = np.random.default_rng(2).normal(size=(3, 4, 2))


def keras_file(path, *more, length=12):
    conv = {"name": "conv", "filters": 2, "kernel_size": [3], "use_bias": False, "padding": "valid"}
    layers = sequential(("Conv1D", {**conv, "batch_input_shape": [None, length, 4]}), *more)
    return write_h5(path, layers, {"conv": [("kernel:0", KERNEL)]})


def test_a_keras_file_with_scalars_says_what_it_assumes(tmp_path, fasta):
    path = keras_file(tmp_path / "m.h5", ("GlobalMaxPooling1D", {"name": "pool"}), length=30)
    scores, notes = scored(path, fasta)
    predict = zoo.load_model(path).predict
    wanted = [np.subtract(*predict(windows(30, change))[::-1]) for change in CHANGES]
    np.testing.assert_allclose(scores.values, wanted, atol=1e-6)
    assert [column.name for column in scores.columns] == ["diff_pool_0", "diff_pool_1"]
    assert "taken for one-hot sequence, channels A C G T" in notes[0]


def test_a_keras_file_with_bins_at_unknown_places_scores_substitutions_only(tmp_path, fasta):
    path = keras_file(tmp_path / "m.h5")
    scores, notes = scored(path, fasta)
    ref, alt = zoo.load_model(path).predict(windows(12, SUBSTITUTION))
    np.testing.assert_allclose(scores.values[0, :2], (alt - ref).sum(1), atol=1e-5)
    assert scores.to_pandas()["status"].tolist() == ["ok", "bins_not_placed", "bins_not_placed"]
    assert np.isnan(scores.values[1:]).all()
    assert any("2 ALTs have the status bins_not_placed" in note for note in notes)


MODULE = '''
import torch
class Net(torch.nn.Module):
    """Weights of (letter, place) in the folder's own axes; letters T G C A."""
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(4, 20))
    def forward(self, x):
        assert x.shape[1:] == (20, 1, 4), x.shape
        return (x[:, :, 0, :].transpose(1, 2) * self.w).sum((1, 2))[:, None]
'''


def kipoi_folder(folder):
    folder.mkdir()
    (folder / "net_tgca.py").write_text(MODULE)
    w = torch.from_numpy(np.random.default_rng(4).normal(size=(4, 20)).astype(np.float32))
    torch.save({"w": w}, folder / "weights.pth")
    info = {"authors": [{"name": "x"}], "doc": "x", "license": "MIT"}
    loader = {
        "defined_as": "kipoiseq.dataloaders.SeqIntervalDl",
        "default_args": {"auto_resize_len": 20, "alphabet": "TGCA", "alphabet_axis": 2, "dummy_axis": 1},
    }
    model = {
        "defined_as": "kipoi.model.PyTorchModel",
        "args": {"module_file": "net_tgca.py", "module_class": "Net", "weights": "weights.pth"},
        "default_dataloader": loader,
        "info": info,
        "schema": {
            "inputs": {"name": "seq", "shape": "(20, 1, 4)", "doc": "x", "special_type": "DNASeq"},
            "targets": {"name": "y", "shape": "(1,)", "doc": "x", "column_labels": ["y one"]},
        },
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(model))
    return folder, w.numpy()


def test_a_kipoi_folder_with_axes_and_letters_of_its_own(tmp_path, fasta):
    folder, w = kipoi_folder(tmp_path / "tgca")
    scores, _ = scored(folder, fasta, trust=True)

    def by_hand(text):
        return sum(w["TGCA".index(letter), i] for i, letter in enumerate(text))

    wanted = [[by_hand(alt) - by_hand(ref)] for ref, alt in (windows(20, one) for one in CHANGES)]
    np.testing.assert_allclose(scores.values, wanted, atol=1e-5)
    assert [column.name for column in scores.columns] == ["diff_y_one"]


def test_a_model_with_a_dataloader_of_its_own_is_refused(tmp_path, fasta):
    folder = write_folder(tmp_path / "own", model_yaml(), loader_yaml())
    with pytest.raises(UsageError) as refused:
        zoo.score_variants(folder, "chr1:201:A>C", fasta, trust=True)
    assert "dataloader of its own" in refused.value.what
    assert run(["variants", str(folder), "chr1:201:A>C", "-g", str(fasta), "--trust"]) == 2


@pytest.mark.parametrize("rc_average", [False, True])
def test_two_outputs_of_different_kinds_and_a_pair_of_strands(tmp_path, fasta, rc_average):
    toy = make_toy_entry(tmp_path / "stranded", "stranded")
    scores, _ = scored(toy.folder, fasta, [SUBSTITUTION], trust=True, rc_average=rc_average)
    found = zoo.load_model(toy.folder, trust=True).predict(windows(toy.length, SUBSTITUTION), rc_average=rc_average)
    ref, alt = (np.concatenate([found["counts"][i].sum(1), found["total"][i]]) for i in (0, 1))
    assert scores.values[0].tolist() == (alt - ref).tolist()
    assert [column.name for column in scores.columns] == ["diff_plus", "diff_minus", "diff_at"]


def test_a_dataloader_that_reads_strands_is_told_that_a_variant_has_none(tmp_path, fasta):
    toy = make_toy_entry(tmp_path / "reads", "stranded", loader_args={"use_strand": True})
    genes = tmp_path / "genes.bed"
    genes.write_text("chr1\t100\t300\tgene\t0\t-\t100\t300\t0\t1\t200\t0\n")
    _, notes = scored(toy.folder, fasta, [SUBSTITUTION], trust=True)
    assert ["use_strand" in note and "+ was read" in note for note in notes] == [True]
    _, notes = scored(toy.folder, fasta, [SUBSTITUTION], trust=True, genes=genes)
    assert not notes


@pytest.mark.parametrize(
    ("name", "expected"), [("spliceai", [True, False, False]), ("pangolin", [True, False, False] * 4)]
)
def test_deleted_bases_are_surely_nothing_in_tracks_that_the_card_names(name, expected):
    """Kept as the networks give them: neither, acceptor, donor; and not spliced, spliced, usage of four tissues."""
    entry = open_entry(name)
    output = entry.card.outputs[0]
    spec = OutputSpec(output.name, output.kind, tuple(output.tracks), 5000, 1, 5000, output.units)
    model = LoadedModel(name, torch.nn.Identity(), SequenceLoader(15_000), (spec,), entry.card)
    plan = PairPlan(model, choose_tracks((spec,), ()))
    edits = (Edit(1000, "AC", "A"),)
    deleted, ones = Changes(edits), np.ones((len(expected), 5000), np.float32)
    bins = plan.bins(spec, 1000 - 7_500, False)
    aligned = plan.aligned(spec, bins, deleted, {phase: ones / 2 for phase in deleted.phases})
    assert aligned.values[:, 1001 - bins.first].tolist() == [float(one) for one in expected]
    assert (np.delete(aligned.values, 1001 - bins.first, axis=1) == 0.5).all()
