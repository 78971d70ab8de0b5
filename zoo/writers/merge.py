"""Overlapping windows to one value a base, per track."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.writers.blocks import Stretch
from zoo.writers.window_spool import WindowSpool

__all__ = ["merge_stretch"]

CHUNK = 1 << 18  # bins, values or pieces of bins in memory at once

Intervals = tuple[np.ndarray, np.ndarray, np.ndarray]


def merge_stretch(stretch: Stretch, spool: WindowSpool, tracks: range, overlap: str) -> list[Intervals]:
    """Merge the windows of a stretch.

    The stretch is cut at every edge of a bin; each piece gets the mean (in float64) or the
    maximum of the bins that cover it. Where a single bin covers, its value comes out
    unchanged, to the bit.

    Args:
        overlap: ``"mean"``, ``"max"``, or ``"error"`` when overlaps have been ruled out.

    Returns:
        For each track ``(starts, ends, values)``: int64 bp in order, and float32 without NaN.
    """
    edges = _edges(stretch, spool)
    pieces = max(0, len(edges) - 1)
    # -0.0 + x is x for every x, so that a lone -0.0 stays what it is.
    total = np.full((len(tracks), pieces), -np.inf if overlap == "max" else -0.0)
    cover = np.zeros(pieces, np.int64)
    missing: dict[int, np.ndarray] = {}
    combine = np.maximum if overlap == "max" else np.add
    for rows in _chunks(stretch, spool.bins * len(tracks)):
        starts, ends = _bins(stretch, rows, spool)
        values = spool.values(stretch.rows[rows], tracks)
        for piece, source in _cover(edges, starts, ends):
            cover += np.bincount(piece, minlength=pieces)
            for track in range(len(tracks)):
                value = values[:, track].ravel()[source].astype(np.float64)
                absent = np.isnan(value)
                if absent.any():
                    none = np.bincount(piece[absent], minlength=pieces)
                    missing[track] = missing.get(track, 0) + none
                    value, at = value[~absent], piece[~absent]
                else:
                    at = piece
                with np.errstate(invalid="ignore"):  # inf + -inf is NaN, which is left out below
                    combine.at(total[track], at, value)
    return [
        _intervals(edges, total[t], cover - missing[t] if t in missing else cover, overlap) for t in range(len(tracks))
    ]


def _intervals(edges: np.ndarray, total: np.ndarray, cover: np.ndarray, overlap: str) -> Intervals:
    kept = np.flatnonzero(cover)
    values = total[kept] if overlap == "max" else total[kept] / cover[kept]
    values = values.astype(np.float32)
    real = ~np.isnan(values)  # the mean of inf and -inf is none
    if not real.all():
        kept, values = kept[real], values[real]
    return edges[kept], edges[kept + 1], values


def _chunks(stretch: Stretch, size: int) -> Iterator[slice]:
    """Slices of the windows of a stretch, about `CHUNK` values each."""
    step = max(1, CHUNK // size)
    for first in range(0, len(stretch.rows), step):
        yield slice(first, first + step)


def _bins(stretch: Stretch, rows: slice, spool: WindowSpool) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of every bin of some windows, clipped to the stretch; empty where start >= end."""
    windows = stretch.windows[rows]
    if spool.output.kind == "profile":
        width = spool.output.bin_size
        starts = (windows["start"][:, None] + width * np.arange(spool.bins)).ravel()
        ends = starts + width
    else:
        starts, ends = windows["start"], windows["end"]
    return np.clip(starts, stretch.start, stretch.end), np.clip(ends, stretch.start, stretch.end)


def _edges(stretch: Stretch, spool: WindowSpool) -> np.ndarray:
    """Every place in the stretch where a bin starts or ends, in order."""
    edges = np.empty(0, np.int64)
    for rows in _chunks(stretch, spool.bins):
        starts, ends = _bins(stretch, rows, spool)
        edges = np.union1d(edges, np.concatenate([starts, ends]))
    return edges


def _cover(edges: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (piece between two edges, bin that covers it), in chunks."""
    first = np.searchsorted(edges, starts)
    n = np.maximum(np.searchsorted(edges, ends) - first, 0)
    if (n == 1).all():
        yield first, np.arange(len(first))
        return
    done = np.cumsum(n)
    low = 0
    while low < len(n):
        limit = (done[low - 1] if low else 0) + CHUNK
        high = max(low + 1, int(np.searchsorted(done, limit, side="right")))
        some = n[low:high]
        source = np.repeat(np.arange(low, high), some)
        step = np.arange(len(source)) - np.repeat(np.cumsum(some) - some, some)
        yield first[source] + step, source
        low = high
