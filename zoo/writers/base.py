"""What the prediction loop hands to a writer, and what every writer promises.

A writer receives batches in input order, keeps nothing of them in memory beyond a
bounded buffer, and works on ``partial`` (a file or folder beside the result, named
``OUT.partial``, see ``zoo.results``). Nothing bears the final name before ``finish``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.results import check_out, partial_of

__all__ = ["OutputSpec", "PredictionBatch", "Writer", "WriterContext"]


@dataclass(frozen=True)
class OutputSpec:
    """One named output of a model.

    Attributes:
        name: output name, e.g. ``"profile"``; unique in the model.
        kind: ``"scalar"`` (values are ``(N, tracks)``) or ``"profile"`` (``(N, tracks, bins)``).
        tracks: track names, in channel order.
        n_bins: bins of a profile; 1 for a scalar.
        bin_size: bp a bin covers.
        offset: bp from the start of the model's window to the start of its first bin.
        units: units of the values, as the card says; None when unknown.
    """

    name: str
    kind: str
    tracks: tuple[str, ...]
    n_bins: int = 1
    bin_size: int = 1
    offset: int = 0
    units: str | None = None


@dataclass(frozen=True)
class PredictionBatch:
    """Predictions for ``n`` consecutive windows, in input order.

    One region gives one window, or several with ``--window tile``; ``region`` then repeats.

    Attributes:
        region: (n,) int64, 0-based number of the region in the input.
        chrom: (n,) object array of str, the names used in the regions file.
        start, end: (n,) int64, the region as written in the regions file (0-based half-open).
        name, score: (n,) object arrays of str, ``"."`` when the file has none.
        strand: (n,) array of ``"+"``, ``"-"`` or ``"."`` (dtype ``<U1``).
        window_start, window_end: (n,) int64, what the model saw; may pass the chromosome's ends.
        reverse: (n,) bool, True where the model was given the reverse complement.
        values: output name -> float32 ``(n, tracks)`` or ``(n, tracks, bins)`` in the model's own
            orientation: for a ``reverse`` row, bin 0 is the one with the highest coordinate.
    """

    region: np.ndarray
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    name: np.ndarray
    score: np.ndarray
    strand: np.ndarray
    window_start: np.ndarray
    window_end: np.ndarray
    reverse: np.ndarray
    values: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.region)


@dataclass(frozen=True)
class WriterContext:
    """What a writer is told before the first batch.

    Attributes:
        out: final path (``-`` never reaches a file writer).
        outputs: the model's outputs, in order, already restricted to the chosen tracks.
        chrom_sizes: chromosome name as in the regions file -> length in bp, in FASTA order.
        overlap: ``"mean"``, ``"max"`` or ``"error"``: what genomic writers do where windows overlap.
        stranded_swap: output name -> (tracks,) int64 permutation that gives, for a ``reverse`` row,
            the channel that holds each track's prediction on the genome's strands; absent = identity.
        tiled: True when regions were tiled, so that a region can have several rows.
    """

    out: Path
    outputs: tuple[OutputSpec, ...]
    chrom_sizes: dict[str, int]
    overlap: str
    stranded_swap: dict[str, np.ndarray]
    tiled: bool = False


class Writer(ABC):
    """Writes one result. Life: ``open``, ``write`` ..., then ``finish`` or ``suspend``."""

    #: ``(file, kind)`` of a format that is a folder: an older one is known by that file in it.
    store: tuple[str, str] | None = None

    def __init__(self, context: WriterContext) -> None:
        self.context = context
        self.partial = partial_of(context.out)
        #: the files that ``finish`` gives their names
        self.finals = [context.out]

    def check_finals(self, inputs: Iterable[str | Path | None] = ()) -> None:
        """Refuse final names that must not be written, see ``check_out``."""
        check_out(self.context.out, inputs=inputs, beside=lambda out: self.finals, store=self.store)

    def open(self, resume: dict | None = None) -> None:
        """Create ``partial``, or with ``resume`` (what ``checkpoint`` returned) reopen and truncate it.

        Raises:
            UsageError: a final name must not be written.
        """
        self.check_finals()
        self._start(resume)

    @abstractmethod
    def _start(self, resume: dict | None) -> None:
        """``open``, once the final names are checked."""

    def least_bytes(self, rows: int) -> int:
        """What ``rows`` predictions take on the disk at least, where that is known."""
        return 0

    @abstractmethod
    def write(self, batch: PredictionBatch) -> None:
        """Append a batch."""

    @abstractmethod
    def checkpoint(self) -> dict:
        """Flush everything written so far to disk and return JSON-able state to resume from."""

    @abstractmethod
    def finish(self) -> list[Path]:
        """Complete the result, rename it to its final name(s), return them in order."""

    @abstractmethod
    def suspend(self) -> None:
        """Close files and leave ``partial`` for ``--resume``."""

    @abstractmethod
    def discard(self) -> None:
        """Close files and remove ``partial``."""
