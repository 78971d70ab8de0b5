"""Whether the bases of a pattern occur more often in the sequences than in their dinucleotide shuffles.

Contributions play no part: a shuffle has none without the model. An occurrence is a place whose bases fit the core's
frequencies as well as the better half of the pattern's own seqlets do, on either strand: the weaker ones, found by
their contributions, have bases that fit one place in a hundred. The test compares sequences with
an occurrence and shuffles with one (Fisher's exact test, one-sided; Benjamini-Hochberg over the patterns). Patterns
were found in these very sequences, so that a small q says that a pattern is no matter of base composition, and not that
it would be enriched in others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interpret.motifs.databases import benjamini_hochberg
from interpret.motifs.hits import log_odds, scan
from interpret.motifs.pattern import Pattern
from zoo.extras import needs

__all__ = ["Enrichment", "count_occurrences", "find_enrichment"]

MOST = 5000  # sequences compared
SCORES = 1 << 23


@dataclass(frozen=True)
class Enrichment:
    """Occurrences by the bases alone.

    Attributes:
        sequences: how many were compared with one shuffle each.
        occurrences, expected: (patterns,) places in the sequences and in the shuffles.
        with_one, shuffled_with_one: (patterns,) sequences and shuffles with a place.
        p, q: (patterns,).
    """

    sequences: int
    occurrences: np.ndarray
    expected: np.ndarray
    with_one: np.ndarray
    shuffled_with_one: np.ndarray
    p: np.ndarray
    q: np.ndarray


def find_enrichment(one_hot: np.ndarray, patterns: Sequence[Pattern], seed: int = 0) -> Enrichment:
    """Compare sequences with one shuffle each, evenly chosen ones of more than 5,000.

    Args:
        one_hot: (N, 4, W) uint8. seed: of the shuffles.
    """
    with needs("scipy", "enrichment of motifs"):
        from scipy.stats import fisher_exact
    with needs("tangermeme", "enrichment of motifs"):
        from tangermeme.ersatz import dinucleotide_shuffle

    if not patterns:
        return Enrichment(0, *(np.zeros(0, np.int64) for _ in range(4)), np.zeros(0), np.zeros(0))
    import torch

    chosen = one_hot[np.linspace(0, len(one_hot) - 1, min(MOST, len(one_hot))).astype(int)]
    letters = torch.from_numpy(np.ascontiguousarray(chosen.astype(np.int8)))
    shuffled = dinucleotide_shuffle(letters, n=1, random_state=seed, allow_N=True).numpy()[:, 0]
    (found, having), (expected, by_chance) = (_occurrences(array, patterns) for array in (chosen, shuffled))
    n = len(chosen)
    p = np.array(
        [
            fisher_exact([[a, n - a], [b, n - b]], alternative="greater").pvalue
            for a, b in zip(having, by_chance, strict=True)
        ]
    )
    return Enrichment(n, found, expected, having, by_chance, p, benjamini_hochberg(p))


def _occurrences(one_hot: np.ndarray, patterns: Sequence[Pattern]) -> tuple[np.ndarray, np.ndarray]:
    """(patterns,) places, and sequences with one."""
    counts = count_occurrences(one_hot, patterns)
    return counts.sum(axis=0), (counts > 0).sum(axis=0)


def count_occurrences(one_hot: np.ndarray, patterns: Sequence[Pattern]) -> np.ndarray:
    """(N, patterns) int64, places in each sequence whose bases fit as well as the better half of the seqlets do.

    Args:
        one_hot: (N, 4, W) uint8.
    """
    kernels, limits = [], []
    for pattern in patterns:
        odds = log_odds(pattern.probability[slice(*pattern.core)])
        kernels += [odds, odds[::-1, ::-1]]
        limits.append(_limit(pattern, odds))
    counts = np.zeros((len(one_hot), len(patterns)), np.int64)
    step = max(1, SCORES // (max(len(kernels), 1) * one_hot.shape[2]))
    for first in range(0, len(one_hot) if patterns else 0, step):
        scores = scan(one_hot[first : first + step].astype(np.float32), kernels)
        for i, limit in enumerate(limits):
            n = one_hot.shape[2] - len(kernels[2 * i]) + 1
            passed = (scores[:, 2 * i : 2 * i + 2, : max(n, 0)] >= limit).any(axis=1)
            counts[first : first + step, i] = passed.sum(axis=1)
    return counts


def _limit(pattern: Pattern, odds: np.ndarray) -> float:
    letters = pattern.seqlets.letters[:, slice(*pattern.core)]
    padded = np.concatenate([odds, np.zeros((len(odds), 1))], axis=1)  # N counts nothing
    return float(np.median(padded[np.arange(len(odds)), letters].sum(axis=1))) - 1e-3
