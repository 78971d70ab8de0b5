"""Quantile, p and q by hand, against another implementation, and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.variants.ranks import PARTS, SIGNED, Ranks, ranked
from zoo.variants.scores import SCORES, Column


def column(name, score, integer=False):
    return Column(name, score, "out", "t", "", "", integer)


DIFF, L2 = column("d", "diff"), column("l", "l2")


def ranks_of(background, columns=(DIFF,), values=()):
    found = Ranks(columns, np.array(background, np.float32).reshape(-1, len(columns)))
    values = np.array(values, np.float32).reshape(-1, len(columns))
    found.count(values)
    return found.of(values)


def test_by_hand_with_a_sign():
    # Of |b| = 1, 2, 2, 4 are at least 2: three; at least 3: one; at least 4.5: none; at least 0: four.
    got = ranks_of([-1, 2, -2, 4], values=[2, -3, 4.5, 0, -2])
    assert np.allclose(got[:, 1], [4 / 5, 2 / 5, 1 / 5, 5 / 5, 4 / 5])
    # b = -2, -1, 2, 4: below 2 are two and one is equal: 2.5 of 4; below -3 none; all below 4.5; two below 0;
    # none below -2 and one equal.
    assert np.allclose(got[:, 0], [2 * 2.5 / 4 - 1, -1, 1, 0, 2 * 0.5 / 4 - 1])


def test_by_hand_without_a_sign():
    got = ranks_of([1, 2, 2, 4], (L2,), [2, 3, 4.5, 0.5, 4])
    assert np.allclose(got[:, 1], [4 / 5, 2 / 5, 1 / 5, 5 / 5, 2 / 5])
    assert np.allclose(got[:, 0], [(1 + 1) / 4, 3 / 4, 1, 0, 3.5 / 4])


def test_q_by_hand():
    # N = 9: p = 0.1, 0.1, 0.3, 0.5 of four: 0.1*4/2 = 0.2, 0.3*4/3 = 0.4, 0.5*4/4 = 0.5.
    got = ranks_of(range(1, 10), (L2,), [99, 5.5, 12, 7.5])
    assert np.allclose(got[:, 1], [0.1, 0.5, 0.1, 0.3])
    assert np.allclose(got[:, 2], [0.2, 0.5, 0.2, 0.4])


def test_q_never_falls_where_p_rises():
    # p = 0.1, 0.2, 0.2, 0.2: 0.1*4/1 = 0.4, but 0.2*4/4 = 0.2 is less, and holds for the first as well.
    got = ranks_of(range(1, 10), (L2,), [10, 8.5, 8.5, 8.5])
    assert np.allclose(got[:, 2], 0.2)


def test_all_equal_to_the_background():
    got = ranks_of([0, 0, 0], values=[0, 0])
    assert got.tolist() == [[0, 1, 1], [0, 1, 1]]


def test_missing_scores_have_no_rank_and_are_not_counted():
    nan = float("nan")
    got = ranks_of([1, 2, nan, 3, nan], (L2,), [3.5, nan])
    assert np.allclose(got[0], [1, 1 / 4, 1 / 4])
    assert np.isnan(got[1]).all()
    assert np.isnan(ranks_of([nan, nan], (L2,), [1, 2])).all()
    assert np.isnan(ranks_of(np.empty((0, 1)), (L2,), [1])).all()


def test_each_column_by_itself_in_the_order_of_the_columns():
    columns = (DIFF, column("at", "DP_AG", integer=True), L2, column("d_leftmost", "diff"), column("r", "REF_AG"))
    found = Ranks(columns, np.array([[1, 5, 1, 0, 0], [-2, 5, 2, 0, 0]], np.float32))
    assert [one.name for one in found.columns] == ["d_quantile", "d_p", "d_q", "l_quantile", "l_p", "l_q"]
    values = np.array([[-3, 9, 0, 0, 0]], np.float32)
    found.count(values)
    assert np.allclose(found.of(values), [[-1, 1 / 3, 1 / 3, 0, 1, 1]])
    assert ranked(columns) == [0, 2]


def test_scores_with_a_sign_are_scores():
    assert set(SCORES) > SIGNED
    assert set(SCORES) - SIGNED == {"l2", "jsd", "ref", "alt", "active"}


@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=30),
    st.lists(st.integers(-5, 5), min_size=1, max_size=30),
    st.sampled_from([DIFF, L2]),
)
def test_against_counting_one_by_one(background, values, one):
    def extreme(value):
        return abs(value) if one.score == "diff" else value

    p = [(sum(extreme(b) >= extreme(v) for b in background) + 1) / (len(background) + 1) for v in values]
    below = [(sum(b < v for b in background) + sum(b == v for b in background) / 2) / len(background) for v in values]
    # Benjamini and Hochberg's step-up procedure in its textbook form: sorted, from the largest p down.
    order, q, least = np.argsort(p, kind="stable"), [0.0] * len(p), 1.0
    for rank in range(len(p), 0, -1):
        least = min(least, p[order[rank - 1]] * len(p) / rank)
        q[order[rank - 1]] = least
    got = ranks_of(background, (one,), values)
    assert np.allclose(got[:, 1], p)
    assert np.allclose(got[:, 2], q)
    assert np.allclose(got[:, 0], [2 * f - 1 for f in below] if one.score == "diff" else below, atol=1e-6)


def test_blocks_give_the_same_as_all_at_once():
    random = np.random.default_rng(0)
    background, values = random.normal(size=(50, 1)), random.normal(size=(200, 1)).astype(np.float32)
    whole, parts = Ranks((DIFF,), background), Ranks((DIFF,), background)
    whole.count(values)
    for block in np.array_split(values, 7):
        parts.count(block)
    assert np.array_equal(whole.of(values), np.concatenate([parts.of(block) for block in np.array_split(values, 9)]))


def test_q_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(1)
    values = random.normal(size=(300, 1)).astype(np.float32)
    got = ranks_of(random.normal(size=(99, 1)), (DIFF,), values)
    assert np.allclose(got[:, 2], stats.false_discovery_control(got[:, 1].astype(float)), atol=1e-6)


def test_uniform_p_where_nothing_is_different():
    random = np.random.default_rng(2)
    got = ranks_of(random.normal(size=(999, 1)), (DIFF,), random.normal(size=(4000, 1)))
    p = got[:, PARTS.index("p")]
    assert abs((p <= 0.05).mean() - 0.05) < 0.02 and abs((p <= 0.5).mean() - 0.5) < 0.04
    assert got[:, PARTS.index("q")].min() > 0.05
