"""The module that is explained: one number a sequence, in eval mode while it is looked at.

Every method of this package takes a ``torch.nn.Module`` whose ``forward(x)`` turns (N, 4, L) into
(N,) or (N, 1). A module may also have ``weights(x)``: what it returns for the observed sequences is
passed as the second argument of ``forward`` and held fixed while bases or references change.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator

import numpy as np
import torch

from zoo.errors import InputError, UsageError

__all__ = ["batches", "check_one_hot", "evaluating", "fixed_arguments", "gradients_on", "rows_a_pass", "scalar"]

#: Bases in one pass: what stays in a CPU's caches (a Basset-like net takes 1.3 times as long with twice as many),
#: and what fills a GPU.
BASES_A_PASS = {"cpu": 20 * 1024}
BASES_ON_A_GPU = 1 << 20


@contextlib.contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[torch.device]:
    """Eval mode for the block; every submodule's own mode is put back. Yields the module's device."""
    before = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield next((p.device for p in module.parameters()), torch.device("cpu"))
    finally:
        for part, training in before:
            part.training = training


@contextlib.contextmanager
def gradients_on() -> Iterator[None]:
    """Gradients for the block, also inside ``torch.no_grad`` or ``torch.inference_mode``."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def check_one_hot(one_hot: np.ndarray | torch.Tensor) -> np.ndarray:
    """(N, 4, L) float32.

    Raises:
        UsageError: another shape. InputError: NaN or infinity.
    """
    array = np.asarray(one_hot, dtype=np.float32)
    if array.ndim != 3 or array.shape[1] != 4:
        raise UsageError(
            f"one_hot has shape {array.shape}",
            "attributions take (N, 4, L)",
            "Fix: channels A, C, G, T on axis 1, sequence on axis 2",
        )
    if not np.isfinite(array).all():
        wrong = int((~np.isfinite(array)).any((1, 2)).sum())
        extent = f"{wrong:,} of {len(array):,} sequences"
        raise InputError("one_hot holds NaN or infinity", extent, "Fix: correct the input")
    return array


def scalar(module: torch.nn.Module, x: torch.Tensor, *fixed: torch.Tensor) -> torch.Tensor:
    """``module(x)`` as (N,).

    Raises:
        UsageError: the module gives more than one number a sequence: task 0 is never taken in silence.
    """
    y = module(x, *fixed)
    if not isinstance(y, torch.Tensor) or y.numel() != len(x):
        shape = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        raise UsageError(
            f"the module returns {shape} for {len(x)} sequences",
            "attributions explain one number a sequence",
            "Fix: wrap the module so that it returns (N,): choose an output, a track and a sum over bins",
        )
    return y.reshape(len(x))


def fixed_arguments(module: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """``(module.weights(x),)`` for a module that has this method, else nothing."""
    if not inspect.ismethod(getattr(module, "weights", None)):  # a layer of that name can be called too
        return ()
    with torch.no_grad():
        weights = module.weights(x)
    return () if weights is None else (weights.detach(),)


def rows_a_pass(length: int, device: torch.device) -> int:
    """Sequences of ``length`` bp that one pass takes on a device."""
    return max(1, BASES_A_PASS.get(device.type, BASES_ON_A_GPU) // max(1, length))


def batches(one_hot: np.ndarray, size: int | None, device: torch.device) -> Iterator[tuple[slice, torch.Tensor]]:
    """Slices of the first axis and their tensors on the device; ``size`` None is ``rows_a_pass``."""
    size = size or rows_a_pass(one_hot.shape[2], device)
    for start in range(0, len(one_hot), size):
        part = slice(start, start + size)
        yield part, torch.from_numpy(np.ascontiguousarray(one_hot[part])).to(device)
