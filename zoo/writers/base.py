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

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.results.check_out import check_out
from zoo.results.whole import partial_of

__all__ = ["Writer", "WriterContext"]


@dataclass(frozen=True)
class WriterContext:
    """What a writer is told before the first batch.

    Attributes:
        out: final path (``-`` never reaches a file writer).
        outputs: the model's outputs, in order, already restricted to the chosen tracks.
        chrom_sizes: chromosome name as in the regions file -> length in bp, in FASTA order; None where a dataloader
            of the model's own gives names and nobody knows them before. Genome tracks need them.
        overlap: ``"mean"``, ``"max"`` or ``"error"``: what genomic writers do where windows overlap.
        stranded_swap: output name -> (tracks,) int64 permutation that gives, for a ``reverse`` row,
            the channel that holds each track's prediction on the genome's strands; absent = identity.
        tiled: True when regions were tiled, so that a region can have several rows.
        aggregate: ``"mean"``, ``"sum"`` or ``"max"``: how a BED makes one value of the bins in a region.
    """

    out: Path
    outputs: tuple[OutputSpec, ...]
    chrom_sizes: dict[str, int] | None
    overlap: str
    stranded_swap: dict[str, np.ndarray]
    tiled: bool = False
    aggregate: str = "mean"


class Writer(ABC):
    """Writes one result. Life: ``open``, ``write`` ..., then ``finish`` or ``suspend``."""

    #: ``(file, kind)`` of a format that is a folder: an older one is known by that file in it.
    store: tuple[str, str] | None = None
    #: Whether NaN and infinity are written as they are. Where not, they are left out.
    holds_not_finite = True
    #: Whether the bins of a row become one value, by ``--aggregate``.
    aggregates = False

    def __init__(self, context: WriterContext) -> None:
        self.context = context
        self.partial = partial_of(context.out)
        #: the files that ``finish`` gives their names
        self.finals = [context.out]

    @property
    def needs_places(self) -> bool:
        """Whether the format can be written only where bins have coordinates, and both strands of a pair are there."""
        return False

    def other_finals(self, outputs: tuple[OutputSpec, ...]) -> list[Path]:
        """Names that the same OUT gets for other outputs and tracks of a model that has these."""
        return []

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
