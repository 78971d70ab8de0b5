"""What a sequence tells without a model: its share of G and C, its CpG, and the best match of a matrix of letters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["CPG", "GC", "best_match", "cpg", "gc", "known_matrix", "log_odds", "scores_of"]

GC, CPG = "GC content", "CpG content"
#: Added to each count, so that a letter that was never seen is unlikely and not impossible.
PSEUDO_COUNT = 0.5


def gc(one_hot: np.ndarray) -> np.ndarray:
    """(...,) share of G and C of (..., 4, L) sequences, channels A C G T."""
    return one_hot[..., 1:3, :].sum((-2, -1)) / one_hot.shape[-1]


def cpg(one_hot: np.ndarray) -> np.ndarray:
    """(...,) CpG a base of (..., 4, L) sequences."""
    return (one_hot[..., 1, :-1] * one_hot[..., 2, 1:]).sum(-1) / one_hot.shape[-1]


def log_odds(one_hot: np.ndarray) -> np.ndarray:
    """(4, W) natural log of the letters' frequencies in (n, 4, W) sequences, over 1/4."""
    counts = one_hot.sum(0) + PSEUDO_COUNT
    return np.log(4 * counts / counts.sum(0))


def scores_of(one_hot: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Scores of a (4, W) matrix at each place, (..., 4, L) to (..., L - W + 1)."""
    places = one_hot.shape[-1] - matrix.shape[1] + 1
    total = np.zeros((*one_hot.shape[:-2], places))
    for offset in range(matrix.shape[1]):
        total += np.einsum("...cl,c->...l", one_hot[..., offset : offset + places], matrix[:, offset])
    return total


def best_match(one_hot: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n,) best score of a matrix over places and strands of (n, 4, L) sequences."""
    both = (scores_of(one_hot, matrix), scores_of(one_hot, matrix[::-1, ::-1]))
    return np.maximum(*(scores.max(-1) for scores in both))


@lru_cache
def known_matrix(base_id: str) -> tuple[str, np.ndarray]:
    """Identifier and (4, W) log-odds of JASPAR's matrix, ``MA0139``, in its newest version."""
    from interpret.motifs.databases import open_database

    versions = [motif for motif in open_database("jaspar:vertebrates").motifs if motif.id.partition(".")[0] == base_id]
    newest = max(versions, key=lambda motif: int(motif.id.partition(".")[2]))
    frequency = newest.probability.T + 1e-3
    return newest.id, np.log(4 * frequency / frequency.sum(0))
