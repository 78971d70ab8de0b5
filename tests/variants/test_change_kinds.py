"""Kinds of changes, by hand."""

from __future__ import annotations

import pytest

from zoo.variants.alleles.allele import Edit
from zoo.variants.ranks.change_kinds import NO_KIND, change_kind, kind_name, kind_text


@pytest.mark.parametrize(
    ("ref", "alt", "kind"),
    [
        ("A", "G", "substitution_1"),
        ("AC", "GT", "substitution_2-4"),
        ("ACG", "TCA", "substitution_2-4"),  # the base between is part of what changes
        ("ACGTA", "TGCAT", "substitution_5-16"),
        ("CCA", "CCG", "substitution_1"),  # not trimmed
        ("A", "AG", "insertion_1"),
        ("A", "GA", "insertion_1"),  # at the start of a contig, the base that stays is behind
        ("A", "AA", "insertion_1"),
        ("A", "ACGTG", "insertion_2-4"),
        ("A", "A" + "CG" * 8, "insertion_5-16"),
        ("A", "A" + "CG" * 8 + "T", "insertion_17-64"),
        ("AC", "A", "deletion_1"),
        ("AAAAA", "A", "deletion_2-4"),
        ("ACAGTC", "A", "deletion_5-16"),
        ("A" + "CT" * 20, "A", "deletion_17-64"),
        ("A" + "C" * 65, "A", "deletion_65-256"),
        ("A", "", "deletion_1"),
        ("CGGT", "TA", "mixture_2-4"),
        ("CA", "T", "mixture_2-4"),
        ("C", "TTTTT", "mixture_5-16"),
        ("CTTTG", "CACG", "mixture_2-4"),
    ],
)
def test_kinds_by_hand(ref, alt, kind):
    assert kind_name(change_kind(Edit(5, ref, alt))) == kind


def test_sizes_have_no_gap_and_no_overlap():
    names = [kind_name(change_kind(Edit(0, "A" + "C" * n, "A"))) for n in range(1, 300)]
    for n, name in enumerate(names, 1):
        low, _, high = name.removeprefix("deletion_").partition("-")
        assert int(low) <= n <= int(high or low)
    assert len(set(names)) == 6


def test_a_kind_fits_a_byte_and_has_a_text():
    longest = change_kind(Edit(0, "A" + "C" * 5_000_000, "G"))
    assert 0 <= longest < NO_KIND
    assert kind_text(change_kind(Edit(0, "ACG", "A"))) == "deletion of 2-4 bp"
    assert change_kind(None) == NO_KIND and kind_name(NO_KIND) == "."
