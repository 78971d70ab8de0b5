"""The model that a contributions file explains, loaded again: it must be the same one, and it is asked the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from interpret.target import Explained, Target, choose_target, explained_module
from zoo.errors import InputError, ModelError
from zoo.model import load_model

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["ExplainedModel", "load_again"]


@dataclass(frozen=True)
class ExplainedModel:
    """A model and what of it is explained.

    Attributes:
        model: the loaded model.
        target: output, tracks, bins and reduction.
        module: (N, 4, L) -> (N,), the number that was explained.
        n_value: value of the four channels at an unknown base.
    """

    model: LoadedModel
    target: Target
    module: Explained
    n_value: float

    def as_seen(self, one_hot: np.ndarray) -> np.ndarray:
        """(N, 4, L) float32 as the model was given it, of a file's one-hot with 0 at unknown bases."""
        seen = one_hot.astype(np.float32)
        return np.where(seen.any(axis=1, keepdims=True), seen, np.float32(self.n_value))


def load_again(run: dict[str, Any], length: int, model: str | None = None, *, trust: bool = False) -> ExplainedModel:
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
    return ExplainedModel(loaded, target, module, float(run.get("one_hot_n_value") or 0.0))
