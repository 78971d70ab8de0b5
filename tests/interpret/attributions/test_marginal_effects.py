"""``zoo attribute --method marginalize``: effects that are known, where the motif comes from, and what is refused."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from toys import make_toy_entry

from interpret.attribute.attribute import attribute
from interpret.attribute.marginal_effects import consensus, read_motif
from zoo.cli import run
from zoo.errors import InputError, UsageError

MEME = """MEME version 4

ALPHABET= ACGT

MOTIF MA1.1 FIRST
letter-probability matrix: alength= 4 w= 3 nsites= 20 E= 0
 0.1 0.1 0.7 0.1
 0.4 0.3 0.2 0.1
 0.0 0.5 0.25 0.25

MOTIF MA2.1 SECOND
letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0
 0.0 1.0 0.0 0.0
 0.0 0.0 0.0 1.0
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The share of G and C, which a shuffle keeps."""
    return make_toy_entry(tmp_path_factory.mktemp("marginal") / "toy", "gc")


def table(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


@pytest.mark.parametrize("suffix", ["tsv", "tsv.gz"])
def test_a_motif_as_long_as_the_window_leaves_nothing_of_the_background(toy, tmp_path, suffix):
    out = tmp_path / f"e.{suffix}"
    result = attribute(
        toy.folder,
        toy.regions,
        toy.genome,
        out,
        method="marginalize",
        motif="G" * toy.length,
        references="3",
        trust=True,
    )
    rows = table(out)
    regions = [line.split("\t") for line in toy.regions.read_text().splitlines()]
    assert [*rows[0]] == [
        "chrom",
        "start",
        "end",
        "name",
        "score",
        "strand",
        "window_start",
        "window_end",
        "effect",
        "background_prediction",
        "inserted_prediction",
    ]
    assert len(rows) == len(regions) == result.windows
    effects = []
    for row, region in zip(rows, regions, strict=True):
        assert [row[k] for k in ("chrom", "start", "end", "name")] == region[:4]
        share = toy.centred(region[0], int(region[1]), int(region[2]))["gc"][0]
        assert float(row["background_prediction"]) == pytest.approx(share, abs=1e-6)
        assert float(row["inserted_prediction"]) == pytest.approx(1)
        effects.append(1 - share)
        assert float(row["effect"]) == pytest.approx(effects[-1], abs=1e-6)
    record = json.loads((tmp_path / f"e.{suffix}.run.json").read_text())
    assert record["effect"]["mean"] == pytest.approx(np.mean(effects), abs=1e-6)
    assert record["effect"]["standard_error"] == pytest.approx(np.std(effects, ddof=1) / len(effects) ** 0.5, rel=1e-4)
    assert record["effect"]["windows"] == len(rows)
    assert f"3 shuffles of each of {len(rows)} windows: mean effect {np.mean(effects):+.4g}" in result.notes[-1]


def test_strands_are_averaged_and_the_run_can_be_resumed(toy, tmp_path, capsys):
    given = [
        "attribute",
        toy.folder,
        toy.regions,
        "-g",
        toy.genome,
        "--trust",
        "--method",
        "marginalize",
        "--motif",
        "gNa",
        "--references",
        "2",
    ]
    plain, both = tmp_path / "a.tsv", tmp_path / "b.tsv"
    assert run([*map(str, given), "-o", str(plain)]) == 0
    assert run([*map(str, given), "-o", str(both), "--rc-average", "--resume"]) == 0
    assert "nothing to resume" in capsys.readouterr().err
    effects = [[float(row["effect"]) for row in table(path)] for path in (plain, both)]
    assert effects[0] == pytest.approx(effects[1], abs=1e-6)  # G + C of both strands is one number
    assert set(np.round(np.array(effects[0]) * toy.length * 4).astype(int)) <= set(range(-8, 9))


def test_a_name_and_a_path_may_hold_colons(tmp_path):
    folder = tmp_path / "a:b"
    folder.mkdir()
    path = folder / "k:1.meme"
    rows = "letter-probability matrix:\n1 0 0 0\n0 1 0 0\n"
    path.write_text(f"MOTIF FOS::JUN AP1\n{rows}MOTIF M2 AP1\n{rows}MOTIF M3\nMOTIF x y\n{rows}MOTIF x z\n{rows}")
    assert read_motif(f"{path}:FOS::JUN") == ("AC", f"FOS::JUN of {path}")
    assert read_motif(f"{path}:z") == ("AC", f"x of {path}")
    for name, error, words in (
        (":AP1", UsageError, "holds 2 such motifs"),
        (":x", UsageError, "give each a name of its own"),
        (":M3", InputError, "has no letter-probability matrix"),
        (":FOS", UsageError, "near: FOS::JUN"),
        ("", UsageError, "holds 4 such motifs"),
    ):
        with pytest.raises(error) as caught:
            read_motif(f"{path}{name}")
        assert words in str(caught.value)


def test_motifs_from_letters_and_matrices(tmp_path):
    path = tmp_path / "m.meme"
    path.write_text(MEME)
    assert read_motif("tgaNtca") == ("TGANTCA", "the command line")
    assert read_motif(f"{path}:FIRST") == ("GNC", f"MA1.1 of {path}")
    assert read_motif(f"{path}:MA2.1") == ("CT", f"MA2.1 of {path}")
    assert consensus(np.array([[0.5, 0.5, 0, 0], [0.3, 0.3, 0.2, 0.2]])) == "AN"
    for text, error, words in (
        (str(path), UsageError, "holds 2 such motifs"),
        (f"{path}:THIRD", UsageError, "no such motif"),
        ("RYT", UsageError, "other letters"),
        ("NN", UsageError, "has no base"),
        ("no.meme", InputError, "no such file"),
        ("no.meme:X", InputError, "no such file"),
    ):
        with pytest.raises(error, match=words):
            read_motif(text)
    with pytest.raises(InputError, match="clear base"):
        consensus(np.full((3, 4), 0.25))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "e.h5", "--motif", "ACGT"], "gives an effect a window, no contributions"),
        (["-o", "e.tsv"], "none was given"),
        (["-o", "e.tsv", "--motif", "ACGT", "--references", "uniform"], "inserts the motif into shuffles"),
        (["-o", "e.tsv", "--motif", "A" * 5000], "does not fit"),
        (["-o", "e.tsv", "--motif", "ACGT", "--format", "bw"], "--format bw"),
    ],
)
def test_what_marginalization_refuses(toy, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    given = [toy.folder, toy.regions, "-g", toy.genome, "--trust", "-q", "--method", "marginalize", *arguments]
    assert run(["attribute", *map(str, given)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert words in " ".join(lines)
    assert not any(tmp_path.iterdir())
