"""Regions that are not in a file: a pandas or polars frame, or a list of tuples, as the lines of a BED.

``RegionFile`` reads what is made here as it reads a file, so that a table means what the same rows in a BED mean.
Coordinates are 0-based and half-open. A table says that its own are 1-based, as those of R are, by the names of its
columns or by a column ``width`` or ``length`` that is end - start + 1; it is refused.
Neither pandas nor polars is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zoo.errors import InputError, UsageError
from zoo.extras import is_a
from zoo.genome.bed_header import FROM_ONE, WIDTH_NAMES
from zoo.words import counted, counted_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["COLUMNS", "HEADER_PREFIXES", "Regions", "bed_lines", "is_table"]

#: What stands for regions wherever a path may stand.
Regions: TypeAlias = "str | Path | pd.DataFrame | pl.DataFrame | Iterable[Sequence[Any]]"

NEEDED = ("chrom", "start", "end")
COLUMNS = (*NEEDED, "name", "score", "strand")
NARROW_PEAK = 10
#: How lines of a BED begin that are no regions.
HEADER_PREFIXES = ("#", "track ", "track\t", "browser ", "browser\t")
#: What the columns are called elsewhere (pyranges, UCSC; bioframe's default is ours).
ELSEWHERE = {
    "chromosome": "chrom",
    "chr": "chrom",
    "#chrom": "chrom",
    "chromstart": "start",
    "chromend": "end",
    "stop": "end",
    **{name: name for name in COLUMNS},
}
#: Columns of summits, bp from start: the name that narrowPeak has for its tenth, and ChromBPNet's.
SUMMITS = ("peak", "summit")


def is_table(regions: Any) -> bool:
    """Whether regions are given as they are and not by the path of a file."""
    return not isinstance(regions, str | Path)


def bed_lines(regions: Any) -> list[str]:
    """A table as lines of BED6, a row each, in order; of narrowPeak, where it has summits.

    Args:
        regions: a frame with the columns ``chrom, start, end`` and, where it has them, ``name, score, strand``, and
            ``peak`` or ``summit``, bp from start (-1: none); others are left out. Or tuples of three to six values in
            that order, or of the ten of narrowPeak.

    Raises:
        UsageError: no table, or columns that are lacking. InputError: a value that cannot stand in a BED, with its row
            (from 1, as lines are counted) and how many rows hold one; or positions that count from 1.
    """
    rows = list(_frame_rows(regions) if _is_frame(regions) else _tuples(regions))
    lines: list[str] = []
    problems: list[InputError] = []
    for number, row in enumerate(rows, start=1):
        try:
            lines.append(_line(row, number))
        except InputError as error:
            problems.append(error)
    if problems:
        # A missing number made pandas write its whole column as floats: it is said first.
        first = next((error for error in problems if isinstance(error, _Missing)), problems[0])
        raise InputError(
            first.what, f"{counted_of(len(problems), len(rows), 'row', 'cannot')} stand in a BED", first.fix
        )
    return lines


def _line(row: Sequence[Any], number: int) -> str:
    chrom, start, end = _chrom(row[0], number), _position(row[1], "start", number), _position(row[2], "end", number)
    name, score = (_text(row[i], COLUMNS[i], number) if len(row) > i else "." for i in (3, 4))
    strand = _strand(row[5] if len(row) > 5 else ".", number)
    summit = f"\t.\t.\t.\t{_summit(row[9], number)}" if len(row) > 9 else ""
    return f"{chrom}\t{start}\t{end}\t{name}\t{score}\t{strand}{summit}\n"


def _is_frame(regions: Any) -> bool:
    return is_a(regions, "pandas", "DataFrame") or is_a(regions, "polars", "DataFrame") or bool(_fields(regions))


def _fields(regions: Any) -> Sequence[str]:
    """Names of the fields of a numpy record array; none of anything else."""
    return (regions.dtype.names or ()) if is_a(regions, "numpy", "ndarray") else ()


def _frame_rows(frame: Any) -> Iterator[tuple[Any, ...]]:
    names = [str(name) for name in (_fields(frame) or frame.columns)]
    lacking = [name for name in NEEDED if name not in names]
    # All of them, the optional ones too: a 'Strand' that is left out would turn minus strands around in silence.
    renames = {name: ours for name in names if (ours := ELSEWHERE.get(name.lower())) and ours not in names}
    if lacking or renames:
        listed = ", ".join(f"{name!r} to {ours!r}" for name, ours in renames.items())
        fix = f"rename {listed}" if listed else "name the columns chrom, start, end"
        if from_one := [name for name in names if name.lower() in FROM_ONE]:
            fix = (
                f"count start from 0 (tables with {from_one[0]!r} count from 1) and name the columns chrom, start, end"
            )
        what = f"no column {', '.join(map(repr, lacking or renames.values()))}"
        raise UsageError(
            f"the table of regions has {what}", f"it has {', '.join(map(repr, names)) or 'none'}", f"Fix: {fix}"
        )
    if doubled := [name for name in COLUMNS if names.count(name) > 1]:
        raise UsageError(f"the table of regions has two columns {doubled[0]!r}", "", "Fix: keep one of them")
    columns = [_values(frame, name) if name in names else None for name in COLUMNS]
    _check_widths(frame, names, columns)
    if summits := [name for name in SUMMITS if name in names and _are_integers(_values(frame, name), missing=True)]:
        if len(summits) > 1:
            raise UsageError(
                "the table of regions has two columns of summits", ", ".join(summits), "Fix: keep one of them"
            )
        columns += [None, None, None, _values(frame, summits[0])]
    for i in range(len(columns[0])):
        yield tuple("." if column is None else column[i] for column in columns)


def _check_widths(frame: Any, names: list[str], columns: list[list[Any] | None]) -> None:
    """Refuse a table whose own column of widths says that it counts from 1."""
    chrom, start, end = columns[:3]
    for name in names:
        if name.lower() not in WIDTH_NAMES or not chrom:
            continue
        wide = _values(frame, name)
        # The widths may be floats: pandas makes them so where one is missing in a file.
        if all(map(_are_integers, (start, end))) and all(
            w == e - s + 1 for s, e, w in zip(start, end, wide, strict=True)
        ):
            polars = is_a(frame, "polars", "DataFrame")
            fix = "with_columns(pl.col('start') - 1)" if polars else "assign(start=frame.start - 1)"
            raise InputError(
                f"the table of regions counts from 1: its column {name!r} is end - start + 1",
                f"in all of its {counted(len(wide), 'row')}",
                f"Fix: frame.{fix}, as regions here count from 0, and leave {name!r} out",
            )


def _are_integers(values: list[Any], missing: bool = False) -> bool:
    return all(
        (isinstance(value, int) and not isinstance(value, bool)) or (missing and _is_missing(value)) for value in values
    )


def _values(frame: Any, name: str) -> list[Any]:
    column = frame[name]
    # Python's own numbers and strings, of numpy, pandas and polars.
    return column.tolist() if _fields(frame) else column.to_list()


def _tuples(regions: Any) -> list[Sequence[Any]]:
    if not isinstance(regions, Iterable):
        raise UsageError(
            f"{type(regions).__name__} where regions are expected",
            "",
            "Fix: a path, a frame with chrom, start, end, or a list of tuples",
        )
    rows = [row.tolist() if is_a(row, "numpy", "ndarray") and row.ndim == 1 else row for row in regions]
    for number, row in enumerate(rows, start=1):
        if isinstance(row, str | bytes) or not isinstance(row, Sequence):
            raise UsageError(
                f"row {number} of the regions is {type(row).__name__}, no tuple of chrom, start, end",
                f"{counted(len(rows), 'row was', 'rows were')} given",
                'Fix: a list of tuples: [("chr1", 100, 200)]',
            )
        if not 3 <= len(row) <= len(COLUMNS) and len(row) != NARROW_PEAK:
            raise UsageError(
                f"row {number} of the regions has {counted(len(row), 'value')}",
                f"{counted(len(rows), 'row was', 'rows were')} given",
                f"Fix: three to six values: {', '.join(COLUMNS)}; or the ten of narrowPeak",
            )
        if len(row) in (4, 5) and (strand := next((v for v in row[3:] if isinstance(v, str) and v in ("+", "-")), "")):
            place = "name" if row[3] == strand else "score"
            raise UsageError(
                f"row {number} of the regions has its strand in the place of the {place}",
                f"the order is {', '.join(COLUMNS)}",
                f"Fix: (chrom, start, end, '.', '.', {strand!r})",
            )
    return rows


def _chrom(value: Any, number: int) -> str:
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise _wrong(number, "chrom", value, "is no name of a chromosome", "give a string such as 'chr1'")
    if not _is_unicode(value):
        raise _wrong(number, "chrom", value, "is no text", "give the name of a chromosome")
    if f"{value}\t".startswith(HEADER_PREFIXES) or any(c in value for c in "\t\r\n"):
        raise _wrong(number, "chrom", value, "would be a comment in a BED", "give the name of a chromosome")
    return value


def _position(value: Any, column: str, number: int) -> int:
    """An integer, numpy's included; neither a float, which may have been rounded, nor True."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if is_a(value, "numpy", "integer"):
        return int(value)
    if _is_missing(value):
        raise _Missing(f"row {number} of the regions: {column} {value!r} is missing", "", "Fix: leave such rows out")
    fix = "make the column integers: frame.astype({'start': int, 'end': int})" if isinstance(value, float) else ""
    raise _wrong(number, column, value, "is no integer", fix or "give positions as integers")


