"""Windows of a spool in genome order, without ever holding them all in memory.

A counting sort on disk: the genome is cut into blocks of 2**18 bp; ``order`` lists, block after
block, the rows of the spool that touch it. Blocks with few windows are handled together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.results import allocate
from zoo.writers.window_spool import WindowSpool

__all__ = ["BLOCK", "BlockOrder", "Stretch"]

BLOCK = 1 << 18  # bp
STRETCH_BINS = 1 << 16  # bins merged at once (one block can have more)
CHUNK = 1 << 15  # windows read at once


@dataclass(frozen=True)
class Stretch:
    """Part of a chromosome and the windows that touch it, in input order.

    Attributes:
        chrom: number of the chromosome.
        start, end: bp; ``end`` does not pass the chromosome's.
        rows: (n,) int64, rows of the spool.
        windows: (n,) of `WINDOW`.
    """

    chrom: int
    start: int
    end: int
    rows: np.ndarray
    windows: np.ndarray


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
        blocks = -(-sizes // BLOCK)
        self._first_block = np.concatenate([[0], np.cumsum(blocks)])  # of each chromosome
        counts = np.zeros(self._first_block[-1], np.int64)
        for block, _ in self._touched():
            counts += np.bincount(block, minlength=len(counts))
        self._begin = np.concatenate([[0], np.cumsum(counts)])  # of each block in the order
        self._sort()

    def stretches(self) -> Iterator[Stretch]:
        """The covered parts of the genome, in order."""
        for chrom in range(len(self._sizes)):
            lo, hi = self._first_block[chrom], self._first_block[chrom + 1]
            begin = self._begin[lo : hi + 1]
            block, blocks = 0, len(begin) - 1
            while block < blocks:
                if begin[block] == begin[block + 1]:  # go to the next block with windows
                    block = int(np.searchsorted(begin, begin[block], side="right")) - 1
                    continue
                most = begin[block] + max(1, STRETCH_BINS // self.spool.bins)
                stop = max(block + 1, int(np.searchsorted(begin, most, side="right")) - 1)
                yield self._stretch(chrom, block, stop, begin)
                block = stop

    def _stretch(self, chrom: int, block: int, stop: int, begin: np.ndarray) -> Stretch:
        n = int(begin[stop] - begin[block])
        rows = np.unique(np.fromfile(self._path, np.int64, count=n, offset=int(begin[block]) * 8))
        end = min(stop * BLOCK, int(self._sizes[chrom]))
        return Stretch(chrom, block * BLOCK, end, rows, self.spool.windows(rows))

    def _touched(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Chunks of (block, row) pairs, rows ascending; a row is there once for each block it touches."""
        for first in range(0, self.spool.rows, CHUNK):
            windows = self.spool.windows(slice(first, first + CHUNK))
            start = np.maximum(windows["start"], 0)
            end = np.minimum(windows["end"], self._sizes[windows["chrom"]])
            first_block = start // BLOCK
            n = np.where(end > start, (end - 1) // BLOCK - first_block + 1, 0)
            rows = np.repeat(np.arange(len(windows)), n)
            step = np.arange(len(rows)) - np.repeat(np.cumsum(n) - n, n)
            yield self._first_block[windows["chrom"][rows]] + first_block[rows] + step, rows + first

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
