"""bigWig (Kent et al. 2010, doi:10.1093/bioinformatics/btq351), written in time that is linear in all of it.

libBigWig (pyBigWig) looks a chromosome up from the first one each time, when it adds values and again when it makes
zoom levels: with 100,000 contigs it takes a minute, and bigtools (pybigtools) longer. The layout is that of UCSC's
``wigToBigWig``, and every chromosome of the genome is in the file, with values or without.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from zoo.errors import SystemStateError
from zoo.outputs import OutputSpec
from zoo.results.whole import require_room
from zoo.writers.bigwig_trees import SPAN, chrom_tree, span_tree
from zoo.writers.bigwig_zoom import LEVELS, RECORD, ZoomLevel, exact_records, start_levels
from zoo.writers.genomic import GenomicWriter

__all__ = ["BigWigWriter"]

MAGIC, VERSION = 0x888FFC26, 4
END_MARK = struct.pack("<I", MAGIC)  # repeated as the last four bytes
HEADER, ZOOM_HEADER, SUMMARY = 64, 24, 40  # bytes
PENDING = 1 << 16  # values that are made sections of at once
SECTION = 2_048  # values of a chromosome that are compressed together
ZOOM_BLOCK = 512  # records of a zoom level that are
BEDGRAPH, VARIABLE_STEP, FIXED_STEP = 1, 2, 3
SECTION_HEADER = np.dtype(
    [
        ("chrom", "<u4"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("step", "<u4"),
        ("span", "<u4"),
        ("kind", "u1"),
        ("reserved", "u1"),
        ("count", "<u2"),
    ]
)
FIELDS = {BEDGRAPH: ("start", "end", "value"), VARIABLE_STEP: ("start", "value"), FIXED_STEP: ("value",)}


class BigWigWriter(GenomicWriter):
    """A bigWig a track; chromosomes sorted by name as UCSC's own tools write them."""

    def track_file(self, path: Path, output: OutputSpec, track: str) -> _BigWigFile:
        return _BigWigFile(path, [(chrom, self.context.chrom_sizes[chrom]) for chrom in self._chroms])


