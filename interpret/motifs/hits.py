"""Every instance of the patterns in the sequences, scored by contribution and by match.

A place is a candidate of a pattern where three things hold, each measured on the pattern's core: the contributions
there have the shape of the pattern's (cosine of the two), they are large, and the bases fit its frequencies. The
limits are those that all but the weakest ``LOST`` of the pattern's own seqlets reach together, and for the size of the
contribution a share of that, ``WEAKER``, since seqlets were chosen for being large. A cosine below
``LEAST_SIMILARITY`` is never a hit, since a pattern whose own seqlets are that unlike it has no shape to find.

A hit has its pattern's sign, which is that of the core's contributions: where the core of a positive pattern lowers the
prediction, the pattern is one that lowers it (``Pattern.turned``), and a place with contributions of the other sign is
no hit.

Candidates of all patterns and both strands then compete: a base's contribution belongs to one hit,
that which explains more of it.

fi-nemo fits all patterns at once by a sparse regression. Version 0.41 needs packages beyond ours, and in one thread it
had not finished ten patterns in 1,200 sequences of 500 bp after three CPU-minutes; the scan here takes half a second
and, on ten planted motifs (``scripts/bench/motifs.py``), finds 99% of the instances at a precision of 0.77.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interpret.motifs.databases import MATCHED_AT, benjamini_hochberg
from interpret.motifs.pattern import Pattern
from zoo.extras import needs

__all__ = ["FARTHEST", "SPACING_BINS", "Hits", "Partner", "find_hits", "log_odds", "partners", "scan", "winners"]

LOST, LEAST_SIMILARITY, WEAKER = 0.08, 0.6, 0.75
SCORES = 1 << 23  # scores in memory at a time: sequences x patterns x positions
PSEUDOCOUNT = 0.01


@dataclass(frozen=True)
class Hits:
    """Instances, by sequence and position; no two share a base.

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


@dataclass(frozen=True)
class _Template:
    """A pattern's core on one strand, (W, 4) contribution of length 1 and log odds, and what a hit must reach."""

    pattern: int
    positive: bool
    reverse: bool
    shape: np.ndarray
    odds: np.ndarray
    limits: tuple[float, float, float]


