"""Base of bigWig and bedGraph: every value at its true place on the genome, one file a track.

Windows come in any order and may overlap; a genome file wants each base once, in order.
So windows are spooled (`WindowSpool`), sorted by block of the genome (`BlockOrder`), and each
stretch of blocks is merged (`merge_stretch`) and handed to the files of the tracks.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from zoo.errors import InputError
from zoo.outputs import OutputSpec, PredictionBatch
from zoo.results.whole import fresh_folder, remove, rename_all
from zoo.words import counted
from zoo.writers.base import Writer, WriterContext
from zoo.writers.spool import value_shape
from zoo.writers.window_spool import WINDOW, BlockOrder, Stretch, WindowSpool, place

__all__ = ["GenomicWriter", "TrackFile", "final_names", "merge_stretch"]

TRACKS_AT_ONCE = 16  # open files, and accumulators in memory


class TrackFile(Protocol):
    """A file of one track that is being written."""

    def add(self, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        """Append intervals in order of the chromosomes' numbers and of places; every value is finite."""

    def finish(self) -> None:
        """Complete, close and verify the file."""

    def abandon(self) -> None:
        """Close without raising."""


class GenomicWriter(Writer):
    """Bin ``i`` of a window covers ``[window_start + offset + i * bin_size, + bin_size)``.

    In a ``reverse`` row bin 0 is the one at the end of the window, and stranded tracks are
    swapped. A scalar covers its region (with ``--window tile``, the window's part of it).
    All is clipped to the chromosome. Where windows overlap: the mean or maximum per base of
    all that cover it, or an error. A value that is not finite covers nothing: a bigWig has
    no place for NaN, and infinity spoils the sums in its header.
    """

    holds_not_finite = False

    def __init__(self, context: WriterContext) -> None:
        super().__init__(context)
        # The order of UCSC's tools, which look chromosomes up in sorted trees.
        self._chroms = sorted(context.chrom_sizes)
        self._codes = {chrom: code for code, chrom in enumerate(self._chroms)}
        self._sizes = np.array([context.chrom_sizes[c] for c in self._chroms], dtype=np.int64)
        self.finals = final_names(context)
        self._spools: list[WindowSpool] = []

    @property
    def needs_places(self) -> bool:
        return True

    def other_finals(self, outputs: tuple[OutputSpec, ...]) -> list[Path]:
        choices = [outputs, *((output,) for output in outputs)]
        names = (final_names(replace(self.context, outputs=choice)) for choice in choices)
        return [self.context.out, *(name for some in names for name in some)]

    @abstractmethod
    def track_file(self, path: Path, output: OutputSpec, track: str) -> TrackFile:
        """Start a file."""

    def _start(self, resume: dict | None) -> None:
        if resume is None:
            fresh_folder(self.partial)
        states = [None] * len(self.context.outputs) if resume is None else resume["spools"]
        for i, (output, state) in enumerate(zip(self.context.outputs, states, strict=True)):
            self._spools.append(WindowSpool(self.partial, i, output, state))

    def least_bytes(self, rows: int) -> int:
        values = sum(4 * int(np.prod(value_shape(output))) for output in self.context.outputs)
        return rows * (values + len(self.context.outputs) * WINDOW.itemsize)

    def write(self, batch: PredictionBatch) -> None:
        try:
            codes = np.array([self._codes[chrom] for chrom in batch.chrom], dtype=np.int64)
        except KeyError as error:
            raise InputError(
                f"chromosome {error.args[0]!r} is not in the genome",
                fix="use the FASTA file that the regions belong to",
            ) from None
        for output, spool in zip(self.context.outputs, self._spools, strict=True):
            spool.append(*place(batch, output, codes, self.context))

    def checkpoint(self) -> dict:
        return {"spools": [spool.state() for spool in self._spools]}

    def finish(self) -> list[Path]:
        self.checkpoint()
        orders = [BlockOrder(self.partial / f"order.{i}", spool, self._sizes) for i, spool in enumerate(self._spools)]
        if self.context.overlap == "error":
            for order in orders:
                self._refuse_overlap(order)
        made: list[Path] = []
        for output, order in zip(self.context.outputs, orders, strict=True):
            for first in range(0, len(output.tracks), TRACKS_AT_ONCE):
                tracks = range(first, min(first + TRACKS_AT_ONCE, len(output.tracks)))
                made += self._write_tracks(output, order, tracks, len(made))
        finals = self.publish(made)
        self.suspend()
        remove(self.partial)
        return finals

    def publish(self, made: list[Path]) -> list[Path]:
        """Give the complete files of the tracks, outputs and tracks in order, their final names; return those."""
        return rename_all(list(zip(made, self.finals, strict=True)))

    def suspend(self) -> None:
        for spool in self._spools:
            spool.abandon()

    def discard(self) -> None:
        self.suspend()
        remove(self.partial)

    def _write_tracks(self, output: OutputSpec, order: BlockOrder, tracks: range, number: int) -> list[Path]:
        """Merge some tracks of an output into files ``result.<number>``, ...; return their paths."""
        paths = [self.partial / f"result.{number + i}" for i in range(len(tracks))]
        files: list[TrackFile] = []
        try:
            for path, track in zip(paths, tracks, strict=True):
                remove(path)
                files.append(self.track_file(path, output, output.tracks[track]))
            for stretch in order.stretches():
                merged = merge_stretch(stretch, order.spool, tracks, self.context.overlap)
                for file, (starts, ends, values) in zip(files, merged, strict=True):
                    if len(starts):
                        file.add(*order.on_chromosomes(starts, ends), values)
            for file in files:
                file.finish()
        except BaseException:
            for file in files:
                file.abandon()
            raise
        return paths

    def _refuse_overlap(self, order: BlockOrder) -> None:
        """Raise `InputError` that names the first overlap of the genome and counts them all."""
        first = None
        count = reach = 0  # end of the windows so far
        for stretch in order.stretches():
            windows, starts, ends = _starting_in(stretch)
            before = np.concatenate([[reach], np.maximum(np.maximum.accumulate(ends), reach)])
            hit = np.flatnonzero(starts < before[:-1])
            if len(hit) and first is None:
                i = hit[:1]
                (chrom,), (start,), (stop,) = order.on_chromosomes(starts[i], np.minimum(ends[i], before[i]))
                first = f"{self._chroms[chrom]}:{start:,}-{stop:,} (region {windows['region'][i[0]] + 1})"
            count += len(hit)
            reach = int(before[-1])
        if first is not None:
            raise InputError(
                f"predictions overlap at {first}, and overlap is 'error'",
                f"{counted(count, 'window overlaps', 'windows overlap')} an earlier one",
                "use --overlap mean or --overlap max",
            )