class _BigWigFile:
    def __init__(self, path: Path, chroms: list[tuple[str, int]]) -> None:
        self._path = path
        self._sizes = np.array([size for _, size in chroms], np.int64)
        self._waiting: list[tuple[np.ndarray, ...]] = []
        self._n_waiting = self._n_values = self._largest = 0
        self._spans: list[np.ndarray] = []
        self._zoom: ZoomLevel | None = None
        self._bases, self._least, self._most, self._sum, self._squares = 0, np.inf, -np.inf, 0.0, 0.0
        self._tree_at = HEADER + LEVELS * ZOOM_HEADER + SUMMARY
        tree = chrom_tree([(chrom.encode(), size) for chrom, size in chroms], self._tree_at)
        require_room(path.parent, self._tree_at + len(tree))
        self._file = open(path, "wb")  # noqa: SIM115 - closed by `finish` or `abandon`
        self._file.write(bytes(self._tree_at) + tree)
        self._data_at = self._file.tell()
        self._file.write(bytes(8))  # the number of sections

    def add(self, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        self._waiting.append((chroms, starts, ends, values))
        self._n_waiting += len(starts)
        if self._n_waiting >= PENDING:
            self._flush()

    def finish(self) -> None:
        self._flush(last=True)
        sections = self._write_tree(self._spans, SECTION)
        levels = [(level.width, *self._write_zoom(level)) for level in self._useful_levels()]
        self._file.write(END_MARK)
        self._write_header(sections, levels)
        self._size = self._file.seek(0, os.SEEK_END)
        self._file.close()
        self._remove_zoom()
        self._verify()

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self._remove_zoom()

    def _flush(self, last: bool = False) -> None:
        """Write whole sections of what waits; with ``last`` all of it."""
        if not self._waiting:
            return
        chroms, starts, ends, values = map(np.concatenate, zip(*self._waiting, strict=True))
        self._check(chroms, starts, ends)
        first = _section_starts(chroms)
        if not last and len(first):
            keep = first[-1]  # more of its chromosome may come
            first = first[:-1]
        else:
            keep = len(chroms)
        self._waiting = [(chroms[keep:], starts[keep:], ends[keep:], values[keep:])]
        self._n_waiting = len(chroms) - keep
        if keep:
            values = values.astype("<f4", copy=False)[:keep]
            self._summarize(chroms[:keep], starts[:keep], ends[:keep], values)
            self._write_sections(first, chroms[:keep], starts[:keep], ends[:keep], values)

    def _check(self, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
        after = (chroms[1:] > chroms[:-1]) | ((chroms[1:] == chroms[:-1]) & (starts[1:] >= ends[:-1]))
        if not (after.all() and (starts < ends).all() and (starts >= 0).all()):
            raise ValueError("intervals of a bigWig overlap, are empty or are not in order")
        if (ends > self._sizes[chroms]).any():
            raise ValueError("an interval of a bigWig passes its chromosome's end")

    def _summarize(self, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        if self._zoom is None:
            typical = float((ends - starts).mean())
            self._zoom = start_levels(self._path.parent, self._path.name, typical)
        records = exact_records(chroms, starts, ends, values, self._zoom.width)
        self._zoom.add(records)
        self._n_values += len(starts)
        self._bases += int(records["bases"].sum())
        self._least = min(self._least, float(records["min"].min()))
        self._most = max(self._most, float(records["max"].max()))
        self._sum += float(records["sum"].sum())
        self._squares += float(records["squares"].sum())

    def _write_sections(
        self, first: np.ndarray, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray, values: np.ndarray
    ) -> None:
        """Write sections that begin at the rows ``first``, each in the shortest way that holds it."""
        stop = np.append(first[1:], len(starts))
        headers = _section_headers(first, stop, chroms, starts, ends)
        columns = {"start": starts, "end": ends, "value": values}
        items = {int(kind): _items(FIELDS[kind], columns) for kind in np.unique(headers["kind"]).tolist()}
        heads = headers.tobytes()
        texts = []
        for i, (kind, low, high) in enumerate(
            zip(headers["kind"].tolist(), first.tolist(), stop.tolist(), strict=True)
        ):
            data, width = items[kind]
            texts.append(heads[24 * i : 24 * i + 24] + data[low * width : high * width])
        spans = np.zeros(len(first), SPAN)
        spans["chrom"] = spans["last"] = headers["chrom"]
        spans["start"], spans["end"] = headers["start"], headers["end"]
        self._spans.append(self._write_blocks(texts, spans))

    def _write_blocks(self, texts: Iterable[bytes], spans: np.ndarray) -> np.ndarray:
        """Write blocks, compressed; the spans with where they lie."""
        at, sizes, packed = self._file.tell(), [], []
        for text in texts:
            self._largest = max(self._largest, len(text))
            packed.append(_compressed(text))
            sizes.append(len(packed[-1]))
        self._file.write(b"".join(packed))
        spans["size"] = sizes
        spans["at"] = at + np.cumsum(sizes) - sizes
        return spans

    def _write_tree(self, spans: list[np.ndarray], items: int) -> tuple[int, int]:
        """Write an index; where it lies, and of how many blocks it is."""
        at, joined = self._file.tell(), np.concatenate([np.empty(0, SPAN), *spans])
        self._file.write(span_tree(joined, at, items))
        return at, len(joined)

    def _useful_levels(self) -> list[ZoomLevel]:
        """Levels that have at most half of the records of the one before."""
        found, level, rows = [], self._zoom, self._n_values
        if level is not None:
            level.finish()
        while level is not None:
            if 2 * level.rows <= rows:
                found.append(level)
                rows = level.rows
            level = level.above
        return found

    def _write_zoom(self, level: ZoomLevel) -> tuple[int, int]:
        """Write a level; where its records and their index lie."""
        at = self._file.tell()
        self._file.write(struct.pack("<I", level.rows))
        spans = []
        for records in level.blocks(ZOOM_BLOCK * 64):
            first = np.arange(0, len(records), ZOOM_BLOCK)
            last = np.minimum(first + ZOOM_BLOCK, len(records)) - 1
            block = np.zeros(len(first), SPAN)
            block["chrom"], block["start"] = records["chrom"][first], records["start"][first]
            block["last"], block["end"] = records["chrom"][last], records["end"][last]
            texts = (records[low : low + ZOOM_BLOCK].tobytes() for low in first.tolist())
            spans.append(self._write_blocks(texts, block))
        return at, self._write_tree(spans, ZOOM_BLOCK)[0]

    def _write_header(self, sections: tuple[int, int], levels: list[tuple[int, int, int]]) -> None:
        index_at, n_sections = sections
        summary_at = HEADER + LEVELS * ZOOM_HEADER
        whole = struct.pack(
            "<I2H3Q2H2QIQ",
            *(MAGIC, VERSION, len(levels), self._tree_at, self._data_at, index_at, 0, 0, 0),
            *(summary_at, max(self._largest, RECORD.itemsize * ZOOM_BLOCK), 0),
        )
        whole += b"".join(struct.pack("<2I2Q", width, 0, data, index) for width, data, index in levels)
        self._file.seek(0)
        self._file.write(whole)
        self._file.seek(summary_at)
        least, most = (self._least, self._most) if self._bases else (0.0, 0.0)
        self._file.write(struct.pack("<Q4d", self._bases, least, most, self._sum, self._squares))
        self._file.seek(self._data_at)
        self._file.write(struct.pack("<Q", n_sections))

    def _remove_zoom(self) -> None:
        if self._zoom is not None:
            self._zoom.remove()

    def _verify(self) -> None:
        """Whether the closed file is whole: what was written last, and first, is there."""
        with open(self._path, "rb") as file:
            begin = file.read(4)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4))
            whole = size == self._size and begin == file.read() == END_MARK
        if not whole:
            raise SystemStateError(
                f"{self._path} was not written completely", fix="check the space on the disk, then --resume"
            )


def _section_starts(chroms: np.ndarray) -> np.ndarray:
    """Rows where a section begins: with each chromosome, and after `SECTION` values of it."""
    begin = np.flatnonzero(np.diff(chroms, prepend=-1))
    length = np.diff(begin, append=len(chroms))
    n = -(-length // SECTION)
    step = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    return np.repeat(begin, n) + step * SECTION


def _section_headers(
    first: np.ndarray, stop: np.ndarray, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    headers = np.zeros(len(first), SECTION_HEADER)
    spans = ends - starts
    span = spans[first]
    one_span = np.maximum.reduceat(spans, first) == np.minimum.reduceat(spans, first)
    steps = np.diff(starts, append=0)
    steps[stop - 1] = np.where(stop - first > 1, steps[first], span)  # the last value of a section has no next one
    one_step = np.maximum.reduceat(steps, first) == np.minimum.reduceat(steps, first)
    fixed = one_span & one_step
    headers["chrom"], headers["start"], headers["end"] = chroms[first], starts[first], ends[stop - 1]
    headers["step"] = np.where(fixed, steps[first], 0)
    headers["span"] = np.where(one_span, span, 0)
    headers["kind"] = np.where(fixed, FIXED_STEP, np.where(one_span, VARIABLE_STEP, BEDGRAPH))
    headers["count"] = stop - first
    return headers


def _items(fields: tuple[str, ...], columns: dict[str, np.ndarray]) -> tuple[bytes, int]:
    """The values as one kind of section has them, and bytes of one."""
    dtype = np.dtype([(name, "<f4" if name == "value" else "<u4") for name in fields])
    rows = np.empty(len(columns["value"]), dtype)
    for name in fields:
        rows[name] = columns[name]
    return rows.tobytes(), dtype.itemsize


def _compressed(text: bytes) -> bytes:
    """zlib; a short text with short tables, since setting up the usual ones takes longer than using them."""
    if len(text) > 1 << 12:
        return zlib.compress(text)
    packer = zlib.compressobj(6, zlib.DEFLATED, 12, 4)
    return packer.compress(text) + packer.flush()
