"""A line that names the columns of a table: whether it is a BED's, and where chrom, start and end stand if it is not.

A header is read, never just skipped, because BED has none: who writes one writes a table, and half of these count
from 1. The rule:

* Columns in BED's order whose names are those of 0-based tables (UCSC's ``chromStart chromEnd``, and ``chrom start
  end`` as bioframe and our own TSV write it) are a BED with a header: a note says so.
* ``chr start end`` and the like say nothing of the first base. With no other columns than a BED has, or behind ``#``,
  where BED allows any comment, they are read as BED, and the note says what was assumed. Beside columns that no BED
  has (fold changes, p-values) they are refused with both commands.
* Names of 1-based tables (R's ``seqnames``, MACS's ``abs_summit``, SAF, HOMER, MAF) are refused, and so are columns in
  another order.
* A column ``width`` or ``length`` settles it whatever the names: end - start counts from 0, end - start + 1 from 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FROM_ONE", "START_NAMES", "WIDTH_NAMES", "Header", "base_by_width", "names_a_start", "read_header"]

CHROM_NAMES = frozenset(
    {"chrom", "chr", "chromosome", "chromname", "seqnames", "seqname", "seqid", "genoname", "contig", "chrom1", "chr1"}
)
#: Second column of a row that is a header and no region.
START_NAMES = frozenset(
    {"start", "begin", "chromstart", "chrstart", "posstart", "startpos", "startposition", "txstart", "genostart"}
    | {"start1", "peakstart", "x1"}
)
END_NAMES = frozenset(
    {
        "end",
        "stop",
        "chromend",
        "chrend",
        "posend",
        "endpos",
        "endposition",
        "txend",
        "genoend",
        "end1",
        "peakend",
        "x2",
    }
)
POSITION_NAMES = frozenset({"pos", "position", "bp", "basepairlocation", "genpos"})
WIDTH_NAMES = frozenset({"width", "length"})
#: Names of chromosomes in tables whose first base is 1: GenomicRanges, GFF.
FROM_ONE = frozenset({"seqnames", "seqname", "seqid"})
NAME_NAMES = frozenset({"name", "id", "geneid", "peakid", "intervalid", "genename", "rsid", "snp"})
FROM_ZERO_STARTS = frozenset({"chromstart", "txstart", "genostart"})
BED_NAMES = frozenset(
    {"name", "id", "score", "strand", "thickstart", "thickend", "itemrgb", "rgb", "blockcount", "blocksizes"}
    | {"blockstarts", "signalvalue", "pvalue", "qvalue", "peak", "summit", "value", "width", "length"}
)


@dataclass(frozen=True)
class Header:
    """What a line of names says.

    Attributes:
        line: its number. names: as written.
        kind: what the table is, in words.
        chrom, start, end: places of the columns, from 0; ``end`` is ``start`` in a table of positions.
        name, score, strand: places, or None.
        base: 0 or 1, what the first base of a chromosome is called; None where nothing says it.
        read_as_bed: whether the rows can be read as they are; if not, the table must be converted.
    """

    line: int
    names: tuple[str, ...]
    kind: str
    chrom: int
    start: int
    end: int
    name: int | None
    score: int | None
    strand: int | None
    base: int | None
    read_as_bed: bool


def plain(name: str) -> str:
    """A column's name without case, quotes, blanks and marks."""
    return re.sub(r"[\W_]", "", name.lower())


def names_a_start(value: str) -> bool:
    """Whether the second field of a row is the name of a column, so that the row is a header."""
    return plain(value) in START_NAMES


def base_by_width(rows: Sequence[Sequence[str]], start: int, end: int, width: int) -> int | None:
    """0 or 1 where a column is the regions' width in all rows, counted from 0 or from 1; else None."""
    found = set()
    for row in rows:
        fields = [row[i] for i in (start, end, width)] if len(row) > max(start, end, width) else [""]
        if not all(field.isascii() and field.isdecimal() for field in fields):
            return None
        low, high, wide = map(int, fields)
        found.add(wide - (high - low))
    return found.pop() if found in ({0}, {1}) else None


def read_header(line: int, fields: Sequence[str], rows: Sequence[Sequence[str]], commented: bool) -> Header | None:
    """What a line of names says; None where it names no columns of regions.

    Args:
        fields: of the line, without ``#``. rows: of the table, some; may be none.
        commented: whether the line began with ``#``; it is then a header only if it has as many fields as the rows.
    """
    names = ["peakid" if (name := plain(field)).startswith("peakid") else name for field in fields]
    chrom, start = _place(names, CHROM_NAMES), _place(names, START_NAMES)
    end, position = _place(names, END_NAMES), _place(names, POSITION_NAMES)
    if chrom is None or (position is None and None in (start, end)):
        return None
    if commented and rows and any(len(row) != len(names) for row in rows):
        return None
    if start is None or end is None:
        start = end = position
    widths = [i for i, name in enumerate(names) if name in WIDTH_NAMES]
    # R writes the names of rows without naming their column.
    shift = int(bool(rows) and not commented and all(len(row) == len(names) + 1 for row in rows))
    kind, base = _kind(names, chrom, start, end)
    if (
        start != end
        and widths
        and (told := base_by_width(rows, start + shift, end + shift, widths[0] + shift)) in (0, 1)
    ):
        base = told
    in_place = (chrom, start, end, shift) == (0, 1, 2, 0)
    others = set(names[3:]) - BED_NAMES
    as_bed = in_place and kind not in CONVERTED and (base == 0 or (base is None and (commented or not others)))
    wanted = (NAME_NAMES, frozenset({"score"}), frozenset({"strand"}))
    moved = (None if (at := _place(names, each)) is None else at + shift for each in wanted)
    return Header(line, tuple(fields), kind, chrom + shift, start + shift, end + shift, *moved, base, as_bed)


RANGES, MACS, SAF, HOMER = "R's table of GenomicRanges", "a table of MACS (_peaks.xls)", "a SAF", "a peak file of HOMER"
BEDPE, VARIANTS, POSITIONS, UCSC = "a BEDPE", "a VCF", "a table of positions", "a table of the UCSC browser"
#: Those that must be converted even where their first three columns would pass.
CONVERTED = frozenset({RANGES, MACS, SAF, HOMER, BEDPE, VARIANTS, POSITIONS})


def _kind(names: list[str], chrom: int, start: int, end: int) -> tuple[str, int | None]:
    """What a table is, and its first base where the names say it."""
    known = set(names)
    if {"chrom1", "chrom2"} <= known or {"chr1", "chr2"} <= known:
        return BEDPE, 0
    if start == end:
        return (VARIANTS if {"ref", "alt"} <= known else POSITIONS), 1
    if "abssummit" in known:
        return MACS, 1
    if names[chrom] in FROM_ONE:
        return RANGES, 1
    if names[0] == "peakid":
        return HOMER, 1
    if names[0] == "geneid" and "strand" in known:
        return SAF, 1
    if "hugosymbol" in known:
        return "a MAF of mutations", 1
    if names[start] in FROM_ZERO_STARTS:
        return UCSC, 0
    ours = (names[chrom], names[start], names[end]) == ("chrom", "start", "end")
    return "a table", 0 if ours else None


def _place(names: Sequence[str], wanted: frozenset[str]) -> int | None:
    return next((i for i, name in enumerate(names) if name in wanted), None)
