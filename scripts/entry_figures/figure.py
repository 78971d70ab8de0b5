"""One figure of an entry as its card has it: a metric beside its best baseline, with the interval of the house."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.verdict.intervals import Interval, block_bootstrap, resample_rows
from finetune.verdict.measures import METRICS, View, positives
from finetune.verdict.score import score_track

__all__ = ["Figure", "mean_correlation", "measured", "of_rows"]

DIGITS = 3


@dataclass(frozen=True)
class Figure:
    """What `scripts/evaluate_entries.py` measures; its fields are those of a card's ``evaluation``.

    Attributes:
        n: items that the metric is over, told in ``metric`` or ``split``.
        baseline: name and value of the best of the simple predictors that were tried.
    """

    metric: str
    value: float
    ci: Interval
    n: int
    split: str
    output: str
    baseline: tuple[str, float]

    def record(self, command: str) -> dict[str, Any]:
        """The figure as a card has it, rounded."""
        low_high = {} if self.ci is None else {"ci": [round(value, DIGITS) for value in self.ci]}
        return {
            "metric": self.metric,
            "value": round(self.value, DIGITS),
            **low_high,
            "n": self.n,
            "split": self.split,
            "output": self.output,
            "baseline": {"name": self.baseline[0], "value": round(self.baseline[1], DIGITS)},
            "command": command,
        }


def measured(
    metrics: Mapping[str, str],
    predicted: np.ndarray,
    observed: np.ndarray,
    block: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    split: str,
    output: str,
    n: int | None = None,
) -> list[Figure]:
    """Figures by the metrics of the verdict of `zoo finetune`.

    Args:
        metrics: name of a metric there -> what the card calls it.
        predicted, observed: (n, bins); of labels, 1 is a positive; NaN in ``observed`` counts nowhere.
        block: (n,) any names of the blocks that are resampled.
        baselines: (n, bins) by name; the best in each metric stands beside it.
        n: what the card gives as the number of items; default that of the observed values.

    Raises:
        ValueError: a metric is not defined for these values.
    """
    _, number = np.unique(block, return_inverse=True)
    blocks = int(number.max()) + 1
    view = View(np.asarray(observed, dtype=float), number, blocks, positives(observed), exact=sys.maxsize)
    scored = score_track(view, predicted, baselines)
    figures = []
    for name, called in metrics.items():
        found = scored.get(name)
        if found is None or not np.isfinite(found["value"]) or found["best_baseline"] is None:
            raise ValueError(f"{called}: not defined for {int(np.isfinite(observed).sum())} values on {split}")
        best = found["best_baseline"]
        items = int(np.isfinite(observed).sum()) if n is None else n
        figures.append(
            Figure(called, found["value"], found["ci"], items, split, output, (best, found["baselines"][best]))
        )
    return figures


def of_rows(
    called: str,
    statistic: Callable[[np.ndarray, np.ndarray], float],
    predicted: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    block: np.ndarray,
    n: int,
    split: str,
    output: str,
) -> Figure:
    """A figure whose metric is no function of sums: it is computed anew for each resample of blocks.

    Args:
        statistic: of an array of predictions, and of the numbers of its rows that count.
    """
    every = np.arange(len(predicted))
    reached = {name: statistic(values, every) for name, values in baselines.items()}
    best = max(reached, key=lambda name: reached[name])
    ci = resample_rows(lambda rows: statistic(predicted, rows), block)
    return Figure(called, statistic(predicted, every), ci, n, split, output, (best, reached[best]))


def mean_correlation(
    called: str,
    predicted: np.ndarray,
    observed: np.ndarray,
    block: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    split: str,
    output: str,
) -> Figure:
    """The Pearson correlation over all bins of each track, its mean over tracks.

    Args:
        predicted, observed: (tracks, n, bins). block: (n,). baselines: (n, bins) by name, the same for every track.
    """
    _, number = np.unique(block, return_inverse=True)
    blocks, pearson = int(number.max()) + 1, METRICS["pearson"]

    def sums(tracks: np.ndarray) -> np.ndarray:
        """(blocks, tracks * 6)."""
        parts = [
            pearson.sums(View(seen, number, blocks, positives(seen)), track)
            for track, seen in zip(tracks, observed.astype(float), strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def mean(summed: np.ndarray) -> np.ndarray:
        return pearson.of(summed.reshape(*summed.shape[:-1], len(observed), -1)).mean(-1)

    def reached(one: np.ndarray) -> float:
        return float(mean(sums(np.broadcast_to(one, observed.shape)).sum(0)))

    found, made = sums(predicted), {name: reached(values) for name, values in baselines.items()}
    best = max(made, key=lambda name: made[name])
    ci = block_bootstrap(mean, found)
    return Figure(called, float(mean(found.sum(0))), ci, observed[0].size, split, output, (best, made[best]))
