"""What a model said when it was asked again about patterns and regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Effect", "PredictedTrack"]


@dataclass(frozen=True)
class Effect:
    """What inserting a pattern's consensus does to the explained output.

    Attributes:
        consensus: the letters inserted, those of the pattern's core.
        values: (n,) float32, output with them less output without, one a background.
    """

    consensus: str
    values: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean; nan for a single background."""
        n = len(self.values)
        return float(self.values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


@dataclass(frozen=True)
class PredictedTrack:
    """Predicted profile of some windows, in the model's orientation.

    Attributes:
        values: (K, bins) float32, mean over the explained tracks.
        bin_size, offset: bp of a bin, and from a window's start to the first bin.
        name: output and tracks.
    """

    values: np.ndarray
    bin_size: int
    offset: int
    name: str
