"""Alleles to rows of scores: equal sequences are predicted once, batches are full, memory is bounded, order is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.variants.allele import Allele

if TYPE_CHECKING:
    from zoo.variants.aligned import Aligned
    from zoo.variants.genes import Gene

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """What is written of one ALT, of one gene where genes are scored.

    Attributes:
        allele: what was scored, or why it was not.
        gene: the gene whose strand was read; None without genes.
        status: a key of ``STATUSES``; ``""`` where there are scores. The allele's own comes first.
        start: 0-based start of the window of REF on the genome; None where none was laid.
        unknown: bases of that window that are not A, C, G or T.
        values: (columns,) float32 in the order of the scores' columns, NaN where one is missing; None without scores.
        aligned: the predictions that were scored, where a writer keeps them.
    """

    allele: Allele
    gene: Gene | None
    status: str
    start: int | None
    unknown: int
    values: np.ndarray | None
    aligned: Aligned | None = None
