"""Fragments of a text file, a block at a time: BED3 and more, true bedpe, 10x fragment files; plain or gzip.

A row is a fragment, ``chrom start end`` 0-based half-open; what follows is not read, save a strand where one is asked.
A row of ``chrom1 start1 end1 chrom2 start2 end2`` (bedpe, told by whole numbers in its fifth and sixth columns) is the
fragment from the lower start to the higher end; where the two chromosomes differ, or one is ``.``, it is none.
A count in the fifth column (10x: read pairs that are copies of one fragment) is not read: the fragment counts once.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.words import counted

__all__ = ["Fragments", "read_fragments"]

BLOCK = 4 << 20
TAB, LINE_END = 9, 10
LOOKED_AT = 1000
MOST_DIGITS = 10


@dataclass(frozen=True)
class Fragments:
    """Consecutive fragments of one chromosome: (n,) int64 start and end, and the number of the first one's line."""

    chrom: str
    start: np.ndarray
    end: np.ndarray
    line: int


def read_fragments(path: Path, track: str, read: str, strand: str | None = None) -> Iterator[Fragments]:
    """Yield the fragments in file order.

    Args:
        read: ``centres``, ``cuts`` or ``coverage``; reads of one end have only the last.
        strand: only rows with this in the sixth column.

    Raises:
        InputError: a malformed row, named by line; peaks or reads in place of fragments; a damaged gzip; no rows.
    """
    line, form, rows = 1, None, 0
    try:
        for block in _blocks(path):
            if form is None:
                form = _form_of(block, path, track, read, strand)
            # Strands and bedpe are rare: they go row by row.
            found = _fast(block, line) if form == "bed" and strand is None else None
            if found is None:
                found = _slow(block, line, form or "bed", strand, path, track)
            for part in found:
                rows += len(part.start)
                yield part
            line += block.count(b"\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"track {track}: {path}: the gzip stream is truncated or damaged ({error})",
            f"it ends after line {line:,}",
            f"Fix: fetch or compress the file again; `gzip -t {path}` tells when it is whole",
        ) from None
    if not rows:
        raise InputError(
            f"track {track}: {path} holds no fragment" + (f" of strand {strand}" if strand else ""),
            f"{counted(line - 1, 'line was', 'lines were')} read",
            "Fix: give lines of chrom, start, end, separated by tabs" + (", name, score, strand" if strand else ""),
        )


def _blocks(path: Path) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        handle = gzip.GzipFile(fileobj=raw) if packed else raw
        rest = b""
        while block := handle.read(BLOCK):
            block = rest + block
            cut = block.rfind(b"\n") + 1
            rest = block[cut:]
            if cut:
                yield block[:cut]
        if rest:
            yield rest + b"\n"


def _fast(block: bytes, line: int) -> list[Fragments] | None:
    """A block of nothing but tab-separated rows, without a step of Python a row; None where one is anything else."""
    text = np.frombuffer(block, dtype=np.uint8)
    stops = np.flatnonzero(text == LINE_END)
    starts = np.concatenate([[0], stops[:-1] + 1])
    tabs = np.append(np.flatnonzero(text == TAB), [len(text)] * 3)
    at = np.searchsorted(tabs, starts)
    first, second = tabs[at], tabs[at + 1]
    third = np.minimum(tabs[at + 2], stops)
    if (second >= stops).any() or (first == starts).any() or (text[starts] == ord("#")).any():
        return None
    start, end = _numbers(text, first + 1, second), _numbers(text, second + 1, third)
    if start is None or end is None or (start >= end).any():
        return None
    heads = _changes(text, starts, first - starts)
    edges = np.append(heads, len(starts))
    parts = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        name = block[starts[low] : first[low]].decode("utf-8", "replace")
        parts.append(Fragments(name, start[low:high], end[low:high], line + low))
    return parts


