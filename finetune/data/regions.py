"""Windows to train on: laid over chromosomes, chosen, and those that cannot be used counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Geometry", "Windows"]


@dataclass(frozen=True)
class Geometry:
    """Where the input of a model and the bins of its target lie.

    Attributes:
        length: bp of the input window.
        offset: bp from the start of the window to its first bin.
        bin_size: bp of a bin of the target.
        n_bins: bins of the target.
    """

    length: int
    offset: int
    bin_size: int
    n_bins: int

    @property
    def span(self) -> int:
        """bp that the bins cover."""
        return self.bin_size * self.n_bins


@dataclass(frozen=True)
class Windows:
    """Input windows of one length.

    Attributes:
        chrom: (n,) object array of names.
        start: (n,) int64, 0-based start of the input window.
        kind: (n,) ``<U8``: ``tile``, ``peak``, ``negative`` or ``region``.
    """

    chrom: np.ndarray
    start: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: np.ndarray) -> Windows:
        """Those of the rows, given by number or as a mask."""
        return Windows(self.chrom[rows], self.start[rows], self.kind[rows])
