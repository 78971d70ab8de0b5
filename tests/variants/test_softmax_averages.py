"""Averages of what ends in a softmax: equal to the softmax of the same network's averaged logits."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from near_models import allele_of, predicted

import zoo
from interpret.mutagenesis.engine import Engine
from zoo.cards.schema import Output
from zoo.errors import ModelError
from zoo.genome.encode import one_hot
from zoo.genome.fasta import open_genome
from zoo.models.loaded import LoadedModel, Runner
from zoo.models.sequence_loader import SequenceLoader
from zoo.models.softmax import Softmax, softmax_notes
from zoo.outputs import OutputSpec, choose_tracks
from zoo.variants.run import scoring
from zoo.variants.windows.windows import PairPlan

LENGTH, CROP, SIZE = 192, 16, 3_000
TRACKS = ("a", "b", "c", "d")
AXES = {"tracks": 1, "bins": 2, "all": (1, 2)}


class Net(torch.nn.Module):
    """Logits of four tracks, in bins and of the whole window, which depend on where in the window a base stands.

    Args:
        over: whose softmax is taken; None gives the logits.
    """

    def __init__(self, bin_size: int, over: str | None) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.bin_size, self.over = bin_size, over
        self.body = torch.nn.Conv1d(4, len(TRACKS), 9, padding=4)
        self.place = torch.nn.Parameter(torch.randn(len(TRACKS), LENGTH))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        bases = 2 * self.body(x) + self.place
        bins = bases[:, :, CROP : LENGTH - CROP].unflatten(2, (-1, self.bin_size)).mean(3)
        total = 10 * (self.body(x) * self.place).mean(2)
        if self.over is None:
            return {"profile": bins, "total": total}
        if self.over == "pairs":
            pairs = torch.cat([bins[:, :2].softmax(1), bins[:, 2:3].sigmoid(), bins[:, 3:]], 1)
            return {"profile": pairs, "total": total.softmax(1)}
        if self.over == "groups":
            return {"profile": torch.cat([bins[:, :2].softmax(1), bins[:, 2:].softmax(1)], 1), "total": total}
        if self.over == "written":
            return {"profile": bins, "total": total.exp() / total.exp().sum(1, keepdim=True)}
        if self.over == "all":
            return {"profile": bins.flatten(1).softmax(1).view_as(bins), "total": total.softmax(1)}
        return {"profile": bins.softmax(AXES[self.over]), "total": total.softmax(1)}


def model_of(net: torch.nn.Module, bin_size: int = 1, card: object = None) -> LoadedModel:
    outputs = (
        OutputSpec("profile", "profile", TRACKS, (LENGTH - 2 * CROP) // bin_size, bin_size, CROP, "probability"),
        OutputSpec("total", "scalar", TRACKS, units="probability"),
    )
    return LoadedModel("net", net.eval(), SequenceLoader(LENGTH), outputs, card)


class Said:
    """What is read of a card here."""

    def __init__(self, **softmax: object) -> None:
        shapes = {"profile": "profile", "total": "scalar"}
        self.input = type("Input", (), {"outside_gene": None})
        self.outputs = [
            Output(name=name, kind=kind, tracks=list(TRACKS), units="probability", softmax=softmax.get(name))
            for name, kind in shapes.items()
        ]


def softmax_of(logits: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """By its definition, in float64."""
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(axis=axis, keepdims=True)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("softmax") / "g.fa"
    path.write_text(">chr1\n" + "".join(np.random.default_rng(4).choice(list("ACGT"), SIZE)) + "\n")
    return open_genome(path)


def substitution(genome):
    base = genome.gather(np.array([0]), np.array([1_500]), 1).tobytes().decode()
    return allele_of(0, 1_500, base, "ACGT".replace(base, "")[0])


def aligned_of(model, allele, genome, rc_average=False, tracks=(), **options):
    plan = PairPlan(model, choose_tracks(model.outputs, tracks), **options)
    pair = plan.pair(genome, allele)
    if tracks:
        runner = Runner(model, device="cpu")
        letters = np.frombuffer(b"".join(pair.sequences), np.uint8).reshape(len(pair.sequences), -1)
        values = plan.read.apply(runner.forward(one_hot(letters, model.loader.n_value)))
        return pair.join([{name: array[i] for name, array in values.items()} for i in range(len(letters))])
    return predicted(model, [pair], rc_average)[0]


@pytest.mark.parametrize("rc_average", [False, True])
@pytest.mark.parametrize(("bin_size", "shifts"), [(1, (-8, 0, 8)), (1, (5,)), (8, (-8, 0, 16)), (8, (-3, 0, 5))])
@pytest.mark.parametrize("over", ["tracks", "bins", "all"])
def test_averages_are_those_of_the_logits(genome, over, bin_size, shifts, rc_average):
    allele, options = substitution(genome), {"shifts": shifts, "rc_average": rc_average}
    found = aligned_of(model_of(Net(bin_size, over), bin_size), allele, genome, **options)
    logits = aligned_of(model_of(Net(bin_size, None), bin_size), allele, genome, **options)
    for values, expected in ((found.ref, logits.ref), (found.alt, logits.alt)):
        np.testing.assert_allclose(values["total"], softmax_of(expected["total"], 0), rtol=2e-5)
        axis = {"tracks": 0, "bins": 1, "all": (0, 1)}[over]
        # Bins are cut off at both ends: what is left of a softmax over bins sums to less than one.
        whole = values["profile"].sum(axis=axis, keepdims=True)
        assert (whole < 1 + 1e-5).all()
        np.testing.assert_allclose(values["profile"] / whole, softmax_of(expected["profile"], axis), rtol=5e-5)
        if over == "tracks":
            np.testing.assert_allclose(whole, 1, atol=1e-5)
    assert found.first == logits.first


def test_it_is_another_number_than_the_mean_of_probabilities(genome):
    allele, moved = substitution(genome), [(-8,), (0,), (8,)]
    model = model_of(Net(1, "tracks"))
    found = aligned_of(model, allele, genome, shifts=(-8, 0, 8))
    each = [aligned_of(model, allele, genome, shifts=shifts) for shifts in moved]
    mean = np.mean([one.ref["total"] for one in each], axis=0)
    assert np.abs(found.ref["total"] - mean).max() > 1e-3
    powers = np.exp(np.mean([np.log(one.ref["total"].astype(np.float64)) for one in each], axis=0))
    np.testing.assert_allclose(found.ref["total"], powers / powers.sum(), rtol=1e-5)


@pytest.mark.parametrize("tracks", [("b",), ("profile/d", "total/a", "total/c")])
def test_chosen_tracks_have_the_numbers_that_they_have_among_all(genome, tracks):
    model, allele = model_of(Net(1, "tracks")), substitution(genome)
    choice = choose_tracks(model.outputs, tracks)
    whole = aligned_of(model, allele, genome, shifts=(-8, 0, 8))
    found = aligned_of(model, allele, genome, tracks=tracks, shifts=(-8, 0, 8))
    for spec in choice.outputs:
        some = choice.channels[spec.name]
        np.testing.assert_allclose(found.ref[spec.name], whole.ref[spec.name][some], rtol=1e-6)
        np.testing.assert_allclose(found.alt[spec.name], whole.alt[spec.name][some], rtol=1e-6)


class Still(torch.nn.Module):
    """A softmax that gives the same for a base wherever it stands."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = torch.nn.Conv1d(4, len(TRACKS), 5, padding=2)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.body(x).softmax(1)
        return {"profile": found[:, :, CROP : LENGTH - CROP], "total": found.mean(2)}


