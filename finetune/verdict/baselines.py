"""What doing next to nothing reaches: a model has gained only what it predicts better than the best of these.

Everything is fitted on training windows and training cells: the functions are given nothing else of the judged cell.
Where the judged cell was seen in training, on other chromosomes, its own track there is given too, and each baseline
may use it as the model could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetune.verdict.metrics import pearson

__all__ = [
    "AFFINE",
    "AVERAGE",
    "BASE",
    "CONSTANT",
    "MIX",
    "NEAREST",
    "PROFILE",
    "RIDGE",
    "WITHOUT",
    "Known",
    "affine",
    "baselines",
    "best_baseline",
    "mean_of",
    "mix_weights",
    "nearest",
    "skill",
    "squared_error",
    "stand_in",
]

CONSTANT = "constant"
PROFILE = "mean profile of training windows"
AVERAGE = "training average"
AFFINE = "affine average"
MIX = "mix of training cells"
RIDGE = "ridge mix of training cells"
NEAREST = "nearest training cell"
BASE = "frozen base"
WITHOUT = "same model without the cell's input"

#: Ridge penalty as a share of the mean variance of the cells.
PENALTY = 1e-3
#: Windows read at once.
CHUNK = 512


@dataclass(frozen=True)
class Known:
    """What may be used to predict one track on the judged windows without a model.

    Arrays may be memory maps; NaN is not measured. ``k`` training cells (or tracks of the same assay), the judged one
    not among them; ``n`` training windows, ``m`` judged ones.

    Attributes:
        cells: names of the k.
        train: (k, n, bins) their tracks on training windows. test: (k, m, bins) on the judged windows.
        own: (n, bins) the judged track on training windows; None where its cell is held out altogether.
        atac: (k, n, bins) input tracks of the training cells on training windows, and ``own_atac`` (n, bins) that of
            the judged cell; None where the model has no such input.
        base_train, base_test: (tracks, n, bins) and (tracks, m, bins) predictions of the frozen base.
        without: (m, bins) of the same model without the cell's input.
    """

    cells: Sequence[str]
    train: np.ndarray
    test: np.ndarray
    own: np.ndarray | None = None
    atac: np.ndarray | None = None
    own_atac: np.ndarray | None = None
    base_train: np.ndarray | None = None
    base_test: np.ndarray | None = None
    without: np.ndarray | None = None


def baselines(known: Known) -> dict[str, np.ndarray]:
    """Every baseline that applies, by name, (m, bins) float32 each, without NaN.

    The constant always does. The average and its kin need training cells; the nearest cell needs the cell's own track
    or its ATAC on training windows; the frozen base is its track that is nearest, brought to the scale of the target.

    Raises:
        ValueError: neither the own track nor any training cell is given, or nothing in them is measured.
    """
    k, (m, bins) = len(known.cells), np.shape(known.test)[1:]
    mean, profile = _profile(known.own[None] if known.own is not None else known.train)
    made = {CONSTANT: np.full((m, bins), mean, np.float32), PROFILE: np.tile(profile, (m, 1))}
    if k:
        made |= _of_cells(known, mean)
    if known.base_train is not None and known.base_test is not None:
        made[BASE] = _of_base(known)
    if known.without is not None:
        made[WITHOUT] = known.without
    return {name: _without_nan(values, mean) for name, values in made.items()}


def _of_cells(known: Known, mean: float) -> dict[str, np.ndarray]:
    """Average, affine average, mixes and nearest cell."""
    average = mean_of(known.test)
    a, b = affine(mean_of(known.train), known.own) if known.own is not None else _shared_affine(known.train)
    made = {AVERAGE: average, AFFINE: a + b * average}
    fits_own = known.own is not None
    target, cells = (known.own, known.train) if fits_own else (known.own_atac, known.atac)
    if target is None or cells is None:
        return made
    moments = _moments(cells, target)
    means = _means(known.train)
    centre = mean if fits_own else float(np.nanmean(means))
    levels = moments.mean[:-1] if fits_own else np.where(np.isfinite(means), means, centre)
    for name, negative in ((MIX, False), (RIDGE, True)):
        made[name] = _mixed(known.test, mix_weights(moments.gram, moments.cross, negative), levels, centre)
    chosen = nearest(known.atac, known.own_atac) if known.own_atac is not None else nearest(cells, target)
    values = _filled_cell(known.test, chosen)
    if known.own is not None:
        a, b = affine(_filled_cell(known.train, chosen), known.own)
        values = a + b * values
    made[NEAREST] = values
    return made


def _of_base(known: Known) -> np.ndarray:
    """The base's nearest track, its scale fitted on training windows; to the average where the cell is held out."""
    target = known.own if known.own is not None else mean_of(known.train)
    chosen = nearest(known.base_train, target)
    a, b = affine(np.asarray(known.base_train[chosen]), target)
    return a + b * np.asarray(known.base_test[chosen], dtype=np.float64)


