"""Files for the peers, read by modisco-lite's command, by h5py as ChromBPNet and fi-nemo do, and by pyBigWig."""

from __future__ import annotations

import errno
import importlib
import json
import sys

import h5py
import numpy as np
import pyBigWig
import pytest
from toys import make_toy_entry

from interpret.attribute.attribute import attribute, convert
from interpret.contribs.file import ContribBlock, open_contribs
from interpret.contribs.formats import FORMATS
from zoo.cli import run
from zoo.errors import InputError, SystemStateError

MOTIF = "TGACTCAGC"


class Planted:
    """300 random windows of 120 bp with the motif at a random place of each; its bases contribute 1, others little."""

    rows, length, chrom_sizes = 300, 120, {"chr1": 100_000}

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        letters = rng.integers(0, 4, (self.rows, self.length))
        scores = rng.normal(0, 0.02, (self.rows, 4, self.length)).astype(np.float32)
        motif = np.array(["ACGT".index(letter) for letter in MOTIF])
        for i, start in enumerate(rng.integers(20, self.length - 40, self.rows)):
            letters[i, start : start + len(motif)] = motif
            scores[i, motif, start + np.arange(len(motif))] += 1
        self.one_hot = np.eye(4, dtype=np.uint8)[letters].transpose(0, 2, 1)
        self.scores = scores

    def blocks(self):
        start = 100 + 200 * np.arange(self.rows)
        for part in (slice(0, 130), slice(130, self.rows)):
            n = len(start[part])
            texts = {
                name: np.full(n, value, object)
                for name, value in {"chrom": "chr1", "name": "peak", "score": "0", "strand": "+"}.items()
            }
            yield ContribBlock(
                part.start,
                texts | {"start": start[part], "end": start[part] + 120},
                {"start": start[part], "end": start[part] + 120, "reverse": np.zeros(n, bool)},
                self.one_hot[part],
                self.scores[part],
                {},
            )


@pytest.mark.parametrize("name", ["modisco-npz", "chrombpnet-h5"])
def test_modisco_finds_the_motif_in_the_file(name, tmp_path, monkeypatch):
    """By its own command, in this process: what numba compiles is compiled once."""
    from modiscolite.cli import cli

    from interpret.motifs.discover import keep_compiled

    keep_compiled()
    planted, chosen = Planted(), FORMATS[name]
    out = tmp_path / f"c{chosen.suffixes[0]}"
    chosen.write(planted, chosen.finals(out), {}, "mean")
    given = ["-i", out] if name == "chrombpnet-h5" else ["-s", tmp_path / "c.one_hot.npz", "-a", out]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["modisco", "motifs", *map(str, given), "-n", "500", "-w", "120", "-o", "m.h5"])
    with pytest.raises(SystemExit) as ended:
        cli()
    assert not ended.value.code
    with h5py.File(tmp_path / "m.h5") as file:
        pattern = file["pos_patterns/pattern_0"]
        assert int(pattern["seqlets/n_seqlets"][0]) > 50
        letters = "".join("ACGT"[i] for i in pattern["sequence"][:].argmax(1))
    assert MOTIF in letters or MOTIF.translate(str.maketrans("ACGT", "TGCA"))[::-1] in letters


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """G counted in the middle 24 of 40 bp; two windows overlap on opposite strands, a third passes the start."""
    found = make_toy_entry(tmp_path_factory.mktemp("formats") / "toy", "profile")
    rows = ("chrA 100 140 a 0 +", "chrA 120 160 b 0 -", "chrA 0 20 c 0 +")
    (found.folder.parent / "r.bed").write_text("".join(row.replace(" ", "\t") + "\n" for row in rows))
    return found


def explain(toy, out, **more):
    bed = toy.folder.parent / "r.bed"
    return attribute(toy.folder, bed, toy.genome, out, method="inputxgradient", strand="use", trust=True, **more)


def by_hand(toy):
    """Base of chrA -> the contributions that it has in each window: gradients less their mean over the bases."""
    sequence, found = toy.sequences["chrA"].upper(), {}
    for first, letter in ((100, "G"), (120, "C"), (-10, "G")):  # the second window is read on the other strand
        for place in range(max(0, first), first + 40):
            inside = 8 <= place - first < 32
            value = (0.75 if sequence[place] == letter else -0.25) if inside and sequence[place] in "ACGT" else 0.0
            found.setdefault(place, []).append(value)
    return sequence, found


def test_a_bigwig_lies_on_the_genome_with_overlaps_averaged(toy, tmp_path):
    out = tmp_path / "c.bw"
    assert explain(toy, out).paths == [out]
    _, wanted = by_hand(toy)
    with pyBigWig.open(str(out)) as track:
        values = np.array(track.values("chrA", 0, 200))
        assert track.chroms() == {name: len(letters) for name, letters in toy.sequences.items()}
    assert set(np.flatnonzero(~np.isnan(values))) == set(wanted)
    assert len(wanted[125]) == 2
    assert [values[i] for i in wanted] == pytest.approx([np.mean(v) for v in wanted.values()], abs=1e-6)
    record = json.loads((tmp_path / "c.bw.run.json").read_text())
    assert (record["method"], record["windows"]) == ("inputxgradient", 3)
    explain(toy, tmp_path / "max.bw", overlap="max")
    with pyBigWig.open(str(tmp_path / "max.bw")) as track:
        assert track.values("chrA", 120, 140) == pytest.approx([max(wanted[i]) for i in range(120, 140)], abs=1e-6)
    with pytest.raises(InputError, match="overlap"):
        explain(toy, tmp_path / "error.bw", overlap="error")
    assert not list(tmp_path.glob("error*"))