@pytest.mark.parametrize(("ref", "alt"), [(1, "ACCGT"), (7, ""), (4, "TT")], ids=["insertion", "deletion", "mixture"])
def test_indels_keep_what_all_windows_agree_on(genome, ref, alt):
    """Inserted bases are folded by their maximum, so that columns there do not sum to one; deleted ones are 0."""
    letters = genome.gather(np.array([0]), np.array([1_500]), ref).tobytes().decode()
    allele = allele_of(0, 1_500, letters, letters[0] + alt)
    model = model_of(Still())
    still, moved = (aligned_of(model, allele, genome, shifts=shifts) for shifts in ((0,), (-8, 0, 8)))
    low, shared = moved.first["profile"] - still.first["profile"], moved.shared["profile"]
    assert shared.sum() >= 144 - 5
    for there, here in ((still.ref, moved.ref), (still.alt, moved.alt)):
        there = there["profile"][:, low : low + here["profile"].shape[1]]
        np.testing.assert_allclose(here["profile"][:, shared], there[:, shared], rtol=1e-5, atol=1e-7)
    gone = (still.alt["profile"] == 0).all(axis=0)[low : low + 144]
    assert gone.sum() == max(ref - 1 - len(alt), 0) and (moved.alt["profile"][:, gone] == 0).all()


