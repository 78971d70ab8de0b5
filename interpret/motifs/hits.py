"""Every instance of the patterns in the sequences, scored by contribution and by match.

A position is a hit where three things hold, each measured on the pattern's core: the contributions there
have the shape of the pattern's (cosine of the two), they are large, and the bases fit its frequencies. The
limits come from the seqlets: what all but the weakest ``LOST`` of them reach, and for the size of the
contribution half of that, since seqlets were chosen for being large; a cosine below ``LEAST_SIMILARITY`` is never
a hit, since a pattern whose own seqlets are that unlike it has no shape to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interpret.motifs.pattern import Pattern

__all__ = ["Hits", "find_hits"]

LOST, LEAST_SIMILARITY = 0.05, 0.6
BLOCK = 256  # sequences at a time
PSEUDOCOUNT = 0.01


@dataclass(frozen=True)
class Hits:
    """Instances, by sequence and position.

    Attributes:
        pattern: (n,) int64, index of the pattern.
        sequence: (n,) int64. start, end: (n,) int64 in the sequence, half-open. reverse: (n,) bool.
        contribution: (n,) float32, sum over the core. similarity: (n,) float32, cosine with the pattern.
        match: (n,) float32, log2 odds of the bases against equal frequencies.
    """

    pattern: np.ndarray
    sequence: np.ndarray
    start: np.ndarray
    end: np.ndarray
    reverse: np.ndarray
    contribution: np.ndarray
    similarity: np.ndarray
    match: np.ndarray

    def __len__(self) -> int:
        return len(self.pattern)


def find_hits(one_hot: np.ndarray, hypothetical: np.ndarray, patterns: Sequence[Pattern]) -> Hits:
    """Scan both strands for all patterns; of overlapping hits of one pattern the most similar stays.

    Args:
        one_hot, hypothetical: (N, 4, L).
        patterns: with seqlets in the same sequences.
    """
    columns: list[list[np.ndarray]] = [[] for _ in range(8)]
    for index, pattern in enumerate(patterns):
        for column, values in zip(columns, _hits_of(one_hot, hypothetical, index, pattern), strict=True):
            column.append(values)
    kinds = (np.int64, np.int64, np.int64, np.int64, bool, np.float32, np.float32, np.float32)
    joined = [
        np.concatenate(column).astype(kind) if column else np.empty(0, kind)
        for column, kind in zip(columns, kinds, strict=True)
    ]
    order = np.lexsort((joined[0], joined[2], joined[1]))
    return Hits(*(column[order] for column in joined))


def _hits_of(one_hot: np.ndarray, hypothetical: np.ndarray, index: int, pattern: Pattern) -> list[np.ndarray]:
    cwm = pattern.contribution[slice(*pattern.core)]
    frequencies = pattern.probability[slice(*pattern.core)]
    odds = np.log2((frequencies + PSEUDOCOUNT) / (1 + 4 * PSEUDOCOUNT) * 4)
    limits = _limits(one_hot, hypothetical, pattern, cwm, odds)
    found = []
    for first in range(0, len(one_hot), BLOCK):
        letters = one_hot[first : first + BLOCK].astype(np.float32)
        there = letters * hypothetical[first : first + BLOCK]
        for reverse in (False, True):
            turn = slice(None, None, -1 if reverse else 1)
            scores = _scan(letters, there, cwm[turn, turn], odds[turn, turn])
            sequence, start = np.nonzero(_passes(scores, limits, pattern.positive))
            found.append((sequence + first, start, np.full(len(start), reverse),
                          *(score[sequence, start] for score in scores)))
    sequence, start, reverse, contribution, similarity, match = (np.concatenate(x) for x in zip(*found, strict=True))
    kept = _best_of_overlapping(sequence, start, similarity, len(cwm))
    sequence, start, reverse = sequence[kept], start[kept], reverse[kept]
    return [np.full(len(kept), index), sequence, start, start + len(cwm), reverse, contribution[kept],
            similarity[kept], match[kept]]


def _scan(letters: np.ndarray, there: np.ndarray, cwm: np.ndarray, odds: np.ndarray) -> tuple[np.ndarray, ...]:
    """(n, L - W + 1) contribution, similarity and match at each start, for sequences (n, 4, L)."""
    width, length = len(cwm), letters.shape[2]
    n = length - width + 1
    if n <= 0:
        return tuple(np.zeros((len(letters), 0), np.float32) for _ in range(3))
    shape = (len(letters), n)
    product, match = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    total, squares = there.sum(axis=1), (there * there).sum(axis=1)
    for i in range(width):
        product += np.einsum("ncl,c->nl", there[:, :, i : i + n], cwm[i].astype(np.float32))
        match += np.einsum("ncl,c->nl", letters[:, :, i : i + n], odds[i].astype(np.float32))
    norm = np.sqrt(np.maximum(_running(squares, width), 1e-30)) * np.linalg.norm(cwm)
    return _running(total, width), product / norm, match


def _running(values: np.ndarray, width: int) -> np.ndarray:
    sums = np.cumsum(np.pad(values.astype(float), ((0, 0), (1, 0))), axis=1)
    return (sums[:, width:] - sums[:, :-width]).astype(np.float32)


def _passes(scores: Sequence[np.ndarray], limits: tuple[float, float, float], positive: bool) -> np.ndarray:
    contribution, similarity, match = scores
    strong = contribution >= limits[0] if positive else contribution <= limits[0]
    return strong & (similarity >= limits[1]) & (match >= limits[2])


def _limits(
    one_hot: np.ndarray, hypothetical: np.ndarray, pattern: Pattern, cwm: np.ndarray, odds: np.ndarray
) -> tuple[float, float, float]:
    """What all but the weakest of the pattern's own seqlets reach."""
    seqlets = pattern.seqlets
    start, end = seqlets.core(pattern.core)
    inside = np.flatnonzero((start >= 0) & (end <= one_hot.shape[2]))
    places = start[inside, None] + np.arange(len(cwm))
    letters = one_hot[seqlets.sequence[inside, None], :, places].astype(np.float32)
    there = letters * hypothetical[seqlets.sequence[inside, None], :, places]
    turned = seqlets.reverse[inside]
    letters[turned], there[turned] = letters[turned][:, ::-1, ::-1], there[turned][:, ::-1, ::-1]
    contribution = there.sum(axis=(1, 2))
    norm = np.maximum(np.sqrt((there * there).sum(axis=(1, 2))), 1e-15) * np.linalg.norm(cwm)
    similarity = (there * cwm).sum(axis=(1, 2)) / norm
    match = (letters * odds).sum(axis=(1, 2))
    weak = LOST if pattern.positive else 1 - LOST
    alike = max(float(np.quantile(similarity, LOST)), LEAST_SIMILARITY)
    # Seqlets of one sequence all reach the same value; sums in another order differ in the last digits.
    return float(np.quantile(contribution, weak)) / 2, alike - 1e-4, float(np.quantile(match, LOST)) - 1e-3


def _best_of_overlapping(sequence: np.ndarray, start: np.ndarray, score: np.ndarray, width: int) -> np.ndarray:
    """Indices of hits that no better hit of the same pattern overlaps, palindromes counted once."""
    taken: dict[int, list[int]] = {}
    kept = []
    for i in np.lexsort((start, -score)):
        places = taken.setdefault(int(sequence[i]), [])
        if all(abs(int(start[i]) - place) >= width for place in places):
            places.append(int(start[i]))
            kept.append(i)
    return np.array(kept, dtype=np.int64)
