"""The metrics of a track, each as sums a block and a function of sums: intervals are then one product of matrices.

Those of two classes, AUROC and average precision, are resampled over every distinct score, each counted as often as
its blocks were drawn; of a track of so many bins that this would take minutes, over a histogram of scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetune.verdict import metrics
from finetune.verdict.intervals import by_block, drawn_blocks, resampled

__all__ = ["METRICS", "Levels", "Metric", "View", "applicable", "beside", "levels_of", "positives"]

#: Observed bins above this quantile are the positives of AUROC and AUPRC, unless the track is of labels.
POSITIVE_QUANTILE = 0.95
#: Pairs of a distinct score and a block up to which intervals of AUROC and AUPRC are exact, a quarter of a second each;
#: beyond, levels of the histogram of scores that they are computed from.
EXACT = 5_000
LEVELS = 1024
LEAST_POSITIVES = 10


@dataclass(frozen=True)
class Levels:
    """The order of values: (n, bins) int32 number of each among the distinct ones from the lowest, and (k,) ranks.

    Ranks are from 1, ties share their mean; where nothing was measured the number is 0 and means nothing.
    """

    number: np.ndarray
    ranks: np.ndarray


def levels_of(values: np.ndarray, known: np.ndarray) -> Levels:
    """Order of the known values; one sort serves ranks, AUROC and AUPRC."""
    distinct, number, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    whole = np.zeros(values.shape, dtype=np.int32)
    whole[known] = number
    return Levels(whole, np.cumsum(counts) - (counts - 1) / 2 if len(distinct) else np.zeros(1))


@dataclass(frozen=True)
class View:
    """One track as it is judged.

    Attributes:
        observed: (n, bins) float64, NaN where not measured. block: (n,) of windows. blocks: how many there are.
        positive: (n, bins) bool. average: (n, bins) or None. variable: (n, bins) bool of most variable bins, or None.
        specific: (n, bins) bool of the bins of specific loci, or None.
        raw: whether values are signals or counts as measured, not their logarithm.
        counts: whether the error that skill compares is the Poisson deviance; else it is the squared error.
        resamples, seed: of the bootstrap. exact: pairs of a distinct score and a block up to which intervals of classes
            are exact.
    """

    observed: np.ndarray
    block: np.ndarray
    blocks: int
    positive: np.ndarray
    average: np.ndarray | None = None
    variable: np.ndarray | None = None
    specific: np.ndarray | None = None
    raw: bool = True
    counts: bool = False
    resamples: int = 1000
    seed: int = 0
    exact: int = EXACT
    _memo: dict[str, tuple[np.ndarray, Levels]] = field(default_factory=dict, init=False, repr=False)

    def levels(self, values: np.ndarray, kept: str = "predicted") -> Levels:
        """The order of one array's values, computed once while the same array is asked about."""
        held = self._memo.get(kept)
        if held is None or held[0] is not values:
            held = self._memo[kept] = (values, levels_of(values, np.isfinite(self.observed)))
        return held[1]

    def errors(self, predicted: np.ndarray) -> np.ndarray:
        """(n, bins) error of each bin that skill adds up; 0 where nothing was measured.

        Poisson deviance for counts: the only error of a mean that grows with it as their scatter does, so that neither
        a bin of a hundred times the mean decides for all, nor is a right mean worse than another guess. Predictions
        below a hundredth of the observed mean count as that.
        """
        y, guess = self.observed, np.asarray(predicted, dtype=np.float64)
        if not self.counts:
            return np.nan_to_num((guess - y) ** 2)
        guess = np.maximum(guess, max(0.01 * float(np.nanmean(y)), 1e-12))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(y > 0, y * np.log(y / guess), 0.0)
        return np.nan_to_num(2 * (logs - y + guess))

    @property
    def measured(self) -> np.ndarray:
        """(blocks,) bool of blocks with a measured bin."""
        held = np.isfinite(self.observed).any(1)
        return np.bincount(self.block[held], minlength=self.blocks) > 0


def positives(observed: np.ndarray) -> np.ndarray:
    """Bool: 1 of a track of labels, else the bins above the 95th percentile of what is measured."""
    known = observed[np.isfinite(observed)]
    if not len(known):
        return np.zeros(observed.shape, dtype=bool)
    limit = 0.5 if np.isin(known, (0.0, 1.0)).all() else np.quantile(known, POSITIVE_QUANTILE)
    return np.nan_to_num(observed, nan=-np.inf) > limit


