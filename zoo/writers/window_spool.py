"""Windows and their values on disk, turned to the genome's orientation: in input order, read in genome order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.results.whole import allocate, open_at
from zoo.writers.base import WriterContext
from zoo.writers.spool import value_shape

__all__ = ["BLOCK", "WINDOW", "BlockOrder", "Stretch", "WindowSpool", "place"]

# Where a window's bins lie; start and end may pass the chromosome's ends.
WINDOW = np.dtype([("chrom", "<i8"), ("start", "<i8"), ("end", "<i8"), ("region", "<i8")])


def place(
    batch: PredictionBatch, output: OutputSpec, codes: np.ndarray, context: WriterContext
) -> tuple[np.ndarray, np.ndarray]:
    """Where the predictions of a batch lie on the genome.

    Args:
        codes: (n,) int64, number of each row's chromosome.

    Returns:
        windows: (n,) of `WINDOW`, what the bins of the row cover together.
        values: (n, tracks, bins) float32, bins by coordinate, tracks by the genome's strands;
            one bin for a scalar.
    """
    windows = np.empty(len(batch), WINDOW)
    windows["chrom"] = codes
    windows["region"] = batch.region
    values = batch.values[output.name]
    if values.shape[1:] != value_shape(output):
        raise ValueError(f"output {output.name}: {values.shape} is not (n, *{value_shape(output)})")
    values = values.reshape(len(batch), len(output.tracks), -1)
    swap = context.stranded_swap.get(output.name)
    if swap is not None:
        values = np.where(batch.reverse[:, None, None], values[:, swap], values)
    if output.kind == "profile":
        length = output.n_bins * output.bin_size
        last = batch.window_end - output.offset - length
        windows["start"] = np.where(batch.reverse, last, batch.window_start + output.offset)
        windows["end"] = windows["start"] + length
        values = np.where(batch.reverse[:, None, None], values[:, :, ::-1], values)
    elif context.tiled:
        windows["start"] = np.maximum(batch.start, batch.window_start)
        windows["end"] = np.minimum(batch.end, batch.window_end)
    else:
        windows["start"], windows["end"] = batch.start, batch.end
    return windows, np.ascontiguousarray(values, "<f4")


class WindowSpool:
    """Two append-only files for one output: `WINDOW` records, and (tracks, bins) float32 a record."""

    def __init__(self, folder: Path, number: int, output: OutputSpec, resume: dict | None = None) -> None:
        self.output = output
        self.bins = output.n_bins if output.kind == "profile" else 1
        self.rows = 0 if resume is None else resume["rows"]
        self._row_bytes = 4 * len(output.tracks) * self.bins
        cut = None if resume is None else self.rows
        self._windows = open_at(folder / f"windows.{number}", cut and cut * WINDOW.itemsize)
        self._values = open_at(folder / f"values.{number}", cut and cut * self._row_bytes)

    def append(self, windows: np.ndarray, values: np.ndarray) -> None:
        """Add what `place` returned."""
        self._windows.write(windows.tobytes())
        self._values.write(values.data)
        self.rows += len(windows)

    def state(self) -> dict:
        """Flush; return what ``resume`` takes."""
        self._windows.flush()
        self._values.flush()
        return {"rows": self.rows}

    def windows(self, rows: slice | np.ndarray) -> np.ndarray:
        """`WINDOW` records of consecutive rows, or of the given ones."""
        if isinstance(rows, slice):
            n = min(rows.stop, self.rows) - rows.start
            return np.fromfile(self._windows.name, WINDOW, count=n, offset=rows.start * WINDOW.itemsize)
        found = np.empty(len(rows), WINDOW)
        self._gather(self._windows.name, found, rows * WINDOW.itemsize)
        return found

    def values(self, rows: np.ndarray, tracks: range) -> np.ndarray:
        """(rows, tracks, bins) float32 of the given rows and consecutive tracks."""
        found = np.empty((len(rows), len(tracks), self.bins), "<f4")
        self._gather(self._values.name, found, rows * self._row_bytes + tracks.start * self.bins * 4)
        return found

    def abandon(self) -> None:
        """Close without raising; the files stay."""
        for file in (self._windows, self._values):
            with contextlib.suppress(OSError):
                file.close()

    @staticmethod
    def _gather(path: str, into: np.ndarray, offsets: np.ndarray) -> None:
        """Fill each row of ``into`` from its offset in the file.

        Plain reads: the pages of a mapped file would count as memory of this process.
        """
        with open(path, "rb") as file:
            view = memoryview(into.reshape(-1).view(np.uint8))
            width = into.nbytes // max(1, len(into))
            for i, offset in enumerate(offsets.tolist()):
                os.preadv(file.fileno(), [view[i * width : (i + 1) * width]], offset)


# ---------------------------------------------------------------- genome order, without holding all windows in memory


BLOCK = 1 << 18  # bp
STRETCH_BINS = 1 << 16  # bins merged at once (one block can have more)
CHUNK = 1 << 15  # windows read at once


@dataclass(frozen=True)
class Stretch:
    """Part of the genome and the windows that touch it, in input order.

    The genome is one line here, its chromosomes end to end: 100,000 short contigs are not 100,000 stretches.

    Attributes:
        start, end: bp on the line.
        rows: (n,) int64, rows of the spool.
        windows: (n,) of `WINDOW`.
        origin, limit: (n,) int64, where the chromosome of each window begins and ends on the line.
    """

    start: int
    end: int
    rows: np.ndarray
    windows: np.ndarray
    origin: np.ndarray
    limit: np.ndarray


class BlockOrder:
    """The rows of a spool by block of the genome.

    Args:
        path: a file to write the order to.
        spool: the windows.
        sizes: (chromosomes,) int64, lengths in bp.
    """

    def __init__(self, path: Path, spool: WindowSpool, sizes: np.ndarray) -> None:
        self.spool = spool
        self._path = path
        self._sizes = sizes
        self._origins = np.concatenate([[0], np.cumsum(sizes)])  # of each chromosome, and the end of the line
        counts = np.zeros(-(-int(self._origins[-1]) // BLOCK), np.int64)
        for block, _ in self._touched():
            counts += np.bincount(block, minlength=len(counts))
        self._begin = np.concatenate([[0], np.cumsum(counts)])  # of each block in the order
        self._sort()

    def stretches(self) -> Iterator[Stretch]:
        """The covered parts of the genome, in order."""
        begin = self._begin
        block, blocks = 0, len(begin) - 1
        while block < blocks:
            if begin[block] == begin[block + 1]:  # go to the next block with windows
                block = int(np.searchsorted(begin, begin[block], side="right")) - 1
                continue
            most = begin[block] + max(1, STRETCH_BINS // self.spool.bins)
            stop = max(block + 1, int(np.searchsorted(begin, most, side="right")) - 1)
            yield self._stretch(block, stop)
            block = stop

    def on_chromosomes(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers of chromosomes, starts and ends on them, of (n,) pieces of the line that each lie on one."""
        chrom = np.searchsorted(self._origins, starts, side="right") - 1
        origin = self._origins[chrom]
        return chrom, starts - origin, ends - origin

    def _stretch(self, block: int, stop: int) -> Stretch:
        first = int(self._begin[block])
        n = int(self._begin[stop]) - first
        rows = np.unique(np.fromfile(self._path, np.int64, count=n, offset=first * 8))
        end = min(stop * BLOCK, int(self._origins[-1]))
        windows = self.spool.windows(rows)
        chrom = windows["chrom"]
        return Stretch(block * BLOCK, end, rows, windows, self._origins[chrom], self._origins[chrom + 1])

    def _touched(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Chunks of (block, row) pairs, rows ascending; a row is there once for each block it touches."""
        for first in range(0, self.spool.rows, CHUNK):
            windows = self.spool.windows(slice(first, first + CHUNK))
            origin = self._origins[windows["chrom"]]
            start = origin + np.maximum(windows["start"], 0)
            end = origin + np.minimum(windows["end"], self._sizes[windows["chrom"]])
            first_block = start // BLOCK
            n = np.where(end > start, (end - 1) // BLOCK - first_block + 1, 0)
            rows = np.repeat(np.arange(len(windows)), n)
            step = np.arange(len(rows)) - np.repeat(np.cumsum(n) - n, n)
            yield first_block[rows] + step, rows + first

    def _sort(self) -> None:
        """Write each row to its places in the order."""
        total = int(self._begin[-1])
        allocate(self._path, total * 8)
        if total == 0:
            return
        order = np.memmap(self._path, np.int64, "r+", shape=(total,))
        cursor = self._begin[:-1].copy()
        for block, row in self._touched():
            by_block = np.argsort(block, kind="stable")
            block, row = block[by_block], row[by_block]
            new = np.flatnonzero(np.diff(block, prepend=-1))
            n = np.diff(new, append=len(block))
            order[cursor[block] + np.arange(len(block)) - np.repeat(new, n)] = row
            cursor[block[new]] += n
        order.flush()
