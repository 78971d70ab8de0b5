"""Counts with their nouns, and what a mistyped name could have meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.words import counted, counted_of, did_you_mean, near_names


@pytest.mark.parametrize(
    ("n", "noun", "said"),
    [
        (0, "region", "0 regions"),
        (1, "region", "1 region"),
        (2, "region", "2 regions"),
        (3000, "region", "3,000 regions"),
        (2, "entry", "2 entries"),
        (1, "entry", "1 entry"),
        (2, "array", "2 arrays"),
        (2, "index", "2 indexes"),
        (2, "batch", "2 batches"),
        (2, "class", "2 classes"),
        (2, "bp bin", "2 bp bins"),
    ],
)
def test_a_count_has_the_right_noun(n, noun, said):
    assert counted(n, noun) == said


def test_a_plural_that_is_not_regular_is_given():
    assert counted(2, "file of a model", "files of a model") == "2 files of a model"
    assert counted(1, "file of a model", "files of a model") == "1 file of a model"


@pytest.mark.parametrize(
    ("n", "total", "noun", "verb", "said"),
    [
        (1, 1, "region", "", "1 of 1 region"),
        (1, 3000, "region", "", "1 of 3,000 regions"),
        (1, 1, "region", "have", "1 of 1 region has"),
        (1, 2, "region", "have", "1 of 2 regions has"),
        (2, 2, "region", "have", "2 of 2 regions have"),
        (0, 1, "entry", "are", "0 of 1 entry are"),
        (1, 4, "class", "do", "1 of 4 classes does"),
        (1, 2, "test window", "lie", "1 of 2 test windows lies"),
        (1, 2, "window", "miss", "1 of 2 windows misses"),
        (1, 1, "row", "cannot", "1 of 1 row cannot"),
        (2, 3, "known chromosome", "differ", "2 of 3 known chromosomes differ"),
    ],
)
def test_a_count_of_all_has_the_right_noun_and_verb(n, total, noun, verb, said):
    assert counted_of(n, total, noun, verb) == said


def _bed(text: str, folder: Path) -> None:
    from zoo.genome.intervals import RegionFile

    path = folder / "x.bed"
    path.write_text(text)
    RegionFile(path).scan()


def _one_hot(*sequences: str) -> None:
    from zoo.genome.encode import as_one_hot

    as_one_hot(list(sequences), length=4)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda folder: _bed("chr1\t9\t5\n", folder), "1 of 1 region has this problem"),
        (lambda folder: _bed("chr1\t9\t5\nchr1\t1\t5\n", folder), "1 of 2 regions has this problem"),
        (lambda folder: _bed("chr1\t9\t5\nchr1\t9\t5\n", folder), "2 of 2 regions have this problem"),
        (lambda folder: _bed("chr1\t9\t5\nchr1\tx\t5\n", folder), "1 of 2 regions has this problem; 1 has another"),
        (lambda folder: _one_hot("ACG"), "1 of 1 sequence has another length"),
        (lambda folder: _one_hot("ACG", "ACGT"), "1 of 2 sequences has another length"),
        (lambda folder: _one_hot("ACG", "AC"), "2 of 2 sequences have another length"),
        (lambda folder: _one_hot("AC!T"), "1 such letter in 1 of 1 sequence;"),
        (lambda folder: _one_hot("AC!!", "ACGT"), "2 such letters in 1 of 2 sequences;"),
    ],
)
def test_messages_of_one_and_of_two(ask, said, tmp_path):
    with pytest.raises(ZooError) as caught:
        ask(tmp_path)
    assert caught.value.extent.startswith(said)


def test_no_message_counts_by_a_plural_that_stands_in_its_text():
    """``{n:,} of {total:,} regions have``: of one it would say "1 of 1 regions have"; ``counted_of`` does not."""
    wrong = re.compile(
        r"\} of (the )?\{[^{}]*\} [a-z ]*s (are|have|were|do|lie|differ|overlap|hold|miss|cannot|need|fail)\b"
    )
    root = Path(__file__).resolve().parents[1]
    files = [path for part in ("zoo", "finetune", "interpret") for path in (root / part).rglob("*.py")]
    assert len(files) > 300
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if wrong.search(line)
    ]
    assert found == []


COMMANDS = ["predict", "attribute", "list", "search", "info", "cache", "motifs", "finetune"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("predcit", ["predict"]),
        ("Predict", ["predict"]),
        ("lst", ["list"]),
        ("motif", ["motifs"]),
        ("fine-tune", ["finetune"]),
        ("tune", ["finetune"]),
        ("zzzzqq", []),
        ("", []),
        ("x", []),
    ],
)
def test_near_names(typed, meant):
    assert near_names(typed, COMMANDS) == meant


def test_a_short_name_whose_letters_changed_places():
    assert near_names("rl", ["lr", "early_stopping", "epochs"]) == ["lr"]


def test_only_what_is_about_as_near_as_the_nearest_was_meant():
    assert near_names("chrI", ["chrI", "chrII", "chrIII", "2micron", "chrMT"])[0] == "chrI"
    assert near_names("yeast-atak", ["yeast-atac", "yeast", "feast", "spliceai"]) == ["yeast-atac"]


def test_the_question():
    assert did_you_mean("predcit", COMMANDS) == "did you mean predict?"
    assert did_you_mean("zzzzqq", COMMANDS) == ""
    assert did_you_mean("ctc", ["CTCF", "CTCFL"]) == "did you mean CTCF or CTCFL?"
    assert did_you_mean("chr", ["chrA", "chrB", "chrC"]) == "did you mean chrA, chrB or chrC?"
    assert did_you_mean("chr", ["chrA", "chrB", "chrC"], n=1) == "did you mean chrA?"


def test_two_letters_in_the_wrong_order_are_nearer_than_names_that_hold_them():
    assert near_names("rl", ["early_stopping", "lr", "batch"]) == ["lr"]
    assert near_names("form", ["from", "format"])[0] == "from"
    assert near_names("ba", ["batch", "grab", "combat"]) == ["batch"]