Sums = Callable[[View, np.ndarray], np.ndarray]
Of = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A metric of a track as (n, bins) predictions have it.

    Attributes:
        value: of all blocks. draws: (resamples,) of resampled blocks, the same ones for every prediction.
        sums, of: sums a block and the function of them, of a metric that is one; of classes None.
    """

    value: Callable[[View, np.ndarray], float]
    draws: Callable[[View, np.ndarray], np.ndarray]
    sums: Sums | None = None
    of: Of | None = None


def _of_sums(sums: Sums, of: Of) -> Metric:
    return Metric(
        lambda view, predicted: float(of(sums(view, predicted).sum(0))),
        lambda view, predicted: of(resampled(sums(view, predicted), view.resamples, view.seed)),
        sums,
        of,
    )


def _rows(rows: Callable[[View, np.ndarray], np.ndarray]) -> Sums:
    return lambda view, predicted: by_block(rows(view, predicted), view.block, view.blocks)


def _shifted(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    return metrics.moments(predicted, observed, float(np.nanmean(observed)) if np.isfinite(observed).any() else 0.0)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log1p(np.maximum(values, 0))


def _rank_rows(view: View, predicted: np.ndarray) -> np.ndarray:
    known = np.isfinite(view.observed)
    sides = (view.levels(predicted), view.levels(view.observed, "observed"))
    x, y = (np.where(known, levels.ranks[levels.number], np.nan) for levels in sides)
    return _shifted(x, y)


def _count_rows(view: View, predicted: np.ndarray) -> np.ndarray:
    x, y = metrics.count_rows(predicted, view.observed)
    return _shifted(x[:, None], y[:, None])


def _mean_of(sums: np.ndarray) -> np.ndarray:
    n, total = sums[..., 0], sums[..., 1]
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _classes(view: View, predicted: np.ndarray, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(k,) positives and negatives of each distinct score, the highest first, and (bins,) which one each bin has."""
    levels = view.levels(predicted)
    k = len(levels.ranks)
    number = k - 1 - levels.number[bins]
    positive = view.positive[bins]
    made = [np.bincount(number[chosen], minlength=k).astype(float) for chosen in (positive, ~positive)]
    return made[0], made[1], number


def _of_classes(of: Of, chosen: Callable[[View], np.ndarray]) -> Metric:
    """A metric of positives and negatives by score.

    Args:
        of: (..., 2k) positives, then negatives, of each distinct score, the highest first; those of a level of the
            histogram count as one score.
        chosen: (n, bins) bool of the bins that count.
    """

    def value(view: View, predicted: np.ndarray) -> float:
        positive, negative, _ = _classes(view, predicted, chosen(view))
        return float(of(np.concatenate([positive, negative])))

    def draws(view: View, predicted: np.ndarray) -> np.ndarray:
        bins = chosen(view)
        positive, negative, number = _classes(view, predicted, bins)
        held, block = np.unique(np.broadcast_to(view.block[:, None], bins.shape)[bins], return_inverse=True)
        own = view.positive[bins]
        if not own.any():
            return np.full(view.resamples, np.nan)
        pairs, where = np.unique(number * len(held) + block, return_inverse=True)
        if len(pairs) > view.exact:
            sums = _level_sums(_level_of(positive + negative)[number], own, block, len(held))
            return of(resampled(sums, view.resamples, view.seed))
        counts = [np.bincount(where[part], minlength=len(pairs)).astype(float) for part in (own, ~own)]
        level, of_block = np.divmod(pairs, len(held))
        starts = np.flatnonzero(np.diff(level, prepend=-1))
        found = []
        for weights in drawn_blocks(len(held), view.resamples, view.seed):
            for some in np.split(weights, range(10, len(weights), 10)):
                drawn = some[:, of_block]
                summed = [np.add.reduceat(drawn * count, starts, axis=1) for count in counts]
                found.append(of(np.concatenate(summed, axis=1)))
        return np.concatenate(found)

    return Metric(value, draws)


