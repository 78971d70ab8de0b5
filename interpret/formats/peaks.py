"""The windows beside a peer's file, as narrowPeak: row ``i`` is where its row ``i`` lies (the summit is the centre)."""

from __future__ import annotations

from typing import TextIO

import numpy as np

from interpret.contribs_blocks import ContribBlock

__all__ = ["write_peaks"]


def write_peaks(file: TextIO, block: ContribBlock, length: int) -> None:
    """Append the windows of a block. ChromBPNet and fi-nemo cut ``length`` bp around column 2 + column 10."""
    start, end = block.windows["start"], block.windows["end"]
    centre = start + length // 2
    first = np.maximum(start, 0)
    for row in zip(block.regions["chrom"], first, end, block.regions["name"], centre - first, strict=True):
        chrom, low, high, name, summit = row
        file.write(f"{chrom}\t{low}\t{high}\t{name}\t0\t.\t0\t-1\t-1\t{summit}\n")
