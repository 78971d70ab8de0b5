"""What numbers of a region say of the prediction in regions that the fit has not seen: ridge regression in folds.

A fold is whole chromosomes where they are alike enough in size, else stretches of neighbouring regions, and windows
that overlap are never on both sides. Copies of a sequence elsewhere in the genome are not looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interpret.contribs.central import Regions
from zoo.words import counted_of

__all__ = [
    "FOLDS",
    "LEAST_STRETCHES",
    "Folds",
    "NotHeldOut",
    "held_out_prediction",
    "interval",
    "share_explained",
    "split_regions",
]

FOLDS = 5
LEAST_STRETCHES = 50  # fewer leave an interval of R2 that says nothing
SMALLEST_FOLD = 0.5  # of a fifth: fewer regions than that, and whole chromosomes are no folds
DRAWS, UNITS = 2000, 200  # of the interval: resampled stretches
PENALTIES = np.logspace(-6, 3, 19)  # a region


class NotHeldOut(ValueError):
    """Why regions cannot be held out; its text is a clause."""


@dataclass(frozen=True)
class Folds:
    """How regions are held out.

    Attributes:
        of: (n,) number of the fold that a region is held out in.
        unit: (n,) number of the stretch of neighbours that is drawn as one for an interval.
        n: folds. by_chromosome: whether they are whole chromosomes.
    """

    of: np.ndarray
    unit: np.ndarray
    n: int
    by_chromosome: bool


def split_regions(regions: Regions) -> Folds:
    """Folds of regions.

    Raises:
        NotHeldOut: too few stretches that do not overlap, or one that holds more than half of the regions.
    """
    n = len(regions)
    order, stretch = _stretches(regions)
    sizes = np.bincount(stretch)
    if len(sizes) < LEAST_STRETCHES:
        raise NotHeldOut(f"{LEAST_STRETCHES} regions that do not overlap are needed, and there are {len(sizes)}")
    if sizes.max() > n / 2:
        raise NotHeldOut(f"{counted_of(int(sizes.max()), n, 'window')} overlap each other in one stretch")
    middle = (np.cumsum(sizes) - sizes / 2) / n  # 0 to 1, in the genome's order
    unit = np.empty(n, np.int64)
    unit[order] = np.unique((middle * UNITS).astype(int), return_inverse=True)[1][stretch]
    fold = _chromosome_folds(regions.chrom)
    if fold is not None:
        return Folds(fold, unit, FOLDS, True)
    fold = np.empty(n, np.int64)
    fold[order] = np.unique((middle * FOLDS).astype(int), return_inverse=True)[1][stretch]
    return Folds(fold, unit, int(fold.max()) + 1, False)


def _stretches(regions: Regions) -> tuple[np.ndarray, np.ndarray]:
    """Regions in the genome's order, and in that order the number of the stretch: windows that overlap share one."""
    _, chrom = np.unique(regions.chrom.astype(str), return_inverse=True)
    order = np.lexsort((regions.window_start, chrom))
    chrom, start, end = chrom[order], regions.window_start[order], regions.window_end[order]
    # On one axis, a chromosome behind the other, so that the largest end so far never reaches the next.
    span = int(max(end.max() - start.min(), 1)) + 1
    start, end = start + chrom * span, end + chrom * span
    begins = np.r_[True, start[1:] >= np.maximum.accumulate(end)[:-1]]
    return order, np.cumsum(begins) - 1


def _chromosome_folds(chrom: np.ndarray) -> np.ndarray | None:
    """(n,) folds of whole chromosomes, the largest first into the smallest fold; None where one stays small."""
    _, number, sizes = np.unique(chrom.astype(str), return_inverse=True, return_counts=True)
    loads, fold_of = np.zeros(FOLDS, np.int64), np.empty(len(sizes), np.int64)
    for i in np.argsort(-sizes, kind="stable"):
        fold_of[i] = loads.argmin()
        loads[fold_of[i]] += sizes[i]
    return fold_of[number] if loads.min() >= SMALLEST_FOLD * len(chrom) / FOLDS else None


def held_out_prediction(features: np.ndarray, values: np.ndarray, folds: Folds) -> np.ndarray:
    """(n,) value of each region by a ridge regression on the regions of the other folds.

    Args:
        features: (n, k). values: (n,).
    """
    predicted = np.empty(len(values))
    for fold in range(folds.n):
        held = folds.of == fold
        predicted[held] = _ridge(features[~held], values[~held])(features[held])
    return predicted


def _ridge(features: np.ndarray, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The fit with the penalty of the smallest generalized cross-validation error, as a function of features."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    varies = spread > 1e-9
    scaled = (features[:, varies] - centre[varies]) / spread[varies]
    mean, n = values.mean(), len(values)
    left = values - mean
    size, vectors = np.linalg.eigh(scaled.T @ scaled)
    size, along = np.maximum(size, 0), vectors.T @ (scaled.T @ left)
    best, weights = np.inf, np.zeros(int(varies.sum()))
    for penalty in PENALTIES * n:
        turned = along / (size + penalty)
        error = max(left @ left - 2 * turned @ along + (turned**2) @ size, 0.0)
        free = n - 1 - (size / (size + penalty)).sum()
        if free > 0 and error / free**2 < best:
            best, weights = error / free**2, vectors @ turned
    return lambda given: mean + (given[:, varies] - centre[varies]) / spread[varies] @ weights


def share_explained(values: np.ndarray, predicted: np.ndarray) -> float:
    """1 - squared error / squared deviation from the mean (R2); below 0 where the mean is nearer."""
    return float(1 - ((values - predicted) ** 2).sum() / ((values - values.mean()) ** 2).sum())


def interval(values: np.ndarray, predicted: np.ndarray, unit: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95% interval of ``share_explained`` by drawing stretches of neighbouring regions with replacement."""
    units = int(unit.max()) + 1
    error = np.bincount(unit, (values - predicted) ** 2)
    centred = values - values.mean()
    count, total, squares = (np.bincount(unit, weights) for weights in (np.ones(len(unit)), centred, centred**2))
    drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), DRAWS)
    spread = drawn @ squares - (drawn @ total) ** 2 / np.maximum(drawn @ count, 1)
    shares = 1 - (drawn @ error) / np.maximum(spread, 1e-30)
    return tuple(float(value) for value in np.percentile(shares, [2.5, 97.5]))
