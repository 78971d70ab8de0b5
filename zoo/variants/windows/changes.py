"""Changes of one chromosome: its other string, and where the bases of the reference stand in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from zoo.errors import InputError
from zoo.variants.alleles.allele import Edit

__all__ = ["Changes", "Insertion"]


@dataclass(frozen=True, slots=True)
class Insertion:
    """Bases of ALT that stand for none of the reference.

    Attributes:
        last: position on the reference of the base before them, the last that both alleles have; of the first base,
            where they come before it.
        start, end: where they stand in ALT, 0-based half-open.
        after: phase (see ``Changes``) of what follows them.
    """

    last: int
    start: int
    end: int
    after: int

    def inside(self, start: int | np.ndarray, length: int) -> int | np.ndarray:
        """How many of its bases lie in ``[start, start + length)`` of ALT."""
        return np.maximum(np.minimum(self.end, start + length) - np.maximum(self.start, start), 0)


class Changes:
    """Edits of one chromosome that do not overlap, in coordinates of the reference and of ALT.

    Of an edit's alleles the first bases go together one to one, as many as both have; what REF has more is deleted,
    what ALT has more is inserted. So of ``CGGT>TA`` C becomes T, G becomes A, and GT is deleted.

    The *phase* of a base is how much further right it stands in ALT than in the reference.

    Args:
        edits: in any order. What both alleles begin or end with is no change: an insertion behind a substituted base
            is no overlap.

    Attributes:
        cores: the edits without what both alleles begin or end with, by place.
        phases: phases that occur, from left to right, each once; ``(0,)`` where nothing is inserted or deleted.
        delta: the last phase: bp that ALT is longer than the reference.

    Raises:
        InputError: two edits change the same base, or insert at the same place.
    """

    def __init__(self, edits: Iterable[Edit]) -> None:
        self.cores = _apart(sorted(filter(None, map(_core, edits)), key=lambda edit: (edit.start, edit.end)))
        #: The phase before each core, and after the last.
        self._before = list(accumulate((len(edit.alt) - len(edit.ref) for edit in self.cores), initial=0))
        self.phases = tuple(dict.fromkeys(self._before))
        self.delta = self._before[-1]

    @property
    def start(self) -> int:
        """First base of the reference that is changed, or before which something is inserted."""
        return self.cores[0].start

    @property
    def end(self) -> int:
        """0-based half-open end of what is changed of the reference."""
        return self.cores[-1].end

    def phases_of(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int64 phases of positions of the reference, and (n,) bool: whether ALT has the base."""
        if not self.cores:
            return np.zeros_like(positions), np.ones(len(positions), dtype=bool)
        starts = np.array([edit.start for edit in self.cores], dtype=np.int64)
        ref = np.array([len(edit.ref) for edit in self.cores], dtype=np.int64)
        alt = np.array([len(edit.alt) for edit in self.cores], dtype=np.int64)
        at = np.searchsorted(starts, positions, side="right") - 1
        core = np.maximum(at, 0)
        within = positions - starts[core]
        past = (at < 0) | (within >= ref[core])
        return np.array(self._before)[np.where(past, at + 1, core)], past | (within < alt[core])

    @property
    def insertions(self) -> tuple[Insertion, ...]:
        """What ALT has more, from left to right."""
        found = []
        for edit, before, after in zip(self.cores, self._before, self._before[1:], strict=False):
            if after > before:
                end = edit.start + before
                found.append(Insertion(max(edit.end - 1, 0), end + len(edit.ref), end + len(edit.alt), after))
        return tuple(found)

    @property
    def deletions(self) -> tuple[tuple[int, int], ...]:
        """What the reference has more, (start, end) on it, from left to right."""
        return tuple((edit.start + len(edit.alt), edit.end) for edit in self.cores if len(edit.alt) < len(edit.ref))

    def apply(self, letters: bytes, first: int) -> bytes:
        """The letters of ALT where those of the reference from ``first`` on are these, which hold all edits."""
        parts, at = [], 0
        for edit in self.cores:
            parts += [letters[at : edit.start - first], edit.alt.encode()]
            at = edit.end - first
        return b"".join([*parts, letters[at:]])


def _core(edit: Edit) -> Edit | None:
    """The edit without what both alleles begin with, then end with; None where they are equal."""
    ref, alt, start = edit.ref, edit.alt, edit.start
    if ref == alt:
        return None
    while ref and alt and ref[0] == alt[0]:
        ref, alt, start = ref[1:], alt[1:], start + 1
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return Edit(start, ref, alt)


def _apart(edits: list[Edit]) -> tuple[Edit, ...]:
    """Sorted edits, none of which overlap; what touches and is one change becomes one."""
    kept: list[Edit] = []
    for edit in edits:
        last = kept[-1] if kept else None
        if last is None or edit.start > last.end:
            kept.append(edit)
        elif edit.start < last.end or (not edit.ref and not last.ref):
            raise InputError(
                f"two changes of the same bases: {_text(last)} and {_text(edit)}",
                "one sequence cannot have both",
                "Fix: leave one of them out",
            )
        elif not edit.ref or (not edit.alt and len(last.alt) <= len(last.ref)):
            # An insertion behind a deletion has no base to stand at: both are one mixture.
            kept[-1] = Edit(last.start, last.ref + edit.ref, last.alt + edit.alt)
        else:
            kept.append(edit)
    return tuple(kept)


def _text(edit: Edit) -> str:
    return f"{edit.start + 1} {edit.ref or '-'}>{edit.alt or '-'}"
