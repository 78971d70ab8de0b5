"""Metrics against numbers known by hand, scipy, scikit-learn and plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from finetune.verdict import metrics

NAN = np.nan


def two(seed=0, shape=(30, 16)):
    random = np.random.default_rng(seed)
    observed = random.poisson(random.gamma(1, 3, shape)).astype(float)
    return observed * 0.7 + random.normal(1, 1, shape), observed


def test_correlations_are_those_of_scipy():
    x, y = two()
    assert metrics.pearson(x, y) == pytest.approx(stats.pearsonr(x.ravel(), y.ravel())[0], abs=1e-12)
    assert metrics.spearman(x, y) == pytest.approx(stats.spearmanr(x.ravel(), y.ravel())[0], abs=1e-12)
    assert (metrics.average_ranks(y.ravel()) == stats.rankdata(y.ravel())).all()


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.integers(0, 1000))
def test_ranks_with_ties_are_those_of_scipy(values, seed):
    assert (metrics.average_ranks(np.array(values, float)) == stats.rankdata(values)).all()
    other = np.random.default_rng(seed).integers(0, 4, len(values))
    if len(set(values)) > 1 and len(set(other.tolist())) > 1:
        expected = stats.spearmanr(values, other)[0]
        assert metrics.spearman(np.array(values), other) == pytest.approx(expected, abs=1e-9)


def test_a_masked_bin_counts_nowhere():
    x, y = two()
    holes = np.random.default_rng(1).random(y.shape) < 0.3
    masked = np.where(holes, NAN, y)
    changed = np.where(holes, 1e9, x)
    for function in (metrics.pearson, metrics.spearman, metrics.r2, metrics.poisson_deviance):
        assert function(x, masked) == pytest.approx(function(x[~holes], y[~holes]), abs=1e-12)
        assert function(changed, masked) == function(x, masked)
    assert metrics.count_correlation(changed, masked) == metrics.count_correlation(x, masked)
    assert metrics.profile_correlation(changed, masked) == metrics.profile_correlation(x, masked)


def test_a_constant_has_no_correlation_and_is_never_a_zero():
    _, y = two()
    for value in (0.0, 0.1, 1e6 / 3):
        assert math.isnan(metrics.pearson(np.full(y.shape, value), y))
        assert math.isnan(metrics.spearman(np.full(y.shape, value), y))
        assert math.isnan(metrics.pearson(np.full(y.shape, value, np.float32), y))


def test_sums_by_window_give_the_same_as_all_bins_at_once():
    x, y = two()
    assert metrics.pearson_of(metrics.moments(x, y).sum(0)) == pytest.approx(metrics.pearson(x, y), abs=1e-9)
    assert metrics.r2_of(metrics.moments(x, y, 2.5).sum(0)) == pytest.approx(sk.r2_score(y.ravel(), x.ravel()))
    assert metrics.r2(x, y) == pytest.approx(sk.r2_score(y.ravel(), x.ravel()), abs=1e-12)


def test_correlation_keeps_its_digits_far_from_zero():
    x, y = two()
    assert metrics.pearson(x + 1e6, y + 1e6) == pytest.approx(metrics.pearson(x, y), abs=1e-6)


def test_profile_is_the_mean_over_windows_and_counts_what_it_leaves_out():
    observed = np.array([[1, 2, 3, 4], [5, 5, 5, 5], [1, 0, 1, 0], [1, 2, 3, NAN]], float)
    predicted = np.array([[2, 4, 6, 8], [1, 2, 3, 4], [7, 7, 7, 7], [3, 2, 1, 99]], float)
    # 1 for the first, left out, 0 for a flat prediction, -1: the mean of three.
    assert metrics.profile_correlation(predicted, observed) == (pytest.approx(0.0), 1, 1)


def test_counts_are_log1p_of_sums_over_measured_bins():
    observed = np.array([[1, 2, NAN], [0, 0, 1], [5, 5, 5]], float)
    predicted = np.array([[1, 1, 500], [1, 0, 0], [3, 3, 3]], float)
    expected = np.corrcoef(np.log1p([2, 1, 9]), np.log1p([3, 1, 15]))[0, 1]
    assert metrics.count_correlation(predicted, observed) == pytest.approx(expected)


def test_poisson_deviance_is_that_of_scikit_learn():
    x, y = two()
    rate = np.maximum(x, 0.05)
    expected = sk.d2_tweedie_score(y.ravel(), rate.ravel(), power=1)
    assert metrics.poisson_deviance(rate, y) == pytest.approx(expected, abs=1e-10)


def test_a_constant_explains_no_deviance_and_the_truth_all():
    y = np.array([[1, 2, 3, 0]], float)
    assert metrics.poisson_deviance(np.full((1, 4), 1.5), y) == pytest.approx(0, abs=1e-12)
    assert metrics.poisson_deviance(np.full((1, 4), 4.0), y) < 0
    # 0 is raised to a thousandth of the mean: next to nothing is lost.
    assert metrics.poisson_deviance(y, y) == pytest.approx(1, abs=1e-3)
    assert math.isnan(metrics.poisson_deviance(y, y - 1))


def test_classes_are_those_of_scikit_learn():
    random = np.random.default_rng(2)
    label = (random.random(500) < 0.1).astype(float)
    for score in (random.random(500) + label * 0.4, random.integers(0, 5, 500) + 2 * label):
        assert metrics.auroc(score, label) == pytest.approx(sk.roc_auc_score(label, score), abs=1e-12)
        found, prevalence = metrics.auprc(score, label)
        assert found == pytest.approx(sk.average_precision_score(label, score), abs=1e-12)
        assert prevalence == label.mean()


def test_a_constant_score_reaches_prevalence_and_a_half():
    label = np.array([1, 0, 0, 0, 1.0])
    assert metrics.auroc(np.ones(5), label) == 0.5
    assert metrics.auprc(np.ones(5), label) == (pytest.approx(0.4), 0.4)
    assert math.isnan(metrics.auroc(np.arange(5), np.ones(5)))
    assert math.isnan(metrics.auprc(np.arange(5), np.zeros(5))[0])


def test_partial_correlation_is_that_of_the_residuals_of_two_regressions():
    random = np.random.default_rng(3)
    z = random.normal(size=400)
    x, y = z + random.normal(size=400), 2 * z + random.normal(size=400)
    x += 0.4 * (y - 2 * z)
    left = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
    expected = np.corrcoef(*left)[0, 1]
    shaped = [v.reshape(20, 20) for v in (x, y, z)]
    assert metrics.partial_correlation(*shaped) == pytest.approx(expected, abs=1e-10)


def test_shared_noise_of_the_average_raises_differences_but_not_the_partial_correlation():
    """A constant, less a noisy average, correlates with the observation less the same average."""
    random = np.random.default_rng(4)
    observed = random.normal(size=(50, 40))
    average = random.normal(size=(50, 40))
    constant = np.zeros((50, 40)) + random.normal(scale=1e-3, size=(50, 40))
    assert metrics.pearson(constant - average, observed - average) > 0.6
    assert abs(metrics.partial_correlation(constant, observed, average)) < 0.1


def test_partial_correlation_of_the_average_itself_is_not_defined():
    random = np.random.default_rng(5)
    observed, average = random.normal(size=(2, 20, 20))
    assert math.isnan(metrics.partial_correlation(3 * average + 1, observed, average))
    flat = np.full((20, 20), 2.0)
    assert metrics.partial_correlation(average, observed, flat) == pytest.approx(metrics.pearson(average, observed))


def test_most_variable_bins_are_the_top_share_without_gaps():
    variance = np.arange(100.0)
    variance[99] = NAN
    chosen = metrics.most_variable(variance, 0.1)
    assert np.flatnonzero(chosen).tolist() == list(range(89, 99))
    assert not metrics.most_variable(np.zeros(10)).any()


def test_calibration_of_twice_the_truth_has_slope_a_half():
    random = np.random.default_rng(6)
    truth = random.gamma(2, 2, (40, 50))
    found = metrics.calibration(2 * truth + 1, truth)
    assert found.slope == pytest.approx(0.5)
    assert found.intercept == pytest.approx(-0.5)
    assert found.n.tolist() == [200] * 10
    assert found.observed == pytest.approx((found.predicted - 1) / 2)
    assert math.isnan(metrics.calibration(np.ones((3, 3)), truth[:3, :3]).slope)


def test_leverage_of_one_bin():
    values = np.zeros(1000)
    values[3] = 1000
    assert metrics.leverage(values) == pytest.approx(999**2 / (999**2 + 999))


def test_residual_by_depth_is_ordered_by_depth():
    depth = np.array([30, 10, 20, 40.0])
    observed = depth[:, None] * np.ones((4, 5))
    table, rank = metrics.residual_by_depth(np.full((4, 5), 20.0), observed, depth, groups=2)
    assert table == [(15.0, -5.0, 2), (35.0, 15.0, 2)]
    assert rank == pytest.approx(1)


def test_coarser_adds_up_and_keeps_gaps():
    values = np.array([[1, 2, 3, NAN, 5, 6.0]])
    assert metrics.coarser(values, 2)[0, [0, 2]].tolist() == [3, 11]
    assert math.isnan(metrics.coarser(values, 2)[0, 1])
    with pytest.raises(ValueError):
        metrics.coarser(values, 4)
