"""Shuffles keep every dinucleotide and the ends, and nothing else."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.variants.ranks.shuffle import dinucleotide_shuffle


def pairs(letters):
    return Counter(itertools.pairwise(letters))


@given(st.text("ACGTN", max_size=80), st.integers(0, 5))
def test_dinucleotides_and_ends_stay(text, seed):
    letters = text.encode()
    made = dinucleotide_shuffle(letters, seed)
    assert pairs(made) == pairs(letters) and Counter(made) == Counter(letters)
    assert made[:1] == letters[:1] and made[-1:] == letters[-1:]


@pytest.mark.parametrize("text", ["", "A", "AC", "ACG", "AAAAAAAA", "ACACACAC", "N" * 50])
def test_what_has_one_order_stays(text):
    assert dinucleotide_shuffle(text.encode(), 1) == text.encode()


def test_the_order_is_another_and_the_seed_decides():
    letters = "".join(random.Random(0).choices("ACGT", k=2000)).encode()
    one, same, other = (dinucleotide_shuffle(letters, seed) for seed in ((0, 1), (0, 1), (1, 0)))
    assert one == same != other
    # Two unrelated sequences of even composition agree in a quarter of their bases.
    assert 0.2 < sum(a == b for a, b in zip(one, letters, strict=True)) / 2000 < 0.3


def test_all_orders_of_a_short_sequence_occur():
    # From A follow A, C, G, in any order, and at the end T; C and G lead back to A.
    orders = {"AACAGAT", "AAGACAT", "ACAAGAT", "AGAACAT", "ACAGAAT", "AGACAAT"}
    assert {dinucleotide_shuffle(b"AACAGAT", seed).decode() for seed in range(200)} == orders
