"""What patterns do, not only that they are there: their consensus inserted into background sequences (marginalization).

The backgrounds are dinucleotide shuffles of regions spread over the file, so that GC content and repeats are those of
the regions; the consensus is inserted at the centre of the bins that are explained, every second time turned to the
other strand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from interpret.methods.marginalize import predictions, predictions_with
from interpret.module import batches, evaluating
from interpret.motifs.pattern import Effect, Pattern, PredictedTrack
from interpret.references import shuffled
from interpret.target import Target, TargetModule, choose_target, explained_module
from zoo.errors import InputError, ModelError
from zoo.model import load_model
from zoo.models.loaded import full_float32

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["ModelAndTarget", "backgrounds_of", "insertion_start", "load_again", "measure_effects", "predict_track"]

BACKGROUNDS, FEWEST, BATCH = 100, 8, 16
BASES = 1_000_000  # in all backgrounds: one forward pass of a window of 200 kb takes many seconds on a CPU


def backgrounds_of(regions: int, length: int) -> np.ndarray:
    """Indices of the regions that are shuffled into backgrounds: spread evenly, 100, or fewer of long windows."""
    n = min(regions, max(FEWEST, min(BACKGROUNDS, BASES // length)))
    return np.linspace(0, regions - 1, n).round().astype(int)


def measure_effects(
    explained: ModelAndTarget, patterns: Sequence[Pattern], one_hot: np.ndarray, seed: int = 0
) -> dict[str, Effect]:
    """Effect of each pattern, by its name.

    Args:
        explained: the model that the patterns come from.
        patterns: their cores' consensus is inserted.
        one_hot: (n, 4, L) regions to shuffle, those of ``backgrounds_of``.
        seed: of the shuffles.
    """
    if not patterns:
        return {}
    backgrounds = shuffled(explained.as_seen(one_hot), 1, seed, n_value=explained.n_value)[:, 0]
    with full_float32():  # that the model is a function was asked before it was explained
        without = predictions(explained.module, backgrounds, BATCH)
        return {
            pattern.name: _effect(explained, backgrounds, without, pattern.consensus.upper()) for pattern in patterns
        }


def insertion_start(explained: ModelAndTarget, length: int, width: int) -> int:
    """Where a motif is inserted: around the centre of the explained bins, within the window."""
    target, centre = explained.target, length / 2
    if target.bins is not None and target.output.placed:
        centre = target.output.offset + (target.bins[0] + target.bins[1]) / 2 * target.output.bin_size
    return int(np.clip(round(centre - width / 2), 0, length - width))


def _effect(explained: ModelAndTarget, backgrounds: np.ndarray, without: np.ndarray, consensus: str) -> Effect:
    """Args: without: (n,) predictions of the backgrounds as they are, which every pattern shares."""
    values = np.empty(len(backgrounds), np.float32)
    turned = consensus.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    start = insertion_start(explained, backgrounds.shape[2], len(consensus))
    for first, letters in ((0, consensus), (1, turned)):
        some = backgrounds[first::2]
        inserted = predictions_with(explained.module, some, letters, start=start, batch_size=BATCH)
        values[first::2] = inserted - without[first::2]
    if not np.isfinite(values).all():
        raise ModelError(
            f"the model's predictions with {consensus} inserted are not finite",
            f"{int((~np.isfinite(values)).sum()):,} of {len(values):,} background sequences",
            "Fix: --no-effects",
        )
    return Effect(consensus, values)


def predict_track(explained: ModelAndTarget, one_hot: np.ndarray) -> PredictedTrack | None:
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


# ---------------- the model that a file explains, loaded again: it must be the same one


@dataclass(frozen=True)
class ModelAndTarget:
    """A model and what of it is explained.

    Attributes:
        model: the loaded model.
        target: output, tracks, bins and reduction.
        module: (N, 4, L) -> (N,), the number that was explained.
        n_value: value of the four channels at an unknown base.
    """

    model: LoadedModel
    target: Target
    module: TargetModule
    n_value: float

    def as_seen(self, one_hot: np.ndarray) -> np.ndarray:
        """(N, 4, L) float32 as the model was given it, of a file's one-hot with 0 at unknown bases."""
        seen = one_hot.astype(np.float32)
        return np.where(seen.any(axis=1, keepdims=True), seen, np.float32(self.n_value))


def load_again(run: dict[str, Any], length: int, model: str | None = None, *, trust: bool = False) -> ModelAndTarget:
    """Load the model of a contributions file's record.

    Trust is asked for anew: a record is data, and data must not decide whether Python runs.

    Args:
        run: the record in ``contribs.h5``.
        length: bp of its windows.
        model: name or path to load instead of the recorded name.
        trust: as in ``zoo.load_model``.

    Raises:
        ZooError: the record names no model, the model cannot be loaded, or it is another one than was explained.
    """
    known = run.get("model") if isinstance(run.get("model"), dict) else {}
    name = model or known.get("name")
    if not name or "sha256" not in known or "output" not in run:
        raise InputError(
            "the contributions do not say which model they explain",
            "its name, checksums and output",
            "Fix: make the file with `zoo attribute`",
        )
    loaded = load_model(name, trust=trust)
    differing = sorted(file for file, digest in known["sha256"].items() if loaded.hashes.get(file, digest) != digest)
    if differing or loaded.length != length:
        what = f"{', '.join(differing)} differ" if differing else f"it sees {loaded.length:,} bp, not {length:,}"
        raise ModelError(f"{name}: is not the model that was explained", what, "Fix: --model PATH of that model")
    bins = run.get("bins")
    target = choose_target(
        loaded.outputs,
        run["output"],
        run.get("tracks") or (),
        f"{bins[0]}:{bins[1]}" if bins else None,
        run.get("reduction", "sum"),
    )
    module, _ = explained_module(loaded, target, run.get("explained", "logits"))
    return ModelAndTarget(loaded, target, module, float(run.get("one_hot_n_value") or 0.0))
