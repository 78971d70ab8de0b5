"""Letters of the genome around variants: short pieces, read one after another along a chromosome."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np

from zoo.genome.fasta import Genome

__all__ = ["Bases", "bases_of"]

BLOCK = 1 << 14
KEPT = 8
#: Upper case, and T for the U of RNA, as windows are read.
_READ_AS = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyzU", b"ABCDEFGHIJKLMNOPQRSTTVWXYZT")


class Bases:
    """Upper-case letters of a genome; the last few blocks that were read are kept.

    Args:
        genome: an open FASTA.
    """

    def __init__(self, genome: Genome) -> None:
        self.genome = genome
        self._number = {name: number for number, name in enumerate(genome.sizes)}
        self._lengths = list(genome.sizes.values())
        self._blocks: dict[tuple[int, int], str] = {}

    def number(self, name: str, aliases: Mapping[str, str] | None = None) -> int:
        """Number of a contig by its name, or by one that ``aliases`` maps to it; -1 where there is none."""
        found = self._number.get(name)
        if found is None and aliases and name in aliases:
            found = self._number.get(aliases[name])
        return -1 if found is None else found

    def length(self, contig: int) -> int:
        """In bp."""
        return self._lengths[contig]

    def read(self, contig: int, start: int, end: int) -> str:
        """Letters of ``[start, end)``, 0-based; fewer where the contig begins or ends."""
        start, end = max(start, 0), min(end, self._lengths[contig])
        if start >= end:
            return ""
        first, last = start // BLOCK, (end - 1) // BLOCK
        if first == last:
            return self._block(contig, first)[start - first * BLOCK : end - first * BLOCK]
        if end - start > KEPT * BLOCK:
            return self._gather(contig, start, end)
        text = "".join([self._block(contig, number) for number in range(first, last + 1)])
        return text[start - first * BLOCK : end - first * BLOCK]

    def _block(self, contig: int, number: int) -> str:
        key = contig, number
        if (known := self._blocks.get(key)) is not None:
            return known
        start = number * BLOCK
        text = self._gather(contig, start, min(start + BLOCK, self._lengths[contig]))
        while len(self._blocks) >= KEPT:
            del self._blocks[next(iter(self._blocks))]
        self._blocks[key] = text
        return text

    def _gather(self, contig: int, start: int, end: int) -> str:
        one = np.array([contig]), np.array([start], dtype=np.int64)
        return self.genome.gather(*one, end - start)[0].tobytes().translate(_READ_AS).decode("latin-1")


_known: WeakKeyDictionary[Genome, Bases] = WeakKeyDictionary()


def bases_of(genome: Genome | Bases) -> Bases:
    """The ``Bases`` of a genome, made once for each."""
    if isinstance(genome, Bases):
        return genome
    if (bases := _known.get(genome)) is None:
        bases = _known[genome] = Bases(genome)
    return bases
