"""Zoom levels of a bigWig: what a stretch of the genome holds, in ever longer stretches.

Each level is made of the one before it as values come, and waits in a file of its own: none is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.results.whole import remove

__all__ = ["LEVELS", "RECORD", "ZoomLevel", "exact_records", "start_levels"]

BUFFER = 1 << 17  # bytes of a level in memory
LEVELS, FIRST, FACTOR = 10, 10, 4  # the first level takes ten values together, as UCSC's tools do
#: A record as it stands in the file: bases that have a value, and what these are.
PLACE, VALUES = ("chrom", "start", "end", "bases"), ("min", "max", "sum", "squares")
RECORD = np.dtype([*((name, "<u4") for name in PLACE), *((name, "<f4") for name in VALUES)])
EXACT = np.dtype([*((name, "<i8") for name in PLACE), *((name, "<f8") for name in VALUES)])
JOINED = {"end": np.maximum, "bases": np.add, "min": np.minimum, "max": np.maximum, "sum": np.add, "squares": np.add}


class ZoomLevel:
    """Records of stretches of ``width`` bp, which begin at multiples of it.

    Attributes:
        rows: records that are complete.
    """

    def __init__(self, path: Path, width: int, above: ZoomLevel | None) -> None:
        self.width, self.above, self.rows = width, above, 0
        self._path, self._waiting = path, bytearray()
        remove(path)  # of a run that was killed
        self._open = np.empty(0, EXACT)  # the last stretch, to which more may come

    def add(self, records: np.ndarray) -> None:
        """Join (n,) of `EXACT` that come in order and cross no border of a stretch."""
        records = np.concatenate([self._open, records])
        stretch = records["start"] // self.width
        new = np.ones(len(records), bool)
        new[1:] = (records["chrom"][1:] != records["chrom"][:-1]) | (stretch[1:] != stretch[:-1])
        first = np.flatnonzero(new)
        joined = records[first]
        for name, join in JOINED.items():
            joined[name] = join.reduceat(records[name], first)
        self._open = joined[-1:]
        self._keep(joined[:-1])

    def finish(self) -> None:
        """No more will come: complete the last stretch, here and above."""
        self._keep(self._open)
        self._save()
        if self.above is not None:
            self.above.finish()

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """All records, (n,) of `RECORD`, some at a time."""
        for first in range(0, self.rows, rows):
            yield np.fromfile(self._path, RECORD, count=rows, offset=first * RECORD.itemsize)

    def remove(self) -> None:
        """Remove the files of this level and those above."""
        remove(self._path)
        if self.above is not None:
            self.above.remove()

    def _keep(self, records: np.ndarray) -> None:
        if not len(records):
            return
        stored = np.empty(len(records), RECORD)
        with np.errstate(over="ignore"):  # the square of a large value is no float32
            for name in RECORD.names:
                stored[name] = records[name]
        self._waiting += stored.tobytes()
        self.rows += len(records)
        if len(self._waiting) > BUFFER:
            self._save()
        if self.above is not None:
            self.above.add(records)

    def _save(self) -> None:
        """Append to the file, which is not held open: a run may have 16 tracks of ten levels."""
        if self._waiting:
            with open(self._path, "ab") as file:
                file.write(self._waiting)
            self._waiting.clear()


def start_levels(folder: Path, name: str, typical: float) -> ZoomLevel:
    """The first of some levels. Args: typical: bp of a value; files are named ``name`` and a number."""
    level = None
    for number in reversed(range(LEVELS)):
        level = ZoomLevel(folder / f"{name}.zoom.{number}", max(1, round(typical * FIRST)) * FACTOR**number, level)
    return level


def exact_records(chrom: np.ndarray, start: np.ndarray, end: np.ndarray, value: np.ndarray, width: int) -> np.ndarray:
    """Values in order as records of `EXACT`, cut at every multiple of ``width``."""
    n = (end - 1) // width - start // width + 1
    if (n > 1).any():
        at = np.repeat(np.arange(len(n)), n)
        step = np.arange(len(at)) - np.repeat(np.cumsum(n) - n, n)
        border = (start[at] // width + step) * width
        chrom, value = chrom[at], value[at]
        start, end = np.maximum(start[at], border), np.minimum(end[at], border + width)
    records = np.empty(len(start), EXACT)
    value = value.astype(np.float64)
    bases = end - start
    columns = (chrom, start, end, bases, value, value, value * bases, value * value * bases)
    for name, column in zip(EXACT.names, columns, strict=True):
        records[name] = column
    return records
