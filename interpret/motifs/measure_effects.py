"""What patterns do, not only that they are there: their consensus inserted into background sequences (marginalization).

The backgrounds are dinucleotide shuffles of regions spread over the file, so that GC content and repeats are those of
the regions; the consensus is inserted at the centre of the bins that are explained, every second time turned to the
other strand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from interpret.explained import batches, evaluating
from interpret.marginalize import marginalize
from interpret.motifs.effect import Effect, PredictedTrack
from interpret.motifs.model_again import ExplainedModel
from interpret.motifs.pattern import Pattern
from interpret.references import shuffled
from interpret.target import explained_module
from zoo.models.runner import full_float32

__all__ = ["backgrounds_of", "insertion_start", "measure_effects", "predict_track"]

BACKGROUNDS, FEWEST = 100, 8
BASES = 1_000_000  # in all backgrounds: one forward pass of a window of 200 kb takes many seconds on a CPU


def backgrounds_of(regions: int, length: int) -> np.ndarray:
    """Indices of the regions that are shuffled into backgrounds: spread evenly, 100, or fewer of long windows."""
    n = min(regions, max(FEWEST, min(BACKGROUNDS, BASES // length)))
    return np.linspace(0, regions - 1, n).round().astype(int)


def measure_effects(
    explained: ExplainedModel, patterns: Sequence[Pattern], one_hot: np.ndarray, seed: int = 0
) -> dict[str, Effect]:
    """Effect of each pattern, by its name.

    Args:
        explained: the model that the patterns come from.
        patterns: their cores' consensus is inserted.
        one_hot: (n, 4, L) regions to shuffle, those of ``backgrounds_of``.
        seed: of the shuffles.
    """
    length = one_hot.shape[2]
    backgrounds = shuffled(explained.as_seen(one_hot), 1, seed, n_value=explained.n_value)[:, 0]
    found = {}
    with full_float32():
        for pattern in patterns:
            start = insertion_start(explained, length, len(pattern.consensus))
            found[pattern.name] = _effect(explained, backgrounds, pattern.consensus.upper(), start)
    return found


def insertion_start(explained: ExplainedModel, length: int, width: int) -> int:
    """Where a motif is inserted: around the centre of the explained bins, within the window."""
    target, centre = explained.target, length / 2
    if target.bins is not None:
        centre = target.output.offset + (target.bins[0] + target.bins[1]) / 2 * target.output.bin_size
    return int(np.clip(round(centre - width / 2), 0, length - width))


def _effect(explained: ExplainedModel, backgrounds: np.ndarray, consensus: str, start: int) -> Effect:
    values = np.empty(len(backgrounds), np.float32)
    turned = consensus.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    for first, letters in ((0, consensus), (1, turned)):
        if len(backgrounds) > first:
            values[first::2] = marginalize(explained.module, backgrounds[first::2], letters, start=start, batch_size=16)
    return Effect(consensus, values)


def predict_track(explained: ExplainedModel, one_hot: np.ndarray) -> PredictedTrack | None:
    """Predicted profile of windows (K, 4, L); None for an output without bins or without known places."""
    output = explained.target.output
    if output.kind != "profile" or not explained.model.places_bins:
        return None
    whole = dataclasses.replace(explained.target, bins=None, reduction="sum")
    module, _ = explained_module(explained.model, whole, "predictions")
    seen = explained.as_seen(one_hot)
    with full_float32(), evaluating(module) as device, torch.inference_mode():
        parts = [module.values(x).mean(1).float().cpu().numpy() for _, x in batches(seen, 8, device)]
    tracks = explained.target.tracks
    name = tracks[0] if len(tracks) == 1 else f"mean of {len(tracks):,} tracks"
    return PredictedTrack(np.concatenate(parts), output.bin_size, output.offset, f"{output.name}, {name}")
