"""Patterns against known motifs: memelite's TOMTOM, and q-values over the whole database.

TOMTOM gives a p-value for each pair. A q-value needs all of them: Benjamini and Hochberg (1995) over
the database's motifs, for each pattern by itself, as MEME's tomtom does.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interpret.motifs.databases import KnownMotif, MotifDatabase
from interpret.motifs.pattern import Pattern
from zoo.extras import needs

__all__ = ["MATCHED_AT", "Match", "benjamini_hochberg", "match_motifs", "match_patterns"]

MATCHED_AT = 0.05


@dataclass(frozen=True)
class Match:
    """A known motif that a pattern resembles.

    Attributes:
        motif: the known motif.
        p: TOMTOM's p-value. q: the same over all motifs of the database.
        offset: column of the known motif (turned, when reverse) at which the pattern's core begins; may be negative.
        overlap: columns that lie on each other.
        reverse: whether the known motif is turned to fit.
    """

    motif: KnownMotif
    p: float
    q: float
    offset: int
    overlap: int
    reverse: bool

    @property
    def significant(self) -> bool:
        return self.q <= MATCHED_AT


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """q-values of (n,) p-values: the smallest false discovery rate at which each would be accepted."""
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def match_patterns(patterns: Sequence[Pattern], database: MotifDatabase) -> dict[str, list[Match]]:
    """The nearest known motifs of each pattern, by its name; offsets count from the core."""
    queries = [pattern.probability[slice(*pattern.query)] for pattern in patterns]
    return {
        pattern.name: [replace(match, offset=match.offset + pattern.core[0] - pattern.query[0]) for match in matches]
        for pattern, matches in zip(patterns, match_motifs(queries, database), strict=True)
    }


def match_motifs(probabilities: Sequence[np.ndarray], database: MotifDatabase, keep: int = 10) -> list[list[Match]]:
    """The known motifs nearest to each matrix, the best first, significant or not.

    Args:
        probabilities: matrices (W, 4), frequencies of A C G T.
        database: known motifs.
        keep: how many for each matrix.
    """
    if not probabilities:
        return []
    targets = [np.ascontiguousarray(motif.probability.T) for motif in database.motifs]
    queries = [np.ascontiguousarray(matrix.T, dtype=float) for matrix in probabilities]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few targets; the report says how many there are
        p, scores, offsets, overlaps, strands = _tomtom()(queries, targets)[:5]
    matches = []
    for i in range(len(queries)):
        q = benjamini_hochberg(p[i])
        best = np.lexsort((-scores[i], p[i]))[:keep]
        matches.append(
            [
                Match(
                    database.motifs[j],
                    float(p[i, j]),
                    float(q[j]),
                    int(offsets[i, j]),
                    int(overlaps[i, j]),
                    bool(strands[i, j]),
                )
                for j in best
            ]
        )
    return matches


def _tomtom():
    with needs("memelite", "matching of motifs"):
        from memelite import tomtom
    return tomtom