def test_both_strands_by_hand():
    """(0.5, 0.5) and (0.9, 0.1): the roots of 0.45 and 0.05 are as 3 to 1."""
    over_tracks = Softmax("tracks", profile=False)
    assert over_tracks.mean([np.array([0.5, 0.5]), np.array([0.9, 0.1])]) == pytest.approx([0.75, 0.25])
    # By weights of 3 to 1: (0.5 * 0.5 * 0.5 * 0.9) and (0.5 * 0.5 * 0.5 * 0.1) to the power of a quarter.
    weighted = over_tracks.mean([np.array([0.5, 0.5]), np.array([0.9, 0.1])], (0.75, 0.25))
    assert weighted[0] / weighted[1] == pytest.approx(9**0.25)
    assert over_tracks.mean([np.array([0, 0, 1.0]), np.array([0, 0, 1.0])]) == pytest.approx([0, 0, 1], abs=0)
    assert over_tracks.mean([np.array([0, 1.0]), np.array([1.0, 0])]) == pytest.approx([0.5, 0.5])  # no logits
    assert over_tracks.mean([np.zeros(2), np.zeros(2)]) == pytest.approx([0, 0], abs=0)
    over_bins = Softmax("bins", profile=True)
    found = over_bins.mean([np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([[0.9, 0.1], [0.2, 0.8]])])
    assert found == pytest.approx(np.array([[0.75, 0.25], [0.2, 0.8]]))


def test_groups_of_tracks_are_what_the_card_names(genome):
    model = model_of(Net(1, "pairs"), card=Said(profile=[["a", "b"]], total="tracks"))
    allele = substitution(genome)
    found = aligned_of(model, allele, genome, shifts=(-8, 0, 8)).ref["profile"]
    logits = aligned_of(model_of(Net(1, None)), allele, genome, shifts=(-8, 0, 8)).ref["profile"]
    np.testing.assert_allclose(found[:2], softmax_of(logits[:2], 0), rtol=2e-5)
    np.testing.assert_allclose(found[3], logits[3], rtol=1e-5)  # no part of a group
    # A sigmoid is no softmax: the mean of probabilities, of windows that begin 8 bp further left, here and right.
    each = [aligned_of(model, allele, genome, shifts=(shift,)) for shift in (-8, 0, 8)]
    first = max(one.first["profile"] for one in each)
    usage = [one.ref["profile"][2, first - one.first["profile"] :][: found.shape[1]] for one in each]
    np.testing.assert_allclose(found[2], np.mean(usage, axis=0), rtol=1e-5)


def test_what_the_card_says_is_tried():
    model = model_of(Net(1, "tracks"), card=Said(profile="bins"))
    with pytest.raises(ModelError, match="output 'profile' is a softmax over bins") as caught:
        model.softmaxes  # noqa: B018
    assert caught.value.fix == "Fix: correct `softmax` of that output, or leave it out"
    assert model_of(Net(1, "tracks"), card=Said(profile="tracks")).softmaxes["profile"].stated


class Bases(torch.nn.Module):
    """Sums of one that no softmax made: the bases themselves, and how many there are of each."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"profile": x[:, :, CROP : LENGTH - CROP], "total": x.mean(2)}


class Attends(torch.nn.Module):
    """A softmax inside, and outputs that are none."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = x @ (x.transpose(1, 2) @ x).softmax(2)
        return {"profile": seen[:, :, CROP : LENGTH - CROP].sigmoid(), "total": seen.mean(2)}