def affine(predictor: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Least-squares a and b of target = a + b * predictor over bins that both have; b is 0 for a constant."""
    x, y = np.asarray(predictor, np.float64).ravel(), np.asarray(target, np.float64).ravel()
    kept = np.isfinite(x) & np.isfinite(y)
    if not kept.any():
        return 0.0, 0.0
    x, y = x[kept], y[kept]
    deviation = x - x.mean()
    spread = float((deviation**2).sum())
    b = float((deviation * y).sum()) / spread if spread > 1e-10 * float((x**2).sum()) else 0.0
    return float(y.mean() - b * x.mean()), b


def _shared_affine(train: np.ndarray) -> tuple[float, float]:
    """For a cell that is held out: a and b of training cells, each against the average without itself, pooled."""
    if len(train) < 2:
        return 0.0, 1.0
    sums = np.zeros(5)
    for first in range(0, train.shape[1], CHUNK):
        part = np.asarray(train[:, first : first + CHUNK], dtype=np.float64)
        seen = np.isfinite(part)
        others = seen.sum(0) - seen
        average = np.where(others > 0, (np.nansum(part, 0) - np.nan_to_num(part)) / np.maximum(others, 1), np.nan)
        kept = seen & (others > 0)
        x, y = average[kept], part[kept]
        sums += len(x), x.sum(), y.sum(), x @ x, x @ y
    n, x, y, xx, xy = sums
    spread = xx - x * x / max(n, 1)
    b = (xy - x * y / n) / spread if n and spread > 1e-10 * xx else 0.0
    return float((y - b * x) / max(n, 1)), float(b)


def mix_weights(gram: np.ndarray, cross: np.ndarray, negative: bool) -> np.ndarray:
    """Weights of cells whose mix is nearest to a track, from centred sums of products.

    Args:
        gram: (k, k) of cells with cells. cross: (k,) of cells with the track.
        negative: allow weights below 0 (ridge regression); without, non-negative least squares by coordinate descent.
    """
    k = len(cross)
    ridge = PENALTY * np.trace(gram) / max(k, 1)
    penalised = gram + ridge * np.eye(k)
    if ridge <= 0:
        return np.zeros(k)
    if negative:
        return np.linalg.solve(penalised, cross)
    weights = np.zeros(k)
    for _ in range(10_000):
        before = weights.copy()
        for j in range(k):
            rest = cross[j] - penalised[j] @ weights + penalised[j, j] * weights[j]
            weights[j] = max(0.0, rest / penalised[j, j])
        if np.abs(weights - before).max() <= 1e-10 * max(np.abs(weights).max(), 1e-30):
            break
    return weights


def nearest(tracks: np.ndarray, target: np.ndarray) -> int:
    """The track, of (k, n, bins), that correlates most with the target; the first where none is defined."""
    found = np.array([pearson(np.asarray(track), np.asarray(target)) for track in tracks])
    return int(np.argmax(np.where(np.isfinite(found), found, -np.inf)))


@dataclass(frozen=True)
class _Moments:
    """Means (k + 1,) of cells and target over shared bins, and their centred products."""

    mean: np.ndarray
    gram: np.ndarray
    cross: np.ndarray


def _moments(cells: np.ndarray, target: np.ndarray) -> _Moments:
    """Over bins where the target and any cell is measured; other cells stand in for one that is not."""
    k = len(cells)
    # A rough centre first, so that sums of squares keep their digits.
    centre = np.nan_to_num(np.append(_means(cells[:, :CHUNK]), _means(np.asarray(target[:CHUNK])[None])))
    sums, products, n = np.zeros(k + 1), np.zeros((k + 1, k + 1)), 0
    for first in range(0, cells.shape[1], CHUNK):
        part = stand_in(np.asarray(cells[:, first : first + CHUNK], dtype=np.float64)).reshape(k, -1)
        own = np.asarray(target[first : first + CHUNK], dtype=np.float64).reshape(1, -1)
        rows = np.concatenate([part, own]) - centre[:, None]
        rows = rows[:, np.isfinite(rows).all(0)]
        sums += rows.sum(1)
        products += rows @ rows.T
        n += rows.shape[1]
    if n == 0:
        raise ValueError("no bin of the training windows is measured in the judged track and in a training cell")
    products -= np.outer(sums, sums) / n
    return _Moments(sums / n + centre, products[:k, :k], products[:k, k])


def _mixed(test: np.ndarray, weights: np.ndarray, levels: np.ndarray, centre: float) -> np.ndarray:
    out = np.empty(test.shape[1:], np.float32)
    for first in range(0, test.shape[1], CHUNK):
        part = stand_in(np.asarray(test[:, first : first + CHUNK], dtype=np.float64))
        out[first : first + CHUNK] = centre + np.tensordot(weights, part - levels[:, None, None], 1)
    return out


def stand_in(part: np.ndarray) -> np.ndarray:
    """(k, n, bins) with the mean of the other cells where one is not measured."""
    return np.where(np.isfinite(part), part, mean_of(part)) if np.isnan(part).any() else part


def _filled_cell(cells: np.ndarray, chosen: int) -> np.ndarray:
    values = np.asarray(cells[chosen], dtype=np.float64)
    return np.where(np.isfinite(values), values, mean_of(cells)) if np.isnan(values).any() else values


def mean_of(cells: np.ndarray) -> np.ndarray:
    """Mean over cells that are measured, (k, n, bins) to (n, bins); NaN where none is. One cell at a time is held."""
    total, seen = np.zeros(cells.shape[1:]), np.zeros(cells.shape[1:], np.int32)
    for cell in cells:
        values = np.asarray(cell, dtype=np.float64)
        known = np.isfinite(values)
        total += np.where(known, values, 0.0)
        seen += known
    return np.where(seen > 0, total / np.maximum(seen, 1), np.nan)


def _means(cells: np.ndarray) -> np.ndarray:
    """(k,) mean of each cell over what is measured; NaN where nothing is."""
    values = (np.asarray(cell, dtype=np.float64) for cell in cells)
    return np.array([np.nanmean(cell) if np.isfinite(cell).any() else np.nan for cell in values])


def _profile(cells: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean over cells and windows of all bins, and of each bin position (bins,)."""
    total = np.zeros(cells.shape[-1])
    seen = np.zeros(cells.shape[-1])
    for cell in cells:
        values = np.asarray(cell, dtype=np.float64)
        total += np.nansum(values, 0)
        seen += np.isfinite(values).sum(0)
    if not seen.any():
        raise ValueError("nothing is measured on the training windows: no baseline can be fitted")
    mean = total.sum() / seen.sum()
    return float(mean), np.where(seen > 0, total / np.maximum(seen, 1), mean).astype(np.float32)


def _without_nan(values: np.ndarray, mean: float) -> np.ndarray:
    values = np.asarray(values)
    return np.where(np.isfinite(values), values, mean).astype(np.float32)


def squared_error(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Sum of squared errors over bins that both have."""
    difference = np.asarray(predicted, dtype=np.float64) - np.asarray(observed, dtype=np.float64)
    return float(np.nansum(difference**2))


def skill(predicted: np.ndarray, observed: np.ndarray, baseline: np.ndarray) -> float:
    """1 - squared error / that of the baseline, over bins that all three have; 0 is the baseline, 1 the truth."""
    kept = np.isfinite(observed) & np.isfinite(predicted) & np.isfinite(baseline)
    bottom = squared_error(np.where(kept, baseline, np.nan), observed)
    top = squared_error(np.where(kept, predicted, np.nan), observed)
    if bottom == 0:
        return 0.0 if top == 0 else -np.inf
    return 1 - top / bottom


def best_baseline(made: Mapping[str, np.ndarray], observed: np.ndarray) -> str:
    """The one with the smallest squared error on the judged windows themselves: the hardest, so that none beats it."""
    return min(made, key=lambda name: squared_error(made[name], observed))
