"""Genes of a GTF, BED12 or SpliceAI's table: which of them a variant lies in, their strand and their exons.

A gene is all of its transcripts in the file: its exons are the union of theirs, and its splice sites those of each. Who
wants one transcript a gene gives a file of these (``grep Ensembl_canonical genes.gtf``).
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import InputError
from zoo.genome.assembly import alias_map
from zoo.genome.fasta import Genome
from zoo.outputs import first_of
from zoo.paths import given_path
from zoo.variants.scores.gene_file import Block, Transcript, read_transcripts
from zoo.words import counted

__all__ = ["Gene", "Genes"]


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
        acceptors, donors: 0-based first and last bases of exons, as they are read, where a transcript is spliced;
            ascending. Of ``exons`` where they are not given.
    """

    name: str
    id: str
    contig: int
    start: int
    end: int
    strand: str
    exons: tuple[Block, ...]
    acceptors: tuple[int, ...] = field(default=None)  # type: ignore[assignment]
    donors: tuple[int, ...] = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        acceptors, donors = spliced([self.exons], self.strand)
        for name, found in (("acceptors", acceptors), ("donors", donors)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, found)


def spliced(transcripts: Iterable[Iterable[Block]], strand: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Acceptors and donors of transcripts, each of exons in ascending order: bases of exons beside an intron."""
    right, left = set(), set()  # of an intron: the first base of the exon behind it, the last of the one before
    for exons in transcripts:
        for (_, end), (start, _) in itertools.pairwise(exons):
            if end < start:
                left.add(end - 1)
                right.add(start)
    acceptors, donors = (right, left) if strand == "+" else (left, right)
    return tuple(sorted(acceptors)), tuple(sorted(donors))


class Genes:
    """Genes by where they lie.

    Args:
        genes: in any order.

    Attributes:
        notes: what a user should know of the file.
    """

    def __init__(self, genes: Iterable[Gene], notes: Iterable[str] = ()) -> None:
        self.notes = list(notes)
        self._by_contig: dict[int, list[Gene]] = {}
        for gene in sorted(genes, key=lambda gene: (gene.contig, gene.start, gene.end, gene.name, gene.id)):
            self._by_contig.setdefault(gene.contig, []).append(gene)
        self._starts = {contig: [gene.start for gene in found] for contig, found in self._by_contig.items()}
        self._reach = {contig: _running_maximum(found) for contig, found in self._by_contig.items()}

    def __len__(self) -> int:
        return sum(map(len, self._by_contig.values()))

    def __iter__(self) -> Iterator[Gene]:
        """By contig and start."""
        for contig in sorted(self._by_contig):
            yield from self._by_contig[contig]

    def at(self, contig: int, start: int, end: int) -> list[Gene]:
        """Genes that have a base of [start, end), by their start; introns belong to a gene."""
        genes = self._by_contig.get(contig)
        if genes is None:
            return []
        low, high = bisect_right(self._reach[contig], start), bisect_left(self._starts[contig], end)
        return [gene for gene in genes[low:high] if gene.end > start]

    @classmethod
    def load(cls, path: str | Path, genome: Genome, *, translate: bool = False) -> Genes:
        """Read a file of genes.

        Args:
            path: GTF, BED12 (a transcript a row; rows of one name that overlap on one strand are one gene), or
                SpliceAI's table; plain or gzip.
            genome: genes on chromosomes that it lacks are left out.
            translate: join chromosome names of different styles (chr1, 1, NC_000001.11).

        Raises:
            InputError: no such file, none of the formats, no exons, a gene without strand, a gene past its
                chromosome's end, or no gene on a chromosome of the genome.
        """
        path = given_path(path)
        transcripts = read_transcripts(path)
        names = _contigs(path, transcripts, genome, translate)
        genes = [_gene(rows, names[rows[0].chrom]) for rows in _by_gene(transcripts) if rows[0].chrom in names]
        _check_ends(path, genes, genome)
        left = Counter(one.chrom for one in transcripts if one.chrom not in names)
        notes = []
        if left:
            notes.append(
                f"{counted(left.total(), 'transcript')} of {path.name} left out: {genome.path.name} has no "
                f"{first_of(list(left))}"
            )
        return cls(genes, notes)


def _running_maximum(genes: list[Gene]) -> list[int]:
    reach, found = 0, []
    for gene in genes:
        reach = max(reach, gene.end)
        found.append(reach)
    return found


def _contigs(path: Path, transcripts: list[Transcript], genome: Genome, translate: bool) -> dict[str, int]:
    """Chromosome name of the file -> number in the genome, of those that the genome has.

    Raises:
        InputError: it has none of them, or writes some in another style.
    """
    first: dict[str, int] = {}
    for one in transcripts:
        first.setdefault(one.chrom, one.line)
    joined = alias_map(list(first), genome.sizes)
    of_another_style = [name for name in joined if name not in genome.sizes]
    if of_another_style and not translate:
        name = of_another_style[0]
        raise InputError(
            f"{path}:{first[name]}: chromosome {name!r} is not in {genome.path}, which writes {joined[name]!r}: "
            "the names are of another style",
            f"{len(of_another_style):,} of {counted(len(first), 'name is', 'names are')} of another: "
            f"{first_of(of_another_style)}",
            "Fix: add --translate-chroms, or rename the chromosomes in one of the files",
        )
    if not joined:
        name, line = next(iter(first.items()))
        others = f"nor is any other of {counted(len(first), 'name')}: {first_of(list(first))}"
        raise InputError(
            f"{path}:{line}: chromosome {name!r} is not in {genome.path}",
            others if len(first) > 1 else "no gene is on a chromosome of the genome",
            f"Fix: give the genes of this genome, which has {first_of(list(genome.sizes))}",
        )
    numbers = {name: number for number, name in enumerate(genome.sizes)}
    return {name: numbers[contig] for name, contig in joined.items()}


def _by_gene(transcripts: list[Transcript]) -> Iterator[list[Transcript]]:
    """Transcripts of a gene together: of one id, chromosome and strand, as long as they overlap."""
    together: dict[tuple[str, str, str], list[Transcript]] = {}
    for one in transcripts:
        together.setdefault((one.chrom, one.strand, one.id), []).append(one)
    for rows in together.values():
        rows.sort(key=lambda one: one.exons[0][0])
        found, end = [rows[0]], rows[0].exons[-1][1]
        for one in rows[1:]:
            if one.exons[0][0] >= end:  # another copy, elsewhere
                yield found
                found = []
            found.append(one)
            end = max(end, one.exons[-1][1])
        yield found


def _gene(rows: list[Transcript], contig: int) -> Gene:
    exons: list[Block] = []
    for start, end in sorted(block for one in rows for block in one.exons):
        if exons and start <= exons[-1][1]:
            exons[-1] = exons[-1][0], max(end, exons[-1][1])
        else:
            exons.append((start, end))
    first = rows[0]
    sites = spliced([one.exons for one in rows], first.strand)
    return Gene(first.name, first.id, contig, exons[0][0], exons[-1][1], first.strand, tuple(exons), *sites)


def _check_ends(path: Path, genes: list[Gene], genome: Genome) -> None:
    names = list(genome.sizes)
    past = [gene for gene in genes if gene.end > genome.sizes[names[gene.contig]]]
    if not past:
        return
    gene = past[0]
    chrom = names[gene.contig]
    raise InputError(
        f"{path}: {gene.name} ends at {gene.end:,}, past the end of {chrom} ({genome.sizes[chrom]:,} bp)",
        f"{len(past):,} of {counted(len(genes), 'gene')} do: they are of another assembly, or the FASTA is cut",
        "Fix: give the genes of the assembly that the FASTA is",
    )
