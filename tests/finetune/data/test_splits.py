"""Sides of windows and cells, and what is refused because one side would know another."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.config import CellSplit, SplitConfig
from finetune.data.regions import Geometry, Windows
from finetune.data.splits import check_base, check_overlap, split_cells, split_windows
from zoo.errors import UsageError

GEOMETRY = Geometry(length=100, offset=20, bin_size=10, n_bins=6)


def windows_of(*rows):
    return Windows(
        np.array([chrom for chrom, _ in rows], dtype=object),
        np.array([start for _, start in rows], dtype=np.int64),
        np.full(len(rows), "tile", dtype="<U8"),
    )


THREE = windows_of(("chrI", 0), ("chrII", 0), ("chrII", 100), ("chrIII", 5), ("chrIV", 0))


def config(**sides):
    return SplitConfig(**({"validation": "chrI", "test": "chrIII"} | sides))


def test_chromosomes_that_are_not_named_train():
    assert split_windows(THREE, config(), GEOMETRY, 0).tolist() == ["validation", "train", "train", "test", "train"]


def test_where_training_chromosomes_are_named_others_are_of_no_side():
    split = split_windows(THREE, config(train=("chrIV",)), GEOMETRY, 0)
    assert split.tolist() == ["validation", "", "", "test", "train"]


def test_unknown_chromosomes_with_near_names():
    with pytest.raises(UsageError, match=r"`split\.test`: no window lies on a chromosome 'chriii'") as error:
        split_windows(THREE, config(test=("chriii",)), GEOMETRY, 0)
    assert error.value.fix.startswith("Fix: write chrIII")


def test_a_chromosome_of_the_genome_without_windows_is_no_mistake_unless_its_side_is_empty():
    split = split_windows(THREE, config(test=("chrIII", "chrM")), GEOMETRY, 0, ["chrI", "chrM"])
    assert (split == "test").sum() == 1
    with pytest.raises(UsageError, match="the test side is empty: no window that can be used lies on chrM"):
        split_windows(THREE, config(test=("chrM",)), GEOMETRY, 0, ["chrM"])


@pytest.mark.parametrize(
    ("sides", "text"),
    [
        ({"validation": ()}, r"the validation side is empty: `split\.validation` names no chromosome"),
        ({"test": ("chrII", "chrIII", "chrIV")}, "the train side is empty: all chromosomes"),
        ({"train": ("chrI",)}, r"chromosome 'chrI' is of two sides: `split\.train` and `split\.validation`"),
        ({"test": ("chrI",)}, r"chromosome 'chrI' is of two sides: `split\.validation` and `split\.test`"),
    ],
)
def test_empty_sides_and_chromosomes_of_two(sides, text):
    with pytest.raises(UsageError, match=text):
        split_windows(THREE, config(**sides), GEOMETRY, 0)


# ---------------- overlap


def test_overlap_after_the_shift_names_rows():
    windows = windows_of(("a", 0), ("a", 110), ("b", 0), ("a", 700))
    split = np.array(["train", "test", "test", "validation"])
    check_overlap(windows, split, GEOMETRY, 10)  # -10..110 ends where 110 begins
    with pytest.raises(UsageError) as error:
        check_overlap(windows, split, GEOMETRY, 11)
    assert error.value.what == (
        "window 0 (train, a:0-100) and window 1 (test, a:110-210) overlap once training windows move by 11 bp"
    )
    assert error.value.extent == "2 of 4 windows overlap one of another side"
    assert "augment.shift" in error.value.fix


@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 900), st.integers(0, 3)), min_size=1, max_size=12),
    shift=st.integers(0, 60),
)
def test_overlaps_are_those_of_all_pairs(rows, shift):
    names = ("train", "validation", "test", "")
    windows = windows_of(*((c, s) for c, s, _ in rows))
    split = np.array([names[k] for *_, k in rows], dtype="<U10")
    guilty = set()
    for i, (c, s, k) in enumerate(rows):
        for j, (d, t, m) in enumerate(rows):
            extra = shift if 0 in (k, m) else 0
            if c == d and k != m and 3 not in (k, m) and abs(s - t) < 100 + extra:
                guilty |= {i, j}
    if not guilty:
        assert check_overlap(windows, split, GEOMETRY, shift) is None
        return
    with pytest.raises(UsageError) as error:
        check_overlap(windows, split, GEOMETRY, shift)
    assert error.value.extent.startswith(f"{len(guilty)} of {len(rows)} ")


def test_three_million_windows_are_checked_in_seconds():
    n = 3_000_000
    chrom = np.array([f"chr{i}" for i in range(24)], dtype=object)[np.arange(n) // (n // 24)]
    windows = Windows(chrom, np.arange(n, dtype=np.int64) * 1000, np.full(n, "tile", dtype="<U8"))
    began = time.process_time()
    split = split_windows(windows, SplitConfig(validation="chr3", test="chr4"), Geometry(2114, 557, 10, 100), 64)
    assert (split == "test").sum() == n // 24
    assert time.process_time() - began < 20


# ---------------- the base's own training


def test_test_windows_that_the_base_was_trained_on():
    split = split_windows(THREE, config(), GEOMETRY, 0)
    with pytest.raises(UsageError, match="1 of 1 test window lies on chromosomes that toy was trained on: chrIII") as e:
        check_base(THREE, split, ("III", "II"), config(), base="toy", held_out=("IV",))
    assert e.value.fix.startswith("Fix: `split.test: [chrIV]`") and "`split.base_overlap: note`" in e.value.fix
    with pytest.raises(UsageError) as error:
        check_base(THREE, split, ("chrIII", "chrII"), config(), base="toy")
    assert "[chrI, chrIV]" in error.value.fix
    note = check_base(THREE, split, ("chrIII",), config(base_overlap="note"), base="toy")
    assert note.endswith("chrIII; figures on them are too good")


def test_a_base_that_has_not_seen_them_and_one_whose_card_is_silent():
    split = split_windows(THREE, config(), GEOMETRY, 0)
    assert check_base(THREE, split, ("chrI", "chrII"), config()) is None
    assert check_base(THREE, split, (), config()) is None
    assert "does not say which chromosomes" in check_base(THREE, split, None, config())


# ---------------- cells


def test_cells_that_are_not_named_train():
    sides = split_cells(["k562", "hepg2", "gm12878", "k562"], CellSplit(validation="hepg2", test=("gm12878",)))
    assert sides == {"k562": "train", "hepg2": "validation", "gm12878": "test"}
    assert split_cells(["a", "b"], None) == {"a": "train", "b": "train"}
    assert split_cells(["a", "b", "c"], CellSplit(train="a", test="b")) == {"a": "train", "b": "test", "c": ""}
    assert split_cells([], None) == {}


@pytest.mark.parametrize(
    ("sides", "text"),
    [
        ({"test": "k526"}, r"`split\.cells\.test`: no target has the cell 'k526'"),
        ({"test": "k562", "validation": "k562"}, "cell 'k562' is of two sides"),
        ({"test": ("k562", "hepg2")}, "no cell trains"),
    ],
)
def test_cells_that_cannot_be_split_so(sides, text):
    with pytest.raises(UsageError, match=text):
        split_cells(["k562", "hepg2"], CellSplit(**sides))
