"""Counts with their nouns, and what a mistyped name could have meant."""

from __future__ import annotations

import pytest

from zoo.words import counted, did_you_mean, near_names


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
