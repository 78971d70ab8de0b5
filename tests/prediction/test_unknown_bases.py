"""Unknown bases are counted wherever sequence is read; RNA is read as DNA; a large share of unknown ones is said."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from prediction_cases import make_case, read_tsv
from test_failure_and_resume import SMALL, interrupted, small_blocks  # noqa: F401
from toys import make_toy_entry, window, write_fasta

import zoo
from interpret.attribute.attribute import attribute
from zoo.progress import ZooWarning

LENGTH = 16  # what the toy sees
KEYS = (
    "unknown_bases", "iupac_bases", "other_letters", "rna_bases", "padded_bases", "unknown_windows", "first_unknown"
)  # fmt: skip


@pytest.fixture
def toy(tmp_path):
    made = make_toy_entry(tmp_path / "toy", "gc")
    assert made.length == LENGTH
    return made


KNOWN = "ACGTTGCA" * 10
NONE = dict.fromkeys(KEYS, 0) | {"first_unknown": []}
#: Contig and starts of windows -> what is counted, and the notes.
CASES = {
    "known bases, soft-masked too": ({"c": KNOWN[:40] + KNOWN[40:].lower()}, [0, 30], {}, []),
    "some N": ({"c": KNOWN[:70] + "N" * 2 + KNOWN[72:]}, [0, 60, 56], {"unknown_bases": 4}, []),
    "padding is counted apart": ({"c": KNOWN}, [-8], {"padded_bases": 8}, ["padded with N"]),
    "padding, and N beside it": ({"c": "N" + KNOWN}, [-8, 40], {"padded_bases": 8, "unknown_bases": 1}, ["padded"]),
    "ambiguity codes": (
        {"c": "RYSWKMBDHVN" + KNOWN},
        [0, 40, 45, 50, 51, 52, 55],
        {"unknown_bases": 11, "iupac_bases": 10},
        ["10 IUPAC ambiguity codes were read as N"],
    ),
    "gaps, stops and masks": (
        {"c": "XXX-*." + KNOWN},
        [0, 30, 40, 50],
        {"unknown_bases": 6, "other_letters": 6},
        ["6 letters that are no bases (X, -, * and the like) were read as N"],
    ),
    "a large share": (
        {"c": "N" * 12 + KNOWN},
        [0, 1],
        {"unknown_bases": 23},
        ["72% of the bases of the windows are unknown (23 letters other than A, C, G, T)"],
    ),
    "wholly unknown windows": (
        {"c": "N" * 30 + KNOWN * 3},
        [60, 2, 100, 5, 120, 130, 140, 150, 160, 170],
        {"unknown_bases": 32, "unknown_windows": 2, "first_unknown": ["c:2-18", "c:5-21"]},
        [
            "2 of 10 windows hold no known base, first: c:2-18; what a model gives for them is of no sequence",
            "20% of the bases of the windows are unknown (32 letters other than A, C, G, T)",
        ],
    ),
    "a genome of N": (
        {"c": "N" * 80},
        [3, 20],
        {"unknown_bases": 32, "unknown_windows": 2, "first_unknown": ["c:3-19", "c:20-36"]},
        ["all 2 windows hold no known base, first: c:3-19; what a model gives for them is of no sequence"],
    ),
    "masked with X": (
        {"c": "X" * 80},
        [3],
        {"unknown_bases": 16, "other_letters": 16, "unknown_windows": 1, "first_unknown": ["c:3-19"]},
        ["the only window holds no known base", "16 letters that are no bases"],
    ),
    "RNA": (
        {"c": KNOWN.replace("T", "U")},
        [0, 8],
        {"rna_bases": 8},
        ["8 bases are U, as in RNA: they were read as T"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_counted_and_said(tmp_path, toy, case):
    contigs, starts, counted, said = CASES[case]
    # The window of the first base begins before its contig.
    fasta, bed = write_fasta(tmp_path / "g.fa", contigs), tmp_path / "g.bed"
    rows = [(max(start, 0), start + LENGTH) if start >= 0 else (0, 1) for start in starts]
    bed.write_text("".join(f"c\t{low}\t{high}\n" for low, high in rows))
    notes = []
    result = zoo.predict(toy.folder, bed, fasta, tmp_path / "out.tsv", trust=True, report=notes.append)
    record = json.loads((tmp_path / "out.tsv.run.json").read_text())
    for counts in (result.counts, record["counts"]):
        assert {name: counts[name] for name in KEYS} == NONE | counted
    assert len(notes) == len(said) and all(part in note for part, note in zip(said, notes, strict=True)), notes
    assert notes == record["notes"]
    # The answers are those of plain Python.
    letters = contigs["c"].replace("U", "T")
    expected = [toy.answer(window(letters, start, LENGTH))["gc"][0] for start in starts]
    assert [float(row["gc"]) for row in read_tsv(tmp_path / "out.tsv")] == pytest.approx(expected)


def test_rna_is_predicted_as_its_dna_on_both_strands(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "stranded")
    values = []
    for letters in (KNOWN, KNOWN.replace("T", "U").lower()):
        fasta, bed = write_fasta(tmp_path / "g.fa", {"c": letters}), tmp_path / "g.bed"
        bed.write_text("c\t10\t26\ta\t0\t+\nc\t11\t27\tb\t0\t-\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZooWarning)
            values.append(zoo.load_model(toy.folder, trust=True).predict_regions(bed, fasta, strand="use").values)
    assert all(np.array_equal(values[0][name], values[1][name]) for name in values[0])


def test_what_an_interrupted_run_had_counted_is_kept(tmp_path, small_blocks):  # noqa: F811
    case = make_case(tmp_path, "gc")
    sequences = {
        name: letters[:200].replace("A", "X") + "N" * len(letters[200:]) for name, letters in case.sequences.items()
    }
    write_fasta(case.genome, sequences)
    whole = case.predict(tmp_path / "whole.tsv", **SMALL)
    interrupted(case, tmp_path / "out.tsv")
    notes = []
    got = case.predict(tmp_path / "out.tsv", resume=True, report=notes.append, **SMALL)
    assert (
        got.counts == whole.counts
        and min(got.counts[name] for name in KEYS[:3] + KEYS[4:6] if name != "iupac_bases") > 0
    )
    assert [note for note in notes if "resuming" not in note] == whole.notes


def test_a_journal_of_a_version_that_counted_less_is_refused(tmp_path, small_blocks):  # noqa: F811
    from zoo.errors import UsageError

    case = make_case(tmp_path, "gc")
    interrupted(case, tmp_path / "out.tsv")
    journal = tmp_path / "out.tsv.partial.json"
    state = json.loads(journal.read_text())
    del state["counts"]["unknown_bases"]
    journal.write_text(json.dumps(state))
    with pytest.raises(UsageError, match="of an earlier version, which did not count 'unknown_bases'"):
        case.predict(tmp_path / "out.tsv", resume=True, **SMALL)


def test_contributions_say_the_same(tmp_path, toy):
    fasta, bed = write_fasta(tmp_path / "g.fa", {"c": "N" * 40 + KNOWN}), tmp_path / "g.bed"
    bed.write_text("c\t2\t18\nc\t50\t66\nc\t60\t76\n")
    notes = []
    attribute(
        toy.folder, bed, fasta, tmp_path / "out.h5", method="ism", trust=True, any_genome=True, report=notes.append
    )
    assert "1 of 3 windows holds no known base, first: c:2-18; what a model gives for it is of no sequence" in notes


# In memory


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    found = [one for one in caught if one.category is ZooWarning]
    assert all(one.filename == __file__ for one in found), "the line that called is named"
    return [str(one.message) for one in found]


def test_regions_in_memory_warn_or_report(tmp_path, toy):
    fasta, bed = write_fasta(tmp_path / "g.fa", {"c": "N" * 40 + KNOWN}), tmp_path / "g.bed"
    bed.write_text("c\t2\t18\nc\t50\t66\n")
    model = zoo.load_model(toy.folder, trust=True)
    expected = [
        "1 of 2 windows holds no known base, first: c:2-18; what a model gives for it is of no sequence",
        "50% of the bases of the windows are unknown (16 letters other than A, C, G, T)",
    ]
    assert warned(lambda: model.predict_regions(bed, fasta)) == expected
    notes = []
    assert warned(lambda: model.predict_regions(bed, fasta, report=notes.append)) == []
    assert notes == expected
    assert warned(lambda: model.predict_regions([("c", 50, 66)], fasta)) == []


def test_sequences_without_bases_warn(toy):
    model = zoo.load_model(toy.folder, trust=True)
    known = KNOWN[:LENGTH]
    assert warned(lambda: model.predict([known, known[:-1] + "N"])) == []
    assert warned(lambda: model.predict([known, "N" * LENGTH])) == [
        "1 of 2 sequences holds no known base, first: sequences[1]; what a model gives for it is of no sequence",
        "50% of the bases of the sequences are unknown (16 letters other than A, C, G, T)",
    ]
    assert warned(lambda: model.predict(["n" * LENGTH])) == [
        "the only sequence holds no known base, first: sequences[0]; what a model gives for it is of no sequence"
    ]
    assert warned(lambda: model.predict(np.zeros((1, 4, LENGTH), np.float32))) == []
