"""The part of a run that computes, in the place of the model's runner: windows in, contributions out."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from interpret.attribution_options import AttributeOptions
from interpret.contribs_blocks import spooled_values
from interpret.methods import Method, open_method
from interpret.multipliers import Explanation
from interpret.references import parse_references
from interpret.target import Target, choose_target, explained_module
from zoo.models.loaded import LoadedModel
from zoo.models.runner import check_mirrors, full_float32

__all__ = ["Explainer"]

#: Windows between two checkpoints: some seconds of work.
WINDOWS_A_STEP = {"ism": 4, "ablation": 4, "integrated_gradients": 4}
WINDOWS_A_QUICK_STEP = 16


class Explainer:
    """A model, what is explained of it and a method.

    Args:
        model, options, device: as in ``attribute``.

    Attributes:
        target, references, method: what was chosen.
        explained: ``logits`` or ``predictions``.
        notes: sentences for the user.
        batch_size: windows a step.
        done: windows explained, those of an earlier run included; references depend on it.

    Raises:
        UsageError: nothing, or too little, was chosen. ModelError: the model cannot be explained by the method.
    """

    def __init__(self, model: LoadedModel, options: AttributeOptions, device: torch.device) -> None:
        self.model, self.options, self.device = model, options, device
        self.target = choose_target(model.outputs, options.output, options.tracks, options.bins, options.reduce)
        self.references = parse_references(options.references, options.seed, model.loader.n_value)
        module, self.notes = explained_module(model, self.target, options.explain)
        self.explained = module.explained
        self.method = self._open(module)
        if options.rc_average:
            check_mirrors(model)
        self.other = self._other_strand() if options.rc_average else None
        if self.method.note:
            self.notes.append(self.method.note)
        self.batch_size = WINDOWS_A_STEP.get(self.method.name, WINDOWS_A_QUICK_STEP)
        self.done = 0

    def _open(self, module: torch.nn.Module) -> Method:
        options = self.options
        return open_method(options.method, module.to(self.device), self.model.length, self.references, options.fallback)

    def _other_strand(self) -> Method:
        mirrored: Target = self.target.mirrored(self.model.strand_pairs.get(self.target.output.name))
        return self._open(explained_module(self.model, mirrored, self.options.explain)[0])

    def forward(self, one_hot: np.ndarray) -> dict[str, np.ndarray]:
        """Explain the next windows: (n, 4, L) -> what is spooled of them."""
        with full_float32():  # else nothing adds up after somebody lowered the process's matrix products
            found = self._explain(np.ascontiguousarray(one_hot))
        self.done += len(one_hot)
        return spooled_values(one_hot, found)

    def _explain(self, one_hot: np.ndarray) -> Explanation:
        found = self.method.explain(one_hot, self.done)
        if self.other is None:
            return found
        turned = self.other.explain(np.ascontiguousarray(one_hot[:, ::-1, ::-1]), self.done)
        turned = dataclasses.replace(turned, hypothetical=turned.hypothetical[:, ::-1, ::-1])
        return Explanation(
            *((getattr(found, f.name) + getattr(turned, f.name)) / 2 for f in dataclasses.fields(Explanation))
        )
