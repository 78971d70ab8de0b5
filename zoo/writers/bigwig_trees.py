"""The two trees of a bigWig (Kent et al. 2010, supplementary tables 8 to 17), built whole from sorted arrays.

Both are laid level by level, the root first, and no node is padded: readers go by the offsets and counts in them.
"""

from __future__ import annotations

import struct

import numpy as np

__all__ = ["SPAN", "chrom_tree", "span_tree"]

NODE = 256  # children of a node
CHROM_MAGIC, SPAN_MAGIC = 0x78CA8C91, 0x2468ACE0

#: What a block of data covers, from (chrom, start) to (last, end), and where it lies in the file.
SPAN = np.dtype([("chrom", "<u4"), ("start", "<u4"), ("last", "<u4"), ("end", "<u4"), ("at", "<u8"), ("size", "<u8")])
REACH = ("chrom", "start", "last", "end")


def chrom_tree(chroms: list[tuple[bytes, int]], at: int) -> bytes:
    """The B+ tree of chromosomes, which are numbered in the given order.

    Args:
        chroms: name and length in bp, sorted by name.
        at: where in the file it will lie.
    """
    width = max((len(name) for name, _ in chroms), default=1)
    leaf = np.zeros(len(chroms), [("key", f"S{width}"), ("number", "<u4"), ("size", "<u4")])
    leaf["key"] = [name for name, _ in chroms]
    leaf["number"] = np.arange(len(chroms))
    leaf["size"] = [size for _, size in chroms]
    levels = [leaf]
    while len(levels[0]) > NODE:
        above = np.zeros(-(-len(levels[0]) // NODE), [("key", f"S{width}"), ("at", "<u8")])
        above["key"] = levels[0]["key"][::NODE]
        levels.insert(0, above)
    header = struct.pack("<4I2Q", CHROM_MAGIC, NODE, width, 8, len(chroms), 0)
    return header + _laid(levels, at + len(header))


def span_tree(spans: np.ndarray, at: int, items: int) -> bytes:
    """The R tree over blocks of data.

    Args:
        spans: (n,) of `SPAN`, in the order of the genome.
        at: where in the file it will lie; the blocks end before. items: most items in a block.
    """
    levels = [spans]
    while len(levels[0]) > NODE:
        below = levels[0]
        first = np.arange(0, len(below), NODE)
        last = np.minimum(first + NODE, len(below)) - 1
        above = np.zeros(len(first), [*((name, "<u4") for name in REACH), ("at", "<u8")])
        for name, row in zip(REACH, (first, first, last, last), strict=True):
            above[name] = below[name][row]
        levels.insert(0, above)
    reach = (*spans[0].tolist()[:2], *spans[-1].tolist()[2:4]) if len(spans) else (0, 0, 0, 0)
    header = struct.pack("<2IQ4IQ2I", SPAN_MAGIC, NODE, len(spans), *reach, at, items, 0)
    return header + _laid(levels, at + len(header))


def _laid(levels: list[np.ndarray], at: int) -> bytes:
    """The nodes of all levels; ``at`` of the levels above the leaves is filled in."""
    parts: list[bytes] = []
    for depth, level in enumerate(levels):
        at += _bytes(level)
        leaf = depth == len(levels) - 1
        if not leaf:
            below = levels[depth + 1]
            level["at"] = at + np.arange(len(level)) * (4 + NODE * below.itemsize)
        for first in range(0, max(len(level), 1), NODE):
            node = level[first : first + NODE]
            parts.append(struct.pack("<2BH", leaf, 0, len(node)) + node.tobytes())
    return b"".join(parts)


def _bytes(level: np.ndarray) -> int:
    """What the nodes of a level take."""
    return 4 * max(1, -(-len(level) // NODE)) + level.nbytes
