"""Neighbouring variants that are scored in one window: which, and where the window stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zoo.variants.allele import Allele

__all__ = ["Shared", "shared_windows"]

#: Alleles of a window at most: what waits in memory.
MOST = 4096


@dataclass(frozen=True)
class Shared:
    """Consecutive alleles of one window.

    Attributes:
        alleles: in the order of the input; those with a status have no part in where the window stands.
        centre: 0-based position on the genome that stands at index ``length // 2``; None where nothing is scored.
    """

    alleles: tuple[Allele, ...]
    centre: int | None


def shared_windows(alleles: Iterable[Allele], within: int) -> Iterator[Shared]:
    """Group consecutive alleles of a chromosome whose first bases lie within ``within`` bp of each other.

    The middle of a group's first bases is centred, so that no variant stands further than half of ``within`` from
    where a window of its own would have it. Alleles in another order than the genome's are grouped as they come.
    """
    group: list[Allele] = []
    contig = low = high = None
    for allele in alleles:
        if allele.edit is not None:
            start = allele.edit.start
            fits = contig is None or (allele.contig == contig and max(high, start) - min(low, start) <= within)
            if not fits or len(group) >= MOST:
                yield Shared(tuple(group), None if contig is None else (low + high) // 2)
                group, contig = [], None
            low, high = (start, start) if contig is None else (min(low, start), max(high, start))
            contig = allele.contig
        group.append(allele)
        if contig is None and len(group) >= MOST:
            yield Shared(tuple(group), None)
            group = []
    if group:
        yield Shared(tuple(group), None if contig is None else (low + high) // 2)
