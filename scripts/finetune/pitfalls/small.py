"""Models that are small enough to be understood: counts of short words, ridge regression, the nearest window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["blocks", "nearest", "neighbours", "ridge", "windows_of", "words"]

CHUNK = 2048

Predict = Callable[[np.ndarray], np.ndarray]


def words(codes: np.ndarray, k: int) -> np.ndarray:
    """How often each word of ``k`` letters is in a sequence or its reverse complement: (n, 4^k) float32.

    Args:
        codes: (n, length) uint8, A C G T as 0..3. A word with another letter counts nowhere.
    """
    n, length = codes.shape
    at = length - k + 1
    number, known = np.zeros((n, at), np.int64), np.ones((n, at), bool)
    for i in range(k):
        letter = codes[:, i : i + at]
        number, known = number * 4 + np.minimum(letter, 3), known & (letter < 4)
    row = np.broadcast_to(np.arange(n)[:, None], number.shape)
    counts = np.bincount((row * 4**k + number)[known], minlength=n * 4**k).reshape(n, 4**k).astype(np.float32)
    return counts + counts[:, _turned(k)]


def _turned(k: int) -> np.ndarray:
    """(4^k,) number of each word's reverse complement."""
    rest, turned = np.arange(4**k), np.zeros(4**k, np.int64)
    for _ in range(k):
        turned, rest = turned * 4 + (3 - rest % 4), rest // 4
    return turned


def ridge(features: np.ndarray, target: np.ndarray, penalty: float) -> Predict:
    """Ridge regression on standardised features (n, k) of a target (n,); returns what predicts (m,) from (m, k)."""
    mean, scale = features.mean(0), features.std(0) + 1e-6
    z = ((features - mean) / scale).astype(np.float64)
    middle = float(target.mean())
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (target - middle))
    return lambda other: ((other - mean) / scale) @ weights + middle


def nearest(features: np.ndarray, target: np.ndarray) -> Predict:
    """A model that learns nothing: it looks up the training row whose words are most alike (cosine of square roots)."""
    mean = np.sqrt(features).mean(0)

    def unit(counts: np.ndarray) -> np.ndarray:
        centred = np.sqrt(counts) - mean
        return (centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)).astype(np.float32)

    known = unit(features).T

    def predict(other: np.ndarray) -> np.ndarray:
        parts = [unit(other[first : first + CHUNK]) @ known for first in range(0, len(other), CHUNK)]
        return np.concatenate([target[part.argmax(1)] for part in parts])

    return predict


def neighbours(track: np.ndarray, shifts: tuple[int, ...] = (-8, -3, -1, 0, 1, 3, 8)) -> np.ndarray:
    """(bins,) track to (bins, shifts): each bin with bins beside it; the ends are joined."""
    return np.stack([np.roll(track, shift) for shift in shifts], axis=1)


def blocks(n_bins: int, size: int, every: int, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """(n_bins,) bool of training and of test: each ``every``-th block of ``size`` bins is for test.

    Bins closer than ``margin`` to the next block are in neither, so that no feature reaches across.
    """
    within = np.arange(n_bins) % size
    inner = (within >= margin) & (within < size - margin)
    test = np.arange(n_bins) // size % every == every - 1
    return ~test & inner, test & inner


def windows_of(values: np.ndarray, n_bins: int) -> np.ndarray:
    """(..., bins) as windows (..., n, n_bins); what is left at the end is dropped."""
    n = values.shape[-1] // n_bins
    return values[..., : n * n_bins].reshape(*values.shape[:-1], n, n_bins)
