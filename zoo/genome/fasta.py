"""Read windows of a FASTA by the thousand: plain (memory-mapped) or bgzip.

Plain files are gathered without a Python step per window: the bytes of all windows of a
batch are copied at once and the line ends squeezed out. bgzip files are read in spans
that merge neighbouring windows. Both index with a ``.fai`` (samtools faidx
format), which is made when missing, in the user's cache when the folder is read-only
(``fasta_index``).
"""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.genome.bgzf import BgzfBlocks, UnfitIndex
from zoo.genome.fasta_index import Contig, ensure_index, read_fai, stands_where
from zoo.genome.fasta_kind import compression_of
from zoo.genome.library import genome_file
from zoo.genome.recompress import bgzip_copy

__all__ = ["Contig", "Genome", "open_genome"]

N_BYTE = ord("N")
# What is no letter; 10 and 13 end lines.
LINE_ENDS = bytes(range(33))
# Drop the mapped pages now and then, so that resident memory does not follow the genome's size.
RELEASE_BYTES = 256 << 20
# bgzip windows closer than this are fetched in one go: a BGZF block inflates to 64 kB anyway.
SPAN_GAP = 64 << 10
SPAN_MAX = 16 << 20


class Genome:
    """An open FASTA. ``sizes`` maps contig name -> length in bp, in file order."""

    def __init__(self, path: Path, contigs: list[Contig]) -> None:
        self.path = path
        self.contigs = contigs
        self.sizes: dict[str, int] = {c.name: c.length for c in contigs}
        self._number = {c.name: i for i, c in enumerate(contigs)}
        self._lengths = np.array([c.length for c in contigs], dtype=np.int64)

    def numbers(self, names: np.ndarray, aliases: Mapping[str, str] | None = None) -> np.ndarray:
        """Contig numbers, int64, of (n,) contig names; ``aliases`` maps names to those of the FASTA.

        Raises:
            KeyError: a name is not in the FASTA.
        """
        lookup = self._number
        if aliases:
            lookup = {alias: self._number[name] for alias, name in aliases.items()} | self._number
        return np.fromiter((lookup[name] for name in names), dtype=np.int64, count=len(names))

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """(n,) int64 lengths in bp of contigs given by number."""
        return self._lengths[numbers]

    def gather(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """Bases of windows ``[start, start + length)``.

        Args:
            numbers: (n,) contig numbers.
            starts: (n,) int64 0-based starts; may be negative or run past the end.
            length: bp.

        Returns:
            (n, length) uint8 of ASCII letters, case as in the file; ``N`` outside the contig.
        """
        ends_inside = starts + length <= self._lengths[numbers]
        inside = (starts >= 0) & ends_inside
        if inside.all():
            return self._gather_inside(numbers, starts, length)
        out = np.full((len(starts), length), N_BYTE, dtype=np.uint8)
        if inside.any():
            out[inside] = self._gather_inside(numbers[inside], starts[inside], length)
        for i in np.flatnonzero(~inside):  # few: only windows at the ends of contigs
            self._gather_clipped(out[i], int(numbers[i]), int(starts[i]))
        return out

    def _gather_clipped(self, row: np.ndarray, number: int, start: int) -> None:
        low, high = max(start, 0), min(start + len(row), int(self._lengths[number]))
        if low < high:
            one = np.array([number]), np.array([low], dtype=np.int64)
            row[low - start : high - start] = self._gather_inside(*one, high - low)[0]

    def _gather_inside(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        raise NotImplementedError

    def close(self) -> None:
        """Release the file."""


class PlainGenome(Genome):
    """An uncompressed FASTA, memory-mapped."""

    def __init__(self, path: Path, contigs: list[Contig]) -> None:
        super().__init__(path, contigs)
        with path.open("rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)
        self._offset = np.array([c.offset for c in contigs], dtype=np.int64)
        self._bases = np.array([max(c.line_bases, 1) for c in contigs], dtype=np.int64)
        self._width = np.array([max(c.line_width, 1) for c in contigs], dtype=np.int64)
        self._touched = 0

    def _gather_inside(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        bases, width = self._bases[numbers], self._width[numbers]
        first = self._offset[numbers] + starts // bases * width + starts % bases
        # The widest span of file bytes that a window of this length can need.
        ends_per_line = int((width - bases).max(initial=0))
        shortest = int(bases.min()) if len(bases) else 1
        span = length + ends_per_line * (length // shortest + 1)
        if ends_per_line == 0:
            return self._spans(first, length)
        raw = self._spans(first, span)
        return _squeeze_lines(raw, length)

    def _spans(self, first: np.ndarray, span: int) -> np.ndarray:
        """(n, span) uint8 of file bytes; bytes past the end of the file read as line ends."""
        self._release(len(first) * span)
        if len(first) and int(first.max()) + span > len(self._bytes):
            return self._spans_at_file_end(first, span)
        windows = np.lib.stride_tricks.as_strided(
            self._bytes, (max(len(self._bytes) - span + 1, 0), span), (1, 1), writeable=False
        )
        return windows[first]

    def _spans_at_file_end(self, first: np.ndarray, span: int) -> np.ndarray:
        raw = np.full((len(first), span), ord("\n"), dtype=np.uint8)
        for i, at in enumerate(first.tolist()):
            piece = self._bytes[at : at + span]
            raw[i, : len(piece)] = piece
        return raw

    def _release(self, upcoming: int) -> None:
        self._touched += upcoming
        if self._touched > RELEASE_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0

    def close(self) -> None:
        del self._bytes
        self._map.close()


def _squeeze_lines(raw: np.ndarray, length: int) -> np.ndarray:
    """Remove line ends from (n, span) file bytes and keep the first ``length`` bases of each row."""
    keep = raw > 32  # letters; line ends are 10 and 13
    kept = np.count_nonzero(keep, axis=1)
    flat = raw[keep]
    row_at = np.concatenate(([0], np.cumsum(kept)[:-1])) if len(kept) else kept
    windows = np.lib.stride_tricks.as_strided(flat, (max(len(flat) - length + 1, 0), length), (1, 1), writeable=False)
    return windows[row_at]


class BgzipGenome(Genome):
    """A bgzip FASTA, read through its ``.gzi``.

    The index was compared with the file at some contigs and blocks. Of the others each is, before its first base is
    read, so that no base comes from a place where the index does not fit.

    Args:
        path: what the user gave.
        content: the bgzip file; a copy where ``path`` is plain gzip.
        gzi: its index of blocks.
    """

    def __init__(self, path: Path, contigs: list[Contig], content: Path, gzi: Path) -> None:
        super().__init__(path, contigs)
        self._content = content
        self._blocks = BgzfBlocks(content, gzi)
        self._known = np.zeros(len(contigs), dtype=bool)

    def _gather_inside(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        out = np.empty((len(starts), length), dtype=np.uint8)
        order = np.lexsort((starts, numbers))
        for rows in _spans(numbers[order], starts[order], length):
            members = order[rows]
            low = int(starts[members[0]])
            high = int(starts[members[-1]]) + length
            span = self._fetch(int(numbers[members[0]]), low, high)
            if len(members) == 1:  # most are, of regions in no order: a strided view takes as long as a block
                out[members[0]] = span
                continue
            windows = np.lib.stride_tricks.sliding_window_view(span, length)
            out[members] = windows[starts[members] - low]
        return out

    def _fetch(self, number: int, low: int, high: int) -> np.ndarray:
        """(high - low,) uint8 letters of a contig."""
        contig = self.contigs[number]
        try:
            if not self._known[number]:
                self._known[number] = stands_where(self._blocks.read, self.contigs, number)
            raw = self._blocks.read(contig.place(low), contig.place(high - 1) + 1) if self._known[number] else b""
        except UnfitIndex:
            raw = b""
        letters = np.frombuffer(raw.translate(None, LINE_ENDS), dtype=np.uint8)
        if len(letters) != high - low:
            raise InputError(
                f"{self.path}: {contig.name}:{low}-{high} cannot be read, though the index has it",
                "the file is truncated or damaged, or its index is of another file",
                f"Fix: remove {self._content.name}.fai and .gzi and try again; "
                "`gzip -t` tells whether the file is whole",
            )
        return letters

    def close(self) -> None:
        self._blocks.close()


def _spans(numbers: np.ndarray, starts: np.ndarray, length: int) -> list[slice]:
    """Cut sorted windows into runs that are worth one fetch each."""
    if not len(starts):
        return []
    far = (np.diff(numbers) != 0) | (np.diff(starts) > length + SPAN_GAP)
    # A run longer than SPAN_MAX bp is cut too, so that memory stays bounded.
    far |= (starts[1:] // SPAN_MAX) != (starts[:-1] // SPAN_MAX)
    cuts = [0, *(np.flatnonzero(far) + 1).tolist(), len(starts)]
    return [slice(a, b) for a, b in itertools.pairwise(cuts)]


def open_genome(path: str | Path) -> Genome:
    """Open a FASTA for random access.

    Args:
        path: plain or bgzip FASTA; ``.fai`` (and ``.gzi``) are used when they fit the file, else made. Of one in plain
            gzip a bgzip copy is made in the cache, once. Or the name of an assembly whose genome is found by name.

    Raises:
        InputError: missing file, not a FASTA, or one whose lines allow no index. SystemStateError: an index or a copy
            can be written nowhere. UsageError: an assembly was named whose genome is not here.
    """
    path = genome_file(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(
            f"{path}: is a pipe or device, which allows no random access",
            "no window can be read",
            "Fix: save the genome as a file, plain or bgzip",
        )
    kind = compression_of(path)
    if kind == "plain":
        fai, _ = ensure_index(path, compressed=False)
        return PlainGenome(path, read_fai(fai))
    content = bgzip_copy(path) if kind == "gzip" else path
    fai, gzi = ensure_index(content, compressed=True)
    return BgzipGenome(path, read_fai(fai), content, gzi)
