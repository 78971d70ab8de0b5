"""Lines of a BED to rows, rows to columns, and what is wrong with a row.

Fields are separated by tabs, or by blanks in a line without tabs. Only the first six are split, and the tenth where it
is the summit of a narrowPeak; the others are never looked at. ``strand`` is ``+`` or ``-`` where column 6 is exactly
that, and ``.`` otherwise: whether another text in column 6 is an error depends on strands being used (``strand.py``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from zoo.errors import InputError
from zoo.genome.bed_header import names_a_start
from zoo.genome.region_table import HEADER_PREFIXES
from zoo.genome.row_shapes import has_blocks
from zoo.words import counted

__all__ = [
    "Intervals",
    "LineNumbers",
    "Problem",
    "RegionSummary",
    "columns_of",
    "error_of",
    "scan_rows",
    "split_rows",
]

SIGNS = frozenset("+-")
STRANDS = frozenset("+-.")
BLANKS = re.compile(r"[ \v\f]+")
#: Bytes that are no UTF-8, as ``surrogateescape`` keeps them, and NUL: no file format takes them as text.
UNWRITABLE = re.compile("[\ud800-\udfff\0]")


@dataclass(frozen=True)
class Intervals:
    """Columns of consecutive regions.

    Attributes:
        chrom: (n,) object array of str, as written in the file.
        start, end: (n,) int64, 0-based half-open.
        name, score: (n,) object arrays of str, ``"."`` where the file has no such column.
        strand: (n,) ``<U1``: ``+``, ``-`` or ``.``.
        first: 0-based number in the file of the first of these regions.
        summit: (n,) int64, bp from start as in column 10 of a narrowPeak, -1 where none was called; None where
            summits were not asked for.
    """

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    name: np.ndarray
    score: np.ndarray
    strand: np.ndarray
    first: int = 0
    summit: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.start)

    def behind(self, n: int) -> Intervals:
        """Without the first ``n`` regions."""
        columns = (self.chrom, self.start, self.end, self.name, self.score, self.strand)
        summit = None if self.summit is None else self.summit[n:]
        return Intervals(*(column[n:] for column in columns), self.first + n, summit)


@dataclass
class RegionSummary:
    """What a scan of the whole file found.

    Attributes:
        plus_strand, minus_strand: regions with exactly that in column 6.
        odd_strand: how many have something else than ``+``, ``-`` and ``.`` there; first_odd: the first, (line, text).
        misplaced_strand: how many have no column 6, and ``+`` or ``-`` in column 4 or 5; first_misplaced: the first,
            (line, column, text).
        has_summits: whether this is a narrowPeak with summits. without_summit: regions whose summit is -1, where
            summits were read.
        notes: what was assumed of the file.
        headers: lines that name columns -> their first line.
    """

    regions: int = 0
    skipped_lines: int = 0
    plus_strand: int = 0
    minus_strand: int = 0
    odd_strand: int = 0
    first_odd: tuple[int, str] | None = None
    misplaced_strand: int = 0
    first_misplaced: tuple[int, int, str] | None = None
    max_length: int = 0
    has_summits: bool = False
    without_summit: int = 0
    chrom_counts: Counter[str] = field(default_factory=Counter)
    first_line: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    headers: dict[str, int] = field(default_factory=dict)


@dataclass
class Problem:
    """A kind of wrong row: its first line, what is wrong there, what to do, and how many there are."""

    line: int
    text: str
    fix: str
    count: int = 0


def error_of(
    problems: Mapping[str, Problem], rows: int, where: Callable[[int], str], one: str = "region"
) -> InputError:
    """The error of the first wrong row.

    Args:
        rows: how many there are in all. where: line -> how it is named. one: what a row is.
    """
    first = min(problems.values(), key=lambda problem: problem.line)
    others = sum(problem.count for problem in problems.values()) - first.count
    extent = f"{first.count:,} of {counted(rows, one)} {'has' if rows == 1 else 'have'} this problem"
    if others:
        extent += "; 1 has another" if others == 1 else f"; {others:,} have others"
    return InputError(f"{where(first.line)}: {first.text}", extent, f"Fix: {first.fix}")


@dataclass(frozen=True)
class LineNumbers:
    """Maps a row of a block to its line in the file."""

    first_line: int
    header_at: list[int]

    def __getitem__(self, row: int) -> int:
        line = row
        for header in self.header_at:
            if header <= line:
                line += 1
        return self.first_line + line


def split_rows(lines: list[str]) -> tuple[list[list[str]], list[int]]:
    """Split lines into at most six columns and a rest; return rows and the positions of skipped lines."""
    rows: list[list[str]] = []
    header_at: list[int] = []
    for position, line in enumerate(lines):
        if line.startswith(HEADER_PREFIXES) or not line.strip():
            header_at.append(position)
            continue
        row = line.rstrip("\n").split("\t", 6) if "\t" in line else _split_at_blanks(line)
        if len(row) > 1 and not row[1][:1].isdigit() and names_a_start(row[1]):
            header_at.append(position)
            continue
        rows.append(row)
    return rows, header_at


def _split_at_blanks(line: str) -> list[str]:
    """Not at what Unicode calls blank: a no-break space is part of a name."""
    return line.split(None, 6) if line.isascii() else BLANKS.split(line.strip(" \v\f\n"), 6)


def columns_of(rows: list[list[str]], first: int, summits: bool = False) -> Intervals:
    """Turn checked rows into columns. Rows may have differing numbers of columns."""
    return _columns(rows, first, summits)[0]


def _columns(rows: list[list[str]], first: int, summits: bool) -> tuple[Intervals, bool]:
    """The columns, and whether strands stand where they belong and are nothing but ``+``, ``-`` and ``.``."""
    lengths = [len(row) for row in rows]
    width, widest = min(lengths), max(lengths)
    fields = list(zip(*rows, strict=False))  # as many columns as the shortest row
    text = [_column(rows, fields, i, width, widest) for i in (0, 3, 4)]
    strand, plain = _strands(rows, fields, width, widest)
    block = Intervals(
        chrom=text[0],
        start=np.array(fields[1], dtype=object).astype(np.int64),
        end=np.array(fields[2], dtype=object).astype(np.int64),
        name=text[1],
        score=text[2],
        strand=strand,
        first=first,
        summit=np.array([int(_summit_text(row)) for row in rows], dtype=np.int64) if summits else None,
    )
    return block, plain


def _strands(rows: list[list[str]], fields: list[tuple[str, ...]], width: int, widest: int) -> tuple[np.ndarray, bool]:
    if widest < 6:
        plain = widest < 4 or (width == widest and all(SIGNS.isdisjoint(column) for column in fields[3:5]))
        return np.full(len(rows), ".", dtype="<U1"), plain
    column = fields[5] if width > 5 else [row[5] if len(row) > 5 else "." for row in rows]
    plain = STRANDS.issuperset(column)
    if not plain:
        column = [one if one in STRANDS else "." for one in column]
    return np.array(column, dtype="<U1"), plain and width > 5


def _column(rows: list[list[str]], fields: list[tuple[str, ...]], i: int, width: int, widest: int) -> np.ndarray:
    column = np.empty(len(rows), dtype=object)
    if i < width:
        column[:] = fields[i]
    elif i >= widest:
        column.fill(".")
    else:
        column[:] = [row[i] if len(row) > i else "." for row in rows]
    return column


def _summit_text(row: list[str]) -> str:
    """Column 10 of a row that was split into six and a rest; "" where it has none."""
    rest = _rest(row)
    return rest[3].strip() if len(rest) > 3 else ""


def _rest(row: list[str]) -> list[str]:
    """The columns from the seventh."""
    if len(row) < 7:
        return []
    return row[6].split("\t") if "\t" in row[6] else row[6].split()


# ---------------------------------------------------------------- what is wrong with rows


def scan_rows(
    rows: list[list[str]],
    numbers: Sequence[int] | LineNumbers,
    chrom_sizes: Mapping[str, int] | None,
    summary: RegionSummary,
    problems: dict[str, Problem],
    summits: bool = False,
) -> Intervals | None:
    """Check a block of rows, add it to the summary, return its columns (None when no row is well formed)."""
    offset = summary.regions
    summary.regions += len(rows)
    if rows and not _well_formed(rows):
        good = _scan_malformed(rows, numbers, problems)
        rows, numbers = [rows[i] for i in good], [numbers[i] for i in good]
    if rows and summits:
        good = _scan_summits(rows, numbers, problems)
        if len(good) < len(rows):
            rows, numbers = [rows[i] for i in good], [numbers[i] for i in good]
    if not rows:
        return None
    block, plain = _columns(rows, offset, summits)
    names, first_at, inverse, counts = np.unique(
        block.chrom.astype(str), return_index=True, return_inverse=True, return_counts=True
    )
    for name, at, count in zip(block.chrom[first_at].tolist(), first_at.tolist(), counts.tolist(), strict=True):
        summary.chrom_counts[name] += count
        summary.first_line.setdefault(name, numbers[at])
        if wrong := _wrong_name(name):
            kind, text, fix = wrong
            problems.setdefault(kind, Problem(numbers[at], text, fix)).count += count
    _note_unwritable(block, numbers, problems)
    summary.minus_strand += int((block.strand == "-").sum())
    summary.plus_strand += int((block.strand == "+").sum())
    if not plain:
        _count_strands(rows, numbers, summary)
    if block.summit is not None:
        summary.without_summit += int((block.summit < 0).sum())
    summary.max_length = max(summary.max_length, int((block.end - block.start).max()))
    _note(
        problems,
        "order",
        block.start >= block.end,
        numbers,
        rows,
        "start {1} is not below end {2}",
        "BED is 0-based half-open, start < end; correct or remove the row (where a single base has start = end, the "
        "table counts from 1: awk -v OFS='\\t' '{$2-=1}1' x > x.bed)",
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


def _count_strands(rows: list[list[str]], numbers: Sequence[int] | LineNumbers, summary: RegionSummary) -> None:
    """Strands that are none, or that stand elsewhere."""
    for i, row in enumerate(rows):
        if len(row) > 5:
            if row[5] not in STRANDS:
                summary.odd_strand += 1
                summary.first_odd = summary.first_odd or (numbers[i], row[5])
        elif len(row) > 3 and (row[3] in SIGNS or row[-1] in SIGNS):
            at = 3 if row[3] in SIGNS else 4
            summary.misplaced_strand += 1
            summary.first_misplaced = summary.first_misplaced or (numbers[i], at + 1, row[at])


def _note_unwritable(block: Intervals, numbers: Sequence[int] | LineNumbers, problems: dict[str, Problem]) -> None:
    for what, column in (("chrom", block.chrom), ("name", block.name), ("score", block.score)):
        joined = "".join(column.tolist())
        if "\0" not in joined and (joined.isascii() or not UNWRITABLE.search(joined)):
            continue
        wrong = [i for i, text in enumerate(column) if UNWRITABLE.search(text)]
        kind = "NUL" if "\0" in column[wrong[0]] else "UTF-8"
        first = numbers[wrong[0]]
        text, fix = _unwritable(what, column[wrong[0]], kind)
        problems.setdefault(f"{what} {kind}", Problem(first, text, fix)).count += len(wrong)


def _well_formed(rows: list[list[str]]) -> bool:
    """Whether every row has three columns and plain non-negative decimal coordinates."""
    if min(map(len, rows)) < 3:
        return False
    starts, ends = [row[1] for row in rows], [row[2] for row in rows]
    if not (all(starts) and all(ends)) or max(map(len, starts + ends)) > 12:
        return False
    digits = "".join(starts) + "".join(ends)
    return digits.isascii() and digits.isdecimal()


def _scan_malformed(rows: list[list[str]], numbers: LineNumbers, problems: dict[str, Problem]) -> list[int]:
    """Note which rows are malformed, row by row, as this block already failed; return the others."""
    good = []
    for i, row in enumerate(rows):
        if not row[0].strip() and len(row) > 3:
            kind, text, fix = "blank", "the line begins with a blank", BLANKS_FIX
        elif len(row) < 3:
            kind, text = "columns", f"{counted(len(row), 'column')} where a BED has at least 3: {_short(' '.join(row))}"
            fix = _columns_fix(row)
        elif any(_is_negative(value) for value in row[1:3]):
            kind, text = "negative", f"negative coordinate ({row[1]}, {row[2]})"
            fix = "BED starts at 0; remove the row or clip it to the chromosome"
        elif not all(value.isascii() and value.isdecimal() and len(value) <= 12 for value in row[1:3]):
            kind, text = "integer", f"start and end must be whole numbers, not {_short(row[1])} and {_short(row[2])}"
            fix = _integer_fix(row)
        else:
            good.append(i)
            continue
        problem = problems.setdefault(kind, Problem(numbers[i], text, fix))
        problem.count += 1
    return good


def _scan_summits(
    rows: list[list[str]], numbers: Sequence[int] | LineNumbers, problems: dict[str, Problem]
) -> list[int]:
    """Note rows without a summit that lies in them; return the others."""
    good = []
    for i, row in enumerate(rows):
        rest, width = _rest(row), int(row[2]) - int(row[1])
        text = rest[3].strip() if len(rest) > 3 else ""
        blocks = len(rest) > 5 and has_blocks([*row[:6], *map(str.strip, rest)])
        if not blocks and (text == "-1" or (text.isascii() and text.isdecimal() and int(text) < width)):
            good.append(i)
            continue
        if blocks:
            kind, wrong = "blocks", f"column 10 ({text}) counts blocks, as in a BED12; it is no narrowPeak's summit"
            fix = "give the narrowPeak, or --window center"
        elif not text:
            kind, wrong = "no summit", "has no column 10, where --window summit reads a narrowPeak's summit"
            fix = "give the narrowPeak, or --window center"
        elif text.isascii() and text.removeprefix("-").isdecimal():
            kind, wrong = "summit", f"the summit {text} lies outside of its region, which has {width:,} bp"
            fix = "column 10 of a narrowPeak is the summit's distance from start, in bp (-1: none); or --window center"
        else:
            kind, wrong = "summit text", f"the summit (column 10) {_short(text)} is no whole number"
            fix = "give a narrowPeak, whose column 10 is the summit's distance from start, or --window center"
        problem = problems.setdefault(kind, Problem(numbers[i], wrong, fix))
        problem.count += 1
    return good


BLANKS_FIX = "remove it: sed 's/^[[:space:]]*//' x > x.bed"
QUOTES_FIX = "remove the quotes: tr -d '\"' < x > x.bed"


def _wrong_name(name: str) -> tuple[str, str, str] | None:
    """(kind, what is wrong, fix) of a name that no chromosome has, for what can be seen badly in a message."""
    fine = name.isprintable() and name == name.strip() and name[:1] not in ("'", '"')
    if fine or UNWRITABLE.search(name):
        return None
    if name != name.lstrip():
        return "blank", f"chrom {name!r} begins with a blank", BLANKS_FIX
    if name[0] in "\"'":
        return "quotes", f"chrom {_short(name)} stands in quotes", QUOTES_FIX
    if name != name.rstrip():
        return "blank", f"chrom {name!r} ends with a blank", "remove it: sed 's/[[:space:]]*\\t/\\t/' x > x.bed"
    return "unseen", f"chrom {name!r} holds a character that cannot be seen", "remove it from the file"


def _unwritable(what: str, text: str, kind: str) -> tuple[str, str]:
    """What is wrong and the fix, for a text that is not UTF-8 or holds NUL."""
    if kind == "NUL":
        return f"{what} {_short(text)} holds a NUL byte", "remove it: tr -d '\\000' < x > x.bed"
    shown = text.encode("utf-8", "surrogateescape")
    return f"{what} {_short(shown)[1:]} is not UTF-8", "convert the file: iconv -f LATIN1 -t UTF-8 x > x.bed"


def _short(value: str | bytes) -> str:
    return repr(value if len(value) <= 40 else value[:37] + (b"..." if isinstance(value, bytes) else "..."))


def _columns_fix(row: list[str]) -> str:
    if place := re.fullmatch(r"([^:\s]+):([\d,]+)-([\d,]+)", row[0]):
        chrom, start, end = place[1], place[2].replace(",", ""), place[3].replace(",", "")
        return f"write {row[0]} as {chrom}<tab>{max(int(start or 1) - 1, 0)}<tab>{end}: BED counts from 0"
    if len(row) == 1 and row[0].count(",") >= 2:
        return "separate columns with tabs, not commas: tr ',' '\\t' < x.csv > x.bed"
    return "separate chrom, start and end with tabs"


def _integer_fix(row: list[str]) -> str:
    if any(value != value.strip() for value in row[1:3]):
        return "remove the blanks around them: sed 's/[[:blank:]]*\\t[[:blank:]]*/\\t/g' x > x.bed"
    if any('"' in value for value in row[:3]):
        return QUOTES_FIX
    return "write coordinates as plain digits (no 1e6, 1,000 or 10.0)"


def _is_negative(value: str) -> bool:
    return value.startswith("-") and value[1:].isascii() and value[1:].isdecimal()


def _note(
    problems: dict[str, Problem],
    kind: str,
    bad: np.ndarray,
    numbers: Sequence[int] | LineNumbers,
    rows: list[list[str]],
    text: str,
    fix: str,
) -> None:
    count = int(bad.sum())
    if not count:
        return
    at = int(np.argmax(bad))
    if kind not in problems:
        problems[kind] = Problem(numbers[at], text.format(*rows[at][:3]), fix)
    problems[kind].count += count
