"""The mean gradient on the straight line from a reference to a sequence, with points where the net has kinks.

Between two points of the line the net's change is known exactly, from its values there; what the trapezoid of the two
gradients gives for it tells that stretch's error. The stretches with the largest errors are halved until the sum is
complete: where a net is linear no point is spent, and a kink is closed in on by halves. Own code, because captum
lays points by fixed rules that do not look at the net.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from interpret.explained import rows_a_pass, scalar

__all__ = ["AveragedGradients", "adaptive_gradients"]

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
        y = scalar(self.module, z, *fixed)
        (slope,) = torch.autograd.grad(y.sum(), z)
        along = (slope.double() * self.change).sum((1, 2))
        return y.detach().double().cpu(), along.cpu(), slope.cpu()

    def errors(self) -> torch.Tensor:
        """Of each stretch: the net's change less what the gradients at its ends say, (k - 1,)."""
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
