"""Bytes at uncompressed offsets of a bgzip file, through its ``.gzi``; every block that is used is checked.

A ``.gzi`` (bgzip's own: a count, then pairs of compressed and uncompressed offsets, little-endian uint64, of all blocks
but the first) may be of an earlier file, or of another compression of the same one. Each block says its own compressed
and uncompressed size, so that an index that does not fit shows at the first block that is looked at.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left, bisect_right
from pathlib import Path

import numpy as np

from zoo.genome.fasta_kind import is_bgzf

__all__ = ["BgzfBlocks", "UnfitIndex"]

HEADER = 18
TAIL = 4
# Inflated blocks that are kept: neighbouring windows, and a contig's header and its bases, share one.
KEPT = 4


class UnfitIndex(Exception):
    """A ``.gzi`` is not of this file."""


class BgzfBlocks:
    """The blocks of a bgzip file.

    Args:
        path: the file.
        gzi: its index.

    Attributes:
        size: uncompressed bytes.

    Raises:
        UnfitIndex: the index is damaged, or does not end where the file ends.
    """

    def __init__(self, path: Path, gzi: Path) -> None:
        places, starts = _read_gzi(gzi)
        self._handle = path.open("rb")
        try:
            last = int(places[-1])
            end, length = self._walk(last, path.stat().st_size)
        except UnfitIndex:
            self.close()
            raise
        self.size = int(starts[-1]) + length
        # Lists: a read of few bytes takes a microsecond, of which numpy's scalars would be the most.
        self._places = [*places.tolist(), end]
        self._starts = [*starts.tolist(), self.size]
        self._checked = bytearray(len(places))
        self._checked[-1] = 1
        self._inflated: dict[int, bytes] = {}  # the last few, in the order they were made

    def __len__(self) -> int:
        return len(self._checked)

    def _pread(self, n: int, at: int) -> bytes:
        return os.pread(self._handle.fileno(), n, at)

    def _walk(self, place: int, until: int) -> tuple[int, int]:
        """End and uncompressed size of a block, between which and ``until`` only blocks without bytes may stand.

        Files that were joined have such blocks in their middle, and every file at its end; an index leaves them out.
        """
        end = _end_of_block(self._pread(HEADER, place), place)
        (length,) = struct.unpack("<I", self._pread(TAIL, end - TAIL).ljust(TAIL, b"\xff"))
        at = end
        while at < until:
            at = _end_of_block(self._pread(HEADER, at), at)
            if self._pread(TAIL, at - TAIL) != bytes(TAIL):
                raise UnfitIndex
        if at != until:
            raise UnfitIndex
        return end, length

    def check_some(self, n: int) -> None:
        """Check at most ``n`` blocks, evenly spread."""
        for number in np.unique(np.linspace(0, len(self) - 1, min(n, len(self))).astype(int)):
            self._check(int(number))

    def _check(self, number: int) -> None:
        if self._checked[number]:
            return
        _, length = self._walk(self._places[number], self._places[number + 1])
        if length != self._starts[number + 1] - self._starts[number]:
            raise UnfitIndex
        self._checked[number] = 1

    def read(self, low: int, high: int) -> bytes:
        """Uncompressed bytes ``[low, high)``; fewer where the file ends.

        Raises:
            UnfitIndex: a block is not where the index has it, or is damaged.
        """
        low, high = max(low, 0), min(high, self.size)
        if low >= high:
            return b""
        first = bisect_right(self._starts, low) - 1
        start, data = self._starts[first], self._inflate(first)
        if high - start > len(data):
            data = b"".join([data, *map(self._inflate, range(first + 1, bisect_left(self._starts, high)))])
        return data[low - start : high - start]

    def _inflate(self, number: int) -> bytes:
        if (known := self._inflated.get(number)) is not None:
            return known
        self._check(number)
        place, end = self._places[number], self._places[number + 1]
        inflater = zlib.decompressobj(wbits=31)  # of one block: the empty ones behind it are left over
        try:
            data = inflater.decompress(self._pread(end - place, place))
        except zlib.error:
            raise UnfitIndex from None
        if not inflater.eof:
            raise UnfitIndex
        while len(self._inflated) >= KEPT:
            del self._inflated[next(iter(self._inflated))]
        self._inflated[number] = data
        return data

    def close(self) -> None:
        """Release the file."""
        self._handle.close()


def _read_gzi(gzi: Path) -> tuple[np.ndarray, np.ndarray]:
    """(blocks,) int64 compressed and uncompressed offsets, those of the first block included."""
    data = gzi.read_bytes()
    if len(data) < 8 or len(data) != 8 + 16 * struct.unpack("<Q", data[:8])[0]:
        raise UnfitIndex
    pairs = np.frombuffer(data, "<u8", offset=8).astype(np.int64).reshape(-1, 2)
    pairs = np.concatenate([np.zeros((1, 2), np.int64), pairs])
    if (np.diff(pairs[:, 0]) <= 0).any() or (np.diff(pairs[:, 1]) < 0).any():
        raise UnfitIndex
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def _end_of_block(head: bytes, place: int) -> int:
    if not is_bgzf(head):
        raise UnfitIndex
    return place + struct.unpack("<H", head[16:18])[0] + 1
