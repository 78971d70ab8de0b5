"""Which bins of a profile ``expected.h5`` of an example holds, where all of them would make a large file.

A dataset of predictions ``(N, tracks, bins)`` with the attribute ``kept_bins`` has on its last axis those bins alone,
of ``n_bins`` that the model predicts. Kipoi knows no such selection: it is not told of it by ``test.expect``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import h5py

__all__ = ["choose_bins", "describe_bins", "read_bins", "restrict"]

KEPT, OF = "kept_bins", "n_bins"


def choose_bins(values: np.ndarray, limit: int) -> np.ndarray | None:
    """Bins to keep so that about ``limit`` of (N, tracks, bins) values remain; None where all of them may.

    Half are evenly spaced, so that a shift or a wrong scale shows everywhere; half are those where a track is furthest
    from its mean, since a model of rare sites is nearly 0 elsewhere.
    """
    if values.ndim != 3 or values.size <= limit:
        return None
    n_bins = values.shape[2]
    wanted = max(2, limit // (values.shape[0] * values.shape[1]))
    if wanted >= n_bins:
        return None
    even = np.linspace(0, n_bins - 1, (wanted + 1) // 2).round().astype(np.int64)
    spread = values.std(axis=(0, 2), keepdims=True) + np.finfo(np.float32).tiny
    far = (np.abs(values - values.mean(axis=(0, 2), keepdims=True)) / spread).max(axis=(0, 1))
    far[even] = -1
    return np.sort(np.concatenate([even, np.argsort(-far, kind="stable")[: wanted - len(even)]]))


def restrict(values: np.ndarray, bins: np.ndarray | None) -> np.ndarray:
    """(N, tracks, bins) values at these bins."""
    return values if bins is None else values[:, :, bins]


def describe_bins(preds: h5py.Dataset, bins: np.ndarray, n_bins: int) -> None:
    """Write down that ``preds`` holds these of ``n_bins`` bins."""
    preds.attrs[KEPT] = bins.astype("<i4")
    preds.attrs[OF] = n_bins


def read_bins(preds: h5py.Dataset) -> tuple[np.ndarray, int] | None:
    """The bins that a dataset holds, and of how many; None where it holds all.

    Raises:
        ValueError: they do not fit its shape.
    """
    if KEPT not in preds.attrs:
        return None
    bins, n_bins = np.asarray(preds.attrs[KEPT], dtype=np.int64), int(preds.attrs.get(OF, 0))
    in_order = bins.ndim == 1 and bins.size and bins[0] >= 0 and bins[-1] < n_bins and (np.diff(bins) > 0).all()
    if not in_order or preds.ndim != 3 or preds.shape[2] != len(bins):
        raise ValueError(f"{preds.name}: {KEPT} and {OF} must name the bins of its last axis, in order")
    return bins, n_bins
