"""Other strands, shifts and flanks against plain Python that reads letters one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune.config import AugmentConfig, TargetConfig
from finetune.data.augment import (
    check_augment,
    moved,
    partners_of,
    reverse_complement,
    reversed_bins,
)
from finetune.data.regions import Geometry
from zoo.errors import UsageError

PAIR = dict(zip("ACGTN", "TGCAN", strict=True))


def encode(text):
    return [[1.0 if letter == base else 0.0 for letter in text] for base in "ACGT"]


def target(name, **keys):
    return TargetConfig(name=name, files="x.bw", **keys)


# ---------------- reverse complement


@given(st.data())
def test_reverse_complement_is_that_of_letters_and_bins_one_by_one(data):
    n, length = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 12))
    texts = [data.draw(st.text("ACGTN", min_size=length, max_size=length)) for _ in range(n)]
    flip = np.array([data.draw(st.booleans()) for _ in range(n)])
    bins, partners = data.draw(st.integers(1, 5)), np.array([1, 0, 2])
    rng = np.random.default_rng(length * 7 + bins)
    values, average, atac = rng.random((n, 3, bins)), rng.random((n, 3, bins)), rng.random((n, 1, bins))
    x = np.array([encode(text) for text in texts], dtype=np.float32)
    found = reverse_complement(flip, x, values, partners, atac, average)
    expected_x, expected_y, expected_atac, expected_average = [], [], [], []
    for i, text in enumerate(texts):
        expected_x.append(encode("".join(PAIR[c] for c in reversed(text)) if flip[i] else text))
        order = [bins - 1 - b for b in range(bins)] if flip[i] else list(range(bins))
        track = [1, 0, 2] if flip[i] else [0, 1, 2]
        expected_y.append([[values[i, t, b] for b in order] for t in track])
        expected_average.append([[average[i, t, b] for b in order] for t in track])
        expected_atac.append([[atac[i, 0, b] for b in order]])
    for got, expected in zip(found, (expected_x, expected_y, expected_atac, expected_average), strict=True):
        assert np.array_equal(got, np.array(expected, dtype=got.dtype))
    tensors = [torch.from_numpy(a) for a in (x, values, atac, average)]
    of_torch = reverse_complement(flip, tensors[0], tensors[1], partners, tensors[2], tensors[3])
    for got, expected in zip(of_torch, found, strict=True):
        assert np.array_equal(got.numpy(), expected)
    back = reverse_complement(flip, found[0], found[1], partners)
    assert np.array_equal(back[0], x) and np.array_equal(back[1], values) and back[2] is None and back[3] is None


def test_what_was_given_is_not_changed():
    x, y = np.eye(4, dtype=np.float32)[None], np.arange(3.0)[None, None]
    reverse_complement(np.array([True]), x, y, np.array([0]))
    assert np.array_equal(x[0], np.eye(4)) and y.ravel().tolist() == [0, 1, 2]


def test_a_network_trained_on_flipped_pairs_sees_a_consistent_world():
    """One filter on both strands: its track of the other strand, reversed, is that of the flipped sequence."""
    letters = np.random.default_rng(4).integers(0, 4, 20)
    x = np.eye(4)[letters].T[None]
    weight = np.random.default_rng(5).random((4, 5))

    def scan(one_hot):
        return np.array([(one_hot[0, :, i : i + 5] * weight).sum() for i in range(16)])

    tracks = np.stack([scan(x), scan(x[:, ::-1, ::-1])[::-1]])[None]  # + and - strand, in the genome's order
    flipped, swapped, _, _ = reverse_complement(np.array([True]), x, tracks, np.array([1, 0]))
    assert np.allclose(swapped[0, 0], scan(flipped))


def test_partners_swap_and_tracks_without_strand_stay():
    targets = [
        target("p", strand="+", partner="m"),
        target("x"),
        target("m", strand="-", partner="p"),
    ]
    assert partners_of(targets).tolist() == [2, 1, 0]
    rows = np.array([[[1.0, 2], [3, 4], [5, 6]]])
    assert reversed_bins(rows, np.array([True]), partners_of(targets)).tolist() == [[[6, 5], [4, 3], [2, 1]]]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({"strand": "+"}, {}, "has no `partner`"),
        ({"strand": "+", "partner": "bb"}, {}, "its partner 'bb' is no target"),
        ({"strand": "+", "partner": "b"}, {"strand": "-"}, "has no `partner`|the partner of 'b' is None"),
        ({"strand": "+", "partner": "b"}, {"strand": "+", "partner": "a"}, r"have the strands \+ and \+"),
        ({"strand": "+", "partner": "b"}, {"strand": "-", "partner": "a", "bin": 8}, "differ in `head` or `bin`"),
    ],
)
def test_partners_that_do_not_fit(first, second, text):
    with pytest.raises(UsageError, match=text):
        partners_of([target("a", **first), target("b", **second)])


# ---------------- shifts


@given(bins=st.integers(1, 8), step=st.integers(-9, 9), bin_size=st.integers(1, 4), offset=st.integers(0, 5))
def test_moving_stored_bins_is_reading_the_genome_at_the_shifted_place(bins, step, bin_size, offset):
    genome = np.random.default_rng(bins).random(400)
    start = 150

    def read(at):
        return [sum(genome[at + offset + b * bin_size + i] for i in range(bin_size)) for b in range(bins)]

    stored = np.array([[read(start)]])
    got = moved(stored, np.array([step]))[0, 0]
    at_new_place = read(start + step * bin_size)
    for b in range(bins):
        if 0 <= b + step < bins:
            assert got[b] == pytest.approx(at_new_place[b])
        else:
            assert np.isnan(got[b])


def test_embeddings_are_moved_with_zeros_and_keep_their_type():
    array = np.arange(12, dtype=np.float16).reshape(2, 2, 3)
    got = moved(array, np.array([1, -2]), fill=0.0)
    assert got.dtype == np.float16
    assert got.tolist() == [[[1, 2, 0], [4, 5, 0]], [[0, 0, 6], [0, 0, 9]]]


def test_a_shift_of_no_whole_bin_excludes_cached_embeddings():
    geometry = Geometry(length=1088, offset=32, bin_size=32, n_bins=32)
    with pytest.raises(UsageError, match=r"`augment\.shift: 40` is no whole bin of 32 bp") as error:
        check_augment(AugmentConfig(shift=40), geometry, cached=True)
    assert "`augment.shift: 32` or 64" in error.value.fix
    check_augment(AugmentConfig(shift=40), geometry, cached=False)
    check_augment(AugmentConfig(shift=64), geometry, cached=True)
    with pytest.raises(UsageError, match="no whole bin of 128 bp"):
        check_augment(AugmentConfig(shift=64), geometry, cached=True, position=128)


def test_bins_aside_of_the_middle_have_no_other_strand():
    geometry = Geometry(length=100, offset=20, bin_size=10, n_bins=7)
    with pytest.raises(UsageError, match="begin 20 bp into the window and end 10 bp before"):
        check_augment(AugmentConfig(), geometry, cached=False)
    check_augment(AugmentConfig(reverse_complement=False), geometry, cached=False, targets=[target("a", strand="+")])
    with pytest.raises(UsageError, match="has no `partner`"):
        check_augment(AugmentConfig(), Geometry(100, 20, 10, 6), cached=False, targets=[target("a", strand="+")])


# ---------------- flanking
