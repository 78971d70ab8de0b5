"""Quantile, p and q by hand, against another implementation, and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.variants.ranks.ranks import PARTS, SIGNED, Ranks, ranked
from zoo.variants.scores.scores import SCORES, Column


def column(name, score, integer=False):
    return Column(name, score, "out", "t", "", "", integer)


DIFF, L2 = column("d", "diff"), column("l", "l2")


def one_kind(rows):
    return np.zeros(len(rows), np.uint8)


def ranks_of(background, columns=(DIFF,), values=(), kinds=None, of=None, least=1):
    """Ranks of values against a background; all of one kind where none are given."""
    background = np.array(background, np.float32).reshape(-1, len(columns))
    found = Ranks(columns, background, one_kind(background) if kinds is None else np.array(kinds), least)
    values = np.array(values, np.float32).reshape(-1, len(columns))
    of = one_kind(values) if of is None else np.array(of)
    found.count(values, of)
    return found.of(values, of)


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
    found = Ranks(columns, np.array([[1, 5, 1, 0, 0], [-2, 5, 2, 0, 0]], np.float32), np.zeros(2, np.uint8))
    assert [one.name for one in found.columns] == ["d_quantile", "d_p", "d_q", "l_quantile", "l_p", "l_q"]
    values = np.array([[-3, 9, 0, 0, 0]], np.float32)
    found.count(values, one_kind(values))
    assert np.allclose(found.of(values, one_kind(values)), [[-1, 1 / 3, 1 / 3, 0, 1, 1]])
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
    kinds, of = random.integers(0, 3, 50), random.integers(0, 3, 200)
    whole, parts = Ranks((DIFF,), background, kinds), Ranks((DIFF,), background, kinds)
    whole.count(values, of)
    for block, its in zip(np.array_split(values, 7), np.array_split(of, 7), strict=True):
        parts.count(block, its)
    found = [parts.of(block, its) for block, its in zip(np.array_split(values, 9), np.array_split(of, 9), strict=True)]
    assert np.array_equal(whole.of(values, of), np.concatenate(found))
    assert whole.as_dict() == parts.as_dict()


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


# ---------------- kinds


def test_a_row_is_ranked_in_its_kind_alone_and_q_is_of_all():
    # Kind 0 has b = 1, 2, 3; kind 16 has b = 10, 20, 30, 40.
    got = ranks_of([1, 2, 3, 10, 20, 30, 40], (L2,), [2, 25, 5], [0, 0, 0, 16, 16, 16, 16], [0, 16, 0])
    assert np.allclose(got[:, 0], [1.5 / 3, 2 / 4, 1])
    assert np.allclose(got[:, 1], [3 / 4, 3 / 5, 1 / 4])
    # p = 0.25, 0.6, 0.75 of three: 0.25*3/1, 0.6*3/2 = 0.9, 0.75*3/3, which is less and holds for 0.6, too.
    assert np.allclose(got[:, 2], [0.75, 0.75, 0.75])


def test_equal_p_of_two_kinds_are_one_step_of_q():
    # (0 + 1) / (1 + 1) and (1 + 1) / (3 + 1): both 0.5, so that q = 0.5 * 2 / 2.
    got = ranks_of([1, 1, 2, 3], (L2,), [5, 2.5], [0, 16, 16, 16], [0, 16])
    assert np.allclose(got[:, 1:], 0.5)


def test_a_kind_without_enough_background_has_no_rank_and_is_counted():
    nan = float("nan")
    background = np.array([[1, 1], [2, nan], [3, nan], [4, 4]], np.float32)
    found = Ranks((DIFF, L2), background, np.array([0, 0, 0, 32], np.uint8), least=3)
    values, kinds = np.array([[5, 5], [nan, nan], [5, 5], [5, nan], [5, 5]], np.float32), np.array([0, 0, 32, 32, 48])
    found.count(values, kinds)
    got = found.of(values, kinds)
    assert np.allclose(got[0, :3], [1, 1 / 4, 1 / 4])  # q of the one p that there is
    assert np.isnan(got[0, 3:]).all() and np.isnan(got[1:]).all()
    kinds = found.as_dict()["kinds"]
    assert kinds == {
        "substitution_1": {"rows": 1, "rows_without_ranks": 1, "background_scores": {"d": 3, "l": 1}},
        "deletion_1": {"rows": 2, "rows_without_ranks": 2, "background_scores": {"d": 1, "l": 1}},
        "mixture_1": {"rows": 1, "rows_without_ranks": 1, "background_scores": {"d": 0, "l": 0}},
    }
    (note,) = found.notes()
    assert "4 rows have scores without quantile" in note and "fewer than 3 scores of their kind" in note
    assert "substitution of 1 bp: 1 row, deletion of 1 bp: 2 rows, mixture of 1 bp: 1 row" in note


def test_no_note_where_all_have_ranks():
    found = Ranks((DIFF,), np.array([[1.0]]), np.array([0]))
    found.count(np.array([[2.0], [np.nan]], np.float32), np.array([0, 16]))
    assert found.notes() == [] and list(found.as_dict()["kinds"]) == ["substitution_1"]


@given(
    st.lists(st.tuples(st.integers(-4, 4), st.sampled_from([0, 17, 32])), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(-5, 5), st.sampled_from([0, 17, 32])), min_size=1, max_size=30),
)
def test_kinds_against_counting_one_by_one(background, rows):
    got = ranks_of(
        [b for b, _ in background], (DIFF,), [v for v, _ in rows], [k for _, k in background], [k for _, k in rows]
    )
    p = []
    for value, kind in rows:
        like = [b for b, its in background if its == kind]
        p.append((sum(abs(b) >= abs(value) for b in like) + 1) / (len(like) + 1) if like else float("nan"))
    assert np.allclose(got[:, 1], p, equal_nan=True)
    known = [one for one in p if one == one]
    for row, own in zip(got, p, strict=True):
        if own != own:
            assert np.isnan(row).all()
            continue
        q = min(min(1, other * len(known) / sum(x <= other for x in known)) for other in known if other >= own)
        assert np.isclose(row[2], q)


def deviation(p, n):
    """Kolmogorov's distance of p from the uniform one on 1 / (n + 1), ..., 1."""
    steps = np.arange(1, n + 2) / (n + 1)
    return max(abs((p <= step + 1e-6).mean() - step) for step in steps)


def test_p_is_uniform_in_each_kind_whatever_their_scales():
    """Two kinds, the scores of one a thousand times those of the other: 300 files of 20 rows a kind, N = 99.

    The distance of 6,000 p that are independent by files of 20 with a background of 99 is below 0.04 in all but one of
    a million cases (its scale is 1 / sqrt(300 * 16)); in one distribution for both kinds it is 0.5.
    """
    random, scales = np.random.default_rng(5), {0: 1.0, 33: 1000.0}
    found, mixed = {0: [], 33: []}, {0: [], 33: []}
    for _ in range(300):
        kinds, of = np.repeat([0, 33], 99), np.repeat([0, 33], 20)
        background = random.normal(size=198) * [scales[kind] for kind in kinds]
        values = random.normal(size=40) * [scales[kind] for kind in of]
        got = ranks_of(background, (DIFF,), values, kinds, of)[:, 1]
        one = ranks_of(background, (DIFF,), values)[:, 1]
        for kind in found:
            found[kind].append(got[of == kind])
            mixed[kind].append(one[of == kind])
    for kind, p in found.items():
        assert deviation(np.concatenate(p), 99) < 0.04, kind
        assert deviation(np.concatenate(mixed[kind]), 198) > 0.4, kind
