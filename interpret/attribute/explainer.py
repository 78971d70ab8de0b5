"""What is computed of a window in an attribution: the contributions of its bases."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from interpret.attribute.options import AttributeOptions
from interpret.contribs.file import spooled_outputs, spooled_values
from interpret.explanation import Explanation
from interpret.methods.registry import Method, open_method
from interpret.module import in_full_float32
from interpret.references import parse_references
from interpret.target import Target, choose_target, explained_module
from zoo.files import sha256_of
from zoo.models.loaded import LoadedModel, check_mirrors

__all__ = ["Explainer", "options_signature"]

#: Windows between two places where an interrupted run can go on: some seconds of work.
WINDOWS_A_STEP = {"ism": 4, "ablation": 4, "integrated_gradients": 4}
WINDOWS_A_QUICK_STEP = 16


class Explainer:
    """A model, what is explained of it and a method: the computation (``zoo.run.predict``) of an attribution.

    Args:
        model, options, device: as in ``attribute``.
        batch_size: sequences a pass; None is what suits the device.

    Attributes:
        target, references, method: what was chosen.
        explained: ``logits`` or ``predictions``.
        notes: sentences for the user.
        outputs: what is spooled of a window.
        step: windows explained at once.

    Raises:
        UsageError: nothing, or too little, was chosen. ModelError: the model cannot be explained by the method.
    """

    def __init__(
        self, model: LoadedModel, options: AttributeOptions, device: torch.device, batch_size: int | None = None
    ) -> None:
        self.model, self.options, self.device, self.batch_size = model, options, device, batch_size
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
        self.outputs = spooled_outputs(model.length)
        # A method whose passes hold several windows gets as many as one pass takes.
        self.step = WINDOWS_A_STEP.get(self.method.name) or max(WINDOWS_A_QUICK_STEP, batch_size or 0)

    def _open(self, module: torch.nn.Module) -> Method:
        options, module = self.options, module.to(self.device)
        length = self.model.length
        return open_method(options.method, module, length, self.references, options.fallback, self.batch_size)

    def _other_strand(self) -> Method:
        mirrored: Target = self.target.mirrored(self.model.strand_pairs.get(self.target.output.name))
        return self._open(explained_module(self.model, mirrored, self.options.explain)[0])

    def forward(self, one_hot: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """Explain windows (n, 4, L), of which the first has this number -> what is spooled of them."""
        with in_full_float32():  # else nothing adds up after somebody lowered the process's matrix products
            found = self._explain(np.ascontiguousarray(one_hot), first)
        return spooled_values(one_hot, found)

    def signature(self) -> dict[str, Any]:
        """The options."""
        return options_signature(self.options, self.batch_size)

    def _explain(self, one_hot: np.ndarray, first: int) -> Explanation:
        found = self.method.explain(one_hot, first)
        if self.other is None:
            return found
        turned = self.other.explain(np.ascontiguousarray(one_hot[:, ::-1, ::-1]), first)
        turned = dataclasses.replace(turned, hypothetical=turned.hypothetical[:, ::-1, ::-1])
        return Explanation(
            *((getattr(found, f.name) + getattr(turned, f.name)) / 2 for f in dataclasses.fields(Explanation))
        )


def options_signature(options: AttributeOptions, batch_size: int | None) -> dict[str, Any]:
    """What must be the same for a run to go on; ``allow_incomplete`` may change."""
    mine = dataclasses.asdict(options) | {"batch_size": batch_size}
    del mine["allow_incomplete"]
    if options.references.endswith(".npz"):
        mine["references"] = sha256_of(Path(options.references))
    return mine