@pytest.mark.parametrize("net", [Bases, Attends])
def test_only_a_softmax_is_averaged_as_one(genome, net):
    model = model_of(net())
    assert not model.softmaxes and not softmax_notes(model.softmaxes, model.outputs, "--shifts")
    if net is Bases:
        found = aligned_of(model, substitution(genome), genome, shifts=(-8, 0))
        each = [aligned_of(model, substitution(genome), genome, shifts=(shift,)) for shift in (-8, 0)]
        assert found.ref["total"] == pytest.approx((each[0].ref["total"] + each[1].ref["total"]) / 2)


def test_groups_of_tracks_are_found_where_a_softmax_of_their_size_is_seen(genome):
    model, allele = model_of(Net(1, "groups")), substitution(genome)
    assert model.softmaxes == {"profile": Softmax("tracks", True, ((0, 1), (2, 3)), stated=False)}
    found = aligned_of(model, allele, genome, shifts=(-8, 0, 8)).ref["profile"]
    logits = aligned_of(model_of(Net(1, None)), allele, genome, shifts=(-8, 0, 8)).ref["profile"]
    for pair in (slice(0, 2), slice(2, 4)):
        np.testing.assert_allclose(found[pair], softmax_of(logits[pair], 0), rtol=2e-5)
    (note,) = softmax_notes(model.softmaxes, model.outputs, "--shifts", model.unseen_softmaxes)
    assert "profile (over groups of tracks)" in note
    # What a card has to say, says the same.
    line = model.softmaxes["profile"].in_a_card(TRACKS)
    assert line == "softmax: [[a, b], [c, d]]"
    said = yaml.safe_load(line)["softmax"]
    stated = model_of(Net(1, "groups"), card=Said(profile=said)).softmaxes["profile"]
    assert stated.stated and stated.groups == model.softmaxes["profile"].groups


def test_what_sums_to_one_without_a_softmax_is_averaged_as_it_is_and_told():
    model = model_of(Net(1, "written"))
    assert model.softmaxes == {} and set(model.unseen_softmaxes) == {"total"}
    (note,) = softmax_notes(model.softmaxes, model.outputs, "--shifts", model.unseen_softmaxes)
    assert note.startswith("--shifts: numbers are averaged as they are, though they sum to one: total (over tracks)")
    assert softmax_notes(model.softmaxes, model.outputs[:1], "--shifts", model.unseen_softmaxes) == []


def test_what_was_found_is_said_and_what_the_card_says_is_not():
    model = model_of(Net(1, "bins"))
    (note,) = softmax_notes(model.softmaxes, model.outputs, "--rc-average and --shifts")
    assert note.startswith("--rc-average and --shifts: logits are averaged, not probabilities")
    assert "profile (over bins), total (over tracks)" in note
    (note,) = softmax_notes(model.softmaxes, model.outputs[1:], "--shifts")
    assert "softmax gives: total (over tracks), which no card says" in note
    for silent in (model_of(Net(1, "bins"), card=Said(profile="bins", total="tracks")), model_of(Net(1, None))):
        assert not softmax_notes(silent.softmaxes, silent.outputs, "--shifts")


def test_outputs_of_counts_and_logits_are_not_asked_about():
    """A pass of a network that takes seconds is not made for nothing."""
    net = Net(1, "tracks")
    model = model_of(net)
    counts = tuple(OutputSpec(o.name, o.kind, o.tracks, o.n_bins, 1, o.offset, "reads") for o in model.outputs)
    calls = []
    net.register_forward_hook(lambda *_: calls.append(1))
    assert LoadedModel("net", net, SequenceLoader(LENGTH), counts).softmaxes == {} and not calls
    assert set(model.softmaxes) == {"profile", "total"} and len(calls) == 1
    assert model.softmaxes is model.softmaxes and len(calls) == 1


def test_predictions_of_both_strands_are_averaged_alike():
    windows = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (3, LENGTH))].transpose(0, 2, 1)
    values = Runner(model_of(Net(8, "tracks"), 8), "cpu", rc_average=True).forward(windows)
    logits = Runner(model_of(Net(8, None), 8), "cpu", rc_average=True).forward(windows)
    np.testing.assert_allclose(values["profile"], softmax_of(logits["profile"], 1), rtol=2e-5)
    np.testing.assert_allclose(values["total"], softmax_of(logits["total"], 1), rtol=2e-5)


