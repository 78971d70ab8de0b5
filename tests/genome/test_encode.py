"""One-hot and reverse complement against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st

from zoo.genome.encode import letters_met, one_hot, one_hot_counted, reverse_complement, reverse_complement_one_hot

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
    assert bytes(known.astype(np.uint8)) == b"ACGTUacgtu"


@pytest.mark.parametrize("n_value", [0.0, 0.25])
def test_rna_is_read_as_dna(n_value):
    """U is T, and the other strand of U is A."""
    rna, dna = array(["ACGUuNacg"]), array(["ACGTtNacg"])
    assert np.array_equal(one_hot(rna, n_value), one_hot(dna, n_value))
    other = [reverse_complement(letters) for letters in (rna, dna)]
    assert bytes(other[0][0]) == b"cgtNaACGT" == bytes(other[1][0])


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


@given(st.lists(letters, min_size=1, max_size=5), st.sampled_from([0.0, 0.25]))
def test_what_is_no_base_is_counted(sequences, n_value):
    width = max(map(len, sequences))
    rows = [sequence.ljust(width, "N") for sequence in sequences]
    encoded, met = one_hot_counted(array(rows), n_value)
    text = "".join(rows).upper()
    expected = {
        "unknown": sum(s not in "ACGTU" for s in text),
        "iupac": sum(s in "RYSWKMBDHV" for s in text),
        "rna": text.count("U"),
        "other": sum(s not in "ACGTUNRYSWKMBDHV" for s in text),
        "whole": [i for i, row in enumerate(rows) if not set(row.upper()) & set("ACGTU")],
    }
    for found in (met, letters_met(array(rows))):
        if not (expected["unknown"] or expected["rna"]):
            assert found is None
        else:
            assert {name: getattr(found, name) for name in expected} | {"whole": found.whole.tolist()} == expected
    assert np.array_equal(encoded, one_hot(array(rows), n_value))


# IUPAC codes by the sets of bases that they stand for (NC-IUB 1984).
IUPAC_SETS = {
    "A": "A", "C": "C", "G": "G", "T": "T",
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip


@pytest.mark.parametrize("code", IUPAC_SETS)
def test_the_complement_of_a_code_stands_for_the_complements_of_its_bases(code):
    partners = frozenset("TGCA"["ACGT".index(base)] for base in IUPAC_SETS[code])
    (expected,) = [other for other, bases in IUPAC_SETS.items() if frozenset(bases) == partners]
    assert bytes(reverse_complement(array([code]))[0]).decode() == expected
    assert bytes(reverse_complement(array([code.lower()]))[0]).decode() == expected.lower()


def test_bytes_that_are_no_letters_of_dna_stay_as_they_are():
    others = bytes(byte for byte in range(256) if chr(byte).upper() not in [*IUPAC_SETS, "U"])
    assert bytes(reverse_complement(np.frombuffer(others, np.uint8)[None])[0]) == others[::-1]


@given(batches)
def test_channels_of_a_known_base_sum_to_one_and_of_an_unknown_one_to_four_times_its_value(sequences):
    known = np.array([[letter in "ACGTacgt" for letter in sequence] for sequence in sequences])
    assert np.array_equal(one_hot(array(sequences)).sum(1), known)
    assert (one_hot(array(sequences), 0.25).sum(1) == 1).all()
    assert np.array_equal(one_hot(array(sequences), 0.5).sum(1), np.where(known, 1, 2))


def test_arrays_without_windows_or_without_bases():
    assert one_hot(np.empty((0, 5), np.uint8), 0.25).shape == (0, 4, 5)
    assert one_hot(np.empty((3, 0), np.uint8)).shape == (3, 4, 0)
    assert one_hot_counted(np.empty((0, 5), np.uint8))[1] is None


def test_the_letters_themselves_are_left_as_they_were():
    letters = array(["acgtNR"])
    one_hot(letters, 0.25)
    reverse_complement(letters)
    assert bytes(letters[0]) == b"acgtNR"


def test_the_other_strand_by_biology():
    """EcoRI's and HindIII's sites are their own reverse complements, a TATA box is not."""
    for site in ("GAATTC", "AAGCTT", "GGATCC"):
        assert bytes(reverse_complement(array([site]))[0]).decode() == site
    assert bytes(reverse_complement(array(["TATAAA"]))[0]).decode() == "TTTATA"
    assert bytes(reverse_complement(array(["GACTCNNNN"]))[0]).decode() == "NNNNGAGTC"
