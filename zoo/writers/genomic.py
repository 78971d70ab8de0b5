"""Base of bigWig and bedGraph: every value at its true place on the genome, one file a track.

Windows come in any order and may overlap; a genome file wants each base once, in order.
So windows are spooled (`WindowSpool`), sorted by block of the genome (`blocks`), and each
stretch of blocks is merged (`merge`) and handed to the files of the tracks.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from pathlib import Path
from typing import Protocol

import numpy as np

from zoo.errors import InputError
from zoo.outputs import OutputSpec, PredictionBatch
from zoo.results import fresh_folder, remove, rename_all
from zoo.writers.base import Writer, WriterContext
from zoo.writers.blocks import BlockOrder, Stretch
from zoo.writers.merge import merge_stretch
from zoo.writers.spool import value_shape
from zoo.writers.window_spool import WINDOW, WindowSpool, place

__all__ = ["GenomicWriter", "TrackFile", "final_names"]

TRACKS_AT_ONCE = 16  # open files, and accumulators in memory


class TrackFile(Protocol):
    """A file of one track that is being written."""

    def add(self, chrom: str, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        """Append intervals in order; no value is NaN."""

    def finish(self) -> None:
        """Complete, close and verify the file."""

    def abandon(self) -> None:
        """Close without raising."""


class GenomicWriter(Writer):
    """Bin ``i`` of a window covers ``[window_start + offset + i * bin_size, + bin_size)``.

    In a ``reverse`` row bin 0 is the one at the end of the window, and stranded tracks are
    swapped. A scalar covers its region (with ``--window tile``, the window's part of it).
    All is clipped to the chromosome. Where windows overlap: the mean or maximum per base of
    all that cover it, or an error. NaN is not written.
    """

    def __init__(self, context: WriterContext) -> None:
        super().__init__(context)
        # The order of UCSC's tools, which look chromosomes up in sorted trees.
        self._chroms = sorted(context.chrom_sizes)
        self._codes = {chrom: code for code, chrom in enumerate(self._chroms)}
        self._sizes = np.array([context.chrom_sizes[c] for c in self._chroms], dtype=np.int64)
        self.finals = final_names(context)
        self._spools: list[WindowSpool] = []

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
        finals = rename_all(list(zip(made, self.finals, strict=True)))
        self.suspend()
        remove(self.partial)
        return finals

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
                chrom = self._chroms[stretch.chrom]
                merged = merge_stretch(stretch, order.spool, tracks, self.context.overlap)
                for file, (starts, ends, values) in zip(files, merged, strict=True):
                    if len(starts):
                        file.add(chrom, starts, ends, values)
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
        count = 0
        chrom, reach = -1, 0  # end of the windows so far, on this chromosome
        for stretch in order.stretches():
            if stretch.chrom != chrom:
                chrom, reach = stretch.chrom, 0
            begins = _starting_in(stretch)
            starts, ends = np.maximum(begins["start"], 0), begins["end"]
            before = np.concatenate([[reach], np.maximum(np.maximum.accumulate(ends), reach)])
            hit = np.flatnonzero(starts < before[:-1])
            if len(hit) and first is None:
                i = hit[0]
                stop = min(ends[i], before[i])
                first = f"{self._chroms[chrom]}:{starts[i]:,}-{stop:,} (region {begins['region'][i] + 1})"
            count += len(hit)
            reach = int(before[-1])
        if first is not None:
            raise InputError(
                f"predictions overlap at {first}, and overlap is 'error'",
                f"{count:,} windows overlap an earlier one",
                "use --overlap mean or --overlap max",
            )


def _starting_in(stretch: Stretch) -> np.ndarray:
    """The windows whose first base is in the stretch (each window is in one), by start."""
    starts = np.maximum(stretch.windows["start"], 0)
    inside = stretch.windows[(starts >= stretch.start) & (starts < stretch.end)]
    return inside[np.argsort(inside["start"], kind="stable")]


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
