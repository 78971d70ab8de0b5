"""bedGraph: ``chrom start end value`` lines, sorted as UCSC's ``bedGraphToBigWig`` wants them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.outputs import OutputSpec
from zoo.writers.base import WriterContext
from zoo.writers.genomic import GenomicWriter
from zoo.writers.text import BgzfFile, PlainFile, format_rows

__all__ = ["BedGraphWriter"]


class BedGraphWriter(GenomicWriter):
    """A bedGraph a track, plain or blocked gzip; no header line, so that every tool reads it."""

    def __init__(self, context: WriterContext, compressed: bool = False) -> None:
        super().__init__(context)
        self._kind = BgzfFile if compressed else PlainFile

    def track_file(self, path: Path, output: OutputSpec, track: str) -> _BedGraphFile:
        return _BedGraphFile(self._kind(path), [chrom.encode() for chrom in self._chroms])


class _BedGraphFile:
    def __init__(self, file: PlainFile, chroms: list[bytes]) -> None:
        self._file, self._chroms = file, chroms
        self.finish = file.finish
        self.abandon = file.abandon

    def add(self, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        names = map(self._chroms.__getitem__, chroms.tolist())
        rows = zip(names, starts.tolist(), ends.tolist(), format_rows(values[:, None]), strict=True)
        self._file.write(b"".join(map(b"%s\t%d\t%d\t%s\n".__mod__, rows)))
