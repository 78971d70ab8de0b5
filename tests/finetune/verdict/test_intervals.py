"""Intervals: that they cover, that pairs are tighter, and that few blocks give none."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.verdict.intervals import block_bootstrap, block_ids, by_block, interval_of, resample_rows, resampled
from finetune.verdict.measures import View, positives
from finetune.verdict.metrics import auprc, auroc, moments, pearson, pearson_of
from finetune.verdict.score import score_track


def mean_of(sums):
    return sums[..., 1] / sums[..., 0]


def test_blocks_are_chromosome_and_position():
    chrom = np.array(["chr2", "chr1", "chr2", "chr1", "chr2"], object)
    numbers, names = block_ids(chrom, np.array([9_999, 0, 10_000, 9_999, 0]), 10_000)
    assert names == ("chr1:0", "chr2:0", "chr2:1")
    assert numbers.tolist() == [1, 0, 2, 0, 1]
    assert block_ids(chrom[:0], np.zeros(0), 10)[1] == ()


def test_sums_by_block_are_those_of_plain_python():
    rows = np.arange(12.0).reshape(6, 2)
    assert by_block(rows, np.array([0, 1, 0, 2, 2, 2]), 4).tolist() == [[4, 6], [2, 3], [24, 27], [0, 0]]


def test_fewer_than_ten_blocks_give_no_interval():
    sums = np.ones((10, 2))
    assert block_bootstrap(mean_of, sums) == (1.0, 1.0)
    assert block_bootstrap(mean_of, sums[:9]) is None
    assert resample_rows(lambda rows: 1.0, np.arange(9)) is None
    # Ten blocks of which one holds nothing are nine.
    assert block_bootstrap(mean_of, np.vstack([sums[:9], [[0, 0]]])) is None


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        block = random.normal(size=60)
        low, high = block_bootstrap(mean_of, np.stack([np.ones(60), block], 1), resamples=300, seed=seed)
        covered += low <= 0 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_dependent_bins_in_a_block_widen_the_interval():
    """Fifty copies of a value are one example: bootstrap of bins would be seven times too narrow."""
    random = np.random.default_rng(1)
    values = np.repeat(random.normal(size=40), 50)
    rows = np.stack([np.ones(2000), values], 1)
    low, high = block_bootstrap(mean_of, by_block(rows, np.repeat(np.arange(40), 50), 40))
    narrow_low, narrow_high = block_bootstrap(mean_of, rows)
    assert (high - low) / (narrow_high - narrow_low) == pytest.approx(np.sqrt(50), rel=0.2)


def paired(statistic, model, baseline):
    """The interval of a difference on the same draws."""
    one, other = (statistic(resampled(sums, 1000, 0)) for sums in (model, baseline))
    return interval_of(one - other)


def test_a_pair_on_the_same_blocks_is_tighter_than_two_intervals():
    random = np.random.default_rng(2)
    y = random.normal(size=(300, 8)) * random.gamma(1, 1, (300, 1))
    noise = random.normal(size=y.shape)
    block = np.arange(300) // 5
    model, baseline = (by_block(moments(y + s * noise, y), block, 60) for s in (0.9, 1.0))
    low, high = paired(pearson_of, model, baseline)
    alone = [block_bootstrap(pearson_of, sums) for sums in (model, baseline)]
    assert low > 0
    assert high - low < 0.3 * min(b - a for a, b in alone)


def test_the_difference_of_a_thing_and_itself_is_nothing():
    random = np.random.default_rng(3)
    sums = by_block(moments(*random.normal(size=(2, 50, 4))), np.arange(50) // 2, 25)
    assert paired(pearson_of, sums, sums) == (0.0, 0.0)


def test_sums_and_rows_give_the_same_interval_for_the_same_seed():
    random = np.random.default_rng(4)
    x, y = random.normal(size=(2, 60, 6))
    block = np.repeat(np.arange(20), 3)
    fast = block_bootstrap(pearson_of, by_block(moments(x, y), block, 20), resamples=200, seed=7)
    slow = resample_rows(lambda rows: pearson(x[rows], y[rows]), block, resamples=200, seed=7)
    assert fast == pytest.approx(slow, abs=1e-9)


def classes(n=400, bins=4, saturated=False, seed=0):
    """A track of labels that some scores follow, in blocks of ten windows; half of the scores may be equal."""
    random = np.random.default_rng(seed)
    observed = (random.random((n, bins)) < 0.15).astype(float)
    observed[random.random((n, bins)) < 0.1] = np.nan
    score = np.nan_to_num(observed) + random.normal(0, 0.6, (n, bins))
    if saturated:
        score = np.clip(score, 0.2, 0.9)
    return observed, score, np.arange(n) // 10


@pytest.mark.parametrize("saturated", [False, True])
@pytest.mark.parametrize("name", ["auroc", "auprc"])
def test_the_interval_of_classes_is_that_of_every_resample_computed_anew(name, saturated):
    observed, score, block = classes(saturated=saturated)
    view = View(observed, block, 40, positives(observed), resamples=150, seed=3)
    found = score_track(view, score, {"flat": np.ones_like(score)})[name]
    known = np.isfinite(observed)
    flat, label = score[known], observed[known]
    rows = np.broadcast_to(block[:, None], observed.shape)[known]
    anew = {"auroc": auroc, "auprc": lambda x, y: auprc(x, y)[0]}[name]
    slow = resample_rows(lambda drawn: anew(flat[drawn], label[drawn]), rows, resamples=150, seed=3)
    assert found["ci"] == pytest.approx(slow, abs=1e-9)
    assert found["value"] == pytest.approx(anew(flat, label)) and slow[0] < found["value"] < slow[1]
    assert found["best_baseline"] == "flat" and found["difference_ci"][0] > 0


@pytest.mark.parametrize("name", ["auroc", "auprc"])
@pytest.mark.parametrize("saturated", [False, True])
def test_of_many_bins_a_histogram_comes_near(name, saturated):
    observed, score, block = classes(1500, 8, saturated, seed=1)
    given, some = (observed, block, 150, positives(observed)), 300
    exact, coarse = (score_track(View(*given, resamples=some, exact=most), score, {})[name] for most in (10**9, 0))
    assert coarse["ci"] == pytest.approx(exact["ci"], abs=0.0015)
    assert coarse["value"] == exact["value"] and coarse["ci"][0] < exact["value"] < coarse["ci"][1]


def test_a_predictor_is_not_ahead_of_itself():
    observed, score, block = classes()
    view = View(observed, block, 40, positives(observed))
    found = score_track(view, score, {"itself": score})
    assert {found[name]["difference_ci"] for name in ("auroc", "auprc")} == {(0.0, 0.0)}


def test_the_seed_decides_and_held_weights_are_the_drawn_ones(monkeypatch):
    from finetune.verdict import intervals

    sums = np.stack([np.ones(30), np.random.default_rng(5).normal(size=30)], 1)
    first = block_bootstrap(mean_of, sums, seed=1, resamples=250)
    assert first == block_bootstrap(mean_of, sums, seed=1, resamples=250)
    assert first != block_bootstrap(mean_of, sums, seed=2, resamples=250)
    monkeypatch.setattr(intervals, "HELD", 0)
    assert first == pytest.approx(block_bootstrap(mean_of, sums, seed=1, resamples=250), abs=1e-12)


def test_a_statistic_that_is_never_defined_has_no_interval():
    assert block_bootstrap(lambda sums: np.full(sums.shape[:-1], np.nan), np.ones((20, 2))) is None
