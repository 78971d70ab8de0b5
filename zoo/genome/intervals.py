"""Read regions: BED3 to BED12, narrowPeak, plain or gzip, from a file or standard input.

The file is read twice in blocks of lines: once by ``scan``, which checks every row before
a model is loaded, and once by ``chunks``, which yields columns. Neither holds the file in
memory. Source of the format: https://samtools.github.io/hts-specs/BEDv1.pdf (0-based
half-open; ``#``, ``track`` and ``browser`` lines and blank lines are not features).
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.errors import InputError, SystemStateError
from zoo.genome.region_table import HEADER_PREFIXES, Regions, bed_lines, is_table
from zoo.paths import given_path

__all__ = ["Intervals", "RegionFile", "RegionSummary"]

BLOCK_BYTES = 1 << 18
# The columns of so many regions (some 10 MB) are kept from the scan, so that a small file is parsed once.
KEPT_REGIONS = 20_000
GZIP_MAGIC = b"\x1f\x8b"
SNIFF_CHARACTERS = 1 << 14
# What is taken for a BED by mistake: its name, what to do, and how it begins.
OTHER_FORMATS = (
    ("a FASTA", "give the regions first and the genome with -g", (">",)),
    ("a VCF", "convert it: bcftools query -f '%CHROM\\t%POS0\\t%END\\t%ID\\n' x.vcf > x.bed", ("##fileformat=VCF",)),
    (
        "a GFF or GTF",
        "convert it: awk -v OFS='\\t' '!/^#/{print $1,$4-1,$5,$3,0,$7}' x.gff > x.bed",
        ("##gff-version", "##gtf"),
    ),
    ("a SAM file", "convert it: bedtools bamtobed", ("@HD\t", "@SQ\t")),
    ("a BAM file", "convert it: bedtools bamtobed", ("BAM\1",)),
)
# First fields of the column-header line that spreadsheet and pandas users leave in.
HEADER_STARTS = frozenset({"start", "chromstart", "chrom_start", "begin", "pos_start"})


@dataclass(frozen=True)
class Intervals:
    """Columns of consecutive regions.

    Attributes:
        chrom: (n,) object array of str, as written in the file.
        start, end: (n,) int64, 0-based half-open.
        name, score: (n,) object arrays of str, ``"."`` where the file has no such column.
        strand: (n,) ``<U1``: ``+``, ``-`` or ``.``.
        first: 0-based number in the file of the first of these regions.
    """

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    name: np.ndarray
    score: np.ndarray
    strand: np.ndarray
    first: int = 0

    def __len__(self) -> int:
        return len(self.start)

    def behind(self, n: int) -> Intervals:
        """Without the first ``n`` regions."""
        columns = (self.chrom, self.start, self.end, self.name, self.score, self.strand)
        return Intervals(*(column[n:] for column in columns), self.first + n)


@dataclass
class RegionSummary:
    """What a scan of the whole file found."""

    regions: int = 0
    skipped_lines: int = 0
    minus_strand: int = 0
    max_length: int = 0
    chrom_counts: Counter[str] = field(default_factory=Counter)
    first_line: dict[str, int] = field(default_factory=dict)


@dataclass
class _Problem:
    line: int
    text: str
    fix: str
    count: int = 0


class RegionFile:
    """A regions file that can be read more than once.

    Standard input (``-``), pipes (``<(bedtools ...)``) and tables are copied to a temporary file, which ``close``
    removes.

    Args:
        path: a path, ``-``, or a table (``zoo.genome.region_table``).

    Raises:
        InputError: the file is missing, a folder, unreadable or a damaged gzip; or a table with a wrong value.
        UsageError: a table without the columns of regions.
    """

    def __init__(self, path: Regions) -> None:
        self._spool = None
        self._scanned: list[Intervals] | None = None
        self._scanned_limit: int | None = None
        if is_table(path):
            lines = bed_lines(path)
            self.label = f"<table of {len(lines):,} regions>"
            self._spool = _spool(io.BytesIO("".join(lines).encode("utf-8", "replace")))
            self.path = Path(self._spool.name)
            return
        self.path = given_path(path)
        self.label = "<stdin>" if str(path) == "-" else str(path)
        if str(path) == "-":
            self._spool = _spool(_stdin())
        elif not _is_regular(self.path):
            with _open_pipe(self.path) as pipe:
                self._spool = _spool(pipe)
        if self._spool is not None:
            self.path = Path(self._spool.name)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> RegionFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def chunks(self, limit: int | None = None, start: int = 0) -> Iterator[Intervals]:
        """Yield the regions in file order, about 256 kB of text at a time.

        Args:
            limit: stop before the region of this number.
            start: begin at the region of this number, from 0.
        """
        for block in self._blocks(limit):
            if block.first >= start:
                yield block
            elif block.first + len(block) > start:
                yield block.behind(start - block.first)

    def _blocks(self, limit: int | None) -> Iterator[Intervals]:
        if self._scanned is not None and self._scanned_limit == limit:
            yield from self._scanned
            return
        seen = 0
        for rows, _ in self._row_blocks():
            if limit is not None:
                rows = rows[: limit - seen]
            if rows:
                yield _columns(rows, first=seen)
            seen += len(rows)
            if limit is not None and seen >= limit:
                return

    def scan(self, chrom_sizes: Mapping[str, int] | None = None, limit: int | None = None) -> RegionSummary:
        """Check every row and summarise the file.

        Args:
            chrom_sizes: chromosome name as in this file -> length in bp; ends are checked on these.
                Names that are absent are left to ``zoo.genome.checks``, which sees ``chrom_counts``.
            limit: check only this many regions.

        Raises:
            InputError: a row is malformed or outside its chromosome, with ``file:line`` of the first
                such row, how many there are, and the fix; or the file holds no region.
        """
        summary = RegionSummary()
        problems: dict[str, _Problem] = {}
        kept: list[Intervals] = []
        self._scanned = None
        for rows, numbers in self._row_blocks(summary):
            if limit is not None:
                rows = rows[: limit - summary.regions]
            block = _scan_block(rows, numbers, chrom_sizes, summary, problems)
            if summary.regions > KEPT_REGIONS:
                kept.clear()
            elif block is not None:
                kept.append(block)
            if limit is not None and summary.regions >= limit:
                break
        if problems:
            self._refuse_other_formats()
            self._raise_first(problems, summary.regions)
        if summary.regions == 0:
            raise InputError(
                f"{self.label}: no regions",
                f"{summary.skipped_lines} header, track, comment or blank lines were skipped",
                "Fix: give a BED with at least three tab-separated columns: chrom, start, end",
            )
        if summary.regions <= KEPT_REGIONS:
            self._scanned, self._scanned_limit = kept, limit
        return summary

    def _refuse_other_formats(self) -> None:
        """Say so when a file with malformed rows is no BED at all: nobody wants to hear of its columns."""
        with _open_text(self.path) as handle:
            head = handle.read(SNIFF_CHARACTERS)
        for form, fix, marks in OTHER_FORMATS:
            if head.startswith(marks):
                raise InputError(f"{self.label}: is {form}, not a BED", "", f"Fix: {fix}")
        if "\0" in head or "\ufffd" in head:
            raise InputError(
                f"{self.label}: is not a text file (or its encoding is not UTF-8)",
                "",
                "Fix: give a BED: lines of chrom, start, end, separated by tabs",
            )

    def _raise_first(self, problems: dict[str, _Problem], regions: int) -> None:
        first = min(problems.values(), key=lambda p: p.line)
        others = sum(p.count for p in problems.values()) - first.count
        extent = f"{first.count:,} of {regions:,} regions have this problem"
        if others:
            extent += f"; {others:,} have others"
        raise InputError(f"{self.label}:{first.line}: {first.text}", extent, f"Fix: {first.fix}")

    def _row_blocks(self, summary: RegionSummary | None = None) -> Iterator[tuple[list[list[str]], _LineNumbers]]:
        """Yield (split rows, their line numbers) a block of lines at a time."""
        line_number = 1
        for lines in self._line_blocks():
            rows, header_at = _split_rows(lines)
            if summary is not None:
                summary.skipped_lines += len(header_at)
            yield rows, _LineNumbers(line_number, header_at)
            line_number += len(lines)

    def _line_blocks(self) -> Iterator[list[str]]:
        try:
            with _open_text(self.path) as handle:
                while lines := handle.readlines(BLOCK_BYTES):
                    yield lines
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{self.label}: the gzip stream is truncated or damaged ({error})",
                "nothing was predicted",
                f"Fix: fetch or compress the file again; `gzip -t {self.label}` tells when it is whole",
            ) from None
        except OSError as error:
            raise InputError(f"{self.label}: {error.strerror or error}", "", "Fix: check the path") from None


@dataclass(frozen=True)
class _LineNumbers:
    """Maps a row of a block to its line in the file."""

    first_line: int
    header_at: list[int]

    def __getitem__(self, row: int) -> int:
        line = row
        for header in self.header_at:
            if header <= line:
                line += 1
        return self.first_line + line


def _stdin() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(
            f"<stdin>: regions are read from {'the terminal' if sys.stdin else 'standard input, which is closed'}",
            "",
            "Fix: pipe a BED in, e.g. `bedtools sort -i x.bed | zoo predict MODEL - -g genome.fa`",
        )
    return sys.stdin.buffer


def _open_pipe(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "", "Fix: check the path of the regions file") from None


def _spool(source: BinaryIO) -> tempfile._TemporaryFileWrapper:
    """Copy a stream, which can be read once, to a file, which is read twice."""
    spool = tempfile.NamedTemporaryFile(prefix="zoo-stdin-", suffix=".bed")  # noqa: SIM115 - RegionFile.close
    try:
        while block := source.read(BLOCK_BYTES):
            spool.write(block)
        spool.flush()
    except OSError as error:
        raise SystemStateError(
            f"{spool.name}: regions from a pipe cannot be kept: {error.strerror}",
            "",
            "Fix: set TMPDIR to a folder with room, or give the regions as a file",
        ) from None
    return spool


def _is_regular(path: Path) -> bool:
    """True for a file that can be read twice; raises for what cannot be read at all."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a regions file", "", "Fix: give a BED file")
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        path.open("rb").close()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "", "Fix: check the path of the regions file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "", "Fix: check the file's permissions") from None
    return True


