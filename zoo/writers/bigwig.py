"""bigWig (Kent et al. 2010, doi:10.1093/bioinformatics/btq351), through pyBigWig."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

import numpy as np

from zoo.errors import SystemStateError
from zoo.outputs import OutputSpec
from zoo.results import require_room
from zoo.writers.genomic import GenomicWriter

__all__ = ["BigWigWriter"]

CALL = 1 << 16  # intervals a call
# Bytes an interval may take: at most 12 in the data; the zoom levels and indices, written at
# the end, add less than that again (each level has at most a quarter of the records before).
DATA_BYTES, ZOOM_BYTES, FIXED_BYTES = 12, 12, 1 << 16
END_MARK = b"\x26\xfc\x8f\x88"  # the file's magic number, repeated as the last four bytes


class BigWigWriter(GenomicWriter):
    """A bigWig a track; chromosomes sorted by name as UCSC's own tools write them."""

    def track_file(self, path: Path, output: OutputSpec, track: str) -> _BigWigFile:
        return _BigWigFile(path, [(chrom, self.context.chrom_sizes[chrom]) for chrom in self._chroms])


class _BigWigFile:
    def __init__(self, path: Path, chroms: list[tuple[str, int]]) -> None:
        import pyBigWig

        self._path = path
        self._sizes = dict(chroms)
        self._intervals = 0
        self._bases = 0
        require_room(path.parent, FIXED_BYTES + 100 * len(chroms))
        self._file = pyBigWig.open(str(path), "w")
        self._file.addHeader(chroms)

    def add(self, chrom: str, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        if ends[-1] > self._sizes[chrom]:  # pyBigWig would write it
            raise ValueError(f"{chrom}:{starts[-1]}-{ends[-1]} passes the chromosome's end")
        for first in range(0, len(starts), CALL):
            part = slice(first, first + CALL)
            self._add(chrom, starts[part], ends[part], values[part])

    def _add(self, chrom: str, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        self._intervals += len(starts)
        require_room(self._path.parent, DATA_BYTES * len(starts) + ZOOM_BYTES * self._intervals + FIXED_BYTES)
        spans = ends - starts
        self._bases += int(spans.sum())
        if (spans == spans[0]).all():
            self._file.addEntries(chrom, starts, values=values, span=int(spans[0]))
        else:
            self._file.addEntries([chrom] * len(starts), starts, ends=ends, values=values)

    def finish(self) -> None:
        self._file.close()
        self._verify()

    def abandon(self) -> None:
        with contextlib.suppress(Exception):  # RuntimeError for whatever went wrong in C
            self._file.close()

    def _verify(self) -> None:
        """pyBigWig reports a failed write on stderr and goes on: see whether the file is whole."""
        # Not with pyBigWig's header(), which crashes when the sum of squares is infinite.
        with open(self._path, "rb") as file:
            header = file.read(64).ljust(64, b"\0")
            (summary,) = struct.unpack_from("<Q", header, 44)  # totalSummaryOffset
            file.seek(summary)
            (bases,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4))
            whole = file.read() == END_MARK
        if not whole or bases != self._bases:
            raise SystemStateError(
                f"{self._path} was not written completely", fix="check the space on the disk, then --resume"
            )
