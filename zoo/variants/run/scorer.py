"""Alleles to rows of scores, as a stream: what is read of them, one pass for equal sequences, scores, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.variants.alleles.allele import Allele
from zoo.variants.scores.placements import places_of

if TYPE_CHECKING:
    from zoo.genome.fasta import Genome
    from zoo.variants.run.passes import Passes
    from zoo.variants.scores.genes import Gene, Genes
    from zoo.variants.scores.placements import Places
    from zoo.variants.scores.scores import Scores
    from zoo.variants.windows.aligned import Aligned, Pair, Predicted
    from zoo.variants.windows.windows import PairPlan

__all__ = ["Row", "Scorer", "Task"]


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
        texts: what stands in the table's further columns of text.
    """

    allele: Allele
    gene: Gene | None
    status: str
    start: int | None
    unknown: int
    values: np.ndarray | None
    aligned: Aligned | None = None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One row before it is computed.

    Attributes:
        allele, gene, status: as in ``Row``.
        pair: what is read of it; None where nothing is.
        places: the same of an indel in a repeat, as the leftmost and the rightmost of its places.
        row: the row itself, where it is known already.
    """

    allele: Allele
    gene: Gene | None
    status: str = ""
    pair: Pair | None = None
    places: Places | None = None
    row: Row | None = None

    @property
    def sequences(self) -> Sequence[bytes]:
        """What the network is asked for."""
        read = self.places or self.pair
        return read.sequences if read is not None else ()


class Scorer:
    """Scores alleles by one model on one genome.

    Args:
        genome: where windows are read.
        plan: how the sequences of an allele are made.
        passes: predicts them.
        scores: makes numbers of what was predicted.
        genes: those in which variants are scored, a row each; None scores each variant by itself.
        keep_aligned: keep the predictions in the rows.
        known: gives the row of an allele and gene that need not be computed, or None.
    """

    def __init__(
        self,
        genome: Genome,
        plan: PairPlan,
        passes: Passes,
        scores: Scores,
        genes: Genes | None = None,
        *,
        keep_aligned: bool = False,
        known: Callable[[Allele, Gene | None], Row | None] | None = None,
    ) -> None:
        self.genome, self.plan, self.passes, self.scores, self.genes = genome, plan, passes, scores, genes
        self.keep_aligned, self.known = keep_aligned, known

    def score(self, alleles: Iterable[Allele]) -> Iterator[Row]:
        """Rows in the order of the alleles, and of the genes of each."""
        tasks = (task for allele in alleles for task in self.tasks(allele))
        return (self.row(task, predictions) for task, predictions in self.predicted(tasks))

    def tasks(self, allele: Allele, centre: int | None = None) -> Iterator[Task]:
        """What is to be computed of an allele; at least one task, whose row may say why there is no score.

        Args:
            centre: as ``PairPlan.pair`` takes it.
        """
        if allele.edit is None:
            yield Task(allele, None, allele.status)
        elif self.genes is None:
            yield self._task(allele, None, centre)
        else:
            genes = self.scores.genes_of(self.genes, allele)
            if not genes:
                yield Task(allele, None, "no_gene")
            for gene in genes:
                yield self._task(allele, gene, centre)

    def _task(self, allele: Allele, gene: Gene | None, centre: int | None) -> Task:
        if self.known is not None and (row := self.known(allele, gene)) is not None:
            return Task(allele, gene, row.status, row=row)
        found = self.plan.pair(self.genome, allele, gene, centre)
        if isinstance(found, str):
            return Task(allele, gene, found)
        places = places_of(self.plan, self.genome, allele, gene, found, centre) if self.scores.placed else None
        return Task(allele, gene, "", found, places)

    def predicted(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, list[Predicted]]]:
        """Tasks with the predictions of their sequences, in order."""
        return self.passes.stream(tasks, lambda task: task.sequences)

    def row(self, task: Task, predictions: Sequence[Predicted]) -> Row:
        """The scores of a task."""
        if task.row is not None:
            return task.row
        if task.pair is None:
            return Row(task.allele, task.gene, task.status, None, 0, None)
        pair = task.pair
        aligned, placed = task.places.join(predictions) if task.places else (pair.join(predictions), ())
        values = self.scores.of(aligned, task.allele, task.gene, placed)
        kept = aligned if self.keep_aligned else None
        return Row(task.allele, task.gene, "", pair.start, pair.unknown, values, kept)