def _text(value: Any, column: str, number: int) -> str:
    if _is_missing(value):
        return "."
    text = str(value)
    if any(c in text for c in "\t\r\n"):
        raise _wrong(number, column, value, "holds a tab or a line break", "leave these out")
    if isinstance(value, bytes) or not _is_unicode(text):
        raise _wrong(number, column, value, "is no text", "give a str: value.decode(), of bytes")
    return text.strip() or "."


def _is_unicode(text: str) -> bool:
    """Whether it can be written: half of a surrogate pair cannot."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _summit(value: Any, number: int) -> int:
    return -1 if _is_missing(value) else _position(value, "summit", number)


def _strand(value: Any, number: int) -> str:
    if _is_missing(value):
        return "."
    if not isinstance(value, str) or value not in ("+", "-", "."):
        raise _wrong(number, "strand", value, "is no strand", "give +, - or .")
    return value


def _is_missing(value: Any) -> bool:
    """None, NaN, and what pandas writes for them."""
    if value is None or is_a(value, "pandas._libs.missing", "NAType") or is_a(value, "pandas._libs.tslibs", "NaTType"):
        return True
    return isinstance(value, float) and value != value


class _Missing(InputError):
    """A position that is not there."""


def _wrong(number: int, column: str, value: Any, what: str, fix: str) -> InputError:
    return InputError(f"row {number} of the regions: {column} {value!r} {what}", "", f"Fix: {fix}")