@contextmanager
def _open_text(path: Path) -> Iterator[io.TextIOBase]:
    with path.open("rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        binary = gzip.GzipFile(fileobj=raw) if compressed else raw
        # newline=None and utf-8-sig accept the CRLF and byte-order mark of files that passed through Windows.
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline=None) as text:
            yield text


def _split_rows(lines: list[str]) -> tuple[list[list[str]], list[int]]:
    """Split lines into at most six columns; return rows and the positions of skipped lines."""
    rows: list[list[str]] = []
    header_at: list[int] = []
    for position, line in enumerate(lines):
        if line.startswith(HEADER_PREFIXES) or not line.strip():
            header_at.append(position)
            continue
        row = line.rstrip("\n").split("\t", 6) if "\t" in line else line.split(None, 6)
        if len(row) > 1 and not row[1][:1].isdigit() and row[1].strip().lower() in HEADER_STARTS:
            header_at.append(position)
            continue
        rows.append(row)
    return rows, header_at


def _columns(rows: list[list[str]], first: int) -> Intervals:
    """Turn checked rows into columns. Rows may have differing numbers of columns."""
    n = len(rows)
    width = min(6, min(map(len, rows)))
    fields = list(zip(*rows, strict=False))  # as many columns as the shortest row
    text = [_column(rows, fields, i, width, n) for i in (0, 3, 4)]
    strand = np.array(_column(rows, fields, 5, width, n), dtype="<U1")
    return Intervals(
        chrom=text[0],
        start=np.array(fields[1], dtype=object).astype(np.int64),
        end=np.array(fields[2], dtype=object).astype(np.int64),
        name=text[1],
        score=text[2],
        strand=np.where((strand == "+") | (strand == "-"), strand, "."),
        first=first,
    )


