"""How well a prediction fits what was measured: plain functions of two arrays of one shape.

Arrays are (n, bins) or flat; a bin that is not measured is NaN in ``observed`` and counts nowhere. A value that is not
defined (the correlation of a constant) is NaN, never 0. What is a function of sums has a function of rows as well
(``moments``, ``deviance_sums``, ...), one row of sums a window, so that ``intervals`` can add up blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "Calibration",
    "auprc",
    "auroc",
    "average_ranks",
    "calibration",
    "coarser",
    "count_correlation",
    "count_rows",
    "deviance_of",
    "deviance_sums",
    "leverage",
    "moments",
    "most_variable",
    "partial_correlation",
    "partial_of",
    "partial_sums",
    "pearson",
    "pearson_of",
    "poisson_deviance",
    "profile_correlation",
    "profile_rows",
    "r2",
    "r2_of",
    "residual_by_depth",
    "spearman",
]

#: A variance below this share of the mean square is rounding, and the values are a constant.
FLAT = 1e-10
#: Predictions below this share of the mean are raised to it in a Poisson deviance, where 0 would cost infinity.
LOWEST_RATE = 1e-3


def _measured(*arrays: np.ndarray) -> list[np.ndarray]:
    """The bins that are numbers in all arrays, flat and float64."""
    flat = [np.asarray(array, dtype=np.float64).ravel() for array in arrays]
    kept = np.isfinite(flat[0])
    for array in flat[1:]:
        kept &= np.isfinite(array)
    return [array[kept] for array in flat]


def _filled(*arrays: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Which bins are numbers in all (n, bins) arrays, and the arrays with 0 elsewhere."""
    wide = [np.atleast_2d(np.asarray(array, dtype=np.float64)) for array in arrays]
    kept = np.isfinite(wide[0])
    for array in wide[1:]:
        kept &= np.isfinite(array)
    return kept, [np.where(kept, array, 0.0) for array in wide]


def _over(top: np.ndarray, bottom: np.ndarray, defined: np.ndarray) -> np.ndarray:
    return np.where(defined, top / np.where(defined, bottom, 1.0), np.nan)


# --- sums of one row a window: count, x, y, xx, yy, xy