def find_hits(one_hot: np.ndarray, hypothetical: np.ndarray, patterns: Sequence[Pattern], offset: int = 0) -> Hits:
    """Scan both strands for all patterns; where candidates overlap, the one that explains most stays.

    Args:
        one_hot, hypothetical: (N, 4, W), the central window of the sequences.
        patterns: with seqlets in the same sequences.
        offset: where the window begins in the sequences; positions of seqlets and hits count from their start.
    """
    templates = [t for i, pattern in enumerate(patterns) for t in _templates(one_hot, hypothetical, i, pattern, offset)]
    kinds = (np.int64, np.int64, np.int64, np.int64, bool, np.float32, np.float32, np.float32)
    if not templates:
        return Hits(*(np.empty(0, kind) for kind in kinds))
    step = max(1, SCORES // (len(templates) * one_hot.shape[2]))
    found = [
        _hits_in(one_hot[first : first + step], hypothetical[first : first + step], templates, first)
        for first in range(0, len(one_hot), step)
    ]
    joined = zip(zip(*found, strict=True), kinds, strict=True)
    columns = [np.concatenate(column).astype(kind) for column, kind in joined]
    columns[2] += offset
    columns[3] += offset
    order = np.lexsort((columns[0], columns[2], columns[1]))
    return Hits(*(column[order] for column in columns))


def _templates(one_hot, hypothetical, index: int, pattern: Pattern, offset: int) -> list[_Template]:
    cwm = pattern.contribution[slice(*pattern.core)]
    if len(cwm) > one_hot.shape[2]:
        return []
    frequencies = pattern.probability[slice(*pattern.core)]
    odds = log_odds(frequencies)
    shape = cwm / np.linalg.norm(cwm)
    limits = _limits(one_hot, hypothetical, pattern, shape, odds, offset)
    return [
        _Template(index, pattern.positive, turn < 0, shape[::turn, ::turn], odds[::turn, ::turn], limits)
        for turn in (1, -1)
    ]


def _hits_in(one_hot: np.ndarray, hypothetical: np.ndarray, templates: list[_Template], first: int) -> list[np.ndarray]:
    """Columns of ``Hits`` for a block of sequences, the first of which has the number ``first``."""
    letters = one_hot.astype(np.float32)
    there = letters * hypothetical
    products, matches = (
        scan(array, [getattr(t, name) for t in templates]) for array, name in ((there, "shape"), (letters, "odds"))
    )
    projected = there.sum(axis=1)
    columns: list[list[np.ndarray]] = [[] for _ in range(7)]
    for i, template in enumerate(templates):
        width = len(template.shape)
        total, squares = _running(projected, width), _running(projected**2, width)
        n = total.shape[1]
        product, match = products[:, i, :n], matches[:, i, :n]
        similarity = product / np.sqrt(np.maximum(squares, 1e-30))
        passed = _passes((total, similarity, match), template.limits, template.positive)
        sequence, start = np.nonzero(passed)
        found = (
            np.full(len(start), i),
            sequence,
            start,
            total[passed],
            similarity[passed],
            match[passed],
            product[passed] ** 2,
        )
        for column, values in zip(columns, found, strict=True):
            column.append(values)
    number, sequence, start, total, similarity, match, explained = (np.concatenate(column) for column in columns)
    widths = np.array([len(template.shape) for template in templates])
    kept = winners(sequence, start, start + widths[number], explained, one_hot.shape[2])
    number, sequence, start = number[kept], sequence[kept], start[kept]
    pattern = np.array([template.pattern for template in templates])[number]
    reverse = np.array([template.reverse for template in templates])[number]
    return [
        pattern,
        sequence + first,
        start,
        start + widths[number],
        reverse,
        total[kept],
        similarity[kept],
        match[kept],
    ]


def log_odds(frequencies: np.ndarray) -> np.ndarray:
    """(W, 4) log2 odds of frequencies against equal ones."""
    return np.log2((frequencies + PSEUDOCOUNT) / (1 + 4 * PSEUDOCOUNT) * 4)


def scan(array: np.ndarray, kernels: list[np.ndarray]) -> np.ndarray:
    """(n, k, L) of (n, 4, L): each kernel's (W, 4) sum of products at each start; the last W - 1 are of no use."""
    import torch

    widest = max(len(kernel) for kernel in kernels)
    weights = np.zeros((len(kernels), 4, widest), np.float32)
    for weight, kernel in zip(weights, kernels, strict=True):
        weight[:, : len(kernel)] = kernel.T
    padded = np.pad(array, ((0, 0), (0, 0), (0, widest - 1)))
    with torch.inference_mode():
        return torch.conv1d(torch.from_numpy(padded), torch.from_numpy(weights)).numpy()


def _running(values: np.ndarray, width: int) -> np.ndarray:
    sums = np.cumsum(np.pad(values.astype(float), ((0, 0), (1, 0))), axis=1)
    return (sums[:, width:] - sums[:, :-width]).astype(np.float32)


def _passes(scores: Sequence[np.ndarray], limits: tuple[float, float, float], positive: bool) -> np.ndarray:
    contribution, similarity, match = scores
    strength = contribution if positive else -contribution
    return (strength > 0) & (strength >= limits[0]) & (similarity >= limits[1]) & (match >= limits[2])


def _limits(
    one_hot: np.ndarray, hypothetical: np.ndarray, pattern: Pattern, shape: np.ndarray, odds: np.ndarray, offset: int
) -> tuple[float, float, float]:
    """What all but the weakest of the pattern's own seqlets reach: strength in its sign, cosine, log odds."""
    seqlets = pattern.seqlets
    start, end = (places - offset for places in seqlets.core(pattern.core))
    inside = np.flatnonzero((start >= 0) & (end <= one_hot.shape[2]))
    if not len(inside):  # all reach past the window: nothing says what a hit is
        return np.inf, np.inf, np.inf
    places = start[inside, None] + np.arange(len(shape))
    letters = one_hot[seqlets.sequence[inside, None], :, places].astype(np.float32)
    there = letters * hypothetical[seqlets.sequence[inside, None], :, places]
    turned = seqlets.reverse[inside]
    letters[turned], there[turned] = letters[turned][:, ::-1, ::-1], there[turned][:, ::-1, ::-1]
    strength = there.sum(axis=(1, 2)) * (1 if pattern.positive else -1)
    norm = np.maximum(np.sqrt((there * there).sum(axis=(1, 2))), 1e-15)
    similarity = (there * shape).sum(axis=(1, 2)) / norm
    match = (letters * odds).sum(axis=(1, 2))
    strength_limit, alike, match_limit = _joint_limits(np.array([strength, similarity, match]))
    # Seqlets of one sequence all reach the same value; sums in another order differ in the last digits.
    return (strength_limit * WEAKER, max(alike, LEAST_SIMILARITY) - 1e-4, match_limit - 1e-3)


def _joint_limits(scores: np.ndarray) -> np.ndarray:
    """(k,) limits, at one quantile of each of (k, n) scores, that all but ``LOST`` of the n reach together."""
    ordered = np.sort(scores, axis=1)
    # The share of seqlets that are no better; the worst of the scores decides about a seqlet.
    share = np.array([np.searchsorted(row, values, side="right") for row, values in zip(ordered, scores, strict=True)])
    worst = np.sort(share.min(axis=0))[int(LOST * scores.shape[1])]
    return np.array([values[share_of >= worst].min() for values, share_of in zip(scores, share, strict=True)])


# ---------------- which of overlapping candidates stay: a base belongs to one


def winners(sequence: np.ndarray, start: np.ndarray, end: np.ndarray, score: np.ndarray, length: int) -> np.ndarray:
    """Indices of the candidates that stay when the best is taken, all that overlap it dropped, and so on.

    In each round every candidate that is the best at all of its bases is taken, which gives the same as taking them
    one by one, for all sequences at once.

    Args:
        sequence, start, end: (n,) where the candidates are, half-open.
        score: (n,), larger is better; of equal ones the first stays.
        length: of the sequences.
    """
    n = len(start)
    rank = np.empty(n, np.int64)
    rank[np.lexsort((np.arange(n)[::-1], score))] = np.arange(1, n + 1)
    left = np.arange(n)
    kept: list[np.ndarray] = []
    rows, row = np.unique(sequence, return_inverse=True)
    while len(left):
        width = end[left] - start[left]
        first = np.cumsum(width) - width
        owner = np.repeat(np.arange(len(left)), width)
        base = np.repeat(row[left] * length + start[left] - first, width) + np.arange(len(owner))
        best = np.zeros(len(rows) * length, np.int64)
        np.maximum.at(best, base, rank[left][owner])
        at_all = np.minimum.reduceat(best[base] == rank[left][owner], first)
        kept.append(left[at_all])
        taken = np.zeros(len(best), bool)
        taken[base[at_all[owner]]] = True
        left = left[~np.maximum.reduceat(taken[base], first)]
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, np.int64)


