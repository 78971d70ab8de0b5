"""What the page draws of a track: windows chosen by rules that cannot flatter, and the density of all bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Drawing", "Example", "Place", "drawing_of"]

#: Points of a drawn line; finer bins are means of neighbours.
POINTS = 240
CELLS = 48


@dataclass(frozen=True)
class Place:
    """Where windows lie: (n,) names, (n,) bp of the first bin, bp of a bin."""

    chrom: np.ndarray
    start: np.ndarray
    bin_size: int


@dataclass(frozen=True)
class Example:
    """One window: why it was chosen, where it lies, and (points,) of each line; NaN where not measured."""

    why: str
    chrom: str
    start: int
    end: int
    observed: np.ndarray
    predicted: np.ndarray
    baseline: np.ndarray


@dataclass(frozen=True)
class Drawing:
    """Of one place.

    Attributes:
        name: of the track and its cell. baseline: the one that is drawn, the best.
        density: (cells, cells) bins by predicted (columns) and observed (rows). edges: (cells + 1,) of both.
        log: whether the density is of log1p.
        examples: the windows where the model gained and lost most against the baseline, and the middle one.
    """

    name: str
    baseline: str
    density: np.ndarray
    edges: np.ndarray
    log: bool
    examples: tuple[Example, ...]


def drawing_of(
    label: str,
    place: Place,
    observed: np.ndarray,
    predicted: np.ndarray,
    best: tuple[str, np.ndarray],
    raw: bool,
) -> Drawing:
    """What is drawn of a judged track beside its best baseline, (name, prediction)."""
    name, baseline = best
    known = np.isfinite(observed)
    log = raw and bool(known.any()) and float(np.nanmin(observed)) >= 0
    density, edges = _density(predicted[known], observed[known], log)
    return Drawing(label, name, density, edges, log, _examples(place, observed, predicted, baseline))


def _density(predicted: np.ndarray, observed: np.ndarray, log: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bins by both values; the scale ends at the 99.9th percentile and what lies beyond is in the last cell."""
    x, y = (np.log1p(np.maximum(v, 0)) if log else v for v in (predicted, observed))
    if not len(x):
        return np.zeros((CELLS, CELLS), int), np.linspace(0, 1, CELLS + 1)
    low = min(np.quantile(x, 0.001), np.quantile(y, 0.001))
    high = max(np.quantile(x, 0.999), np.quantile(y, 0.999))
    edges = np.linspace(low, high if high > low else low + 1, CELLS + 1)
    counts, _, _ = np.histogram2d(np.clip(y, edges[0], edges[-1]), np.clip(x, edges[0], edges[-1]), (edges, edges))
    return counts.astype(int), edges


def _examples(place: Place, observed: np.ndarray, predicted: np.ndarray, baseline: np.ndarray) -> tuple[Example, ...]:
    """Chosen by the gain in squared error: the most, the middle, and the least."""
    whole = np.flatnonzero(np.isfinite(observed).mean(1) > 0.5)
    if not len(whole):
        return ()
    gain = np.nansum((baseline[whole] - observed[whole]) ** 2 - (predicted[whole] - observed[whole]) ** 2, axis=1)
    order = whole[np.argsort(-gain, kind="stable")]
    chosen = {
        int(order[0]): "largest gain on the baseline" if gain.max() > 0 else "smallest loss to the baseline",
        int(order[len(order) // 2]): "middle window by gain",
        int(order[-1]): "largest loss to the baseline" if gain.min() < 0 else "smallest gain on the baseline",
    }
    bins = observed.shape[1]
    return tuple(
        Example(
            why, str(place.chrom[row]), int(place.start[row]), int(place.start[row]) + bins * place.bin_size,
            *(_fewer(values[row]) for values in (observed, predicted, baseline)),
        )
        for row, why in chosen.items()
    )  # fmt: skip


def _fewer(values: np.ndarray) -> np.ndarray:
    """Means of neighbours, at most ``POINTS``; NaN where all are."""
    group = -(-len(values) // POINTS)
    padded = np.append(values, np.full(-len(values) % group, np.nan)).reshape(-1, group)
    seen = np.isfinite(padded).sum(1)
    return np.where(seen > 0, np.nansum(padded, 1) / np.maximum(seen, 1), np.nan)