def _starting_in(stretch: Stretch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The windows whose first base is in the stretch (each window is in one), by start; starts, ends on the line."""
    starts = stretch.origin + np.maximum(stretch.windows["start"], 0)
    ends = np.minimum(stretch.origin + stretch.windows["end"], stretch.limit)
    inside = np.flatnonzero((starts >= stretch.start) & (starts < stretch.end))
    inside = inside[np.argsort(starts[inside], kind="stable")]
    return stretch.windows[inside], starts[inside], ends[inside]


def final_names(context: WriterContext) -> list[Path]:
    """One path a track, outputs and tracks in order.

    ``OUT.bw`` when there is one track, ``OUT.<track>.bw`` for several, and
    ``OUT.<output>.<track>.bw`` when the model has several outputs.
    """
    out = context.out
    labels = [
        f"{output.name}.{track}" if len(context.outputs) > 1 else track
        for output in context.outputs
        for track in output.tracks
    ]
    if len(labels) == 1:
        return [out]
    suffix = "".join(out.suffixes[-2:]) if out.suffix.lower() == ".gz" else out.suffix
    stem = out.name[: len(out.name) - len(suffix)]
    used: set[str] = set()
    names = []
    for label in labels:
        base = name = re.sub(r"[^A-Za-z0-9._+-]+", "_", label)[:120]
        number = 2
        while name.lower() in used:  # some file systems do not tell a from A
            name, number = f"{base}.{number}", number + 1
        used.add(name.lower())
        names.append(out.with_name(f"{stem}.{name}{suffix}"))
    return names


# ---------------------------------------------------------------- overlapping windows to one value a base


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
        For each track ``(starts, ends, values)``: int64 bp on the line of the genome, in order, and finite float32.
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
                absent = ~np.isfinite(value)
                if absent.any():
                    none = np.bincount(piece[absent], minlength=pieces)
                    missing[track] = missing.get(track, 0) + none
                    value, at = value[~absent], piece[~absent]
                else:
                    at = piece
                combine.at(total[track], at, value)
    return [
        _intervals(edges, total[t], cover - missing[t] if t in missing else cover, overlap) for t in range(len(tracks))
    ]


def _intervals(edges: np.ndarray, total: np.ndarray, cover: np.ndarray, overlap: str) -> Intervals:
    kept = np.flatnonzero(cover)
    values = total[kept] if overlap == "max" else total[kept] / cover[kept]
    return edges[kept], edges[kept + 1], values.astype(np.float32)


def _chunks(stretch: Stretch, size: int) -> Iterator[slice]:
    """Slices of the windows of a stretch, about `CHUNK` values each."""
    step = max(1, CHUNK // size)
    for first in range(0, len(stretch.rows), step):
        yield slice(first, first + step)


def _bins(stretch: Stretch, rows: slice, spool: WindowSpool) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of every bin of some windows on the line, clipped to the stretch and to their chromosome.

    Empty where start >= end.
    """
    windows, origin = stretch.windows[rows], stretch.origin[rows]
    low, high = np.maximum(origin, stretch.start), np.minimum(stretch.limit[rows], stretch.end)
    if spool.output.kind == "profile":
        width = spool.output.bin_size
        starts = (origin + windows["start"])[:, None] + width * np.arange(spool.bins)
        low, high = low[:, None], high[:, None]
        ends = starts + width
    else:
        starts, ends = origin + windows["start"], origin + windows["end"]
    return np.clip(starts, low, high).ravel(), np.clip(ends, low, high).ravel()


def _edges(stretch: Stretch, spool: WindowSpool) -> np.ndarray:
    """Every place in the stretch where a bin starts or ends, in order."""
    edges = np.empty(0, np.int64)
    for rows in _chunks(stretch, spool.bins):
        starts, ends = _bins(stretch, rows, spool)
        edges = np.concatenate([edges, starts, ends])
        edges.sort()  # np.unique, which hashes, takes ten times as long
        edges = edges[np.diff(edges, prepend=-1) > 0]
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
