"""Fragments and reads counted at bases: coverage, centres, or the cuts of Tn5.

For a fragment [start, end) the centre is base (start + end) // 2. Tn5 duplicates 9 bp at its site, so the central base
of the site is ``start + 4`` at one end and ``end - 5`` at the other (Adey et al. 2010, doi:10.1186/gb-2010-11-12-r119):
both fragments of one site name the same base. Positions are kept sorted in a temporary file, so that memory is that of
one chromosome's. What is counted is complete: 0 where there is nothing.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from finetune.data.reading.alignments import ONE_CUT, read_alignments
from finetune.data.reading.fragments import Fragments, read_fragments
from finetune.data.reading.naming import check_names
from finetune.data.reading.sources import TrackSource, kind_of
from finetune.data.transform import subsample_reads
from zoo.errors import InputError, SystemStateError
from zoo.words import counted_of

__all__ = ["CountedBases", "cut_bases", "fragment_centres"]

CUT_LEFT, CUT_RIGHT = 4, -5


def fragment_centres(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(n,) int64 middle base of each [start, end); the right one of two."""
    return (start + end) // 2


def cut_bases(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(2n,) int64 central bases of the Tn5 sites at both ends, starts first."""
    return np.concatenate([start + CUT_LEFT, end + CUT_RIGHT])


class CountedBases:
    """Counts of all files of a source, added up.

    Attributes:
        chroms: those of the FASTA on which a file has a fragment. total: fragments or reads that are counted.
        notes: what was left out.
    """

    def __init__(self, source: TrackSource, sizes: Mapping[str, int]) -> None:
        self._source, self._sizes = source, sizes
        self._folder = tempfile.TemporaryDirectory(prefix="zoo-track-")
        self._number = {name: i for i, name in enumerate(sizes)}
        self._counts: Counter[str] = Counter()
        self._elsewhere: Counter[str] = Counter()
        self.notes: tuple[str, ...] = ()
        try:
            for path in source.files:
                self._take(path)
            self._refuse_empty()
            self.total = self._sort()
        except OSError as error:
            self.close()
            raise SystemStateError(
                f"{self._folder.name}: fragments of {source.name} cannot be kept: {error.strerror or error}",
                "",
                "Fix: set TMPDIR to a folder with room, 16 bytes a fragment",
            ) from None
        except BaseException:
            self.close()
            raise
        self.chroms = frozenset(self._counts)
        if self._elsewhere:
            names = ", ".join(list(self._elsewhere)[:4])
            self.notes = (f"{sum(self._elsewhere.values()):,} fragments on {names}, not in the FASTA, are left out",)

    def bases(self, chrom: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
        """(n, width) float32 counts of windows [start, start + width), start >= 0."""
        out = np.zeros((len(start), width), dtype=np.float32)
        for name in dict.fromkeys(chrom.tolist()):
            rows = np.flatnonzero(chrom == name)
            if name in self._counts:
                fill = self._coverage if self._source.read == "coverage" else self._points
                fill(out, rows, start[rows], name)
        return out

    def _points(self, out: np.ndarray, rows: np.ndarray, start: np.ndarray, name: str) -> None:
        width, (points,) = out.shape[1], self._kept(name, 1)
        low, high = np.searchsorted(points, start), np.searchsorted(points, start + width)
        for row, s, a, b in zip(rows, start, low, high, strict=True):
            out[row] = np.bincount(points[a:b] - s, minlength=width)

    def _coverage(self, out: np.ndarray, rows: np.ndarray, start: np.ndarray, name: str) -> None:
        width, (begins, ends) = out.shape[1], self._kept(name, 2)
        edges = [np.searchsorted(begins, start), np.searchsorted(begins, start + width)]
        edges += [np.searchsorted(ends, start), np.searchsorted(ends, start + width)]
        for row, s, a, b, c, d in zip(rows, start, *edges, strict=True):
            change = np.bincount(begins[a:b] - s, minlength=width) - np.bincount(ends[c:d] - s, minlength=width)
            out[row] = np.cumsum(change) + (a - c)  # fragments open at the window's start

    def close(self) -> None:
        """Remove the temporary files."""
        self._folder.cleanup()

    # ---- making

    def _take(self, path: Path) -> None:
        source = self._source
        is_bam = kind_of(path, f"track {source.name}") == "bam"
        names: set[str] = set()
        for part in self._parts(path, is_bam):
            names.add(part.chrom)
            if part.chrom in self._sizes:
                self._check_inside(part, path)
            keep = np.ones(len(part.start), dtype=bool)
            if source.length:
                size = part.end - part.start
                keep = (size >= source.length[0]) & (size <= source.length[1])
            if part.chrom not in self._sizes:
                self._elsewhere[part.chrom] += int(keep.sum())
                continue
            self._counts[part.chrom] += int(keep.sum())
            self._append(part.chrom, np.stack([part.start[keep], part.end[keep]], axis=1))
        check_names(names, self._sizes, source.name, path, "bam" if is_bam else "text")

    def _parts(self, path: Path, is_bam: bool) -> Iterator[Fragments]:
        source = self._source
        if is_bam:
            return read_alignments(path, source.name, source.read, self._sizes, source.strand, source.length)
        return read_fragments(path, source.name, source.read, source.strand)

    def _check_inside(self, part: Fragments, path: Path) -> None:
        size = self._sizes[part.chrom]
        past = part.end > size
        if past.any():
            at, n = int(np.argmax(past)), int(past.sum())
            where = f"{path}:{part.line + at}" if part.line else f"{path}"
            raise InputError(
                f"track {self._source.name}: {where}: end {int(part.end[at])} is past the end of {part.chrom} "
                f"({size:,} bp in the FASTA)",
                f"{counted_of(n, len(past), 'fragment')} read with it {'passes' if n == 1 else 'pass'} the end",
                "Fix: give the FASTA that the reads were mapped to as `genome`, or remove the rows",
            )

    def _file(self, chrom: str) -> Path:
        return Path(self._folder.name) / str(self._number[chrom])

    def _append(self, chrom: str, pairs: np.ndarray) -> None:
        with self._file(chrom).open("ab") as handle:
            handle.write(pairs.astype(np.int32).tobytes())

    def _refuse_empty(self) -> None:
        source = self._source
        if sum(self._counts.values()):
            return
        size = f" of {source.length[0]} to {source.length[1]} bp" if source.length else ""
        raise InputError(
            f"track {source.name}: no fragment{size} in {', '.join(map(str, source.files))}",
            "all would be 0",
            "Fix: correct `length`" if source.length else "Fix: correct `files`",
        )

    def _sort(self) -> int:
        """Turn pairs to sorted positions, chromosome by chromosome; returns how many fragments were kept."""
        source = self._source
        names = [name for name in self._sizes if name in self._counts]
        drawn: Iterator[np.ndarray] | None = None
        if source.reads is not None:
            counts = [self._counts[name] for name in names]
            drawn = subsample_reads(counts, source.reads, source.seed, f"track {source.name}")
        total = 0
        for name in names:
            pairs = np.fromfile(self._file(name), dtype=np.int32).reshape(-1, 2)
            if drawn is not None:
                pairs = pairs[next(drawn)]
            total += len(pairs)
            self._positions(name, pairs).tofile(self._file(name))
        return total

    def _positions(self, name: str, pairs: np.ndarray) -> np.ndarray:
        start, end = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
        if self._source.read == "coverage":
            return np.stack([np.sort(start), np.sort(end)]).astype(np.int32)
        if self._source.read == "centres":
            points = fragment_centres(start, end)
        else:
            alone = end == ONE_CUT
            points = np.concatenate([cut_bases(start[~alone], end[~alone]), start[alone]])
        return np.sort(points[(points >= 0) & (points < self._sizes[name])]).astype(np.int32)

    def _kept(self, name: str, columns: int) -> np.ndarray:
        """(columns, n) int32 of a chromosome, mapped and not read."""
        path = self._file(name)
        if not path.stat().st_size:
            return np.empty((columns, 0), dtype=np.int32)
        return np.memmap(path, dtype=np.int32, mode="r").reshape(columns, -1)
