"""One-hot and reverse complement against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st

from zoo.genome.encode import one_hot, one_hot_counted, reverse_complement, reverse_complement_one_hot

letters = st.text(st.sampled_from("ACGTacgtNnRYSWKMBDHVrykm-.*U"), min_size=1, max_size=40)
batches = st.integers(1, 30).flatmap(
    lambda length: st.lists(
        st.text(st.sampled_from("ACGTacgtNnRYSWKMBDHVry-*"), min_size=length, max_size=length), min_size=1, max_size=6
    )
)


def array(sequences):
    return np.array([list(sequence.encode()) for sequence in sequences], dtype=np.uint8)


@given(batches, st.sampled_from([0.0, 0.25]))
def test_one_hot_equals_plain_python(sequences, n_value):
    got = one_hot(array(sequences), n_value)
    assert got.dtype == np.float32
    assert got.tolist() == [toys.one_hot(sequence, n_value) for sequence in sequences]


def test_one_hot_by_hand():
    assert one_hot(array(["AcgTNx"]), 0.25)[0].tolist() == [
        [1, 0, 0, 0, 0.25, 0.25],
        [0, 1, 0, 0, 0.25, 0.25],
        [0, 0, 1, 0, 0.25, 0.25],
        [0, 0, 0, 1, 0.25, 0.25],
    ]


def test_every_byte_that_is_no_base_is_unknown():
    every = np.arange(256, dtype=np.uint8)[None]
    known = np.flatnonzero(one_hot(every)[0].sum(0))
    assert bytes(known.astype(np.uint8)) == b"ACGTacgt"


@given(batches)
def test_one_hot_commutes_with_the_reverse_complement(sequences):
    batch = array(sequences)
    one_way = one_hot(reverse_complement(batch), 0.25)
    assert np.array_equal(one_way, reverse_complement_one_hot(one_hot(batch, 0.25)))


@given(batches)
def test_reverse_complement_twice_gives_the_sequence(sequences):
    batch = array(sequences)
    assert np.array_equal(reverse_complement(reverse_complement(batch)), batch)


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [("ACGT", "ACGT"), ("AAcgN", "NcgTT"), ("RYSWKM", "KMWSRY"), ("BDHV", "BDHV"), ("brt-", "-ayv")],
)
def test_reverse_complement_by_hand(sequence, expected):
    assert bytes(reverse_complement(array([sequence]))[0]).decode() == expected


@given(letters, st.sampled_from([0.0, 0.25]))
def test_iupac_codes_other_than_n_are_counted(sequence, n_value):
    encoded, count = one_hot_counted(array([sequence]), n_value)
    assert count == sum(s in "RYSWKMBDHV" for s in sequence.upper())
    assert np.array_equal(encoded, one_hot(array([sequence]), n_value))
