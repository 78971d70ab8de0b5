"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365) by captum.

As many steps as completeness needs: captum's 32 points of Gauss and Legendre are exact to rounding where a net is
smooth. A ReLU or a maximum puts kinks on the way from a reference to the sequence, on which points laid by a fixed
rule converge as slowly as 1 / steps; pairs that are not complete go on by an adaptive path, which puts points where
the kinks are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from interpret.explanation import SUMMED, Explanation, check_complete, explain_pairs, joined
from interpret.function.gradient import check_gradient
from interpret.module import (
    batches,
    check_one_hot,
    evaluating,
    fixed_arguments,
    gradient_of,
    gradients_on,
    in_gradient,
    rows_a_pass,
    scalar,
)
from interpret.references import References, reference_array
from interpret.target import Explained, of_a_model
from zoo.errors import ModelError
from zoo.extras import needs
from zoo.genome.encode import Sequences

__all__ = ["AveragedGradients", "adaptive_gradients", "explain_by_integrated_gradients", "integrated_gradients"]

FIRST_STEPS = 32
TOLERANCE = 1e-3
#: Share of the tolerance that each pair may use: rounding and the note's 0.1% leave the rest.
SHARE = 0.5
FIX = "Fix: --method ism or deepliftshap; or --allow-incomplete to keep them all the same"


@of_a_model
def integrated_gradients(
    module: Explained,
    one_hot: Sequences,
    references: np.ndarray | References | None = None,
    *,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
    batch_size: int | None = None,
    allow_incomplete: bool = False,
) -> np.ndarray:
    """Hypothetical contributions, averaged over references.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32, or N strings of L letters.
        references: (N, n, 4, L), or how to make them; default 20 dinucleotide shuffles.
        steps: points on the way from reference to sequence; default 32, and for pairs that are not complete with
            them up to 4,096 more (fewer for windows above 8 kb, see the adaptive path below).
        tolerance: relative completeness error that is enough.
        batch_size: sequences on that way a pass; default what suits the device.
        allow_incomplete: return what is not complete.
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N, 4, L) float32.

    Raises:
        MismatchError: the median completeness error stays above the tolerance.
        ModelError: the output has no gradient; the operation where it ends is named.
    """
    found = explain_by_integrated_gradients(
        module, one_hot, references, steps=steps, tolerance=tolerance, batch_size=batch_size
    )
    if not allow_incomplete:
        check_complete(found.pair_error, "integrated gradients", tolerance, FIX)
    return found.hypothetical


def explain_by_integrated_gradients(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    references: np.ndarray | References | None = None,
    *,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
    batch_size: int | None = None,
) -> Explanation:
    """``integrated_gradients`` with predictions and completeness; refuses only an output without a gradient."""
    one_hot = check_one_hot(one_hot)
    given = reference_array(references, one_hot)
    found = []
    if len(one_hot):
        check_gradient(module, one_hot)
    with evaluating(module) as device, gradients_on():
        for part, x in batches(one_hot, 1, device):
            reference = torch.from_numpy(np.ascontiguousarray(given[part])).to(device)
            found.append(_explain(module, x, reference, steps, tolerance, batch_size))
    return joined(found, one_hot.shape)


def _explain(
    module: torch.nn.Module,
    x: torch.Tensor,
    reference: torch.Tensor,
    steps: int | None,
    tolerance: float,
    batch_size: int | None,
) -> Explanation:
    n = reference.shape[1]
    weights = fixed_arguments(module, x)
    with torch.no_grad():  # in one batch unless another size is asked for: there equal rows give equal numbers
        rows = torch.cat([x, reference[0]]).split(batch_size or n + 1)
        y, y_reference = torch.cat([scalar(module, part, *_times(weights, part)) for part in rows]).split([1, n])
    size = batch_size or rows_a_pass(x.shape[2], x.device)
    chunks = reference[0].split(batch_size or n)
    slopes = torch.cat([_mean_gradients(module, x, part, weights, steps or FIRST_STEPS, size) for part in chunks])
    if steps is None:
        difference = y.double() - y_reference.double()
        errors = ((slopes.double() * (x - reference[0])).sum((1, 2)) - difference).abs()
        # Completeness is judged by the sum over pairs: a pair without a difference need not be complete by itself.
        rounding = SUMMED * torch.maximum(y.abs(), y_reference.abs()).double()
        enough = max(SHARE * tolerance * float(difference.abs().mean()), float(rounding.mean()))
        for i in torch.nonzero(errors > enough).flatten().tolist():
            found = adaptive_gradients(module, x[0], reference[0, i], weights, enough, size)
            if found.error < errors[i]:
                slopes[i] = found.gradients
    return explain_pairs(x, reference, slopes[None], y, y_reference[None])


def _between(module: torch.nn.Module, z: torch.Tensor, *fixed: torch.Tensor) -> torch.Tensor:
    """``scalar`` of what lies between references and sequences, which no module need take."""
    try:
        return scalar(module, z, *fixed)
    except ModelError as error:
        what = f"{error.what} (between a reference and a sequence, where bases are parts of 1)"
        raise ModelError(what, error.extent, "Fix: --method ism, which asks of whole bases only") from error


