"""Genes of a GTF, BED12 or SpliceAI's table: which of them a variant lies in, their strand and their exons."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Gene"]


@dataclass(frozen=True, slots=True)
class Gene:
    """One gene, in coordinates of the genome.

    Attributes:
        name: symbol, as scores are named by; the id where the file has no symbol.
        id: the file's identifier, e.g. ``ENSG00000100170.9``; the name where the file has none.
        contig: number of the chromosome in the genome.
        start, end: 0-based half-open, from the first base of the first exon to the last of the last.
        strand: ``"+"`` or ``"-"``.
        exons: (start, end) each, 0-based half-open, ascending and apart.
    """

    name: str
    id: str
    contig: int
    start: int
    end: int
    strand: str
    exons: tuple[tuple[int, int], ...]
