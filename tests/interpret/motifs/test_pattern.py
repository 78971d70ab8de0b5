"""Cores, information, names and places of patterns, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpret.contribs.central import Regions
from interpret.motifs.hits import log_odds, scan
from interpret.motifs.pattern import Pattern, Seqlets, core_of, information, places_of


def pattern_named(name, core=(0, 3), contribution=None, width=10):
    weights = np.ones((width, 4))
    given_sums = np.array([1.0] if contribution is None else contribution, np.float32)
    n = len(given_sums)
    numbers = np.arange(n)
    letters = np.zeros((n, width), np.uint8)
    seqlets = Seqlets(
        numbers, numbers * 0 + 20, numbers * 0 + 20 + width, numbers % 2 > 0, given_sums, given_sums, letters
    )
    return Pattern(name, weights / 4, weights, weights, core, seqlets)


def test_information_by_hand():
    """A sure base has 2 bits, an open one none, two alike one: but for the pseudocount of 0.001."""
    found = information(np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0]]))
    assert found == pytest.approx([2, 0, 1], abs=0.06)
    assert found[1] == pytest.approx(0, abs=1e-12)
    p = np.array([1.001, 0.001, 0.001, 0.001]) / 1.004
    assert found[0] == pytest.approx(2 + sum(value * math.log2(value) for value in p))


@given(st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any), min_size=1, max_size=20))
def test_information_is_between_none_and_two_bits_and_does_not_care_for_the_order_of_bases(rows):
    probability = np.array([[value / sum(row) for value in row] for row in rows])
    found = information(probability)
    assert found.min() > -1e-9 and found.max() <= 2
    np.testing.assert_allclose(information(probability[:, ::-1]), found, atol=1e-12)


def column(base, weight):
    """(contribution, probability) of one column: a sure base of this weight, or an open one."""
    hot = np.eye(4)["ACGT".index(base)]
    return hot * weight, hot


def matrices_of(weights):
    columns = [column("ACGT"[i % 4], weight) for i, weight in enumerate(weights)]
    return np.array([c for c, _ in columns]), np.array([p for _, p in columns])


@pytest.mark.parametrize(
    ("weights", "core"),
    [
        ([0, 0, 1, 1, 1, 1, 1, 1, 0, 0], (2, 8)),
        ([0, 0, -1, -1, -1, -1, -1, -1, 0, 0], (2, 8)),  # what lowers the prediction is a core too
        ([0, 0, 1, 0, 0, 0, 0, 0, 1, 0], (2, 9)),  # a gap stays inside
        ([0.19, 0, 1, 1, 1, 1, 1, 1, 0, 0.21], (2, 10)),  # a fifth of the largest counts
        ([0, 0, 0, 1, 0.1, 0, 0, 0, 0, 0], (3, 9)),  # one strong column is widened to six, to the right on ties
        ([0, 0, 0.1, 0.1, 0.1, 1, 0, 0, 0, 0], (2, 8)),  # ... and towards what is stronger
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], (4, 10)),  # at the end
        ([1, 0, 0, 0], (0, 4)),  # a pattern shorter than six columns
    ],
)
def test_the_core_by_hand(weights, core):
    assert core_of(*matrices_of(weights)) == core


def test_open_columns_are_no_core_however_much_they_contribute():
    contribution, probability = matrices_of([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])
    contribution[0], probability[0] = 5, 0.25
    assert core_of(contribution, probability) == (2, 8)


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=30).filter(lambda ws: max(map(abs, ws)) > 0.1))
def test_a_core_holds_the_strongest_column_and_at_least_six(weights):
    start, end = core_of(*matrices_of(weights))
    assert 0 <= start < end <= len(weights) and end - start >= 6
    assert start <= int(np.abs(weights).argmax()) < end
    outside = [abs(w) for i, w in enumerate(weights) if not start <= i < end]
    assert all(w < 0.2 * max(map(abs, weights)) + 1e-9 for w in outside)


@pytest.mark.parametrize(
    ("name", "short", "positive"),
    [
        ("pos_patterns.pattern_0", "+1", True),
        ("neg_patterns.pattern_2", "-3", False),
        ("pos_patterns.pattern_10.subpattern_1", "+11.2", True),
    ],
)
def test_short_names_count_from_one(name, short, positive):
    pattern = pattern_named(name)
    assert (pattern.short_name, pattern.positive) == (short, positive)


@pytest.mark.parametrize(("core", "query"), [((3, 7), (1, 9)), ((0, 6), (0, 8)), ((4, 10), (2, 10)), ((1, 9), (0, 10))])
def test_the_query_is_the_core_and_two_columns_on_each_side_that_are_there(core, query):
    assert pattern_named("pos_patterns.pattern_0", core).query == query


def test_the_strongest_seqlets_come_first_in_the_patterns_own_sign():
    values = [0.5, -2, 3, 3, -0.1]
    assert pattern_named("pos_patterns.pattern_0", contribution=values).strongest.tolist() == [2, 3, 0, 4, 1]
    assert pattern_named("neg_patterns.pattern_0", contribution=values).strongest.tolist() == [1, 4, 0, 2, 3]


def test_bases_below_one_half_are_written_small():
    probability = np.array([[0.5, 0.5, 0, 0], [0.4, 0.3, 0.2, 0.1], [0, 0, 0.1, 0.9], [0.25] * 4])
    pattern = Pattern("pos_patterns.pattern_0", probability, probability, probability, (0, 4), None)
    assert pattern.consensus == "AaTa"


def test_the_core_of_a_seqlet_on_the_other_strand_is_counted_from_its_end():
    start, end = pattern_named("pos_patterns.pattern_0", contribution=[1, 1]).seqlets.core((2, 5))
    assert start.tolist() == [22, 25] and end.tolist() == [25, 28]  # [20, 30): 2 from the left, 2 from the right


# Places


def regions_at(window_start, window_end, reverse):
    n = len(window_start)
    chrom = np.array(["chr1"] * n, dtype=object)
    values = {
        "chrom": chrom,
        "window_start": np.array(window_start),
        "window_end": np.array(window_end),
        "reverse": np.array(reverse),
    }
    others = {name: None for name in Regions.__dataclass_fields__ if name not in values}
    return Regions(**values, **others)


def test_places_by_hand():
    """[3, 5) of a window at 100-110: from the left, or from the right where the model saw it reversed."""
    regions = regions_at([100, 100], [110, 110], [False, True])
    found = places_of(regions, np.array([0, 0, 1, 1]), np.array([3] * 4), np.array([5] * 4), np.array([0, 1, 0, 1]) > 0)
    assert found.start.tolist() == [103, 103, 105, 105] and found.end.tolist() == [105, 105, 107, 107]
    assert found.strand.tolist() == ["+", "-", "-", "+"]


@given(st.integers(-50, 500), st.integers(20, 60), st.booleans(), st.integers(0, 12), st.integers(1, 8), st.booleans())
def test_the_letters_at_a_place_are_those_that_the_model_saw(first, length, turned, start, width, reverse):
    """By a genome whose letters are random: cut the window, turn it, cut the place, turn that."""
    genome = "".join(np.random.default_rng(first + 50).choice(list("ACGT"), 700))

    def complement(text):
        return text[::-1].translate(str.maketrans("ACGT", "TGCA"))

    window = genome[first + 100 : first + 100 + length]
    seen = complement(window) if turned else window
    found = seen[start : start + width]
    found = complement(found) if reverse else found
    regions = regions_at([first], [first + length], [turned])
    place = places_of(regions, *(np.array([v]) for v in (0, start, start + width)), np.array([reverse]))
    there = genome[place.start[0] + 100 : place.end[0] + 100]
    assert (there if place.strand[0] == "+" else complement(there)) == found


# Scores


def test_log_odds_by_hand():
    odds = log_odds(np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]]))
    assert odds[1] == pytest.approx([0, 0, 0, 0])
    assert odds[0] == pytest.approx([math.log2(1.01 / 1.04 * 4), *[math.log2(0.01 / 1.04 * 4)] * 3])


@settings(max_examples=15)
@given(st.integers(1, 3), st.integers(4, 15), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_a_scan_is_the_sum_of_products_at_each_start(n, length, widths):
    rng = np.random.default_rng(n * 100 + length)
    array = rng.normal(size=(n, 4, length)).astype(np.float32)
    kernels = [rng.normal(size=(width, 4)) for width in widths]
    found = scan(array, kernels)
    assert found.shape == (n, len(widths), length)
    for k, kernel in enumerate(kernels):
        for start in range(length - len(kernel) + 1):
            expected = (array[:, :, start : start + len(kernel)] * kernel.T).sum((1, 2))
            np.testing.assert_allclose(found[:, k, start], expected, atol=1e-4)