# ---------------- partners: patterns of the same regions, and how far apart


FARTHEST, SPACING_BINS = 120, 24


@dataclass(frozen=True)
class Partner:
    """A pattern that occurs with another more often than chance would have it.

    Attributes:
        pattern: index of the partner.
        both: sequences with hits of both that do not overlap each other everywhere.
        expected: the same if the two were independent.
        q: one-sided hypergeometric test, Benjamini-Hochberg over all pairs of patterns.
        spacing: (24,) pairs of hits by the distance of their centres, -120 to 120 bp, in the direction of the
            first pattern; hits that overlap are left out.
    """

    pattern: int
    both: int
    expected: float
    q: float
    spacing: np.ndarray


def partners(hits: Hits, patterns: int, sequences: int) -> list[list[Partner]]:
    """Of each pattern its partners with q at most 0.05, the smallest q first.

    One correction over all pairs: were it made for each pattern by itself, one could be a partner of another that is
    none of its own.

    Args:
        hits: of all patterns, ordered by sequence.
        patterns, sequences: how many there are.
    """
    where = [len(np.unique(hits.sequence[hits.pattern == i])) for i in range(patterns)]
    pairs = [(i, j) for i in range(patterns) for j in range(i)]
    spaced = {pair: _pairs(hits, *pair) for pair in pairs}
    p = [_at_least(spaced[i, j][0], sequences, where[i], where[j]) for i, j in pairs]
    found: list[list[Partner]] = [[] for _ in range(patterns)]
    for (i, j), q in zip(pairs, benjamini_hochberg(np.array(p)) if p else [], strict=True):
        if q <= MATCHED_AT:
            both, expected = spaced[i, j][0], where[i] * where[j] / sequences
            found[i].append(Partner(j, both, expected, float(q), spaced[i, j][1]))
            found[j].append(Partner(i, both, expected, float(q), _pairs(hits, j, i)[1]))
    return [sorted(one, key=lambda partner: (partner.q, partner.pattern)) for one in found]


def _at_least(both: int, sequences: int, ours: int, theirs: int) -> float:
    """Probability that two sets of so many sequences share ``both`` or more: the hypergeometric distribution's tail."""
    with needs("scipy", "a table of partners"):
        from scipy.special import gammaln  # scipy.stats, which has the test by name, takes a second to import

    shared = np.arange(both, min(ours, theirs) + 1)

    def ways(n: Any, k: Any) -> Any:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    shared = shared[shared >= ours + theirs - sequences]
    logs = ways(ours, shared) + ways(sequences - ours, theirs - shared) - ways(sequences, theirs)
    return float(min(np.exp(logs).sum(), 1.0))


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