def _column(rows: list[list[str]], fields: list[tuple[str, ...]], i: int, width: int, n: int) -> np.ndarray:
    column = np.empty(n, dtype=object)
    if i < width:
        column[:] = fields[i]
    else:
        column[:] = [row[i] if len(row) > i else "." for row in rows]
    return column


def _scan_block(
    rows: list[list[str]],
    numbers: Sequence[int] | _LineNumbers,
    chrom_sizes: Mapping[str, int] | None,
    summary: RegionSummary,
    problems: dict[str, _Problem],
) -> Intervals | None:
    """Check a block of rows, add it to the summary, return its columns (None when no row is well formed)."""
    offset = summary.regions
    summary.regions += len(rows)
    if rows and not _well_formed(rows):
        good = _scan_malformed(rows, numbers, problems)
        rows, numbers = [rows[i] for i in good], [numbers[i] for i in good]
    if not rows:
        return None
    block = _columns(rows, first=offset)
    names, first_at, inverse, counts = np.unique(
        block.chrom.astype(str), return_index=True, return_inverse=True, return_counts=True
    )
    for name, at, count in zip(names.tolist(), first_at.tolist(), counts.tolist(), strict=True):
        summary.chrom_counts[name] += count
        summary.first_line.setdefault(name, numbers[at])
    summary.minus_strand += int((block.strand == "-").sum())
    summary.max_length = max(summary.max_length, int((block.end - block.start).max()))
    _note(
        problems,
        "order",
        block.start >= block.end,
        numbers,
        rows,
        "start {1} is not below end {2}",
        "BED is 0-based half-open, start < end; correct or remove the row",
    )
    if chrom_sizes is None:
        return block
    sizes = np.array([chrom_sizes.get(name, -1) for name in names.tolist()], dtype=np.int64)[inverse]
    past = (sizes >= 0) & (block.end > sizes)
    if past.any():
        size = int(sizes[past][0])
        _note(
            problems,
            "past",
            past,
            numbers,
            rows,
            f"end {{2}} is past the end of {{0}} ({size:,} bp in the FASTA)",
            "use the genome that the regions were called on, or remove the row",
        )
    return block


