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
        return _BedGraphFile(self._kind(path))


class _BedGraphFile:
    def __init__(self, file: PlainFile) -> None:
        self._file = file
        self.finish = file.finish
        self.abandon = file.abandon

    def add(self, chrom: str, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        line = f"{chrom.replace('%', '%%')}\t%d\t%d\t%s\n".encode()
        texts = format_rows(values[:, None])
        rows = zip(starts.tolist(), ends.tolist(), texts, strict=True)
        self._file.write(b"".join(map(line.__mod__, rows)))
