"""Which patterns occur in the same regions, and how far apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interpret.motifs.hits import Hits
from interpret.motifs.match import MATCHED_AT, benjamini_hochberg
from zoo.extras import needs

__all__ = ["FARTHEST", "SPACING_BINS", "Partner", "partners_of"]

FARTHEST, SPACING_BINS = 120, 24


@dataclass(frozen=True)
class Partner:
    """A pattern that occurs with another more often than chance would have it.

    Attributes:
        pattern: index of the partner.
        both: sequences with hits of both that do not overlap each other everywhere.
        expected: the same if the two were independent.
        q: one-sided hypergeometric test, Benjamini-Hochberg over all other patterns.
        spacing: (24,) pairs of hits by the distance of their centres, -120 to 120 bp, in the direction of the
            first pattern; hits that overlap are left out.
    """

    pattern: int
    both: int
    expected: float
    q: float
    spacing: np.ndarray


def partners_of(hits: Hits, index: int, patterns: int, sequences: int) -> list[Partner]:
    """Partners with q at most 0.05, the smallest q first.

    Args:
        hits: of all patterns, ordered by sequence. index: the pattern asked about.
        patterns, sequences: how many there are.
    """
    with needs("scipy", "a table of partners"):
        from scipy.stats import hypergeom

    where = [np.unique(hits.sequence[hits.pattern == i]) for i in range(patterns)]
    others = [i for i in range(patterns) if i != index]
    both, p, spacings = [], [], []
    for other in others:
        count, spacing = _pairs(hits, index, other)
        both.append(count)
        spacings.append(spacing)
        p.append(float(hypergeom.sf(count - 1, sequences, len(where[index]), len(where[other]))))
    q = benjamini_hochberg(np.array(p)) if p else []
    found = [
        Partner(other, count, len(where[index]) * len(where[other]) / sequences, float(value), spacing)
        for other, count, value, spacing in zip(others, both, q, spacings, strict=True)
        if value <= MATCHED_AT
    ]
    return sorted(found, key=lambda partner: (partner.q, partner.pattern))


def _pairs(hits: Hits, first: int, second: int) -> tuple[int, np.ndarray]:
    """Sequences with a pair that does not overlap, and the spacing of all such pairs."""
    ours, theirs = np.flatnonzero(hits.pattern == first), np.flatnonzero(hits.pattern == second)
    # Hits are ordered by sequence: those of the second in a sequence are one run of ``theirs``.
    begin = np.searchsorted(hits.sequence[theirs], hits.sequence[ours], side="left")
    count = np.searchsorted(hits.sequence[theirs], hits.sequence[ours], side="right") - begin
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    i, j = np.repeat(ours, count), theirs[np.repeat(begin, count) + within]
    apart = (hits.end[j] <= hits.start[i]) | (hits.start[j] >= hits.end[i])
    i, j = i[apart], j[apart]
    distance = (hits.start[j] + hits.end[j] - hits.start[i] - hits.end[i]) / 2
    distance = np.where(hits.reverse[i], -distance, distance)
    counts = np.histogram(distance, bins=SPACING_BINS, range=(-FARTHEST, FARTHEST))[0]
    return len(np.unique(hits.sequence[i])), counts