@pytest.mark.parametrize(("name", "suffix"), [("modisco-npz", ".npz"), ("chrombpnet-h5", ".h5")])
def test_peers_get_windows_on_the_forward_strand_and_where_they_lie(toy, tmp_path, name, suffix):
    out = tmp_path / f"c{suffix}"
    explain(toy, out, format=name)
    if suffix == ".npz":
        one_hot, scores = np.load(tmp_path / "c.one_hot.npz")["arr_0"], np.load(out)["arr_0"]
    else:
        with h5py.File(out) as file:
            one_hot, scores = file["raw/seq"][:], file["shap/seq"][:]
            assert np.array_equal(file["projected_shap/seq"][:], scores * one_hot)
    assert one_hot.shape == scores.shape == (3, 4, 40)
    assert (one_hot.dtype, scores.dtype) == (np.int8, np.float32)
    sequence, _ = by_hand(toy)
    rows = [line.split("\t") for line in (tmp_path / "c.regions.narrowPeak").read_text().splitlines()]
    assert [row[0] for row in rows] == ["chrA"] * 3
    for i, row in enumerate(rows):
        start = int(row[1]) + int(row[9]) - 20  # as ChromBPNet and fi-nemo cut them
        assert start == (100, 120, -10)[i]
        letters = "".join(sequence[p] if p >= 0 else "N" for p in range(start, start + 40))
        assert "".join("ACGTN"[4 if not column.any() else column.argmax()] for column in one_hot[i].T) == letters
    assert scores[1, :, 8:32] == pytest.approx(np.repeat([[-0.25], [0.75], [-0.25], [-0.25]], 24, 1))  # C: the other G


def test_a_finished_file_is_written_in_other_formats(toy, tmp_path, capsys):
    explain(toy, tmp_path / "c.h5")
    for out, more in (("a.bw", {}), ("a.npz", {}), ("a.h5", {"format": "chrombpnet-h5"})):
        explain(toy, tmp_path / out, **more)
        assert convert(tmp_path / "c.h5", tmp_path / f"b{out[1:]}", **more).windows == 3
    assert (tmp_path / "a.bw").read_bytes() == (tmp_path / "b.bw").read_bytes()
    assert (tmp_path / "a.regions.narrowPeak").read_bytes() == (tmp_path / "b.regions.narrowPeak").read_bytes()
    for name in ("npz", "one_hot.npz"):
        assert np.array_equal(np.load(tmp_path / f"a.{name}")["arr_0"], np.load(tmp_path / f"b.{name}")["arr_0"])
    with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / "b.h5") as b:
        assert np.array_equal(a["shap/seq"][:], b["shap/seq"][:])
    with open_contribs(tmp_path / "c.h5") as found, h5py.File(tmp_path / "c.h5") as file:
        assert len(found) == 3
        assert file["windows/reverse"][:].tolist() == [False, True, False]
    for arguments, code, words in (
        (["c.h5", "-o", "d.h5"], 2, "in this format already"),
        (["c.h5", "-o", "d.txt"], 2, "are written as .h5, .npz or .bw"),
        (["c.h5", "-o", "d.bw", "--method", "ism"], 2, "--method has no effect without REGIONS"),
        (["yeast-atac", "-o", "d.h5"], 2, "no regions were given"),
        (["absent.h5", "-o", "d.bw"], 3, "no such file"),
        (["a.h5", "-o", "d.bw"], 3, "format None"),
    ):
        given = [str(tmp_path / a) if a.endswith((".h5", ".bw", ".txt")) else a for a in arguments]
        assert run(["attribute", *given]) == code
        assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("d.*")) and not list(tmp_path.glob("*.partial*"))


@pytest.mark.parametrize("name", ["c.h5", "c.npz", "c.bw"])
def test_a_result_that_could_not_be_made_is_made_by_resuming(toy, tmp_path, monkeypatch, name):
    """The contributions are spooled; a failure in the end costs no second run of the model."""
    explain(toy, tmp_path / f"whole{name}")
    chosen = FORMATS[{"c.h5": "h5", "c.npz": "modisco-npz", "c.bw": "bw"}[name]]
    module = importlib.import_module(f"interpret.contribs.{chosen.name.replace('-', '_')}")
    write = module.write

    def fail_late(source, paths, *rest):
        write(source, paths, *rest)
        raise OSError(errno.ENOSPC, "No space left on device", str(paths[0]))

    with monkeypatch.context() as patched:
        patched.setattr(module, "write", fail_late)
        patched.setattr("zoo.run.file_run.CHECKPOINT_SECONDS", 0)
        with pytest.raises(SystemStateError, match="the disk is full") as caught:
            explain(toy, tmp_path / name)
    assert "--resume" in caught.value.fix
    assert {p.name for p in tmp_path.glob("c.*")} == {f"{name}.partial", f"{name}.partial.json"}
    monkeypatch.setattr(
        importlib.import_module("interpret.attribute.explainer").Explainer, "forward", None
    )  # the model is not asked again
    assert explain(toy, tmp_path / name, resume=True).windows == 3
    whole, again = (tmp_path / f"{before}{name}" for before in ("whole", ""))
    if name == "c.h5":
        with open_contribs(whole) as a, open_contribs(again) as b:
            assert np.array_equal(a.hypothetical[:], b.hypothetical[:])
            assert a.regions()["name"].tolist() == b.regions()["name"].tolist() == ["a", "b", "c"]
    else:
        assert whole.read_bytes() == again.read_bytes()
    assert not list(tmp_path.glob("*.partial*"))
