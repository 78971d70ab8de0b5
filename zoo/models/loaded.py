"""A model that is ready to predict: module, layout of its input, names of its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ModelError
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec

if TYPE_CHECKING:
    import torch

    from zoo.cards.schema import Card

__all__ = ["LoadedModel"]


@dataclass
class LoadedModel:
    """A module with what is known of its input and outputs.

    Attributes:
        name: name or path the model was asked for by.
        module: the ``torch.nn.Module`` in eval mode; takes what ``loader.arrange`` gives
            (``(N, 4, L)`` float32 for our own models), usable as is by tangermeme and captum.
        loader: layout of the input.
        outputs: the named outputs, in the module's order.
        card: the card, or None for a bare Kipoi folder or checkpoint.
        folder: the entry folder or checkpoint path.
        places_bins: whether bin size and offset are known, so that bins have coordinates.
        strand_pairs: output name -> permutation of its tracks on the other strand.
        hashes: file name -> sha256 of what was loaded.
        info: plain facts for the run record.
    """

    name: str
    module: torch.nn.Module
    loader: SequenceLoader
    outputs: tuple[OutputSpec, ...]
    card: Card | None = None
    folder: Path | None = None
    places_bins: bool = True
    strand_pairs: dict[str, np.ndarray] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """bp of sequence that the model sees."""
        return self.loader.length

    def named(self, result: Any) -> dict[str, Any]:
        """Give the module's raw result its output names; scalars become (N, tracks).

        Raises:
            ModelError: the number of outputs or a shape is not what the card or model.yaml says.
        """
        parts = as_list(result, self.outputs)
        if len(parts) != len(self.outputs):
            raise ModelError(
                f"{self.name}: the module returns {len(parts)} output(s)",
                f"its description names {len(self.outputs)}",
                "Fix: correct `outputs` of the card (or schema.targets of model.yaml)",
            )
        return {spec.name: self._shaped(spec, part) for spec, part in zip(self.outputs, parts, strict=True)}

    def _shaped(self, spec: OutputSpec, part: torch.Tensor) -> torch.Tensor:
        n = part.shape[0]
        wanted = (len(spec.tracks),) if spec.kind == "scalar" else (len(spec.tracks), spec.n_bins)
        shape = tuple(part.shape[1:])
        squeezed = tuple(size for size in shape if size != 1)
        if squeezed != tuple(size for size in wanted if size != 1):
            raise ModelError(
                f"{self.name}: output {spec.name!r} has shape {shape} a window",
                f"its description says {wanted}",
                "Fix: correct tracks, n_bins or the input length in the card",
            )
        return part.reshape(n, *wanted)


def as_list(result: Any, outputs: Sequence[Any]) -> list[torch.Tensor]:
    """The module's raw result as a list: a dict in the order of the named ``outputs``, if it has just their names.

    Raises:
        ModelError: it holds something else than tensors.
    """
    import torch

    if isinstance(result, Mapping):
        names = [spec.name for spec in outputs]
        parts = [result[name] for name in names] if set(names) == set(result) else list(result.values())
    else:
        parts = list(result) if isinstance(result, list | tuple) else [result]
    for part in parts:
        if not isinstance(part, torch.Tensor):
            raise ModelError(
                f"the module returns {type(part).__name__} where a tensor is expected",
                "",
                "Fix: forward returns a tensor, or a list or dict of tensors",
            )
    return parts
