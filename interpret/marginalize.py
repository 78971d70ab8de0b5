"""Marginalization: what inserting a motif into background sequences does to the output."""

from __future__ import annotations

import numpy as np
import torch

from interpret.explained import batches, check_one_hot, evaluating, scalar
from zoo.errors import UsageError
from zoo.genome.encode import one_hot as encode

__all__ = ["marginalize"]


def marginalize(
    module: torch.nn.Module, backgrounds: np.ndarray, motif: str | np.ndarray, *, start: int | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Prediction with the motif less prediction without, for each background.

    Args:
        module: (N, 4, L) -> (N,).
        backgrounds: (N, 4, L) float32, e.g. dinucleotide shuffles of the regions.
        motif: letters A, C, G, T, or (4, W) one-hot.
        start: where it is inserted (replacing what is there); default the centre.

    Returns:
        (N,) float32.

    Raises:
        UsageError: the motif does not fit, or holds other letters.
    """
    backgrounds = check_one_hot(backgrounds)
    pattern = _pattern(motif)
    width, length = pattern.shape[1], backgrounds.shape[2]
    start = (length - width) // 2 if start is None else start
    if start < 0 or start + width > length:
        raise UsageError(
            f"a motif of {width} bp at {start} does not fit", f"the sequences are {length:,} bp",
            "Fix: a shorter motif, or another start",
        )
    inserted = backgrounds.copy()
    inserted[:, :, start : start + width] = pattern
    return _predict(module, inserted, batch_size) - _predict(module, backgrounds, batch_size)


def _pattern(motif: str | np.ndarray) -> np.ndarray:
    if not isinstance(motif, str):
        return check_one_hot(np.asarray(motif)[None])[0]
    if not motif or set(motif.upper()) - set("ACGT"):
        raise UsageError(f"the motif {motif!r} holds other letters than A, C, G, T", "", "Fix: give a consensus")
    return encode(np.frombuffer(motif.encode(), np.uint8)[None])[0]


def _predict(module: torch.nn.Module, one_hot: np.ndarray, batch_size: int) -> np.ndarray:
    with evaluating(module) as device, torch.inference_mode():
        parts = [scalar(module, x).float().cpu().numpy() for _, x in batches(one_hot, batch_size, device)]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
