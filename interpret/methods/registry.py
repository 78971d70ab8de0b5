"""The methods by name, as one way of explaining a batch: what ``zoo attribute`` calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from interpret.explanation import Explanation
from interpret.function.check import check_function
from interpret.function.gradient import check_gradient
from interpret.methods.ablation import ablate
from interpret.methods.deepliftshap import DeepLiftShap
from interpret.methods.gradients import gradient
from interpret.methods.integrated_gradients import explain_by_integrated_gradients
from interpret.methods.ism import Mutagenesis
from interpret.module import batches, evaluating, in_full_float32, scalar
from interpret.references import References
from zoo.errors import ModelError, UsageError
from zoo.genome.encode import random_windows

__all__ = ["METHODS", "Method", "open_method"]

#: Each method, and whether it compares with references.
METHODS = {
    "deepliftshap": True,
    "integrated_gradients": True,
    "ism": False,
    "ablation": True,
    "saliency": False,
    "inputxgradient": False,
}
#: Those that take a gradient of the module.
SLOPES = frozenset({"integrated_gradients", "saliency", "inputxgradient"})
COMPLETE = frozenset({"deepliftshap", "integrated_gradients"})


@dataclass(frozen=True)
class Method:
    """A method ready to explain batches.

    Attributes:
        name: which one runs; a fallback's name if the chosen one could not.
        explain: (one_hot (n, 4, L), number of the first) -> Explanation.
        note: why a fallback runs.
        details: what a method has to say of how it ran, for the run record; called at the end.
    """

    name: str
    explain: Callable[[np.ndarray, int], Explanation]
    note: str | None = None
    details: Callable[[], dict[str, Any]] | None = None

    @property
    def complete(self) -> bool:
        """Whether its contributions must add up."""
        return self.name in COMPLETE


def open_method(
    name: str,
    module: torch.nn.Module,
    length: int,
    references: References,
    fallback: str | None = None,
    batch_size: int | None = None,
) -> Method:
    """Prepare a method for a module.

    Args:
        batch_size: sequences a pass (of deepliftshap each with its references); None is what suits the device.

    Raises:
        UsageError: no such method.
        ModelError: the module is no function of one sequence (``interpret.function``), or has no gradient where the
            method takes one; deepliftshap has no rule for an operation and no fallback was chosen.
    """
    if name not in METHODS:
        raise UsageError(f"--method {name}: not known", "", f"Fix: one of {', '.join(METHODS)}")
    with in_full_float32():
        plausible = random_windows(1, length)
        check_function(module, plausible, batch_size, name)
        if name in SLOPES:
            check_gradient(module, plausible)
        return _open(name, module, length, references, fallback, batch_size)


def _open(
    name: str,
    module: torch.nn.Module,
    length: int,
    references: References,
    fallback: str | None,
    batch_size: int | None,
) -> Method:
    if name == "integrated_gradients":
        explain = functools.partial(explain_by_integrated_gradients, module, batch_size=batch_size)
        return Method(name, lambda x, first: explain(x, references.of(x, first)))
    if name == "deepliftshap":
        try:
            # Without a reference's zeros or quarters, captured on a plausible sequence.
            opened = DeepLiftShap(module, np.eye(4, dtype=np.float32)[np.arange(length) % 4].T[None])
        except ModelError as error:
            if fallback is None:
                raise
            if fallback in SLOPES:
                check_gradient(module, random_windows(1, length))
            found = _open(fallback, module, length, references, None, batch_size)
            return replace(found, note=f"{error.what}: {fallback} was used")
        return Method(name, lambda x, first: opened.explain(x, references.of(x, first), batch_size))
    details = None
    if name == "ablation":

        def hypothetical(x: np.ndarray, first: int) -> np.ndarray:
            return ablate(module, x, references.of(x, first), batch_size=batch_size)

    elif name == "ism":
        mutagenesis = Mutagenesis(module, length, batch_size=batch_size)
        details = mutagenesis.details

        def hypothetical(x: np.ndarray, first: int) -> np.ndarray:
            return mutagenesis(x)

    else:

        def hypothetical(x: np.ndarray, first: int) -> np.ndarray:
            found = gradient(module, x, corrected=True, batch_size=batch_size)
            return np.abs(found) if name == "saliency" else found

    return Method(name, lambda x, first: _bare(module, x, hypothetical(x, first), batch_size), details=details)


def _bare(
    module: torch.nn.Module, one_hot: np.ndarray, hypothetical: np.ndarray, batch_size: int | None
) -> Explanation:
    """An explanation without references to be complete against."""
    with evaluating(module) as device, torch.inference_mode():
        parts = [scalar(module, x).float().cpu().numpy() for _, x in batches(one_hot, batch_size, device)]
    missing = np.full(len(one_hot), np.nan, np.float32)
    prediction = np.concatenate(parts) if parts else missing
    return Explanation(hypothetical, prediction, missing, missing, missing)
