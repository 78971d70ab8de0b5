"""Intervals by bootstrap over genomic blocks, because neighbouring bins are no independent examples.

A statistic that is a function of sums (a correlation needs six) is summed once a block; a resample adds up blocks drawn
with replacement, all resamples by one product of matrices. Two predictors are compared on the *same* drawn blocks: what
makes a block hard for both then cancels. Sources: Künsch 1989 (block bootstrap), Efron and Tibshirani 1993.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

__all__ = [
    "LEAST_BLOCKS",
    "Interval",
    "block_bootstrap",
    "block_ids",
    "by_block",
    "drawn_blocks",
    "interval_of",
    "resample_rows",
    "resampled",
]

#: No interval is given from fewer blocks: percentiles of so few are far too narrow.
LEAST_BLOCKS = 10
LEVEL = 0.95
#: Of the drawn weights held at once, in numbers.
HELD = 20_000_000

Interval = tuple[float, float] | None
Statistic = Callable[[np.ndarray], np.ndarray]


def block_ids(chrom: np.ndarray, start: np.ndarray, width: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which block each window lies in: its chromosome and ``start // width``.

    A window goes to one block as a whole. Windows wider than a block are a block each, which is what keeps
    statistics of windows (their profiles, their sums) in one piece.

    Args:
        chrom: (n,) names. start: (n,) bp. width: of a block in bp.

    Returns:
        (n,) int64 numbers of blocks, and the names ``chrom:number`` of the blocks.
    """
    if len(start) == 0:
        return np.zeros(0, dtype=np.int64), ()
    names, chromosome = np.unique(np.asarray(chrom, dtype=str), return_inverse=True)
    pairs = np.stack([chromosome, np.asarray(start, dtype=np.int64) // width])
    found, numbers = np.unique(pairs, axis=1, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64), tuple(f"{names[c]}:{i}" for c, i in found.T)


def by_block(rows: np.ndarray, block: np.ndarray, blocks: int) -> np.ndarray:
    """Sums a block: (n, k) rows to (blocks, k) float64."""
    summed = np.empty((blocks, rows.shape[1]))
    for column in range(rows.shape[1]):
        summed[:, column] = np.bincount(block, weights=rows[:, column], minlength=blocks)
    return summed


def block_bootstrap(
    statistic: Statistic, sums: np.ndarray, *, resamples: int = 1000, seed: int = 0, measured: np.ndarray | None = None
) -> Interval:
    """95% percentile interval of a function of sums over resampled blocks.

    Args:
        statistic: (..., k) sums to (...) values; NaN where it is not defined.
        sums: (blocks, k), one row a block; ``by_block`` makes them.
        measured: (blocks,) bool of the blocks that hold anything; default those with a sum that is not 0.

    Returns:
        Low and high, or None where fewer than ``LEAST_BLOCKS`` blocks hold anything or the statistic is not defined
        in half of the resamples.
    """
    if _too_few(sums, measured):
        return None
    return interval_of(statistic(resampled(sums, resamples, seed)))


def resample_rows(
    statistic: Callable[[np.ndarray], float], block: np.ndarray, *, resamples: int = 1000, seed: int = 0
) -> Interval:
    """As ``block_bootstrap`` for a statistic that is no function of sums: it is computed anew for each resample.

    Args:
        statistic: of the numbers of rows, each as often as its block was drawn.
        block: (n,) the block of each row.
    """
    found, number = np.unique(block, return_inverse=True)
    if len(found) < LEAST_BLOCKS:
        return None
    order = np.argsort(number, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(number))[:-1])
    values = [
        statistic(np.concatenate([members[i] for i in np.repeat(np.arange(len(found)), weights)]))
        for part in drawn_blocks(len(found), resamples, seed)
        for weights in part.astype(int)
    ]
    return interval_of(np.array(values, dtype=float))


def _too_few(sums: np.ndarray, measured: np.ndarray | None) -> bool:
    held = np.any(sums != 0, axis=1) if measured is None else measured
    return int(held.sum()) < LEAST_BLOCKS


def resampled(sums: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(resamples, k) sums of drawn blocks."""
    return np.concatenate([part @ sums for part in drawn_blocks(len(sums), resamples, seed)])


def drawn_blocks(blocks: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each block is drawn, (some resamples, blocks) float64 at a time.

    They depend on the three numbers alone: any two statistics over the same blocks see the same draws.
    """
    if blocks * resamples <= HELD:
        held = _held_weights(blocks, resamples, seed)
        yield from (held[i : i + 100].astype(np.float64) for i in range(0, resamples, 100))
    else:
        yield from (part.astype(np.float64) for part in _drawn(blocks, resamples, seed))


@lru_cache(maxsize=2)
def _held_weights(blocks: int, resamples: int, seed: int) -> np.ndarray:
    return np.concatenate(list(_drawn(blocks, resamples, seed)))


def _drawn(blocks: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    for first in range(0, resamples, 100):
        n = min(100, resamples - first)
        picked = random.integers(0, blocks, (n, blocks)) + blocks * np.arange(n)[:, None]
        yield np.bincount(picked.ravel(), minlength=n * blocks).reshape(n, blocks).astype(np.uint16)


def interval_of(values: np.ndarray) -> Interval:
    """The 95% percentile interval of the values of resamples, of which NaN do not count; None of none."""
    # Rounded, so that a predictor compared with itself is exactly 0: sums of products differ in their last bits.
    values = np.round(values[np.isfinite(values)], 12)
    if len(values) == 0:
        return None
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
