"""One track at one width of bins: skill, every metric beside every baseline, and intervals paired with the best one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.verdict import metrics
from finetune.verdict.intervals import Interval, block_bootstrap, by_block, paired_interval

__all__ = ["SkillSums", "Swaps", "View", "positives", "score_track", "skill_of", "skill_sums", "skills", "swap_gain"]

#: Observed bins above this quantile are the positives of AUROC and AUPRC, unless the track is of labels.
POSITIVE_QUANTILE = 0.95
#: Levels of the scores' histogram that intervals of AUROC and AUPRC are computed from.
LEVELS = 64
LEAST_POSITIVES = 10


@dataclass(frozen=True)
class View:
    """One track as it is judged.

    Attributes:
        observed: (n, bins) float64, NaN where not measured. block: (n,) of windows. blocks: how many there are.
        positive: (n, bins) bool. average: (n, bins) or None. variable: (n, bins) bool of most variable bins, or None.
        specific: (n, bins) bool of the bins of specific loci, or None.
        raw: whether values are signals or counts as measured, not their logarithm.
        resamples, seed: of the bootstrap.
    """

    observed: np.ndarray
    block: np.ndarray
    blocks: int
    positive: np.ndarray
    average: np.ndarray | None = None
    variable: np.ndarray | None = None
    specific: np.ndarray | None = None
    raw: bool = True
    resamples: int = 1000
    seed: int = 0

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


@dataclass(frozen=True)
class _Metric:
    """A metric: its sums a block, the function of sums, and where that is an approximation the exact value."""

    sums: Sums
    of: Callable[[np.ndarray], np.ndarray]
    exact: Callable[[View, np.ndarray], float] | None = None


def _rows(rows: Callable[[View, np.ndarray], np.ndarray]) -> Sums:
    return lambda view, predicted: by_block(rows(view, predicted), view.block, view.blocks)


def _shifted(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    return metrics.moments(predicted, observed, float(np.nanmean(observed)) if np.isfinite(observed).any() else 0.0)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log1p(np.maximum(values, 0))


def _ranked(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    ranks = np.full(values.shape, np.nan)
    ranks[kept] = metrics.average_ranks(values[kept])
    return ranks


def _rank_rows(view: View, predicted: np.ndarray) -> np.ndarray:
    kept = np.isfinite(view.observed)
    return _shifted(_ranked(predicted, kept), _ranked(view.observed, kept))


def _count_rows(view: View, predicted: np.ndarray) -> np.ndarray:
    x, y = metrics.count_rows(predicted, view.observed)
    return _shifted(x[:, None], y[:, None])


def _mean_of(sums: np.ndarray) -> np.ndarray:
    n, total = sums[..., 0], sums[..., 1]
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _class_sums(bins: Callable[[View], np.ndarray]) -> Sums:
    """(blocks, 2 * levels): positives and negatives by level of the score, high first."""

    def sums(view: View, predicted: np.ndarray) -> np.ndarray:
        kept = bins(view)
        score = predicted[kept]
        tails = np.concatenate([np.geomspace(1e-4, 0.1, LEVELS // 2), np.linspace(0.1, 1, LEVELS // 2)[1:-1]])
        edges = np.unique(np.quantile(score, 1 - tails)) if len(score) else np.zeros(1)
        width = LEVELS
        level = len(edges) - np.searchsorted(edges, score, side="right")
        where = np.broadcast_to(view.block[:, None], kept.shape)[kept] * width + level
        made = [
            np.bincount(where[chosen], minlength=view.blocks * width).reshape(view.blocks, width)
            for chosen in (view.positive[kept], ~view.positive[kept])
        ]
        return np.concatenate(made, axis=1).astype(float)

    return sums


def _auroc_of(sums: np.ndarray) -> np.ndarray:
    positive, negative = np.split(sums, 2, axis=-1)
    p, n = positive.sum(-1), negative.sum(-1)
    below = n[..., None] - np.cumsum(negative, -1) + negative / 2
    return np.where((p > 0) & (n > 0), (positive * below).sum(-1) / np.maximum(p * n, 1), np.nan)


def _ap_of(sums: np.ndarray) -> np.ndarray:
    """Average precision of a histogram; within a level positives are taken as evenly spread."""
    positive, negative = np.split(sums, 2, axis=-1)
    found, passed = np.cumsum(positive, -1), np.cumsum(positive + negative, -1)
    middle = (found - positive / 2) / np.maximum(passed - (positive + negative) / 2, 0.5)
    p = found[..., -1]
    return np.where(p > 0, (positive * middle).sum(-1) / np.maximum(p, 1), np.nan)


def _known(view: View) -> np.ndarray:
    return np.isfinite(view.observed)


def _specific(view: View) -> np.ndarray:
    return _known(view) & view.specific  # type: ignore[operator]


def _exact_class(which: int, bins: Callable[[View], np.ndarray]) -> Callable[[View, np.ndarray], float]:
    def exact(view: View, predicted: np.ndarray) -> float:
        kept = bins(view)
        score, label = predicted[kept], view.positive[kept]
        return metrics.auroc(score, label) if which == 0 else metrics.auprc(score, label)[0]

    return exact


def _variable_rows(view: View, predicted: np.ndarray) -> np.ndarray:
    return _shifted(predicted, np.where(view.variable, view.observed, np.nan))  # type: ignore[arg-type]


METRICS: dict[str, _Metric] = {
    "pearson": _Metric(_rows(lambda v, p: _shifted(p, v.observed)), metrics.pearson_of),
    "pearson_log1p": _Metric(_rows(lambda v, p: _shifted(_log(p), _log(v.observed))), metrics.pearson_of),
    "spearman": _Metric(_rows(_rank_rows), metrics.pearson_of),
    "profile": _Metric(_rows(lambda v, p: metrics.profile_rows(p, v.observed)), _mean_of),
    "counts": _Metric(_rows(_count_rows), metrics.pearson_of),
    "poisson_deviance": _Metric(_rows(lambda v, p: metrics.deviance_sums(p, v.observed)), metrics.deviance_of),
    "r2": _Metric(_rows(lambda v, p: _shifted(p, v.observed)), metrics.r2_of),
    "auroc": _Metric(_class_sums(_known), _auroc_of, _exact_class(0, _known)),
    "auprc": _Metric(_class_sums(_known), _ap_of, _exact_class(1, _known)),
    "partial": _Metric(_rows(lambda v, p: metrics.partial_sums(p, v.observed, v.average)), metrics.partial_of),
    "pearson_variable": _Metric(_rows(_variable_rows), metrics.pearson_of),
    "ap_specific": _Metric(_class_sums(_specific), _ap_of, _exact_class(1, _specific)),
}


def _applicable(view: View) -> list[str]:
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


@dataclass(frozen=True)
class SkillSums:
    """Squared errors a block: (blocks,) of the model and of each baseline; which blocks hold anything; the best."""

    model: np.ndarray
    baselines: dict[str, np.ndarray]
    measured: np.ndarray
    best: str


def skill_of(sums: np.ndarray) -> np.ndarray:
    """1 - error / error of the baseline, of (..., 2) sums of squared errors; 0 where both are 0."""
    top, bottom = sums[..., 0], sums[..., 1]
    return np.where(bottom > 0, 1 - top / np.where(bottom > 0, bottom, 1), np.where(top > 0, -np.inf, 0.0))


def squared_sums(view: View, predicted: np.ndarray) -> np.ndarray:
    """(blocks,) squared errors over measured bins."""
    error = np.nansum((np.asarray(predicted, dtype=np.float64) - view.observed) ** 2, axis=1)
    return np.bincount(view.block, weights=error, minlength=view.blocks)


def skill_sums(view: View, predicted: np.ndarray, made: Mapping[str, np.ndarray]) -> SkillSums:
    """Squared errors a block; the best baseline is the one with the smallest error on these very windows."""
    errors = {name: squared_sums(view, values) for name, values in made.items()}
    best = min(errors, key=lambda name: errors[name].sum())
    return SkillSums(squared_sums(view, predicted), errors, view.measured, best)


def skills(sums: SkillSums, resamples: int, seed: int) -> dict[str, Any]:
    """Skill over the best baseline and over each, with intervals of resampled blocks, paired by nature."""

    def one(name: str) -> dict[str, Any]:
        pair = np.stack([sums.model, sums.baselines[name]], axis=1)
        ci = block_bootstrap(skill_of, pair, resamples=resamples, seed=seed, measured=sums.measured)
        return {"value": float(skill_of(pair.sum(0))), "ci": ci}

    over = {name: one(name) for name in sums.baselines}
    return {**over[sums.best], "baseline": sums.best, "over": over}


def score_track(view: View, predicted: np.ndarray, made: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Every metric that applies: value, interval, that of every baseline, and the difference from the best of them.

    A metric's best baseline is the best *in that metric*, which is the hardest to gain on.
    """
    return {name: _score(METRICS[name], name, view, predicted, made) for name in _applicable(view)}


