"""Sequences that a user gives: letters mean what they mean in a FASTA, and what nobody means is refused by place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import one_hot as plain_one_hot

from zoo.errors import InputError, UsageError
from zoo.genome.encode import as_one_hot


def test_letters_by_hand():
    found = as_one_hot(["ACGT", "acgN", "RrTT"], n_value=0.25)
    assert found.dtype == np.float32 and found.shape == (3, 4, 4)
    np.testing.assert_array_equal(found[0], np.eye(4))
    np.testing.assert_array_equal(found[1], [[1, 0, 0, 0.25], [0, 1, 0, 0.25], [0, 0, 1, 0.25], [0, 0, 0, 0.25]])
    np.testing.assert_array_equal(found[2], [[0.25, 0.25, 0, 0]] * 3 + [[0.25, 0.25, 1, 1]])
    assert as_one_hot(["NN"]).sum() == 0


@given(st.lists(st.text("ACGTNacgtn", min_size=7, max_size=7), min_size=1, max_size=5), st.sampled_from([0.0, 0.25]))
def test_letters_are_those_of_the_plain_oracle(sequences, n_value):
    expected = [plain_one_hot(sequence, n_value) for sequence in sequences]
    found = as_one_hot(iter(sequences), 7, n_value)
    np.testing.assert_array_equal(found, np.reshape(expected, found.shape))


def test_arrays_are_returned_as_they_are():
    array, tensor = np.zeros((2, 4, 5)), torch.zeros(2, 4, 5)
    assert as_one_hot(array, 5) is array and as_one_hot(tensor, 5) is tensor
    np.testing.assert_array_equal(as_one_hot([np.eye(4), np.eye(4)]), np.stack([np.eye(4)] * 2))
    assert as_one_hot(np.array(["ACGT", "TTTT"])).shape == (2, 4, 4)


@pytest.mark.parametrize(
    ("sequences", "length", "what", "fix"),
    [
        ("ACGT", None, "one string where sequences are expected: 'ACGT'", "[sequence]"),
        (b"ACGT" * 9, None, "one string where sequences are expected", "[sequence]"),
        (["ACGT", "ACG"], None, "sequences[1] has 3 letters", "to 4 letters"),
        (["ACGT"], 6, "sequences[0] has 4 letters", "to 6 letters"),
        (["ACGT", 5], None, "sequences[1] is int, others are strings", "strings of letters throughout"),
        ([], None, "there is no sequence", "give sequences"),
        ([""], None, "there is no sequence", "give sequences"),
        (7, None, "int where sequences are expected", "a list of strings"),
        ([np.zeros(3), np.zeros(4)], None, "neither strings nor arrays of one shape", "a list of strings"),
        (np.zeros((2, 5, 4)), None, "one_hot has shape (2, 5, 4)", "channels A, C, G, T on axis 1"),
        (np.zeros((2, 4, 5)), 6, "one_hot has shape (2, 4, 5)", "channels A, C, G, T on axis 1"),
        (torch.zeros(4, 5), None, "one_hot has shape (4, 5)", "channels A, C, G, T on axis 1"),
    ],
)
def test_what_is_no_set_of_sequences(sequences, length, what, fix):
    with pytest.raises(UsageError) as caught:
        as_one_hot(sequences, length)
    assert what in caught.value.what and fix in caught.value.fix


@pytest.mark.parametrize(
    ("letter", "fix"), [("U", "write T for U"), ("-", "write N"), (" ", "write N"), ("é", "write N"), ("*", "write N")]
)
def test_a_letter_that_is_no_base_is_named_with_its_place(letter, fix):
    with pytest.raises(InputError) as caught:
        as_one_hot(["ACGT", f"AC{letter}{letter}"])
    assert caught.value.what == f"sequences[1][2] is {letter!r}, no base"
    assert caught.value.extent.startswith("2 such letters in 1 of 2 sequences") and fix in caught.value.fix
