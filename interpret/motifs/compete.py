"""Which of overlapping candidates stay: a base belongs to one."""

from __future__ import annotations

import numpy as np

__all__ = ["winners"]


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
