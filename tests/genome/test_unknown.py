"""Unknown bases of arrays that a model's own dataloader made."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genome.encode import one_hot
from zoo.genome.unknown import UnknownBases, unknown_notes

SEQUENCES = ["ACGTAC", "NNNNNN", "ACNNGT"]
LETTERS = np.array([list(sequence.encode()) for sequence in SEQUENCES], dtype=np.uint8)


def counted(inputs, n=3):
    met = UnknownBases()
    return met, met.add_one_hot(inputs, n, lambda i: f"row {i}")


@pytest.mark.parametrize("n_value", [0.0, 0.25])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1)], ids=["N 4 L", "N L 4"])
def test_one_hot_of_either_layout(n_value, axes):
    array = one_hot(LETTERS, n_value).transpose(axes)
    for inputs in (array, [array], {"seq": array}, array[:, None], array.astype(float)):
        met, bases = counted(inputs)
        assert (bases, met.unknown_bases, met.unknown_windows, met.first_unknown) == (18, 8, 1, ["row 1"])
    met, bases = counted(array, n=1)  # the others are past --limit
    assert (bases, met.unknown_bases, met.first_unknown) == (6, 0, [])


def test_a_sample_of_several_sequences_is_unknown_where_all_are():
    array = one_hot(LETTERS)
    met, bases = counted({"a": array, "b": [one_hot(LETTERS[::-1]), np.ones((3, 1))]})
    assert (bases, met.unknown_bases, met.first_unknown) == (36, 16, ["row 1"])
    met, _ = counted({"a": array, "b": array[[0, 0, 0]]})
    assert met.first_unknown == []


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 4)), np.random.default_rng(0).random((3, 4, 6)), np.full((3, 4), "ACGT"), np.ones((3, 5, 6)), None],
    ids=["no sequence", "no one-hot", "text", "five channels", "nothing"],
)
def test_what_is_no_one_hot_is_not_counted(array):
    assert counted(array) == (UnknownBases(), 0)
    assert unknown_notes(UnknownBases(), 3, 0) == []
