"""In-silico mutagenesis: every base of every position tried.

Long jobs are computed by tangermeme's ``saturation_mutagenesis``, which recomputes only what an edit can change
(fastISM, Nair et al. 2022, doi:10.1093/bioinformatics/btac135); a random 1% of its edits are checked against full
forward passes. Sequences with unknown bases, and models that it cannot capture, take full forward passes.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

from interpret.explained import batches, check_one_hot, evaluating, fixed_arguments, scalar

__all__ = ["ism", "mutate_all"]

TOLERANCE = 1e-4  # of the output's scale: rounding of float32 by another order of additions


def ism(module: torch.nn.Module, one_hot: np.ndarray, *, batch_size: int = 128, fast: bool = True) -> np.ndarray:
    """Prediction with each base at each position, less the mean over the four bases there.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32.
        batch_size: edited sequences a forward pass.
        fast: recompute only what an edit can change, where that pays.

    Returns:
        (N, 4, L) float32; its value at the observed base is the projected track.
    """
    scores = mutate_all(module, one_hot, batch_size=batch_size, fast=fast)
    return (scores - scores.mean(1, keepdims=True)).astype(np.float32)


def mutate_all(
    module: torch.nn.Module, one_hot: np.ndarray, *, batch_size: int = 128, fast: bool = True
) -> np.ndarray:
    """The prediction with each base at each position, (N, 4, L) float64.

    An observed base is not predicted again; at an unknown base all four are.
    """
    one_hot = check_one_hot(one_hot)
    scores = np.empty(one_hot.shape, np.float64)
    whole = ((one_hot == 0) | (one_hot == 1)).all((1, 2)) & (one_hot.sum(1) == 1).all(1)
    with evaluating(module) as device:
        quick = np.flatnonzero(whole) if fast else np.empty(0, np.int64)
        if len(quick):
            found = _by_tangermeme(module, one_hot[quick], device, batch_size)
            if _holds(module, one_hot[quick], found, device):
                scores[quick] = found
            else:
                quick = np.empty(0, np.int64)
        with torch.inference_mode():
            for i in np.setdiff1d(np.arange(len(one_hot)), quick):
                ((_, x),) = batches(one_hot[i : i + 1], 1, device)
                fixed = fixed_arguments(module, x)
                observed = float(scalar(module, x, *fixed)[0])
                scores[i] = _edits(module, x[0], fixed, observed, batch_size)
    return scores


class _Column(torch.nn.Module):
    """(N,) as (N, 1), which tangermeme takes."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor, *fixed: torch.Tensor) -> torch.Tensor:
        return self.module(x, *fixed).reshape(-1, 1)


def _by_tangermeme(
    module: torch.nn.Module, one_hot: np.ndarray, device: torch.device, batch_size: int
) -> np.ndarray:
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    x = torch.from_numpy(one_hot)
    parts = [fixed_arguments(module, part) for _, part in batches(one_hot, batch_size, device)]
    fixed = tuple(torch.cat(values).cpu() for values in zip(*parts, strict=True))
    with warnings.catch_warnings(), torch.no_grad():
        scalar(module, x[:1].to(device), *(value[:1].to(device) for value in fixed))
        warnings.simplefilter("ignore")  # it says when it takes full passes, which is as right
        raw = saturation_mutagenesis(
            _Column(module).eval(), x, args=fixed or None, raw_outputs=True, device=str(device), batch_size=batch_size
        )
    return raw[1].reshape(one_hot.shape).double().cpu().numpy()


def _holds(module: torch.nn.Module, one_hot: np.ndarray, scores: np.ndarray, device: torch.device) -> bool:
    """Whether a random 1% of the edits agree with full forward passes."""
    draw = np.random.default_rng(0)
    with torch.inference_mode():
        for i, sequence in enumerate(one_hot):
            x = torch.from_numpy(sequence).to(device)
            fixed = fixed_arguments(module, x[None])
            places = draw.choice(x.shape[1], max(1, x.shape[1] // 100), replace=False)
            bases = draw.integers(0, 4, len(places))
            edited = x.expand(len(places), -1, -1).clone()
            rows = torch.arange(len(places))
            edited[rows, :, torch.from_numpy(places)] = 0
            edited[rows, torch.from_numpy(bases), torch.from_numpy(places)] = 1
            again = tuple(value.expand(len(places), *value.shape[1:]) for value in fixed)
            full = scalar(module, edited, *again).double().cpu().numpy()
            if np.abs(full - scores[i, bases, places]).max() > TOLERANCE * max(np.abs(full).max(), np.ptp(scores[i])):
                return False
    return True


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
