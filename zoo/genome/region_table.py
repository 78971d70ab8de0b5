"""Regions that are not in a file: a pandas or polars frame, or a list of tuples, as the lines of a BED.

``RegionFile`` reads what is made here as it reads a file, so that a table means what the same rows in a BED mean.
Coordinates are 0-based and half-open; a table cannot say that its own are 1-based, as those of R are.
Neither pandas nor polars is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zoo.errors import InputError, UsageError
from zoo.extras import is_a

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["COLUMNS", "Regions", "bed_lines", "is_table"]

#: What stands for regions wherever a path may stand.
Regions: TypeAlias = "str | Path | pd.DataFrame | pl.DataFrame | Iterable[Sequence[Any]]"

NEEDED = ("chrom", "start", "end")
COLUMNS = (*NEEDED, "name", "score", "strand")
#: What the columns are called elsewhere (pyranges, GenomicRanges, bioframe's default is ours).
ELSEWHERE = {
    "chromosome": "chrom",
    "seqnames": "chrom",
    "chr": "chrom",
    "#chrom": "chrom",
    "chromstart": "start",
    "chromend": "end",
    "stop": "end",
    "start": "start",
    "end": "end",
}


def is_table(regions: Any) -> bool:
    """Whether regions are given as they are and not by the path of a file."""
    return not isinstance(regions, str | Path)


def bed_lines(regions: Any) -> list[str]:
    """A table as lines of BED6, a row each, in order.

    Args:
        regions: a frame with the columns ``chrom, start, end`` and, where it has them, ``name, score, strand``; others
            are left out. Or tuples of three to six values in that order.

    Raises:
        UsageError: no table, or columns that are lacking. InputError: a value that cannot stand in a BED, with its row
            (from 1, as lines are counted).
    """
    rows = list(_frame_rows(regions) if _is_frame(regions) else _tuples(regions))
    strands = [row[5] if len(row) > 5 else "." for row in rows]
    lines = []
    for number, (row, strand) in enumerate(zip(rows, strands, strict=True), start=1):
        chrom, start, end = _chrom(row[0], number), _position(row[1], "start", number), _position(row[2], "end", number)
        name, score = (_text(row[i], COLUMNS[i], number) if len(row) > i else "." for i in (3, 4))
        lines.append(f"{chrom}\t{start}\t{end}\t{name}\t{score}\t{_strand(strand, number)}\n")
    return lines


def _is_frame(regions: Any) -> bool:
    return is_a(regions, "pandas", "DataFrame") or is_a(regions, "polars", "DataFrame")


def _frame_rows(frame: Any) -> Iterator[tuple[Any, ...]]:
    names = [str(name) for name in frame.columns]
    if lacking := [name for name in NEEDED if name not in names]:
        theirs = [f"{name!r} to {ELSEWHERE[name.lower()]!r}" for name in names if name.lower() in ELSEWHERE]
        renames = [text for text in theirs if text.split("'")[3] in lacking]
        raise UsageError(
            f"the table of regions has no column {', '.join(map(repr, lacking))}",
            f"it has {', '.join(map(repr, names)) or 'none'}",
            f"Fix: rename {', '.join(renames)}" if renames else "Fix: name the columns chrom, start, end",
        )
    if doubled := [name for name in COLUMNS if names.count(name) > 1]:
        raise UsageError(f"the table of regions has two columns {doubled[0]!r}", "", "Fix: keep one of them")
    columns = [_values(frame, name) if name in names else None for name in COLUMNS]
    for i in range(len(columns[0])):
        yield tuple("." if column is None else column[i] for column in columns)


def _values(frame: Any, name: str) -> list[Any]:
    column = frame[name]
    return column.to_list()  # of pandas and of polars: Python's own numbers and strings


def _tuples(regions: Any) -> list[Sequence[Any]]:
    if not isinstance(regions, Iterable):
        raise UsageError(
            f"{type(regions).__name__} where regions are expected",
            "",
            "Fix: a path, a frame with chrom, start, end, or a list of tuples",
        )
    rows = list(regions)
    for number, row in enumerate(rows, start=1):
        if isinstance(row, str | bytes) or not isinstance(row, Sequence):
            raise UsageError(
                f"row {number} of the regions is {type(row).__name__}, no tuple of chrom, start, end",
                f"{len(rows):,} rows were given",
                'Fix: a list of tuples: [("chr1", 100, 200)]',
            )
        if not 3 <= len(row) <= len(COLUMNS):
            raise UsageError(
                f"row {number} of the regions has {len(row)} values",
                f"{len(rows):,} rows were given",
                f"Fix: three to six values: {', '.join(COLUMNS)}",
            )
    return rows


def _chrom(value: Any, number: int) -> str:
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise _wrong(number, "chrom", value, "is no name of a chromosome", "give a string such as 'chr1'")
    if value.startswith("#") or value in ("track", "browser") or any(c in value for c in "\t\r\n"):
        raise _wrong(number, "chrom", value, "would be a comment in a BED", "give the name of a chromosome")
    return value


def _position(value: Any, column: str, number: int) -> int:
    """An integer, numpy's included; neither a float, which may have been rounded, nor True."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if is_a(value, "numpy", "integer"):
        return int(value)
    if _is_missing(value):
        raise _wrong(number, column, value, "is missing", "leave such rows out")
    fix = "make the column integers: frame.astype({'start': int, 'end': int})" if isinstance(value, float) else ""
    raise _wrong(number, column, value, "is no integer", fix or "give positions as integers")


def _text(value: Any, column: str, number: int) -> str:
    if _is_missing(value):
        return "."
    text = str(value)
    if any(c in text for c in "\t\r\n"):
        raise _wrong(number, column, value, "holds a tab or a line break", "leave these out")
    return text.strip() or "."


def _strand(value: Any, number: int) -> str:
    if _is_missing(value):
        return "."
    if value not in ("+", "-", "."):
        raise _wrong(number, "strand", value, "is no strand", "give +, - or .")
    return value


def _is_missing(value: Any) -> bool:
    """None, NaN, and what pandas writes for them."""
    if value is None or is_a(value, "pandas._libs.missing", "NAType") or is_a(value, "pandas._libs.tslibs", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _wrong(number: int, column: str, value: Any, what: str, fix: str) -> InputError:
    return InputError(f"row {number} of the regions: {column} {value!r} {what}", "", f"Fix: {fix}")