def moments(predicted: np.ndarray, observed: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """(n, 6) sums of each window: count, x, y, x², y², xy of x = predicted - shift, y = observed - shift.

    A shift near the mean keeps digits; correlations and squared errors do not depend on it.
    """
    kept, (x, y) = _filled(np.asarray(predicted, dtype=float) - shift, np.asarray(observed, dtype=float) - shift)
    return np.stack([kept.sum(1), x.sum(1), y.sum(1), (x * x).sum(1), (y * y).sum(1), (x * y).sum(1)], axis=1).astype(
        float
    )


def pearson_of(sums: np.ndarray) -> np.ndarray:
    """Pearson correlation of ``moments``, (..., 6) to (...); NaN where either side is a constant."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    safe = np.maximum(n, 1)
    var_x, var_y = xx / safe - (x / safe) ** 2, yy / safe - (y / safe) ** 2
    varies = (var_x > FLAT * xx / safe) & (var_y > FLAT * yy / safe) & (n > 1)
    scale = np.sqrt(np.where(varies, var_x * var_y, 1.0))
    return np.clip(_over(xy / safe - x * y / safe**2, scale, varies), -1, 1)


def r2_of(sums: np.ndarray) -> np.ndarray:
    """Share of the variance of the observed that is explained, of ``moments``; negative below the mean."""
    n, _, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    safe = np.maximum(n, 1)
    total = yy - y**2 / safe
    return 1 - _over(xx - 2 * xy + yy, total, total > FLAT * yy)


def pearson(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Pearson correlation over all bins."""
    x, y = _measured(predicted, observed)
    if len(x) < 2:
        return np.nan
    return float(pearson_of(moments(x - x.mean() + y.mean(), y, y.mean()).sum(0)))


def r2(predicted: np.ndarray, observed: np.ndarray) -> float:
    """1 - squared error / variance over all bins. On raw counts a few bins decide it: see ``leverage``."""
    x, y = _measured(predicted, observed)
    return float(r2_of(moments(x, y, y.mean()).sum(0))) if len(y) else np.nan


def leverage(observed: np.ndarray, share: float = 0.001) -> float:
    """Share of the observed variance that the most extreme ``share`` of bins hold (at least one bin)."""
    (y,) = _measured(observed)
    if not len(y) or y.var() == 0:
        return np.nan
    squared = np.sort((y - y.mean()) ** 2)
    return float(squared[-max(1, int(share * len(y))) :].sum() / squared.sum())


# --- ranks


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 of flat values, ties sharing their mean rank."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[number]


def spearman(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Pearson correlation of ranks, ties averaged."""
    x, y = _measured(predicted, observed)
    return pearson(average_ranks(x), average_ranks(y))


# --- windows: the shape within, the sum of each


def profile_rows(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """(n, 3) of each window: whether it counts, its correlation, whether the prediction is flat in it.

    A window whose observed bins do not vary has no profile and is left out. One whose prediction does not vary counts
    with a correlation of 0, so that no model leaves out its own failures.
    """
    rows = moments(predicted, observed, float(np.nanmean(observed)) if np.isfinite(observed).any() else 0.0)
    n, _, y, _, yy, _ = rows.T
    safe = np.maximum(n, 1)
    counts = (n > 1) & (yy / safe - (y / safe) ** 2 > FLAT * yy / safe)
    own = pearson_of(rows)
    flat = counts & ~np.isfinite(own)
    return np.stack([counts, np.where(counts & ~flat, own, 0.0), flat], axis=1).astype(float)


def profile_correlation(predicted: np.ndarray, observed: np.ndarray) -> tuple[float, int, int]:
    """Mean over windows of the correlation within each; how many were left out, and how many predictions are flat."""
    rows = profile_rows(predicted, observed)
    n = rows[:, 0].sum()
    return (float(rows[:, 1].sum() / n) if n else np.nan), int(len(rows) - n), int(rows[:, 2].sum())


def count_rows(predicted: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log1p of each window's sums over its measured bins, (n,) each; NaN for windows without any, or a sum below 0.

    A prediction whose sum is below 0 counts as 0.
    """
    kept, (x, y) = _filled(predicted, observed)
    with np.errstate(invalid="ignore"):
        logs = np.log1p(np.maximum(x.sum(1), 0)), np.log1p(np.where(y.sum(1) >= 0, y.sum(1), np.nan))
    return tuple(np.where(kept.any(1), values, np.nan) for values in logs)  # type: ignore[return-value]


def count_correlation(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Correlation over windows of log1p of their sums."""
    return pearson(*count_rows(predicted, observed))


# --- Poisson


def deviance_sums(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """(n, 4) sums of each window: count, y, y log y, and y log mu - mu of rates mu.

    Rates below ``LOWEST_RATE`` of the observed mean are raised to it.
    """
    kept, (x, y) = _filled(predicted, observed)
    mean = y.sum() / max(kept.sum(), 1)
    rate = np.where(kept, np.maximum(x, max(LOWEST_RATE * mean, 1e-300)), 1.0)
    own = y * np.log(np.where(y > 0, y, 1.0))
    fit = np.where(kept, y * np.log(rate) - rate, 0.0)
    return np.stack([kept.sum(1), y.sum(1), own.sum(1), fit.sum(1)], axis=1).astype(float)


def deviance_of(sums: np.ndarray) -> np.ndarray:
    """Poisson deviance explained, 1 - D(mu) / D(mean), of ``deviance_sums``.

    Twice the sum of y log(y / mu) - (y - mu); the mean is that of the bins, so a constant explains at most 0.
    """
    n, y, own, fit = np.moveaxis(sums, -1, 0)
    mean = np.where(y > 0, y / np.maximum(n, 1), 1.0)
    null = own - y * np.log(mean)
    return 1 - _over(own - y - fit, null, null > FLAT * np.abs(own) + 1e-300)


def poisson_deviance(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Poisson deviance explained over all bins; NaN where an observed value is negative."""
    (y,) = _measured(observed)
    if (y < 0).any():
        return np.nan
    return float(deviance_of(deviance_sums(predicted, observed).sum(0)))


# --- two classes


def auroc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive bin scores above a negative one, ties half."""
    x, y = _measured(score, label)
    positive = y > 0
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return np.nan
    return float((average_ranks(x)[positive].sum() - n * (n + 1) / 2) / (n * m))


def auprc(score: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Average precision over distinct scores, and the prevalence, which a score without any knowledge reaches."""
    x, y = _measured(score, label)
    positive = y > 0
    if not positive.any():
        return np.nan, 0.0 if len(y) else np.nan
    order = np.argsort(-x, kind="stable")
    last = np.append(np.flatnonzero(np.diff(x[order])), len(x) - 1)
    found = np.cumsum(positive[order])[last]
    steps = np.diff(found, prepend=0) / found[-1]
    return float((steps * found / (last + 1)).sum()), float(positive.mean())


# --- given the average


def partial_sums(predicted: np.ndarray, observed: np.ndarray, average: np.ndarray) -> np.ndarray:
    """(n, 10) sums of each window: count, x, y, z, x², y², z², xy, xz, yz, about the means over all."""
    kept, filled = _filled(predicted, observed, average)
    n = max(int(kept.sum()), 1)
    x, y, z = (np.where(kept, values - values.sum() / n, 0.0) for values in filled)
    products = (x, y, z, x * x, y * y, z * z, x * y, x * z, y * z)
    return np.stack([kept.sum(1), *(product.sum(1) for product in products)], axis=1).astype(float)


def partial_of(sums: np.ndarray) -> np.ndarray:
    """Partial correlation of ``partial_sums``; NaN where the average alone gives the prediction or the observation."""
    n, x, y, z, xx, yy, zz, xy, xz, yz = np.moveaxis(sums, -1, 0)
    rxy, rxz, ryz = (
        pearson_of(np.stack([n, *part], axis=-1))
        for part in ((x, y, xx, yy, xy), (x, z, xx, zz, xz), (y, z, yy, zz, yz))
    )
    # An average that does not vary gives nothing away.
    rxz, ryz = np.where(np.isfinite(rxz), rxz, 0.0), np.where(np.isfinite(ryz), ryz, 0.0)
    left = (1 - rxz**2) * (1 - ryz**2)
    defined = (1 - rxz**2 > 1e-6) & (1 - ryz**2 > 1e-6) & np.isfinite(rxy)
    return np.clip(
        _over(np.where(defined, rxy - rxz * ryz, 0.0), np.sqrt(np.where(defined, left, 1.0)), defined), -1, 1
    )


def partial_correlation(predicted: np.ndarray, observed: np.ndarray, average: np.ndarray) -> float:
    """Correlation of prediction and observation with what the average explains linearly taken out of both.

    Unlike the correlation of differences from the average, it is not raised by a noise that both sides share.
    """
    return float(partial_of(partial_sums(predicted, observed, average).sum(0)))


# --- parts and shapes


def most_variable(variance: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Bool of the bins whose variance over training cells is among the top ``share``; NaN is never."""
    flat = np.asarray(variance, dtype=float)
    known = np.isfinite(flat)
    if not known.any():
        return known
    limit = np.quantile(flat[known], 1 - share)
    return known & (np.nan_to_num(flat, nan=-np.inf) >= limit) & (np.nan_to_num(flat) > 0)


@dataclass(frozen=True)
class Calibration:
    """Observed against predicted: (k,) means of both in groups of like prediction, (k,) bins in each, and the line.

    ``slope`` of the observed on the prediction is 1, ``intercept`` 0, for one that is calibrated.
    """

    predicted: np.ndarray
    observed: np.ndarray
    n: np.ndarray
    slope: float
    intercept: float


def calibration(predicted: np.ndarray, observed: np.ndarray, groups: int = 10) -> Calibration:
    """Calibration in groups of as many bins each; fewer where predictions are tied."""
    x, y = _measured(predicted, observed)
    if not len(x):
        return Calibration(*(np.zeros(0) for _ in range(3)), np.nan, np.nan)
    edges = np.unique(np.quantile(x, np.linspace(0, 1, groups + 1)[1:-1]))
    group = np.searchsorted(edges, x, side="right")
    n = np.bincount(group, minlength=len(edges) + 1)
    held = n > 0
    means = [np.bincount(group, weights=v, minlength=len(n))[held] / n[held] for v in (x, y)]
    deviation = x - x.mean()
    spread = (deviation**2).sum()
    slope = float((deviation * y).sum() / spread) if spread > FLAT * (x**2).sum() else np.nan
    return Calibration(means[0], means[1], n[held], slope, float(y.mean() - slope * x.mean()))


def residual_by_depth(
    predicted: np.ndarray, observed: np.ndarray, depth: np.ndarray, groups: int = 5
) -> tuple[list[tuple[float, float, int]], float]:
    """Mean residual of windows in groups of like depth, and Spearman of the two over windows.

    Args:
        depth: (n,) reads or any other depth of each window.

    Returns:
        (mean depth, mean observed - predicted of a bin, windows) of each group, shallow first; the correlation.
    """
    kept, (x, y) = _filled(predicted, observed)
    n = kept.sum(1)
    residual, deep = _measured(np.where(n > 0, (y - x).sum(1) / np.maximum(n, 1), np.nan), depth)
    if not len(deep):
        return [], np.nan
    parts = np.array_split(np.argsort(deep, kind="stable"), min(groups, len(deep)))
    table = [(float(deep[part].mean()), float(residual[part].mean()), len(part)) for part in parts]
    return table, spearman(residual, deep)


def coarser(values: np.ndarray, group: int) -> np.ndarray:
    """Sums of ``group`` neighbouring bins, (n, bins) to (n, bins / group); NaN where one of them is.

    Raises:
        ValueError: ``group`` does not divide the bins.
    """
    values = np.asarray(values, dtype=np.float64)
    return values.reshape(len(values), -1, group).sum(axis=2)
