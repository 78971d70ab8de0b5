"""A table of values: TSV, plain or gzip, with the columns chrom, start, end and one a track.

A bin gets the value of the row that has its very start and end. Without one, ``mean`` and ``max`` take the value of
the one row that covers the whole bin, as a level is the same all over its row; a ``sum`` does not divide. A bin that no
row touches was not measured (NaN). Any other bin, which a row overlaps in part or several do, is an error: to cut or
join rows would be a guess. An empty value, ``NA`` or ``nan`` is NaN.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.data.reading.naming import check_names
from finetune.data.reading.sources import GZIP_MAGIC, TrackSource
from zoo.errors import InputError
from zoo.words import counted, near_names

__all__ = ["TableBins"]

MISSING = frozenset({"", "na", "nan", "n/a", "."})


@dataclass(frozen=True)
class _Rows:
    """Rows of one chromosome by start: (n,) int64 start, end and line, (n,) float32 value; do any two overlap."""

    start: np.ndarray
    end: np.ndarray
    line: np.ndarray
    value: np.ndarray
    overlap: bool


class TableBins:
    """Values of one column.

    Attributes:
        chroms: those of the FASTA with a row. notes: what was left out.
    """

    def __init__(self, source: TrackSource, sizes: Mapping[str, int]) -> None:
        self._source, self._path = source, Path(source.files[0])
        rows: dict[str, list[tuple[int, int, int, float]]] = {}
        for line, chrom, start, end, value in self._read():
            if chrom in sizes and end > sizes[chrom]:
                raise self._wrong(
                    line,
                    f"end {end} is past the end of {chrom} ({sizes[chrom]:,} bp in the FASTA)",
                    "give the FASTA of the table's assembly as `genome`, or remove the row",
                )
            rows.setdefault(chrom, []).append((start, end, line, value))
        if not rows:
            raise InputError(f"track {source.name}: {self._path} has no rows", "", "Fix: give rows below the header")
        absent = check_names(rows, sizes, source.name, self._path, "text")
        self.notes: tuple[str, ...] = ()
        if absent:
            count = sum(len(rows[name]) for name in absent)
            self.notes = (
                f"{counted(count, 'row')} on {', '.join(absent[:4])}, not in the FASTA, "
                f"{'is' if count == 1 else 'are'} left out",
            )
        self._rows = {name: self._sorted(found) for name, found in rows.items() if name in sizes}
        self.chroms = frozenset(self._rows)

    def bins(self, chrom: np.ndarray, start: np.ndarray, n_bins: int, bin_size: int) -> np.ndarray:
        """(n, n_bins) float32 of the bins from (n,) starts on."""
        out = np.full((len(start), n_bins), np.nan, dtype=np.float32)
        for name in dict.fromkeys(chrom.tolist()):
            rows = np.flatnonzero(chrom == name)
            if name in self._rows:
                low = start[rows][:, None] + np.arange(n_bins) * bin_size
                out[rows] = self._look_up(name, low.ravel(), bin_size).reshape(len(rows), n_bins)
        return out

    def close(self) -> None:
        """Nothing is open."""

    def _look_up(self, chrom: str, low: np.ndarray, bin_size: int) -> np.ndarray:
        rows, high = self._rows[chrom], low + bin_size
        out = np.full(len(low), np.nan, dtype=np.float32)
        keys = (rows.start << 32) + rows.end
        asked = (np.maximum(low, 0) << 32) + high
        at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        exact = keys[at] == asked
        out[exact] = rows.value[at[exact]]
        touching = np.searchsorted(rows.start, high) - np.searchsorted(np.sort(rows.end), low, side="right")
        rest = np.flatnonzero(~exact & (touching > 0))
        if len(rest):
            last = np.searchsorted(rows.start, high[rest]) - 1
            covered = (touching[rest] == 1) & (rows.end[last] >= high[rest]) & (rows.start[last] <= low[rest])
            if rows.overlap or self._source.reduce == "sum":
                covered[:] = False
            if not covered.all():
                raise self._in_part(chrom, rows, low[rest][~covered], high[rest][~covered])
            out[rest] = rows.value[last]
        return out

    def _in_part(self, chrom: str, rows: _Rows, low: np.ndarray, high: np.ndarray) -> InputError:
        row = int(np.flatnonzero((rows.start < high[0]) & (rows.end > low[0]))[0])
        fix = "bins and windows must start and end with rows: `regions: {choose: file}` on the table, and `bin`"
        if self._source.reduce == "sum" and rows.start[row] <= low[0] and rows.end[row] >= high[0]:
            fix = "`reduce: mean`, where the value is a level; a sum over a row cannot be divided"
        return InputError(
            f"track {self._source.name}: {self._path}:{int(rows.line[row])}: row {chrom}:{int(rows.start[row])}-"
            f"{int(rows.end[row])} is not the bin {chrom}:{int(low[0])}-{int(high[0])}, nor alone in covering it",
            f"{counted(len(low), 'bin was', 'bins were')} asked together",
            f"Fix: {fix}",
        )

    def _sorted(self, found: list[tuple[int, int, int, float]]) -> _Rows:
        found.sort()
        for one, other in itertools.pairwise(found):
            if one[:2] == other[:2]:
                raise self._wrong(other[2], f"has the start and end of line {one[2]}", "remove one of the two rows")
        start, end, line, value = (np.array(column) for column in zip(*found, strict=True))
        overlap = bool((np.maximum.accumulate(end)[:-1] > start[1:]).any())
        return _Rows(start.astype(np.int64), end.astype(np.int64), line, value.astype(np.float32), overlap)

    # ---- reading

    def _read(self) -> Iterator[tuple[int, str, int, int, float]]:
        try:
            with self._path.open("rb") as raw:
                packed = raw.read(2) == GZIP_MAGIC
                raw.seek(0)
                binary = gzip.GzipFile(fileobj=raw) if packed else raw
                with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="") as text:
                    rows = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
                    yield from self._checked(rows)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"track {self._source.name}: {self._path}: the gzip stream is truncated or damaged ({error})",
                "",
                "Fix: fetch or compress the file again",
            ) from None

    def _checked(self, rows: Iterator[list[str]]) -> Iterator[tuple[int, str, int, int, float]]:
        header = [name.strip() for name in next(rows, [])]
        header[:1] = [name.lstrip("#") for name in header[:1]]
        columns = [self._column(header, name) for name in ("chrom", "start", "end", self._source.column or "")]
        for line, row in enumerate(rows, 2):
            if not any(row):
                continue
            if len(row) != len(header):
                raise self._wrong(line, f"{len(row)} fields below a header of {len(header)}", "separate with tabs")
            chrom, start, end, value = (row[column].strip() for column in columns)
            if not (start.isascii() and start.isdecimal() and end.isascii() and end.isdecimal()):
                raise self._wrong(line, f"start and end must be whole numbers, not {start!r} and {end!r}", "correct it")
            if int(start) >= int(end):
                raise self._wrong(line, f"start {start} is not below end {end}", "rows are 0-based half-open")
            yield line, chrom, int(start), int(end), self._value(value, line)

    def _column(self, header: list[str], name: str) -> int:
        if header.count(name) == 1:
            return header.index(name)
        if name in header:
            raise self._wrong(1, f"two columns are named {name!r}", "rename one")
        near = near_names(name, [known for known in header if known not in ("chrom", "start", "end")])
        fix = f"`column: {near[0]}`" if near and name == self._source.column else "name it in the header, or `column`"
        if name in ("chrom", "start", "end"):
            fix = "the first line must name chrom, start, end and the tracks, separated by tabs"
        raise self._wrong(1, f"no column {name!r}", fix)

    def _value(self, text: str, line: int) -> float:
        if text.lower() in MISSING:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            value = math.inf
        if math.isinf(value):
            raise self._wrong(line, f"{text!r} is no finite number", "correct it, or leave it empty where not measured")
        return value

    def _wrong(self, line: int, what: str, fix: str) -> InputError:
        return InputError(f"track {self._source.name}: {self._path}:{line}: {what}", "", f"Fix: {fix}")
