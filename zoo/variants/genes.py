"""Genes of a GTF, BED12 or SpliceAI's table: which of them a variant lies in, their strand and their exons.

A gene is all of its transcripts in the file: its exons are the union of theirs, and its splice sites those of each. Who
wants one transcript a gene gives a file of these (``grep Ensembl_canonical genes.gtf``).
"""

from __future__ import annotations

import itertools
import re
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import InputError
from zoo.genome.assembly import alias_map
from zoo.genome.fasta import Genome
from zoo.genome.region_stream import first_bytes, is_text, open_text
from zoo.outputs import first_of
from zoo.paths import given_path, near_file
from zoo.words import counted

__all__ = ["Gene", "Genes"]

FIX = "Fix: --genes with a GTF that has exons, a BED12, or SpliceAI's table of genes; plain or gzip"
GTF_KEY = re.compile(r'(gene_id|gene_name|gene|transcript_id)\s+"?([^";]*)"?')
#: First columns of the table that comes with SpliceAI (annotations/grch38.txt), whose starts are 0-based.
SPLICEAI = ("#NAME", "CHROM", "STRAND", "TX_START", "TX_END", "EXON_START", "EXON_END")

Block = tuple[int, int]


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
        begin = _first_bytes(path)
        try:
            transcripts = list(_read(path, begin))
        except _LineError as error:
            raise InputError(f"{path}:{error.number}: {error.reason}", error.extent, error.fix) from None
        except (EOFError, zlib.error) as error:
            raise _unreadable(path, f"the gzip stream is truncated or damaged ({error})") from None
        except OSError as error:
            raise _unreadable(path, str(error.strerror or error)) from None
        if not transcripts:
            raise InputError(f"{path}: holds no gene", "", FIX)
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


# ---------------- rows to transcripts


@dataclass(frozen=True, slots=True)
class _Transcript:
    """One transcript as the file has it; ``line`` for messages."""

    chrom: str
    strand: str
    name: str
    id: str
    exons: tuple[Block, ...]
    line: int


class _LineError(Exception):
    def __init__(self, number: int, reason: str, fix: str = FIX, extent: str = "no gene was read") -> None:
        self.number, self.reason, self.fix, self.extent = number, reason, fix, extent