def _times(weights: tuple[torch.Tensor, ...], rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Further arguments of the module, one row, for each of ``rows``."""
    return tuple(value.expand(len(rows), *value.shape[1:]) for value in weights)


def _mean_gradients(
    module: torch.nn.Module,
    x: torch.Tensor,
    reference: torch.Tensor,
    weights: tuple[torch.Tensor, ...],
    steps: int,
    size: int,
) -> torch.Tensor:
    """Gradient averaged along the straight line from each reference (n, 4, L) to x (1, 4, L), (n, 4, L)."""
    with needs("captum", "integrated_gradients", "or another --method"):
        from captum.attr import IntegratedGradients

    def differentiable(z: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        return _between(module, z, *rest) + 0 * z.sum((1, 2))  # captum wants a gradient of a constant too

    method = IntegratedGradients(differentiable, multiply_by_inputs=False)
    with in_gradient(x):
        found = method.attribute(
            x.expand(len(reference), -1, -1).contiguous(),
            baselines=reference.contiguous(),
            additional_forward_args=_times(weights, reference) or None,
            n_steps=steps,
            internal_batch_size=max(size, len(reference)),
        )
    return found.to(x.dtype).detach()


# ---------------- the path from a reference, with points where the net has kinks


FIRST_POINTS = 33
MOST_POINTS = 4096
FEWEST_POINTS = 256  # also for the longest windows
POINT_BYTES = 512 << 20  # gradients of all points, in memory
HALVED_AT_ONCE = 64


@dataclass(frozen=True)
class AveragedGradients:
    """What was found of a pair.

    Attributes:
        gradients: (4, L), averaged along the line.
        error: |contributions - difference|, absolute.
        points: how many were taken.
    """

    gradients: torch.Tensor
    error: float
    points: int


class _Line:
    """Points on the line from ``reference`` to ``x``, both (4, L), in order; ``at`` is 0 at the reference."""

    def __init__(
        self,
        module: torch.nn.Module,
        x: torch.Tensor,
        reference: torch.Tensor,
        weights: tuple[torch.Tensor, ...],
        size: int,
    ) -> None:
        self.module, self.reference, self.weights, self.size = module, reference, weights, size
        self.change = x - reference
        self.at = torch.empty(0, dtype=torch.float64)
        self.values = self.slopes = self.at
        self.gradients = torch.empty(0, *x.shape, dtype=x.dtype)

    def add(self, at: torch.Tensor) -> None:
        """Take further points, (k,) float64 between 0 and 1."""
        found = [self._look(part) for part in at.split(self.size)]
        values, slopes, gradients = (torch.cat(parts) for parts in zip(*found, strict=True))
        order = torch.cat([self.at, at]).argsort()
        self.at, self.values = torch.cat([self.at, at])[order], torch.cat([self.values, values])[order]
        self.slopes = torch.cat([self.slopes, slopes])[order]
        self.gradients = torch.cat([self.gradients, gradients])[order]

    def _look(self, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        share = at.to(self.change)[:, None, None]
        z = (self.reference + share * self.change).requires_grad_(True)
        fixed = tuple(value.expand(len(z), *value.shape[1:]) for value in self.weights)
        y = _between(self.module, z, *fixed)
        slope = gradient_of(y, z)
        slope = torch.zeros_like(z) if slope is None else slope
        along = (slope.double() * self.change).sum((1, 2))
        return y.detach().double().cpu(), along.cpu(), slope.cpu()

    def errors(self) -> torch.Tensor:
        """The error of each stretch, (k - 1,): the net's change less what the gradients at its ends give."""
        return self.values.diff() - self.at.diff() * (self.slopes[1:] + self.slopes[:-1]) / 2

    def mean_gradient(self) -> torch.Tensor:
        """(4, L) by the trapezoid rule."""
        width = torch.nn.functional.pad(self.at.diff(), (1, 1))
        share = (width[1:] + width[:-1]) / 2
        return torch.einsum("k,kcl->cl", share.to(self.gradients.dtype), self.gradients)


def adaptive_gradients(
    module: torch.nn.Module,
    x: torch.Tensor,
    reference: torch.Tensor,
    weights: tuple[torch.Tensor, ...],
    enough: float,
    size: int | None = None,
) -> AveragedGradients:
    """Average the gradient from ``reference`` to ``x``, both (4, L), until the error is at most ``enough``.

    Args:
        module: (N, 4, L) -> (N,), in eval mode.
        weights: further arguments of the module, (1, ...) each.
        enough: absolute error of the contributions' sum.
        size: points a pass; default what suits the device.

    Returns:
        The average; its error is above ``enough`` where the most points (4,096, or what 512 MB hold, at least 256)
        were not enough.
    """
    line = _Line(module, x, reference, weights, size or rows_a_pass(x.shape[1], x.device))
    most = max(FEWEST_POINTS, min(MOST_POINTS, POINT_BYTES // (x.numel() * x.element_size())))
    line.add(torch.linspace(0, 1, FIRST_POINTS, dtype=torch.float64))
    while True:
        errors = line.errors()
        error, room = float(errors.sum().abs()), most - len(line.at)
        if error <= enough or room <= 0:
            return AveragedGradients(line.mean_gradient().to(x), error, len(line.at))
        worst = errors.abs().topk(min(HALVED_AT_ONCE, room, len(errors))).indices
        line.add((line.at[worst] + line.at[worst + 1]) / 2)
