"""References by name, number and file: what is read, what is refused, and that a run's parts are its whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpret.references import References, parse_references, shuffled
from zoo.errors import InputError, UsageError


def one_hot_of(text, unknown=0.0):
    return np.array([[float(s == base) if s in "ACGT" else unknown for s in text] for base in "ACGT"], np.float32)


def letters_of(one_hot):
    return "".join("ACGT"[column.argmax()] if column.max() > 0.5 else "N" for column in one_hot.T)


def saved(tmp_path, **arrays):
    path = tmp_path / "r.npz"
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(
    ("text", "kind", "n"),
    [
        ("1", "dinucleotide", 1),
        ("99999", "dinucleotide", 99999),
        ("dinucleotide", "dinucleotide", 20),
        ("uniform", "uniform", 1),
        ("zeros", "zeros", 1),
    ],
)
def test_references_by_name(text, kind, n):
    found = parse_references(text, seed=4, n_value=0.25)
    assert (found.kind, found.n, found.seed, found.n_value) == (kind, n, 4, 0.25)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "100000", "01", "", "uniforms", "r.npy", " 5"])
def test_other_words_are_refused_with_those_that_work(text):
    with pytest.raises(UsageError) as caught:
        parse_references(text)
    assert caught.value.what == f"--references {text}: not known"
    assert "a number of shuffles, uniform, zeros, or FILE.npz" in caught.value.fix


@pytest.mark.parametrize("kind", ["uniform", "zeros"])
def test_flat_references(kind):
    x = np.stack([one_hot_of("ACGT"), one_hot_of("NNNN")])
    found = parse_references(kind).of(x)
    assert found.shape == (2, 1, 4, 4) and found.dtype == np.float32
    assert (found == (0.25 if kind == "uniform" else 0)).all()


dna = st.text(st.sampled_from("ACGTN"), min_size=4, max_size=40)


@settings(max_examples=20)
@given(dna, st.integers(0, 2**31), st.integers(1, 4))
def test_a_shuffle_keeps_dinucleotides_first_and_last_base(text, seed, n):
    """Euler's walk begins and ends where the sequence does."""

    def pairs(letters):
        return sorted(letters[i : i + 2] for i in range(len(letters) - 1))

    for value in (0.0, 0.25):
        (found,) = shuffled(one_hot_of(text, value)[None], n, seed, n_value=value)
        assert found.shape == (n, 4, len(text))
        for shuffle in found:
            letters = letters_of(shuffle)
            assert pairs(letters) == pairs(text)
            assert (letters[0], letters[-1]) == (text[0], text[-1])
            np.testing.assert_array_equal(shuffle, one_hot_of(letters, value))


def test_a_run_in_parts_has_the_references_of_a_run_at_once(sequences):
    x = sequences(7, 50)
    whole = References(n=3, seed=5).of(x)
    for cuts in ([3], [1, 4], [2, 3, 6]):
        parts = [
            References(n=3, seed=5).of(part, first) for part, first in zip(np.split(x, cuts), [0, *cuts], strict=True)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_equal_sequences_of_a_run_have_shuffles_of_their_own(sequences):
    x = np.repeat(sequences(1, 60), 3, axis=0)
    found = References(n=2).of(x)
    shuffles = {shuffle.tobytes() for shuffle in found.reshape(-1, 4, 60)}
    assert len(shuffles) == 6


def test_neighbouring_seeds_do_not_share_shuffles(sequences):
    """Seed s, sequence i + 1 is not seed s + 1, sequence i."""
    x = np.repeat(sequences(1, 60), 3, axis=0)
    one, other = (References(n=1, seed=seed).of(x) for seed in (7, 8))
    assert not {shuffle.tobytes() for shuffle in one[:, 0]} & {shuffle.tobytes() for shuffle in other[:, 0]}


def test_no_sequences_have_no_references():
    assert References(n=3).of(np.empty((0, 4, 9), np.float32)).shape == (0, 3, 4, 9)


# Files


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.uint8, bool])
def test_a_file_of_any_plain_type_is_read_as_float32(tmp_path, sequences, dtype):
    given_array = sequences(3, 10)
    found = parse_references(saved(tmp_path, references=given_array.astype(dtype)))
    assert (found.kind, found.n) == ("file", 3)
    got = found.of(sequences(2, 10, seed=1))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.stack([given_array] * 2))


def test_an_only_array_may_have_any_name_and_among_several_it_is_called_references(tmp_path, sequences):
    array = sequences(2, 10)
    assert parse_references(saved(tmp_path, anything=array)).n == 2
    assert parse_references(saved(tmp_path, references=array, other=array[:1])).n == 2
    with pytest.raises(InputError, match="holds a, b") as caught:
        parse_references(saved(tmp_path, a=array, b=array))
    assert caught.value.fix == "Fix: name the array `references`"
    with pytest.raises(InputError, match="holds nothing"):
        parse_references(saved(tmp_path))


def test_references_for_each_sequence_are_given_to_it_in_any_batch(tmp_path, sequences):
    each = sequences(12, 10).reshape(4, 3, 4, 10)
    found = parse_references(saved(tmp_path, references=each))
    x = sequences(4, 10, seed=1)
    np.testing.assert_array_equal(found.of(x), each)
    np.testing.assert_array_equal(found.of(x[2:], 2), each[2:])
    with pytest.raises(InputError, match="the references are for 4 sequences") as caught:
        found.of(x, 1)
    assert caught.value.extent == "sequence 5 has none" and caught.value.exit_code == 3


@pytest.mark.parametrize("shape", [(4, 10), (2, 3, 10), (0, 4, 10), (2, 4, 0), (1, 2, 3, 4, 10)])
def test_shapes_that_are_no_references(tmp_path, shape):
    with pytest.raises(InputError) as caught:
        parse_references(saved(tmp_path, references=np.zeros(shape, np.float32)))
    assert f"references has shape {shape} and type float32" in caught.value.what
    assert caught.value.fix == "Fix: numbers of shape (n, 4, L) or (N, n, 4, L)"


@pytest.mark.parametrize("array", [np.full((1, 4, 3), "A"), np.zeros((1, 4, 3), complex)])
def test_types_that_are_no_numbers(tmp_path, array):
    with pytest.raises(InputError, match="type"):
        parse_references(saved(tmp_path, references=array))


def test_objects_are_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "was_run"), "w")

    path = saved(tmp_path, references=np.array([Trap()], dtype=object))
    with pytest.raises(InputError, match="cannot be read"):
        parse_references(path)
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_references_that_are_not_finite(tmp_path, value):
    with pytest.raises(InputError, match="references holds NaN or infinity"):
        parse_references(saved(tmp_path, references=np.full((1, 4, 3), value, np.float32)))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read") as caught:
        parse_references(str(tmp_path / "none.npz"))
    assert "numpy.savez" in caught.value.fix


def test_references_of_another_length(tmp_path, sequences):
    found = parse_references(saved(tmp_path, references=sequences(2, 1_000)))
    with pytest.raises(InputError) as caught:
        found.of(sequences(1, 2_114))
    assert caught.value.what == "the references are 1,000 bp long"
    assert caught.value.extent == "the model's windows are 2,114 bp"