def _well_formed(rows: list[list[str]]) -> bool:
    """Whether every row has three columns and plain non-negative decimal coordinates."""
    if min(map(len, rows)) < 3:
        return False
    starts, ends = [row[1] for row in rows], [row[2] for row in rows]
    if not (all(starts) and all(ends)) or max(map(len, starts + ends)) > 12:
        return False
    digits = "".join(starts) + "".join(ends)
    return digits.isascii() and digits.isdecimal()


def _scan_malformed(rows: list[list[str]], numbers: _LineNumbers, problems: dict[str, _Problem]) -> list[int]:
    """Note which rows are malformed, row by row, as this block already failed; return the others."""
    good = []
    for i, row in enumerate(rows):
        if len(row) < 3:
            kind, text = "columns", f"{len(row)} column(s) where a BED has at least 3: {_short(' '.join(row))}"
            fix = _columns_fix(row)
        elif any(_is_negative(value) for value in row[1:3]):
            kind, text = "negative", f"negative coordinate ({row[1]}, {row[2]})"
            fix = "BED starts at 0; remove the row or clip it to the chromosome"
        elif not all(value.isascii() and value.isdecimal() and len(value) <= 12 for value in row[1:3]):
            kind, text = "integer", f"start and end must be whole numbers, not {_short(row[1])} and {_short(row[2])}"
            fix = "write coordinates as plain digits (no 1e6, 1,000 or 10.0)"
        else:
            good.append(i)
            continue
        problem = problems.setdefault(kind, _Problem(numbers[i], text, fix))
        problem.count += 1
    return good


def _columns_fix(row: list[str]) -> str:
    if place := re.fullmatch(r"([^:\s]+):([\d,]+)-([\d,]+)", row[0]):
        chrom, start, end = place[1], place[2].replace(",", ""), place[3].replace(",", "")
        return f"write {row[0]} as {chrom}<tab>{max(int(start or 1) - 1, 0)}<tab>{end}: BED counts from 0"
    if len(row) == 1 and row[0].count(",") >= 2:
        return "separate columns with tabs, not commas: tr ',' '\\t' < x.csv > x.bed"
    return "separate chrom, start and end with tabs"


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def _is_negative(value: str) -> bool:
    return value.startswith("-") and value[1:].isascii() and value[1:].isdecimal()


def _note(
    problems: dict[str, _Problem],
    kind: str,
    bad: np.ndarray,
    numbers: Sequence[int] | _LineNumbers,
    rows: list[list[str]],
    text: str,
    fix: str,
) -> None:
    count = int(bad.sum())
    if not count:
        return
    at = int(np.argmax(bad))
    if kind not in problems:
        problems[kind] = _Problem(numbers[at], text.format(*rows[at][:3]), fix)
    problems[kind].count += count