def _first_bytes(path: Path) -> bytes:
    try:
        return first_bytes(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file of genes", near_file(path), "Fix: check the path of --genes") from None
    except (EOFError, zlib.error) as error:
        raise _unreadable(path, f"the gzip stream is truncated or damaged ({error})") from None
    except OSError as error:
        raise _unreadable(path, str(error.strerror or error)) from None


def _unreadable(path: Path, reason: str) -> InputError:
    fix = "Fix: fetch the file again" if path.is_file() else "Fix: check the path of --genes"
    return InputError(f"{path}: genes cannot be read: {reason}", "nothing was scored", fix)


def _read(path: Path, begin: bytes) -> Iterator[_Transcript]:
    """Transcripts of whichever format the first line that is no comment has."""
    if not is_text(begin):
        raise InputError(f"{path}: is not a text file of genes", "", FIX)
    with open_text(path) as lines:
        number, line = _first_row(path, lines)
        row = line.rstrip("\n").split("\t")
        if tuple(row[:7]) == SPLICEAI:
            yield from _spliceai(_rest(lines, number))
        elif _is_gff(row):
            yield from _gtf(path, _with(number, line, lines))
        else:
            yield from _bed(_with(number, line, lines))


def _first_row(path: Path, lines: Iterable[str]) -> tuple[int, str]:
    for number, line in enumerate(lines, 1):
        if line.startswith("##gff-version") and not line.split()[1:2] == ["2"]:
            raise _gff3(number)
        if line.startswith("##fileformat=VCF"):
            raise _LineError(number, "is a VCF, not a file of genes")
        if line.strip() and (line.startswith("#NAME\t") or not line.startswith(("#", "track", "browser"))):
            return number, line
    raise InputError(f"{path}: holds no gene", "", FIX)


def _gff3(number: int) -> _LineError:
    return _LineError(number, "is of a GFF3, not a GTF", "Fix: convert it: gffread genes.gff3 -T -o genes.gtf")


def _is_gff(row: list[str]) -> bool:
    return len(row) in (8, 9) and row[3].strip().isdigit() and row[4].strip().isdigit() and not row[1].isdigit()


def _rest(lines: Iterable[str], number: int) -> Iterator[tuple[int, list[str]]]:
    for at, line in enumerate(lines, number + 1):
        if line.strip() and not line.startswith("#"):
            yield at, line.rstrip("\n").split("\t")


def _with(number: int, line: str, lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The first row again, and those behind it."""
    yield number, line
    yield from enumerate(lines, number + 1)


def _gtf(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[_Transcript]:
    exons: dict[tuple[str, str, str, str], list[Block]] = {}
    known: dict[tuple[str, str, str, str], tuple[str, int]] = {}
    features: Counter[str] = Counter()
    for number, line in lines:
        if line.startswith("#") or not line.strip():
            continue
        row = line.rstrip("\n").split("\t")
        if len(row) < 9:
            raise _LineError(number, f"has {counted(len(row), 'column')} where a GTF has 9, separated by tabs")
        features[row[2]] += 1
        if row[2] != "exon":
            continue
        block = _block(number, row[3], row[4], 1)
        keys = dict(GTF_KEY.findall(row[8]))
        gene = keys.get("gene_id")
        if not gene:
            if re.search(r"(^|;)\s*(ID|Parent)=", row[8]):
                raise _gff3(number)
            raise _LineError(number, "this exon has no gene_id in column 9")
        key = row[0], _strand(number, row[6], 7), gene, keys.get("transcript_id", "")
        exons.setdefault(key, []).append(block)
        known.setdefault(key, (keys.get("gene_name") or keys.get("gene") or gene, number))
    if not exons:
        found = ", ".join(f"{count:,} {name}" for name, count in features.most_common(4))
        raise InputError(
            f"{path}: has no exon",
            f"features in its third column: {found}",
            "Fix: give the whole GTF of the annotation: exons are rows of their own, `grep -c -w exon genes.gtf`",
        )
    for (chrom, strand, gene, _), blocks in exons.items():
        name, number = known[chrom, strand, gene, _]
        yield _Transcript(chrom, strand, name, gene, tuple(sorted(blocks)), number)


def _bed(lines: Iterable[tuple[int, str]]) -> Iterator[_Transcript]:
    for number, line in lines:
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        row = line.rstrip("\n").split("\t")
        if len(row) < 12:
            lost = "; its columns are separated by blanks, not tabs" if len(line.split()) > len(row) + 3 else ""
            raise _LineError(
                number,
                f"has {counted(len(row), 'column')}{lost}; exons are in columns 10 to 12 of a BED12",
                extent="neither is it a GTF (9 columns) or SpliceAI's table (#NAME, CHROM, STRAND, ...)",
            )
        start, end = _block(number, row[1], row[2], 0)
        exons = _blocks(number, start, end, row)
        name = row[3].rsplit("|", 1)[-1]  # systematic|common, as UCSC has them of yeast
        yield _Transcript(row[0], _strand(number, row[5], 6), name, row[3], exons, number)


def _blocks(number: int, start: int, end: int, row: list[str]) -> tuple[Block, ...]:
    sizes, starts = (row[at].strip().strip(",").split(",") for at in (10, 11))
    try:
        exons = tuple((start + int(at), start + int(at) + int(size)) for at, size in zip(starts, sizes, strict=True))
        whole = len(exons) == int(row[9]) and exons[0][0] == start and exons[-1][1] == end
    except ValueError:
        raise _LineError(number, "columns 10 to 12 are not the blocks of a BED12 (count, sizes, starts)") from None
    if not whole or any(low >= high for low, high in exons) or any(a[1] > b[0] for a, b in itertools.pairwise(exons)):
        raise _LineError(number, "its blocks (columns 10 to 12) are not in order, or do not fill start to end")
    return exons


def _spliceai(rows: Iterable[tuple[int, list[str]]]) -> Iterator[_Transcript]:
    for number, row in rows:
        if len(row) < 7:
            raise _LineError(number, f"has {counted(len(row), 'column')} where SpliceAI's table has 7")
        starts, ends = (part.strip().strip(",").split(",") for part in row[5:7])
        if len(starts) != len(ends):
            raise _LineError(number, f"has {len(starts)} EXON_START and {len(ends)} EXON_END")
        exons = tuple(sorted(_block(number, low, high, 0) for low, high in zip(starts, ends, strict=True)))
        yield _Transcript(row[1], _strand(number, row[2], 3), row[0], row[0], exons, number)


def _block(number: int, first: str, last: str, base: int) -> Block:
    """0-based half-open, of columns that count from ``base``."""
    try:
        start, end = int(first) - base, int(last)
    except ValueError:
        raise _LineError(number, f"start and end are {first[:20]!r} and {last[:20]!r}, not numbers") from None
    if start < 0 or end <= start:
        raise _LineError(number, f"from {first} to {last} is no interval{' (a GTF counts from 1)' if base else ''}")
    return start, end


def _strand(number: int, text: str, column: int) -> str:
    if text not in ("+", "-"):
        raise _LineError(
            number,
            f"this gene's strand (column {column}) is {text!r}, not + or -",
            "Fix: give each gene its strand, which says how it is read, or remove those without one",
        )
    return text


# ---------------- transcripts to genes


def _contigs(path: Path, transcripts: list[_Transcript], genome: Genome, translate: bool) -> dict[str, int]:
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
            f"{len(of_another_style):,} of {counted(len(first), 'name')} are: {first_of(of_another_style)}",
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


def _by_gene(transcripts: list[_Transcript]) -> Iterator[list[_Transcript]]:
    """Transcripts of a gene together: of one id, chromosome and strand, as long as they overlap."""
    together: dict[tuple[str, str, str], list[_Transcript]] = {}
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


def _gene(rows: list[_Transcript], contig: int) -> Gene:
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
