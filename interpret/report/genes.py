"""Genes of a BED6, BED12, GTF or GFF3, plain or gzip, for the view of regions."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import InputError
from zoo.genome.intervals import RegionFile
from zoo.paths import given_path, near_file
from zoo.words import counted

__all__ = ["Gene", "genes_within", "read_genes"]

FIX = "Fix: --genes with a BED6, BED12, GTF or GFF3 file, plain or gzip"
# Names of a transcript, best first; GTF writes `key "value";`, GFF3 `key=value;`.
NAMES = ("gene_name", "Name", "gene", "gene_id", "Parent", "transcript_id", "ID")
ATTRIBUTE = re.compile(r'\s*([^\s=;"]+)(?:=|\s+)"?([^";]*)"?\s*(?:;|$)')
GENES = {"gene", "ncRNA_gene", "pseudogene"}
TRANSCRIPTS = {"transcript", "mRNA", "lnc_RNA", "ncRNA", "tRNA", "rRNA", "snRNA", "snoRNA"}


@dataclass(frozen=True)
class Gene:
    """A gene or transcript: 0-based half-open, exons as (start, end); without exons it is one block."""

    chrom: str
    start: int
    end: int
    name: str
    strand: str
    exons: tuple[tuple[int, int], ...] = field(default=())


def read_genes(path: str | Path) -> list[Gene]:
    """All genes of a file, in its order. GTF and GFF3: transcripts with their exons, or genes where there are none.

    Raises:
        InputError: no such file, or a line that is neither of the formats, with its number.
    """
    path = given_path(path)
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason, near = (str(error), "") if path.exists() else ("no such file", near_file(path))
        raise InputError(f"{path}: genes cannot be read: {reason}", near or "nothing was written", FIX) from None
    rows = [(number, line.split("\t")) for number, line in _rows(text)]
    try:
        if rows and len(rows[0][1]) == 9 and not rows[0][1][1].isdigit():
            genes = _gff(rows)
        else:
            with RegionFile(path) as file:
                file.check_head(ambiguous=False)  # a SAF or a table of R would be drawn one base off
            genes = _bed(rows)
    except _LineError as error:
        raise InputError(f"{path}:{error.number}: {error.reason}", "nothing was written", FIX) from None
    if not genes:
        raise InputError(f"{path}: holds no gene", counted(len(rows), "line"), FIX)
    return genes


class _LineError(Exception):
    def __init__(self, number: int, reason: str) -> None:
        self.number, self.reason = number, reason


def _rows(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(io.StringIO(text), 1):
        line = line.rstrip("\r\n")
        if line.startswith("##FASTA"):
            return
        if line and not line.startswith(("#", "track", "browser")):
            yield number, line


def _bed(rows: list[tuple[int, list[str]]]) -> list[Gene]:
    genes = []
    for number, row in rows:
        try:
            start, end = int(row[1]), int(row[2])
            exons = _blocks(start, row) if len(row) >= 12 else ()
        except (ValueError, IndexError):
            raise _LineError(number, "is no line of BED (chrom, start, end, name, score, strand)") from None
        name = row[3].rsplit("|", 1)[-1] if len(row) > 3 else "."  # systematic|common, as in UCSC's and our yeast genes
        genes.append(Gene(row[0], start, end, name, row[5] if len(row) > 5 else ".", exons))
    return genes


def _blocks(start: int, row: list[str]) -> tuple[tuple[int, int], ...]:
    sizes, starts = ([int(part) for part in row[i].strip(",").split(",")] for i in (10, 11))
    return tuple((start + at, start + at + size) for at, size in zip(starts, sizes, strict=True))


def _gff(rows: list[tuple[int, list[str]]]) -> list[Gene]:
    """Transcripts by their id, with the exons that name them; genes that have no transcript in the file."""
    kept: dict[str, Gene] = {}
    exons: dict[str, list[tuple[int, int]]] = {}
    genes: dict[str, Gene] = {}
    for number, row in rows:
        try:
            chrom, kind, start, end, strand = row[0], row[2], int(row[3]) - 1, int(row[4]), row[6]
            values = {key: value.strip() for key, value in ATTRIBUTE.findall(row[8])}
        except (ValueError, IndexError):
            raise _LineError(number, "is no line of GTF or GFF3 (nine columns)") from None
        name = next((values[key] for key in NAMES if values.get(key)), ".")
        if kind == "exon":
            for parent in (values.get("Parent") or values.get("transcript_id") or "").split(","):
                exons.setdefault(parent, []).append((start, end))
        elif kind in TRANSCRIPTS:
            kept[values.get("ID") or values.get("transcript_id") or str(number)] = Gene(chrom, start, end, name, strand)
            genes.pop(values.get("Parent") or values.get("gene_id") or "", None)
        elif kind in GENES:
            genes[values.get("ID") or values.get("gene_id") or str(number)] = Gene(chrom, start, end, name, strand)
    with_exons = [
        Gene(g.chrom, g.start, g.end, g.name, g.strand, tuple(sorted(exons.get(key, ())))) for key, g in kept.items()
    ]
    return with_exons + list(genes.values())


def genes_within(genes: list[Gene], chrom: str, start: int, end: int, most: int) -> tuple[list[Gene], int]:
    """Genes that overlap a stretch, by their start, at most ``most``, and how many there are in all.

    Of transcripts with the same name and strand the longest is kept: isoforms would hide the neighbours.
    """
    found: dict[tuple[str, str], Gene] = {}
    for gene in genes:
        if gene.chrom == chrom and gene.start < end and gene.end > start:
            key = (gene.name, gene.strand)
            if key not in found or gene.end - gene.start > found[key].end - found[key].start:
                found[key] = gene
    ordered = sorted(found.values(), key=lambda gene: (gene.start, gene.end))
    return ordered[:most], len(ordered)
