"""In-silico mutagenesis: every base of every position tried, by plain forward passes."""

from __future__ import annotations

import numpy as np
import torch

from interpret.explained import batches, check_one_hot, evaluating, fixed_arguments, scalar

__all__ = ["ism", "mutate_all"]


def ism(module: torch.nn.Module, one_hot: np.ndarray, *, batch_size: int = 128) -> np.ndarray:
    """Prediction with each base at each position, less the mean over the four bases there.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32.
        batch_size: edited sequences a forward pass.

    Returns:
        (N, 4, L) float32; its value at the observed base is the projected track.
    """
    scores = mutate_all(module, one_hot, batch_size=batch_size)
    return (scores - scores.mean(1, keepdims=True)).astype(np.float32)


def mutate_all(module: torch.nn.Module, one_hot: np.ndarray, *, batch_size: int = 128) -> np.ndarray:
    """The prediction with each base at each position, (N, 4, L) float64.

    An observed base is not predicted again; at an unknown base all four are.
    """
    one_hot = check_one_hot(one_hot)
    scores = np.empty(one_hot.shape, np.float64)
    with evaluating(module) as device, torch.inference_mode():
        for part, x in batches(one_hot, 1, device):
            fixed = fixed_arguments(module, x)
            observed = float(scalar(module, x, *fixed)[0])
            scores[part] = _edits(module, x[0], fixed, observed, batch_size)
    return scores


def _edits(
    module: torch.nn.Module, x: torch.Tensor, fixed: tuple[torch.Tensor, ...], observed: float, batch_size: int
) -> np.ndarray:
    found = torch.full(x.shape, observed, dtype=torch.float64)
    base, place = torch.nonzero(x != 1, as_tuple=True)
    for chunk in torch.arange(len(base)).split(batch_size):
        b, p = base[chunk], place[chunk]
        rows = torch.arange(len(chunk), device=x.device)
        edited = x.expand(len(chunk), -1, -1).clone()
        edited[rows, :, p] = 0
        edited[rows, b, p] = 1
        again = tuple(value.expand(len(chunk), *value.shape[1:]) for value in fixed)
        found[b.cpu(), p.cpu()] = scalar(module, edited, *again).double().cpu()
    return found.numpy()
