"""Predictions of REF and ALT in coordinates of the reference; the sequences that the network is asked for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Aligned", "Pair"]

#: One window's predictions: output name -> (tracks,) or (tracks, bins) float32, of the chosen tracks.
Predicted = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Aligned:
    """What a variant is scored on.

    Attributes:
        ref, alt: output name -> float32 (tracks,), or (tracks, bins) for a profile: bins ascend along the genome's plus
            strand, whatever strand was read, and are those of the reference in both.
        shared: profile output -> (bins,) bool: bins for which both have a value. Deleted bases of counts, and what an
            insertion pushed out of the window, have none.
        first: profile output -> 0-based start on the genome of its first bin; not of one whose bins nothing places.
    """

    ref: Predicted
    alt: Predicted
    shared: Mapping[str, np.ndarray]
    first: Mapping[str, int]


@dataclass(frozen=True)
class Pair:
    """What is read of one variant, and how its predictions are put side by side.

    Attributes:
        sequences: (length,) bytes of ASCII letters each, on the strand that is read. Equal ones are predicted once.
        join: predictions of ``sequences``, in order -> both alleles aligned.
        start: 0-based start of the window of REF on the genome; may be negative.
        unknown: bases of the window of REF that are not A, C, G or T.
    """

    sequences: tuple[bytes, ...]
    join: Callable[[Sequence[Predicted]], Aligned]
    start: int
    unknown: int