def _numbers(text: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """(n,) int64 of the decimal numbers at text[low:high]; None where one is no plain number."""
    digits = high - low
    if not len(digits) or digits.min() < 1 or digits.max() > MOST_DIGITS:
        return None
    value = np.zeros(len(low), dtype=np.int64)
    for i in range(int(digits.max())):
        here = i < digits
        digit = text[np.where(here, low + i, low)].astype(np.int64) - ord("0")
        if ((digit < 0) | (digit > 9))[here].any():
            return None
        value = np.where(here, value * 10 + digit, value)
    return value


def _changes(text: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Numbers of the rows whose chromosome is not that of the row before, the first included."""
    differs = np.ones(len(starts), dtype=bool)
    differs[1:] = lengths[1:] != lengths[:-1]
    for i in range(int(lengths.max())):
        same = np.flatnonzero(~differs[1:] & (lengths[1:] > i)) + 1
        differs[same] = text[starts[same] + i] != text[starts[same - 1] + i]
    return np.flatnonzero(differs)


def _slow(block: bytes, line: int, form: str, strand: str | None, path: Path, track: str) -> list[Fragments]:
    """A block row by row: headers and blanks are skipped, and what is wrong is named."""
    parts: list[Fragments] = []
    name, start, end, first = "", [], [], line

    def flush() -> None:
        if start:
            parts.append(Fragments(name, np.array(start, np.int64), np.array(end, np.int64), first))

    for number, row in _rows(block, line):
        fragment = _fragment(row, form, f"track {track}: {path}:{number}")
        if fragment is None or (strand and _strand(row, f"track {track}: {path}:{number}", strand) != strand):
            continue
        if fragment[0] != name or number != first + len(start):  # so that a fragment's line is first + its place
            flush()
            name, start, end, first = fragment[0], [], [], number
        start.append(fragment[1])
        end.append(fragment[2])
    flush()
    return parts


def _rows(block: bytes, line: int) -> Iterator[tuple[int, list[str]]]:
    for number, text in enumerate(block.decode("utf-8", "replace").split("\n")[:-1], line):
        if text.strip() and not text.startswith(("#", "track", "browser")):
            yield number, text.rstrip("\r").split("\t") if "\t" in text else text.split()


def _fragment(row: list[str], form: str, where: str) -> tuple[str, int, int] | None:
    if len(row) < 3:
        raise InputError(
            f"{where}: {len(row)} column(s) where a fragment has at least 3",
            "no row after it was read",
            "Fix: give chrom, start, end, separated by tabs",
        )
    if form == "bedpe":
        if len(row) < 6:
            raise InputError(
                f"{where}: {counted(len(row), 'column')} in a bedpe", "", "Fix: give all six, or chrom, start, end"
            )
        if row[0] != row[3] or row[0] == ".":
            return None
        ends = [_number(text, where) for text in (row[1], row[2], row[4], row[5])]
        return row[0], min(ends[0], ends[2]), max(ends[1], ends[3])
    start, end = _number(row[1], where), _number(row[2], where)
    if start >= end:
        raise InputError(
            f"{where}: start {start} is not below end {end}",
            "no row after it was read",
            "Fix: fragments are 0-based half-open; correct or remove the row",
        )
    return row[0], start, end


def _number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise InputError(
            f"{where}: start and end must be whole numbers from 0, not {text[:40]!r}",
            "no row after it was read",
            "Fix: write plain digits, or remove the row",
        )
    return int(text)


def _strand(row: list[str], where: str, asked: str) -> str:
    if len(row) < 6 or row[5] not in ("+", "-"):
        raise InputError(
            f"{where}: strand {asked} is asked of a row without one",
            "the sixth column must be + or -",
            "Fix: remove `strand` and `partner`, or give BED6",
        )
    return row[5]


def _form_of(block: bytes, path: Path, track: str, read: str, strand: str | None) -> str | None:
    """``bed`` or ``bedpe`` by the first rows, or None without any; what holds no fragments is refused."""
    rows = []
    for _, row in _rows(block[: 200 * LOOKED_AT], 1):
        rows.append(row)
        if len(rows) == LOOKED_AT:
            break
    rows = rows[:-1] if len(rows) > 1 and len(rows) < LOOKED_AT and len(block) > 200 * LOOKED_AT else rows
    if not rows:
        return None
    first = rows[0]
    if _are_peaks(rows, path):
        raise InputError(
            f"track {track}: {path} holds peaks, not fragments: they have no {read}",
            f"its first row is {' '.join(first)[:80]}",
            "Fix: `read: labels`, or give the fragments that the peaks were called on",
        )
    if len(first) >= 6 and first[4].isdecimal() and first[5].isdecimal():
        return "bedpe"
    if read != "coverage" and strand is None and _are_reads(rows):
        raise InputError(
            f"track {track}: {path} holds reads of one end, not fragments: their {read} cannot be known",
            f"its rows have strands, and nine of ten the one length of {int(first[2]) - int(first[1])} bp",
            "Fix: give fragments (both ends of a pair) or the BAM, or `read: coverage`",
        )
    return "bed"


def _are_peaks(rows: list[list[str]], path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".narrowpeak", ".broadpeak", ".gappedpeak")):
        return True
    return all(
        (len(row) in (9, 10) and row[5] in "+-." and all("." in text or "e" in text for text in row[6:8]))
        or (len(row) >= 4 and "peak" in row[3].lower())
        for row in rows
    )


def _are_reads(rows: list[list[str]]) -> bool:
    """A tagAlign: strands, and lengths that are a machine's and not a fragment's."""
    good = [r for r in rows if len(r) >= 6 and r[5] in ("+", "-") and r[1].isdecimal() and r[2].isdecimal()]
    if len(good) < max(20, len(rows)):
        return False
    lengths = [int(row[2]) - int(row[1]) for row in good]
    return lengths.count(lengths[0]) > 0.9 * len(lengths)
