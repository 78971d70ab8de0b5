"""Which bins lie in the loci that a run names: ``verdict.loci``, a BED."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.genome.intervals import RegionFile
from zoo.words import counted

__all__ = ["bins_of_loci"]


def bins_of_loci(path: str | Path, chrom: np.ndarray, start: np.ndarray, n_bins: int, bin_size: int) -> np.ndarray:
    """Bool (n, bins) of the bins of windows that a region of the file overlaps.

    Args:
        chrom: (n,) names of the windows' chromosomes. start: (n,) bp of their first bins.

    Raises:
        InputError: the file is no BED, or no region of it lies in any window.
    """
    with RegionFile(path) as regions:
        regions.scan()
        parts = list(regions.chunks())
    inside = np.zeros((len(start), n_bins), dtype=bool)
    edges = np.asarray(start, dtype=np.int64)[:, None] + bin_size * np.arange(n_bins + 1)
    for name in dict.fromkeys(np.asarray(chrom, dtype=str).tolist()):
        lows = np.concatenate([part.start[part.chrom == name] for part in parts])
        highs = np.concatenate([part.end[part.chrom == name] for part in parts])
        rows = np.asarray(chrom, dtype=str) == name
        # A bin is overlapped by the regions that start before its end, less those that end at or before its start.
        before = np.searchsorted(np.sort(lows), edges[rows, 1:], side="left")
        inside[rows] = before > np.searchsorted(np.sort(highs), edges[rows, :-1], side="right")
    if not inside.any():
        raise InputError(
            f"{path}: none of its regions lies in a judged window",
            f"{counted(sum(len(part) for part in parts), 'region')}, {counted(len(start), 'window')}",
            "Fix: name loci on the chromosomes of `split.test` in `verdict.loci`",
        )
    return inside
