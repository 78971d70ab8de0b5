"""Marginalization: what inserting a motif into background sequences does to the output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from interpret.module import batches, check_one_hot, evaluating, scalar
from interpret.target import Explained, of_a_model
from zoo.errors import UsageError
from zoo.genome.encode import Sequences
from zoo.genome.encode import one_hot as encode

__all__ = ["marginalize", "pattern_of", "predictions", "predictions_with", "predictions_with_and_without"]


@of_a_model
def marginalize(
    module: Explained,
    backgrounds: Sequences,
    motif: str | np.ndarray,
    *,
    start: int | None = None,
    batch_size: int | None = None,
) -> np.ndarray:
    """Prediction with the motif less prediction without, for each background.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        backgrounds: (N, 4, L) float32, or N strings of L letters; e.g. dinucleotide shuffles of the regions.
        motif: letters A, C, G, T and N, or (4, W) one-hot; N, or a position of zeros, leaves the background's base.
        start: where it is inserted (replacing what is there); default the centre.
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N,) float32.

    Raises:
        UsageError: the motif does not fit, or holds other letters.
    """
    inserted, without = predictions_with_and_without(module, backgrounds, motif, start=start, batch_size=batch_size)
    return inserted - without


def predictions_with_and_without(
    module: torch.nn.Module,
    backgrounds: np.ndarray,
    motif: str | np.ndarray,
    *,
    start: int | None = None,
    batch_size: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What ``marginalize`` subtracts: predictions with the motif and without, (N,) float32 each."""
    with_motif = predictions_with(module, backgrounds, motif, start=start, batch_size=batch_size)
    return with_motif, predictions(module, backgrounds, batch_size)


def predictions_with(
    module: torch.nn.Module,
    backgrounds: np.ndarray,
    motif: str | np.ndarray,
    *,
    start: int | None = None,
    batch_size: int | None = None,
) -> np.ndarray:
    """(N,) float32 predictions of the backgrounds with the motif inserted, as ``marginalize`` inserts it."""
    backgrounds = check_one_hot(backgrounds)
    length = backgrounds.shape[2]
    pattern = pattern_of(motif, length, start)
    start = (length - pattern.shape[1]) // 2 if start is None else start
    known = pattern.any(0)
    places = torch.from_numpy(start + np.flatnonzero(known))
    inside = torch.from_numpy(pattern[:, known])

    def edited(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()  # it may share the memory of the caller's array
        x[:, :, places.to(x.device)] = inside.to(x.device)
        return x

    return _predicted(module, backgrounds, batch_size, edited)


def predictions(module: torch.nn.Module, backgrounds: np.ndarray, batch_size: int | None = None) -> np.ndarray:
    """(N,) float32 predictions of sequences (N, 4, L) as they are."""
    return _predicted(module, check_one_hot(backgrounds), batch_size, lambda x: x)


def _predicted(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    batch_size: int | None,
    edited: Callable[[torch.Tensor], torch.Tensor],
) -> np.ndarray:
    with evaluating(module) as device, torch.inference_mode():
        parts = [scalar(module, edited(x)).float().cpu().numpy() for _, x in batches(one_hot, batch_size, device)]
    return np.concatenate(parts or [np.empty(0, np.float32)])


def pattern_of(motif: str | np.ndarray, length: int, start: int | None = None) -> np.ndarray:
    """A motif as (4, W) float32, zeros where the background stays.

    Raises:
        UsageError: it does not fit into sequences of ``length`` bp, or holds other letters.
    """
    if isinstance(motif, str):
        if not motif.upper().strip("N") or set(motif.upper()) - set("ACGTN"):
            raise UsageError(
                f"the motif {motif!r} holds other letters than A, C, G, T and N", "", "Fix: give a consensus"
            )
        pattern = encode(np.frombuffer(motif.upper().encode(), np.uint8)[None], 0.0)[0]
    else:
        pattern = check_one_hot(np.asarray(motif)[None])[0]
    width = pattern.shape[1]
    first = (length - width) // 2 if start is None else start
    if first < 0 or first + width > length:
        raise UsageError(
            f"a motif of {width} bp at {first} does not fit",
            f"the sequences are {length:,} bp",
            "Fix: a shorter motif, or another start",
        )
    return pattern
