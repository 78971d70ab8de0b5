"""Baselines by hand, against scipy's non-negative least squares, and what they may not see."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import nnls

from finetune.verdict import baselines as b

NAN = np.nan


def known(seed=0, k=5, n=40, m=25, bins=12):
    """Cells that are gamma fields with a common part; the judged one is a mix of the first two."""
    random = np.random.default_rng(seed)
    train, test = (random.gamma(2, 1, (1, w, bins)) + random.gamma(1, 1, (k, w, bins)) for w in (n, m))
    truth = [0.7 * v[0] + 0.2 * v[1] + 1 + random.normal(0, 0.1, v[0].shape) for v in (train, test)]
    given = b.Known(
        [f"c{i}" for i in range(k)], train, test, own=truth[0],
        atac=2 * train, own_atac=2 * truth[0],
    )  # fmt: skip
    return given, truth[1]


def test_the_constant_and_the_profile_are_means_of_training_windows():
    own = np.array([[1, 2, NAN], [3, 4, 5.0]])
    made = b.baselines(b.Known([], np.zeros((0, 2, 3)), np.zeros((0, 4, 3)), own=own))
    assert set(made) == {b.CONSTANT, b.PROFILE}
    assert (made[b.CONSTANT] == 3).all()
    assert made[b.PROFILE].tolist() == [[2, 3, 5]] * 4


def test_average_and_affine_average_by_hand():
    train = np.array([[[1, 2, 3]], [[3, 4, 5]]], float)
    test = np.array([[[10, 20, NAN]], [[20, NAN, NAN]]], float)
    made = b.baselines(b.Known(["a", "b"], train, test, own=np.array([[5, 7, 9.0]])))
    # Averages 2, 3, 4 make 5, 7, 9: 1 + 2 x.
    assert made[b.AVERAGE].tolist() == [[15, 20, 7]]  # the last was measured nowhere: the constant
    assert made[b.AFFINE][0, :2].tolist() == pytest.approx([31, 41])


def test_affine_is_that_of_polyfit():
    x, y = np.random.default_rng(1).normal(size=(2, 9, 9))
    slope, intercept = np.polyfit(x.ravel(), y.ravel(), 1)
    assert b.affine(x, y) == pytest.approx((intercept, slope))
    assert b.affine(np.full((2, 2), 7.0), np.array([[1, 2], [3, NAN]])) == (2.0, 0.0)
    assert b.affine(np.full((1, 1), NAN), np.ones((1, 1))) == (0.0, 0.0)


def test_a_shared_affine_is_that_of_training_cells_left_out_in_turn():
    train = np.random.default_rng(2).gamma(2, 1, (4, 30, 6))
    train[0, 3] = NAN
    pairs = []
    for i in range(4):
        with np.errstate(all="ignore"):
            others = np.nanmean(np.delete(train, i, 0), axis=0)
        kept = np.isfinite(train[i])
        pairs.append(np.stack([others[kept], train[i][kept]]))
    x, y = np.concatenate(pairs, axis=1)
    slope, intercept = np.polyfit(x, y, 1)
    made = b.baselines(b.Known(list("abcd"), train, train))
    average = made[b.AVERAGE].astype(float)
    assert made[b.AFFINE] == pytest.approx(intercept + slope * average, abs=1e-5)


def test_the_mix_is_that_of_scipys_non_negative_least_squares():
    random = np.random.default_rng(3)
    cells = random.normal(size=(6, 400))
    target = np.array([0.5, 0, 0.3, -0.4, 0, 0.2]) @ cells + random.normal(0, 0.1, 400)
    gram, cross = cells @ cells.T, cells @ target
    ridge = b.PENALTY * np.trace(gram) / 6
    root = np.linalg.cholesky(gram + ridge * np.eye(6)).T
    expected, _ = nnls(root, np.linalg.solve(root.T, cross))
    found = b.mix_weights(gram, cross, negative=False)
    assert found == pytest.approx(expected, abs=1e-6)
    assert found[3] == 0
    assert b.mix_weights(gram, cross, negative=True)[3] == pytest.approx(-0.4, abs=0.03)


def test_the_mix_finds_a_cell_that_is_one():
    given, truth = known()
    made = b.baselines(given)
    assert b.best_baseline(made, truth) in (b.MIX, b.RIDGE)
    assert b.skill(made[b.MIX], truth, made[b.AVERAGE]) > 0.9


def test_a_held_out_cell_is_mixed_by_its_atac_and_its_own_track_is_never_asked():
    given, truth = known()
    held_out = dataclasses.replace(given, own=None)
    made = b.baselines(held_out)
    assert {b.CONSTANT, b.AVERAGE, b.AFFINE, b.MIX, b.RIDGE, b.NEAREST} <= set(made)
    # Its level cannot be known from ATAC of another scale, its shape can.
    assert np.corrcoef(made[b.MIX].ravel(), truth.ravel())[0, 1] > 0.98
    assert np.corrcoef(made[b.AVERAGE].ravel(), truth.ravel())[0, 1] < 0.95
    # Without its ATAC nothing is known of it.
    assert not {b.MIX, b.NEAREST} & set(b.baselines(dataclasses.replace(held_out, atac=None, own_atac=None)))


def test_the_nearest_cell_is_the_most_correlated_one():
    given, _ = known()
    assert b.nearest(given.train, given.own) == 0
    made = b.baselines(dataclasses.replace(given, own=None))
    assert made[b.NEAREST] == pytest.approx(given.test[0].astype(np.float32))


def test_the_frozen_base_is_its_nearest_track_on_the_scale_of_the_target():
    given, truth = known()
    other = (
        np.random.default_rng(9).normal(size=(2, *given.own.shape)),
        np.random.default_rng(8).normal(size=(2, *truth.shape)),
    )
    base = [np.concatenate([noise, [v * 50 - 3]]) for noise, v in zip(other, (given.own, truth), strict=True)]
    made = b.baselines(dataclasses.replace(given, base_train=base[0], base_test=base[1]))
    assert made[b.BASE] == pytest.approx(truth, abs=1e-4)


def test_the_same_model_without_input_is_passed_on():
    given, truth = known()
    assert (b.baselines(dataclasses.replace(given, without=truth))[b.WITHOUT] == truth.astype(np.float32)).all()


def test_gaps_in_cells_are_filled_by_the_others_and_no_baseline_has_any():
    given, truth = known()
    random = np.random.default_rng(4)
    train, test = (np.where(random.random(v.shape) < 0.2, NAN, v) for v in (given.train, given.test))
    test[:, 0, 0] = NAN
    made = b.baselines(dataclasses.replace(given, train=train, test=test))
    assert all(np.isfinite(values).all() and values.shape == truth.shape for values in made.values())
    assert b.skill(made[b.MIX], truth, made[b.CONSTANT]) > 0.5


def test_fitting_in_chunks_is_fitting_at_once(monkeypatch):
    given, _ = known()
    whole = b.baselines(given)
    monkeypatch.setattr(b, "CHUNK", 7)
    for name, values in b.baselines(given).items():
        assert values == pytest.approx(whole[name], abs=1e-5)


def test_nothing_measured_is_told():
    with pytest.raises(ValueError, match="nothing is measured"):
        b.baselines(b.Known([], np.zeros((0, 2, 3)), np.zeros((0, 2, 3)), own=np.full((2, 3), NAN)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("own", [True, False])
def test_no_baseline_scores_above_the_best_of_them(seed, own):
    given, truth = known(seed)
    if not own:
        given = dataclasses.replace(given, own=None)
    made = b.baselines(given)
    best = made[b.best_baseline(made, truth)]
    assert [name for name in made if b.skill(made[name], truth, best) > 0] == []
    assert b.skill(truth, truth, best) == 1


def test_skill_by_hand():
    truth = np.array([[1, 2, NAN]])
    assert b.skill(np.array([[1, 3, 9.0]]), truth, np.array([[3, 2, 0.0]])) == pytest.approx(0.75)
    assert b.skill(np.array([[1, 2, 0.0]]), truth, np.array([[1, 2, 5.0]])) == 0
    assert b.skill(np.array([[1, 3, 0.0]]), truth, np.array([[1, 2, 5.0]])) == -np.inf
