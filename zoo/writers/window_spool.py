"""Windows and their values on disk, turned to the genome's orientation, in input order."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.results import open_at
from zoo.writers.base import WriterContext
from zoo.writers.spool import value_shape

__all__ = ["WINDOW", "WindowSpool", "place"]

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