def _score(
    metric: _Metric, name: str, view: View, predicted: np.ndarray, made: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    again: dict[str, Any] = {"resamples": view.resamples, "seed": view.seed, "measured": view.measured}

    def value(values: np.ndarray, sums: np.ndarray) -> float:
        return metric.exact(view, values) if metric.exact else float(metric.of(sums.sum(0)))

    own = metric.sums(view, predicted)
    result: dict[str, Any] = {"value": value(predicted, own), "ci": block_bootstrap(metric.of, own, **again)}
    best, best_sums, reached = None, None, {}
    for baseline, values in made.items():
        sums = metric.sums(view, values)
        reached[baseline] = value(values, sums)
        if np.isfinite(reached[baseline]) and (best is None or reached[baseline] > reached[best]):
            best, best_sums = baseline, sums
    result |= {"baselines": reached, "best_baseline": best}
    if best is not None and best_sums is not None:
        result["difference"] = result["value"] - reached[best]
        result["difference_ci"] = paired_interval(metric.of, own, best_sums, **again)
    return result | _beside(name, view, predicted)


def _beside(name: str, view: View, predicted: np.ndarray) -> dict[str, Any]:
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


@dataclass(frozen=True)
class Swaps:
    """Skill over a baseline with wrong cells' inputs.

    Attributes:
        own: with the cell's own input. value: with all wrong ones together, and ci its interval.
        each: by cell. errors: (blocks,) squared errors of all wrong ones together, a mean over them.
        gone: whether the gain went: ``ci`` is not above 0 (without an interval: ``value`` is not).
    """

    own: float
    value: float
    ci: Interval
    each: dict[str, float]
    errors: np.ndarray
    gone: bool


def swap_gain(
    predict: Callable[[str], np.ndarray], cells: Sequence[str], own: str, view: View, baseline: np.ndarray
) -> Swaps:
    """Skill over a baseline with every wrong cell's input in the place of the cell's own, one at a time.

    A gain that stays is none of the cell's: it came with any input.

    Args:
        predict: the prediction (n, bins) of the judged cell from the input of the cell it is given.
        cells: whose input may be taken; ``own``, the judged one, is left out.
        baseline: (n, bins).

    Raises:
        ValueError: there is no wrong cell.
    """
    wrong = [cell for cell in cells if cell != own]
    if not wrong:
        raise ValueError(f"no cell but {own}: its input cannot be swapped")
    bottom, total, each = squared_sums(view, baseline), np.zeros(view.blocks), {}
    for cell in wrong:
        errors = squared_sums(view, predict(cell))
        total += errors / len(wrong)
        each[cell] = float(skill_of(np.array([errors.sum(), bottom.sum()])))
    pair = np.stack([total, bottom], axis=1)
    ci = block_bootstrap(skill_of, pair, resamples=view.resamples, seed=view.seed, measured=view.measured)
    value = float(skill_of(pair.sum(0)))
    mine = float(skill_of(np.array([squared_sums(view, predict(own)).sum(), bottom.sum()])))
    return Swaps(mine, value, ci, each, total, value <= 0 if ci is None else ci[0] <= 0)
