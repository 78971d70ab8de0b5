"""Profiles of ALT in the bins of the reference.

**One base a bin.** Shared bases go one to one. Inserted bases are folded into the last shared base by their maximum,
its own value among them. Deleted bases are zero where the output is a probability (nothing is spliced or bound at a
base that is not there); of everything else they have no value, and are left out of both alleles.

A track may say that there is nothing, as ``neither`` of splice models (``absent`` of the card). Its numbers go the
other way: inserted bases are folded by their minimum, and a deleted base is 1, surely nothing (`turned`).

**Wider bins.** A window of ALT that begins where the reference's begins has its bins in phase with the reference's on
the left of an insertion or deletion, and out of phase on its right; one that is moved by the length of the change has
it the other way round. Each bin is taken from the window that is in phase with it. Which leaves the bins in which the
phase changes:

- A bin that is wholly deleted is like a deleted base.
- Of a bin that is partly deleted, the window decides that is in phase with the bases that are left: the left one where
  the change begins in it, the right one where it ends in it, the mean of both where it does both.
- The bin of the last shared base before an insertion of at most half a bin: the window whose bin there holds more of
  the inserted bases; the mean where both hold as many, as they do away from the bin's ends.
- A longer insertion fills bins of its own. Those that are inserted for more than half are folded into the bin of the
  last shared base by their maximum, with both windows' bins there: the rule of single bases, which this is where a bin
  is one base.

So a value always is one that the network gives to a whole bin: sums over bins stay sums over as many bases in REF as in
ALT, and no bin is scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.variants.windows.changes import Changes, Insertion

__all__ = [
    "Bins",
    "Profile",
    "align_bases",
    "align_bins",
    "common_bins",
    "mean_of",
    "moved_to",
    "turned",
]


@dataclass(frozen=True)
class Bins:
    """``n`` bins of ``size`` bp; the first begins at ``first`` of the genome."""

    first: int
    size: int
    n: int

    @property
    def end(self) -> int:
        """0-based half-open end of the last."""
        return self.first + self.n * self.size


@dataclass(frozen=True)
class Profile:
    """(tracks, bins) float32 along the plus strand, and (bins,) bool: which of them have a value."""

    values: np.ndarray
    shared: np.ndarray


def align_bases(bins: Bins, changes: Changes, values: np.ndarray, phase: int, zero: bool) -> Profile:
    """One base a bin.

    Args:
        bins: of the reference, ``size`` 1.
        values: (tracks, n) of a window of ALT that begins ``phase`` bp right of where the reference's begins.
        zero: whether deleted bases are zero in ALT, not missing.
    """
    if changes.phases == (0,):
        return Profile(values, np.ones(bins.n, dtype=bool))
    positions = bins.first + np.arange(bins.n)
    moved, kept = changes.phases_of(positions)
    first = bins.first + phase  # of the window of ALT, in ALT
    at = positions + moved - first
    seen = kept & (at >= 0) & (at < bins.n)
    aligned = np.zeros_like(values)
    aligned[:, seen] = values[:, at[seen]]
    for one in changes.insertions:
        last = one.last - bins.first
        low, high = max(one.start - first, 0), min(one.end - first, bins.n)
        if 0 <= last < bins.n and seen[last] and low < high:
            aligned[:, last] = np.maximum(aligned[:, last], values[:, low:high].max(axis=1))
    return Profile(aligned, seen | ~kept if zero else seen)


def align_bins(bins: Bins, changes: Changes, values: Mapping[int, np.ndarray], zero: bool) -> Profile:
    """Bins of any width.

    Args:
        bins: of the reference.
        values: each phase of ``changes`` -> (tracks, n) of the window of ALT that begins so much right of where the
            reference's begins.
        zero: as in ``align_bases``.
    """
    shared = np.ones(bins.n, dtype=bool)
    if changes.phases == (0,):
        return Profile(values[0], shared)
    starts = bins.first + np.arange(bins.n) * bins.size
    phases, _ = changes.phases_of(starts)
    aligned = np.empty_like(values[0])
    for phase in changes.phases:
        aligned[:, phases == phase] = values[phase][:, phases == phase]
    gone = _gone(bins, changes)
    insertions = changes.insertions
    for j in _turns(bins, changes, insertions):
        if not gone[j]:
            aligned[:, j] = _turn(bins, j, changes, insertions, values)
    aligned[:, gone] = 0
    return Profile(aligned, shared if zero else ~gone)


def _gone(bins: Bins, changes: Changes) -> np.ndarray:
    """(bins,) bool: whether a bin is wholly deleted."""
    starts = bins.first + np.arange(bins.n) * bins.size
    gone = np.zeros(bins.n, dtype=bool)
    for start, end in changes.deletions:
        gone |= (starts >= start) & (starts + bins.size <= end)
    return gone


def turned(
    align: Callable[[Mapping[int, np.ndarray]], Profile],
    bins: Bins,
    changes: Changes,
    values: Mapping[int, np.ndarray],
    absent: np.ndarray,
) -> Profile:
    """What ``align`` makes of probabilities by phase, with those tracks turned that are of nothing.

    Args:
        align: as ``align_bases`` and ``align_bins``, with ``zero``.
        absent: (tracks,) bool.
    """
    if not absent.any() or changes.phases == (0,):
        return align(values)
    sign = np.where(absent, -1, 1).astype(np.float32)[:, None]
    profile = align({phase: one * sign for phase, one in values.items()})
    aligned = profile.values * sign
    aligned[np.ix_(absent, _gone(bins, changes))] = 1
    return Profile(aligned, profile.shared)


def _turns(bins: Bins, changes: Changes, insertions: Sequence[Insertion]) -> list[int]:
    """Bins in which the phase changes, or into which an insertion is folded."""
    places = [place for start, end in changes.deletions for place in (start, end - 1)]
    places += [one.last for one in insertions]
    return sorted({j for place in places if 0 <= (j := (place - bins.first) // bins.size) < bins.n})


def _turn(
    bins: Bins, j: int, changes: Changes, insertions: Sequence[Insertion], values: Mapping[int, np.ndarray]
) -> np.ndarray:
    """(tracks,) of ALT in bin ``j``, some of whose bases are left, by the rules above."""
    start = bins.first + j * bins.size
    moved, kept = changes.phases_of(start + np.arange(bins.size))
    here = [one for one in insertions if start <= one.last < start + bins.size]
    phases = list(dict.fromkeys([*moved[kept][[0, -1]].tolist(), *(one.after for one in here)]))
    own = [values[phase][:, j] for phase in phases]
    if not here:
        return mean_of(own)
    if max(one.end - one.start for one in here) * 2 > bins.size:
        filled = [_filled(bins, one, phase, values[phase]) for one in here for phase in phases]
        return np.concatenate([np.stack(own, axis=1), *filled], axis=1).max(axis=1)
    held = [sum(int(one.inside(start + phase, bins.size)) for one in here) for phase in phases]
    return mean_of([value for value, holds in zip(own, held, strict=True) if holds == max(held)])


def _filled(bins: Bins, one: Insertion, phase: int, values: np.ndarray) -> np.ndarray:
    """(tracks, k): bins of a window of ALT that are inserted for more than half."""
    starts = bins.first + phase + np.arange(bins.n) * bins.size
    return values[:, 2 * one.inside(starts, bins.size) > bins.size]


# ---------------------------------------------------------------- windows that are moved


def common_bins(bins: Bins, shifts: Iterable[int]) -> Bins:
    """The bins of the window that is not moved which the windows that are moved by ``shifts`` cover, too.

    None of them where ``n`` is 0 or less.
    """
    low, high = min(shifts), max(shifts)
    before, after = -(-max(low, high, 0) // bins.size), -(min(low, high, 0) // bins.size)
    return Bins(bins.first + before * bins.size, bins.size, bins.n - before - after)


def moved_to(wanted: Bins, bins: Bins, profile: Profile, mean: Callable[..., np.ndarray] | None = None) -> Profile:
    """What a moved window gives, in the bins of the one that is not.

    Where the move is no multiple of the bin, a bin gets what the two bins that it overlaps have, each in proportion to
    the overlap: ``mean`` of two arrays with their weights, default ``mean_of``.
    """
    whole, part = divmod(wanted.first - bins.first, bins.size)
    near = slice(whole, whole + wanted.n)
    if not part:
        return Profile(profile.values[:, near], profile.shared[near])
    far = slice(whole + 1, whole + 1 + wanted.n)
    share = part / bins.size
    values = (mean or mean_of)([profile.values[:, near], profile.values[:, far]], (1 - share, share))
    return Profile(values, profile.shared[near] & profile.shared[far])


def mean_of(several: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Mean of arrays of one shape, by ``weights`` that sum to one, if any; the one itself where there is one."""
    if weights is not None:
        return sum(one * np.float32(weight) for one, weight in zip(several, weights, strict=True))
    return several[0] if len(several) == 1 else sum(several[1:], several[0]) / np.float32(len(several))
