"""Peaks as labels: BED or narrowPeak, plain or gzip.

A bin is 1 where peaks, taken together, cover at least half of its bases (``reduce: mean``), or at least one
(``reduce: max``), else 0. Only chrom, start and end of a peak are read: neither its score nor its summit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from finetune.data.reading.naming import check_names
from finetune.data.reading.sources import TrackSource
from zoo.errors import InputError
from zoo.genome.intervals import RegionFile
from zoo.words import counted

__all__ = ["LabelBases", "union"]


class LabelBases:
    """1 at a base in a peak, 0 elsewhere.

    Attributes:
        chroms: those of the FASTA with a peak. notes: what was left out.
    """

    def __init__(self, source: TrackSource, sizes: Mapping[str, int]) -> None:
        path = source.files[0]
        parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        try:
            with RegionFile(str(path)) as regions:
                summary = regions.scan(sizes)
                for chunk in regions.chunks():
                    for name in dict.fromkeys(chunk.chrom.tolist()):
                        rows = chunk.chrom == name
                        parts.setdefault(name, []).append((chunk.start[rows], chunk.end[rows]))
        except InputError as error:
            raise InputError(
                f"track {source.name}: {error.what}", error.extent.replace("nothing was predicted", ""), error.fix
            ) from None
        absent = check_names(summary.chrom_counts, sizes, source.name, Path(path), "text")
        left_out = sum(summary.chrom_counts[name] for name in absent)
        self.notes: tuple[str, ...] = tuple(summary.notes)
        if left_out:
            self.notes += (
                f"{counted(left_out, 'peak')} on {', '.join(absent[:4])}, not in the FASTA, "
                f"{'is' if left_out == 1 else 'are'} left out",
            )
        self._peaks = {
            name: union(*map(np.concatenate, zip(*pieces, strict=True)))
            for name, pieces in parts.items()
            if name in sizes
        }
        self.chroms = frozenset(self._peaks)

    def bases(self, chrom: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
        """(n, width) float32, 0 or 1, of windows [start, start + width), start >= 0."""
        out = np.zeros((len(start), width), dtype=np.float32)
        for row, (name, s) in enumerate(zip(chrom.tolist(), start.tolist(), strict=True)):
            if name not in self._peaks:
                continue
            begins, ends = self._peaks[name]
            for i in range(np.searchsorted(ends, s, side="right"), np.searchsorted(begins, s + width)):
                out[row, max(begins[i] - s, 0) : ends[i] - s] = 1
        return out

    def close(self) -> None:
        """Nothing is open."""


def union(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted starts and ends of what (n,) intervals cover together; those that touch are one."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    new = np.concatenate([[True], start[1:] > end[:-1]])
    last = np.concatenate([new[1:], [True]])
    return start[new], end[last]
