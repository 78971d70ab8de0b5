"""Baselines of counts and coverage, fitted by the likelihood that they are judged by.

Least squares lets a few bins of a hundred times the mean decide on a scale; a baseline so fitted is easy to beat by
Poisson deviance. Each is fitted here as a mean that is a sum of tracks with weights that are not negative, by the
multiplicative steps of Richardson and Lucy (Shepp & Vardi 1982, doi:10.1109/TMI.1982.4307558), and the frozen base by
a power of its prediction too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from finetune.verdict.baselines import AFFINE, BASE, MIX, NEAREST, Known, mean_of, nearest, stand_in

__all__ = ["baselines_of_counts", "grouped", "poisson_power", "poisson_weights"]

#: Bins that weights are found on; more change nothing.
MOST = 200_000
STEPS = 300
NEWTON = 30


def baselines_of_counts(known: Known) -> dict[str, list[np.ndarray]]:
    """Further forms of baselines, by name: (m, bins) each; those that need no fit have none.

    Args:
        known: as for ``baselines``; no value below 0.
    """
    made: dict[str, list[np.ndarray]] = {}
    if len(known.cells):
        made |= _of_cells(known)
    if known.base_train is not None and known.base_test is not None:
        target = known.own if known.own is not None else mean_of(known.train)
        chosen = nearest(known.base_train, target)
        x, new = np.asarray(known.base_train[chosen]), np.asarray(known.base_test[chosen], dtype=np.float64)
        if not (x < 0).any():
            a, b = poisson_weights(x[None], target)
            power, level = poisson_power(x, target)
            made[BASE] = [a + b * new, np.exp(level + power * np.log(np.maximum(new, _least(x))))]
    return made


def _of_cells(known: Known) -> dict[str, list[np.ndarray]]:
    average = mean_of(known.test)
    if known.own is None:  # each training cell in its turn is the new one, all with the same weights
        if len(known.train) < 2:
            return {}
        others = np.stack([mean_of(np.delete(known.train, i, axis=0)) for i in range(len(known.train))])
        a, b = poisson_weights(others[None].reshape(1, -1, others.shape[-1]), known.train.reshape(-1, others.shape[-1]))
        return {AFFINE: [a + b * average]}
    a, b = poisson_weights(mean_of(known.train)[None], known.own)
    made = {AFFINE: [a + b * average]}
    weights = poisson_weights(stand_in(known.train), known.own)
    made[MIX] = [weights[0] + np.tensordot(weights[1:], stand_in(known.test), 1)]
    like = nearest(known.atac, known.own_atac) if known.own_atac is not None else nearest(known.train, known.own)
    a, b = poisson_weights(stand_in(known.train)[like][None], known.own)
    made[NEAREST] = [a + b * stand_in(known.test)[like]]
    return made


def poisson_weights(tracks: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights (k + 1,), not negative, of a constant and k tracks, whose sum is the likeliest mean of a target.

    Args:
        tracks: (k, n, bins). target: (n, bins), NaN where not measured.
    """
    y = np.asarray(target, dtype=np.float64).ravel()
    x = np.asarray(tracks, dtype=np.float64).reshape(len(tracks), -1)
    kept = np.flatnonzero(np.isfinite(y) & np.isfinite(x).all(0))
    if not len(kept):
        return np.zeros(len(x) + 1)
    kept = kept[:: max(1, len(kept) // MOST)]
    design = np.concatenate([np.ones((1, len(kept))), x[:, kept]])
    y, total = y[kept], design.sum(1)
    used = total > 0
    weights = np.where(used, y.sum() / np.where(used, total, 1) / used.sum(), 0.0)
    for _ in range(STEPS):
        ratio = y / np.maximum(weights @ design, 1e-12)
        weights = np.where(used, weights * (design @ ratio) / np.where(used, total, 1), 0.0)
    return weights


def poisson_power(track: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Power p and level c of the mean exp(c + p log track), by Newton's steps on the Poisson likelihood."""
    x, y = np.asarray(track, dtype=np.float64).ravel(), np.asarray(target, dtype=np.float64).ravel()
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    kept = kept[:: max(1, len(kept) // MOST)]
    x, y = np.log(np.maximum(x[kept], _least(x))), y[kept]
    if not len(y) or y.sum() <= 0:
        return 0.0, float(np.log(1e-12))
    centre = x.mean()
    design = np.stack([np.ones_like(x), x - centre])
    found = np.array([np.log(y.mean()), 0.0])
    for _ in range(NEWTON):
        mean = np.exp(np.clip(found @ design, -30, 30))
        curve = (design * mean) @ design.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, design @ (y - mean))
        found = found + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    return float(found[1]), float(found[0] - found[1] * centre)


def grouped(known: Known, group: int) -> Known:
    """The same of sums of ``group`` bins; cells' own tracks, which only choose the nearest cell, are averaged."""
    if group == 1:
        return known

    def wide(values: np.ndarray | None, mean: bool = False) -> np.ndarray | None:
        if values is None:
            return None
        parts = np.asarray(values, dtype=np.float64)
        parts = parts.reshape(*parts.shape[:-1], parts.shape[-1] // group, group)
        return parts.mean(-1) if mean else parts.sum(-1)

    return replace(
        known,
        train=wide(known.train),
        test=wide(known.test),
        own=wide(known.own),
        atac=wide(known.atac, mean=True),
        own_atac=wide(known.own_atac, mean=True),
        base_train=wide(known.base_train),
        base_test=wide(known.base_test),
        without=wide(known.without),
    )


def _least(x: np.ndarray) -> float:
    """What a prediction of 0 counts as under a logarithm."""
    above = x[np.isfinite(x) & (x > 0)]
    return float(above.min()) if len(above) else 1e-12
