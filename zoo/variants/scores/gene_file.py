"""Files of genes: a GTF, a BED12 or the table that comes with SpliceAI, plain or gzip, as transcripts with exons."""

from __future__ import annotations

import itertools
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError
from zoo.genome.region_stream import first_bytes, is_text, open_text
from zoo.paths import near_file
from zoo.words import counted

__all__ = ["Block", "Transcript", "read_transcripts"]

FIX = "Fix: --genes with a GTF that has exons, a BED12, or SpliceAI's table of genes; plain or gzip"
#: Of column 9 of a GTF; files quote the value or do not.
GENE_ID, TRANSCRIPT_ID = (re.compile(rf'(?:^|[;\s]){key}\s+"?([^";]+)') for key in ("gene_id", "transcript_id"))
SYMBOL = re.compile(r'(?:^|[;\s])gene(?:_name|_symbol)?\s+"?([^";]+)')
#: First columns of the table that comes with SpliceAI (annotations/grch38.txt), whose starts are 0-based.
SPLICEAI = ("#NAME", "CHROM", "STRAND", "TX_START", "TX_END", "EXON_START", "EXON_END")

Block = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Transcript:
    """One transcript as the file has it: exons ascend, 0-based half-open; ``line`` is its first, for messages."""

    chrom: str
    strand: str
    name: str
    id: str
    exons: tuple[Block, ...]
    line: int


class _LineError(Exception):
    def __init__(self, number: int, reason: str, fix: str = FIX, extent: str = "no gene was read") -> None:
        self.number, self.reason, self.fix, self.extent = number, reason, fix, extent


def read_transcripts(path: Path) -> list[Transcript]:
    """All transcripts of a file, at least one.

    Raises:
        InputError: no such file, none of the formats, no exons, or a line that is wrong, with its number.
    """
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
    return transcripts


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
    if not os.access(path, os.R_OK):
        fix = "Fix: check the file's permissions"
    return InputError(f"{path}: genes cannot be read: {reason}", "nothing was scored", fix)


def _read(path: Path, begin: bytes) -> Iterator[Transcript]:
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


def _gtf(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Transcript]:
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
        gene, transcript = GENE_ID.search(row[8]), TRANSCRIPT_ID.search(row[8])
        if gene is None:
            if re.search(r"(^|;)\s*(ID|Parent)=", row[8]):
                raise _gff3(number)
            raise _LineError(number, "this exon has no gene_id in column 9")
        key = row[0], _strand(number, row[6], 7), gene[1].strip(), transcript[1].strip() if transcript else ""
        if key not in exons:
            symbol = SYMBOL.search(row[8])
            exons[key], known[key] = [], (symbol[1].strip() if symbol else key[2], number)
        exons[key].append(block)
    if not exons:
        found = ", ".join(f"{count:,} {name}" for name, count in features.most_common(4))
        raise InputError(
            f"{path}: has no exon",
            f"features in its third column: {found}",
            "Fix: give the whole GTF of the annotation: exons are rows of their own, `grep -c -w exon genes.gtf`",
        )
    for key, blocks in exons.items():
        (chrom, strand, gene, _), (name, number) = key, known[key]
        yield Transcript(chrom, strand, name, gene, tuple(sorted(blocks)), number)


def _bed(lines: Iterable[tuple[int, str]]) -> Iterator[Transcript]:
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
        yield Transcript(row[0], _strand(number, row[5], 6), name, row[3], exons, number)


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


def _spliceai(rows: Iterable[tuple[int, list[str]]]) -> Iterator[Transcript]:
    for number, row in rows:
        if len(row) < 7:
            raise _LineError(number, f"has {counted(len(row), 'column')} where SpliceAI's table has 7")
        starts, ends = (part.strip().strip(",").split(",") for part in row[5:7])
        if len(starts) != len(ends):
            raise _LineError(number, f"has {len(starts)} EXON_START and {len(ends)} EXON_END")
        exons = tuple(sorted(_block(number, low, high, 0) for low, high in zip(starts, ends, strict=True)))
        yield Transcript(row[1], _strand(number, row[2], 3), row[0], row[0], exons, number)


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
