"""Skill of counts: the Poisson deviance, baselines fitted by it, and none of them above 0."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_poisson_deviance

from finetune.config import VerdictConfig
from finetune.verdict.baselines import Known, baselines
from finetune.verdict.count_baselines import baselines_of_counts, grouped, poisson_power, poisson_weights
from finetune.verdict.measures import View, positives
from finetune.verdict.verdict import Judged, judge


def test_errors_are_scikit_learns_deviance():
    rng = np.random.default_rng(0)
    y, guess = rng.poisson(2.0, (20, 8)).astype(float), rng.gamma(2, 1, (20, 8)) + 0.1
    y[3, 2] = np.nan
    view = View(y, np.zeros(20, int), 1, positives(y), counts=True)
    known = np.isfinite(y)
    assert view.errors(guess).sum() == pytest.approx(mean_poisson_deviance(y[known], guess[known]) * known.sum())


def test_weights_are_the_likeliest():
    rng = np.random.default_rng(1)
    tracks = rng.gamma(1.0, 2.0, (3, 400, 16))
    target = rng.poisson(0.3 + 0.5 * tracks[0] + 1.5 * tracks[2]).astype(float)
    assert poisson_weights(tracks, target) == pytest.approx([0.3, 0.5, 0.0, 1.5], abs=0.06)


def test_a_power_and_its_level_are_found():
    rng = np.random.default_rng(2)
    track = rng.gamma(2.0, 2.0, (400, 16))
    power, level = poisson_power(track, rng.poisson(1.7 * track**0.6).astype(float))
    assert (power, np.exp(level)) == (pytest.approx(0.6, abs=0.03), pytest.approx(1.7, rel=0.05))


def _world(seed):
    """Sparse counts with a few bins of hundreds; the base knows half of what there is to know."""
    rng = np.random.default_rng(seed)
    base, rest = rng.gamma(0.5, 1.0, (600, 16)), rng.gamma(0.5, 1.0, (600, 16))
    rate = 0.3 * base * rest
    rate[rng.random(rate.shape) < 0.002] *= 300
    return base, rate, rng.poisson(rate).astype(np.float32)


def _judge(observed, predicted, known, chrom, start):
    made = Judged(
        "held-out chromosomes", "counts", observed, predicted, baselines(known), chrom, start, 32,
        of_counts=lambda group: baselines_of_counts(grouped(known, group)),
    )  # fmt: skip
    return judge([made], VerdictConfig(block=512, resamples=200, coarse=128))


@pytest.mark.parametrize("seed", range(2))
def test_no_baseline_gains_and_the_right_mean_does(seed):
    base, rate, counts = _world(seed)
    train, test = slice(0, 300), slice(300, 600)
    known = Known(
        [], np.empty((0, 300, 16)), np.empty((0, 300, 16)), own=counts[train],
        base_train=base[train][None], base_test=base[test][None],
    )  # fmt: skip
    chrom, start = np.full(300, "chr1", dtype=object), np.arange(300) * 512
    for name, values in baselines(known).items():
        skill = _judge(counts[test], values, known, chrom, start).sides["held-out chromosomes"]["skill"]
        assert skill["value"] <= 1e-9, name
    for name, forms in baselines_of_counts(known).items():
        for values in forms:
            skill = _judge(counts[test], values, known, chrom, start).sides["held-out chromosomes"]["skill"]
            assert skill["value"] <= 1e-9, name
    assert _judge(counts[test], rate[test], known, chrom, start).gained


def test_coarse_bins_are_judged_by_sums():
    base, rate, counts = _world(5)
    known = Known(
        [], np.empty((0, 300, 16)), np.empty((0, 300, 16)), own=counts[:300],
        base_train=base[None, :300], base_test=base[None, 300:],
    )  # fmt: skip
    verdict = _judge(counts[300:], rate[300:], known, np.full(300, "chr1", dtype=object), np.arange(300) * 512)
    record = verdict.sides["held-out chromosomes"]["tracks"][0]["resolutions"]["128"]["skill"]
    wide = grouped(known, 4)
    assert wide.own.shape == (300, 4) and wide.own.sum() == counts[:300].sum()
    assert record["value"] > 0
