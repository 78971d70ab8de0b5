"""Positions in sequences to positions in the genome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interpret.motifs.contributions import Regions

__all__ = ["Places", "places_of"]


@dataclass(frozen=True)
class Places:
    """Intervals in the genome: (n,) chrom (text), start and end (int64, 0-based half-open), strand (text)."""

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray


def places_of(
    regions: Regions, sequence: np.ndarray, start: np.ndarray, end: np.ndarray, reverse: np.ndarray
) -> Places:
    """Place intervals of the sequences that the model saw into the genome.

    Args:
        regions: the windows; a reversed window is read from its end.
        sequence: (n,) index of the sequence of each interval.
        start, end: (n,) half-open positions in the sequence.
        reverse: (n,) whether what was found there lies on the other strand of the sequence.
    """
    turned = regions.reverse[sequence]
    left = np.where(turned, regions.window_end[sequence] - end, regions.window_start[sequence] + start)
    strand = np.where(turned ^ reverse, "-", "+")
    return Places(regions.chrom[sequence], left, left + (end - start), strand)