@pytest.mark.parametrize(
    ("kind", "softmax", "what"),
    [
        ("scalar", "bins", "a scalar has no bins"),
        ("profile", [["a"]], "a group has two tracks or more"),
        ("profile", [], "a group has two tracks or more"),
        ("profile", [["a", "b"], ["b", "c"]], "a track is in one group"),
        ("profile", [["a", "z"]], "z is none of the tracks"),
        ("profile", "track", "'tracks', 'bins' or 'all'"),
    ],
)
def test_a_card_that_says_what_cannot_be_is_refused(kind, softmax, what):
    with pytest.raises(ValueError, match=what):
        Output(name="out", kind=kind, tracks=list(TRACKS), softmax=softmax)


def test_the_command_says_what_it_averages(genome, tmp_path):
    model, base = model_of(Net(1, "tracks")), substitution(genome).edit
    options = {"score": ["ref", "alt"], "device": "cpu", "tracks": ["total/b"]}
    variant = f"chr1:1501:{base.ref}>{base.alt}"
    moved = zoo.score_variants(model, variant, genome.path, tmp_path / "moved.tsv", shifts=(-8, 0, 8), **options)
    (note,) = [note for note in moved.notes if "softmax" in note]
    assert note.startswith("--shifts: logits are averaged")
    plain = zoo.score_variants(model, variant, genome.path, tmp_path / "plain.tsv", **options)
    assert not [note for note in plain.notes if "softmax" in note]
    table = pd.read_csv(tmp_path / "moved.tsv", sep="\t", comment="#")
    expected = aligned_of(model_of(Net(1, None)), substitution(genome), genome, shifts=(-8, 0, 8))
    for allele, logits in (("ref", expected.ref), ("alt", expected.alt)):
        assert table[f"{allele}_b"][0] == pytest.approx(softmax_of(logits["total"], 0)[1], rel=1e-4)


@pytest.mark.parametrize("rc_average", [True, False])
def test_that_strands_are_averaged_by_logits_is_said(genome, rc_average):
    said = []
    regions = [("chr1", 1_000, 1_160)]
    zoo.predict(model_of(Net(1, "tracks")), regions, genome.path, rc_average=rc_average, report=said.append)
    assert rc_average == any(note.startswith("--rc-average: logits are averaged") for note in said)


@pytest.mark.parametrize("fast", [True, False], ids=["followed", "passes"])
@pytest.mark.parametrize("over", ["tracks", "bins"])
def test_windows_that_edits_share_average_logits_too(genome, tmp_path, monkeypatch, fast, over):
    """`--saturate` by the engine, on both strands and at three places, of one track of four."""
    monkeypatch.setattr(scoring, "open_engine", lambda runner, choice: Engine(runner, choice, fast=fast))
    (tmp_path / "loci.bed").write_text("chr1\t1498\t1502\n")
    options = {"rc_average": True, "shifts": (-8, 0, 5), "score": "ref", "device": "cpu"}
    options["saturate"] = tmp_path / "loci.bed"
    tables = []
    for net, tracks in ((Net(1, over), ["total/b", "profile/c"]), (Net(1, None), [])):
        out = tmp_path / f"{len(tables)}.h5"
        zoo.score_variants(model_of(net), None, genome.path, out, tracks=tracks, **options)
        with h5py.File(out) as file:
            tables.append({f"{a}/{o}": file[f"{a}/{o}"][()] for a in ("ref", "alt") for o in ("total", "profile")})
    counts = json.loads((tmp_path / "0.h5.run.json").read_text())["counts"]
    assert counts["scored"] == 12 and (counts["engine"]["followed"] > 0) == fast
    found, logits = tables
    for allele in ("ref", "alt"):
        total = softmax_of(logits[f"{allele}/total"], 1)[:, 1:2]
        np.testing.assert_allclose(found[f"{allele}/total"], total, rtol=1e-4)
        profile = found[f"{allele}/profile"].astype(np.float64)
        expected = softmax_of(logits[f"{allele}/profile"], AXES[over])[:, 2:3]
        profile = profile / profile.sum(2, keepdims=True) if over == "bins" else profile
        np.testing.assert_allclose(profile, expected, rtol=1e-4)
