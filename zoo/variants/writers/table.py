"""What every format writes of a row: the variant as the file has it, what was made of it, its scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from zoo.variants.alleles.allele import Record
from zoo.variants.run.scorer import Row
from zoo.writers.base import WriterContext

if TYPE_CHECKING:
    from zoo.variants.reading.header import Header
    from zoo.variants.scores.columns import Column

__all__ = [
    "NO_NUMBER",
    "SCORED",
    "ScoredRecord",
    "VariantContext",
    "leading_columns",
    "leading_fields",
    "own_columns",
    "rows_of",
    "values_of",
]

#: What stands for the status of a row that has scores.
SCORED = "ok"
#: What stands for a number that is missing.
NO_NUMBER = "nan"
VARIANT = ("chrom", "pos", "id", "ref", "alt")
GENE = ("gene", "gene_id", "strand")
CHANGE = ("status", "changed_pos", "changed_ref", "changed_alt", "window_start", "window_end", "unknown")
#: Columns of whole numbers; positions of variants count from 1, as in a VCF, windows are 0-based half-open.
NUMBERS = ("pos", "changed_pos", "window_start", "window_end", "unknown", "haplotype", "left_out")


@dataclass(frozen=True)
class VariantContext(WriterContext):
    """What a writer is told before the first row.

    Attributes:
        columns: the scores, in the order of ``Row.values``.
        genes: whether rows have genes.
        length: bp of a window.
        header: lines of the VCF header, without line ends, the one of columns last; empty where the input has none.
        prefix: what the names of INFO fields begin with.
        about: what made the scores, for a line of the header: name -> value.
        statuses: status -> sentence, of those that a row can have.
        splicing: whether the scores are SpliceAI's, which are one field of INFO.
        texts: names of further columns of text, before the scores.
        own: further columns of an input that is a table: (name here, number there).
    """

    columns: tuple[Column, ...] = ()
    genes: bool = False
    length: int = 0
    header: tuple[str, ...] = ()
    prefix: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    splicing: bool = False
    texts: tuple[str, ...] = ()
    own: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ScoredRecord:
    """A row of the input with the rows of all its ALTs, in their order."""

    record: Record
    rows: tuple[Row, ...]


def rows_of(batch: Sequence[ScoredRecord]) -> list[Row]:
    """All rows of a batch, in order."""
    return [row for scored in batch for row in scored.rows]


def values_of(rows: Sequence[Row], columns: int) -> np.ndarray:
    """(rows, columns) float32; NaN where there is no score."""
    values = np.full((len(rows), columns), np.nan, np.float32)
    for place, row in enumerate(rows):
        if row.values is not None:
            values[place] = row.values
    return values


def leading_columns(context: VariantContext) -> tuple[str, ...]:
    """Names of the columns before the scores."""
    own = (name for name, _ in context.own)
    return (*VARIANT, *own, *(GENE if context.genes else ()), *CHANGE, *context.texts)


def own_columns(header: Header, scores: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """The columns of a table that a row does not have anyway: (name, number); ``input_`` stands before names of ours.

    Args:
        scores: names of the scores.
    """
    layout = header.layout
    known = {layout.chrom, layout.pos, layout.ref, layout.alt, layout.id}
    taken = {*VARIANT, *GENE, *CHANGE, *scores}
    found = []
    for number, name in enumerate(header.names):
        if number in known:
            continue
        while name in taken:
            name = f"input_{name}"
        taken.add(name)
        found.append((name, number))
    return tuple(found)


def leading_fields(rows: Sequence[Row], context: VariantContext) -> Iterator[list[str]]:
    """The text of these columns; where something is missing ``.``, or ``nan`` for a number."""
    for row in rows:
        allele, record = row.allele, row.allele.record
        fields = [record.chrom, str(record.pos + 1), record.id, record.ref, allele.alt]
        fields += [record.columns[number] for _, number in context.own]
        if context.genes:
            gene = row.gene
            fields += [gene.name, gene.id, gene.strand] if gene is not None else [".", ".", "."]
        edit = allele.edit
        fields.append(row.status or SCORED)
        fields += [str(edit.start + 1), edit.ref, edit.alt] if edit is not None else [NO_NUMBER, ".", "."]
        if row.start is None:
            fields += [NO_NUMBER] * 3
        else:
            fields += [str(row.start), str(row.start + context.length), str(row.unknown)]
        yield [*fields, *row.texts]
