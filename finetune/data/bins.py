"""Bases become bins, by a rule that gives no wrong number in silence.

A bin's ``sum`` is known when all of its bases are: one that is missing makes it NaN. ``mean`` and ``max`` are over the
bases that were measured, and NaN where these are fewer than half.
"""

from __future__ import annotations

import numpy as np

__all__ = ["reduce_bases"]


def reduce_bases(bases: np.ndarray, bin_size: int, how: str) -> np.ndarray:
    """Reduce bases to bins.

    Args:
        bases: (n, bins x bin_size) float32, NaN where not measured.
        bin_size: bp. how: ``sum``, ``mean`` or ``max``.

    Returns:
        (n, bins) float32. An infinite base stays infinite, for the caller to refuse.
    """
    n, width = bases.shape
    cells = bases.reshape(n, width // bin_size, bin_size)
    if bin_size == 1:
        return cells[..., 0].copy()
    # einsum adds short rows three times faster than sum(axis=-1); NaN in, NaN out.
    out = cells.max(axis=-1) if how == "max" else np.einsum("nbk->nb", cells)
    if how == "mean":
        out /= np.float32(bin_size)
    with np.errstate(invalid="ignore"):
        some = np.isnan(out.sum())  # one pass where nothing is missing, as in most files
    if how != "sum" and some:
        gaps = np.isnan(out)
        out[gaps] = _over_measured(cells[gaps], how)
    return out


def _over_measured(cells: np.ndarray, how: str) -> np.ndarray:
    """(k,) mean or maximum of (k, bin_size) over what is not NaN; NaN where that is less than half."""
    known = ~np.isnan(cells)
    count = known.sum(axis=-1)
    if how == "max":
        found = np.where(known, cells, -np.inf).max(axis=-1)
    else:
        found = np.where(known, cells, 0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(2 * count >= cells.shape[-1], found, np.nan).astype(np.float32)