def _level_of(bins: np.ndarray) -> np.ndarray:
    """(k,) which of ``LEVELS`` each distinct score lies in, by how many bins have it: highest first, finest there."""
    tails = np.concatenate([np.geomspace(1e-4, 0.1, LEVELS // 2), np.linspace(0.1, 1, LEVELS // 2 + 1)[1:]])
    passed = np.cumsum(bins) / max(bins.sum(), 1)
    return np.minimum(np.searchsorted(tails, passed * (1 - 1e-12)), LEVELS - 1)


def _level_sums(level: np.ndarray, positive: np.ndarray, block: np.ndarray, blocks: int) -> np.ndarray:
    """(blocks, 2 * LEVELS): positives, then negatives, by level."""
    where = block * LEVELS + level
    made = [
        np.bincount(where[part], minlength=blocks * LEVELS).reshape(blocks, LEVELS) for part in (positive, ~positive)
    ]
    return np.concatenate(made, axis=1).astype(float)


def _auroc_of(sums: np.ndarray) -> np.ndarray:
    positive, negative = np.split(sums, 2, axis=-1)
    p, n = positive.sum(-1), negative.sum(-1)
    below = n[..., None] - np.cumsum(negative, -1) + negative / 2
    return np.where((p > 0) & (n > 0), (positive * below).sum(-1) / np.maximum(p * n, 1), np.nan)


def _known(view: View) -> np.ndarray:
    return np.isfinite(view.observed)


def _specific(view: View) -> np.ndarray:
    return _known(view) & view.specific  # type: ignore[operator]


def _average_precision(sums: np.ndarray) -> np.ndarray:
    """Average precision, of scores that are equal within a level."""
    positive, negative = np.split(sums, 2, axis=-1)
    found = np.cumsum(positive, -1)
    precision = found / np.maximum(np.cumsum(positive + negative, -1), 1)
    p = found[..., -1]
    return np.where(p > 0, (positive * precision).sum(-1) / np.maximum(p, 1), np.nan)


def _variable_rows(view: View, predicted: np.ndarray) -> np.ndarray:
    return _shifted(predicted, np.where(view.variable, view.observed, np.nan))  # type: ignore[arg-type]


METRICS: dict[str, Metric] = {
    "pearson": _of_sums(_rows(lambda v, p: _shifted(p, v.observed)), metrics.pearson_of),
    "pearson_log1p": _of_sums(_rows(lambda v, p: _shifted(_log(p), _log(v.observed))), metrics.pearson_of),
    "spearman": _of_sums(_rows(_rank_rows), metrics.pearson_of),
    "profile": _of_sums(_rows(lambda v, p: metrics.profile_rows(p, v.observed)), _mean_of),
    "counts": _of_sums(_rows(_count_rows), metrics.pearson_of),
    "poisson_deviance": _of_sums(_rows(lambda v, p: metrics.deviance_sums(p, v.observed)), metrics.deviance_of),
    "r2": _of_sums(_rows(lambda v, p: _shifted(p, v.observed)), metrics.r2_of),
    "auroc": _of_classes(_auroc_of, _known),
    "auprc": _of_classes(_average_precision, _known),
    "partial": _of_sums(_rows(lambda v, p: metrics.partial_sums(p, v.observed, v.average)), metrics.partial_of),
    "pearson_variable": _of_sums(_rows(_variable_rows), metrics.pearson_of),
    "ap_specific": _of_classes(_average_precision, _specific),
}


def applicable(view: View) -> list[str]:
    """Names of the metrics that the track has, in their order."""
    known = view.observed[_known(view)]
    signal = view.raw and len(known) > 0 and known.min() >= 0
    bins = view.observed.shape[1]
    both = 0 < int(view.positive[_known(view)].sum()) < len(known)
    asked = {
        "pearson_log1p": signal,
        "counts": signal and len(view.observed) > 2,
        "poisson_deviance": signal,
        "profile": bins > 2,
        "auroc": both,
        "auprc": both,
        "partial": view.average is not None,
        "pearson_variable": view.variable is not None and bool((view.variable & _known(view)).any()),
        "ap_specific": view.specific is not None and int((view.positive & _specific(view)).sum()) >= LEAST_POSITIVES,
    }
    return [name for name in METRICS if asked.get(name, True)]


def beside(name: str, view: View, predicted: np.ndarray) -> dict[str, Any]:
    """What a metric is to be read beside."""
    if name in ("auroc", "auprc", "ap_specific"):
        bins = _specific(view) if name == "ap_specific" else _known(view)
        return {"prevalence": float(view.positive[bins].mean()), "n": int(bins.sum())}
    if name == "profile":
        _, left_out, flat = metrics.profile_correlation(predicted, view.observed)
        return {"windows_left_out": left_out, "windows_flat": flat, "n": int(len(view.observed) - left_out)}
    if name == "counts":
        return {"n": int(_known(view).any(1).sum())}
    if name == "pearson_variable":
        return {"n": int((view.variable & _known(view)).sum())}  # type: ignore[operator]
    if name == "r2":
        return {"n": int(_known(view).sum()), "variance_of_top_bins": metrics.leverage(view.observed)}
    return {"n": int(_known(view).sum())}
