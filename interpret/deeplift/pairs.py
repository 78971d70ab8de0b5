"""The primitive rules of DeepLIFT on rows of sequences and their references (Shrikumar et al. 2017, arXiv:1704.02685).

One batch holds each observed sequence once, followed by its n references. A value of the forward pass is the
module's own; its gradient on a reference's row is the multiplier between that reference and the sequence. The
rows of observed sequences receive no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

__all__ = ["Pairs", "bilinear", "elementwise", "maxima", "product", "valued"]

#: Where the input of a nonlinearity changes less, its derivative stands for the ratio; as tangermeme and captum.
TINY = 1e-6
#: A derivative that a small change does not leave as it is: that of a root near 0.
STEEP = 100.0
#: A factor of a product, and what both would contribute of its change, that leaves nothing of the sum but rounding.
HUGE = 1e4

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Pairs:
    """Which rows along ``axis`` are observed sequences and which are their references.

    Attributes:
        rows: rows of the batch, groups * (n + 1).
        n: references a sequence.
        axis: the batch axis of the values at hand; its size may be a multiple of ``rows``, rows outermost.
    """

    rows: int
    n: int
    axis: int = 0

    def split(self, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Views (..., groups, 1, k, ...) of the observed rows and (..., groups, n, k, ...) of the references."""
        parts = value.unflatten(self.axis, (self.rows // (self.n + 1), self.n + 1, value.shape[self.axis] // self.rows))
        return parts.narrow(self.axis + 1, 0, 1), parts.narrow(self.axis + 1, 1, self.n)

    def difference(self, value: torch.Tensor) -> torch.Tensor:
        """Observed less reference, in the shape of the references."""
        observed, references = self.split(value)
        return observed - references

    def midpoint(self, value: torch.Tensor) -> torch.Tensor:
        """Mean of observed and reference, on every row (an observed row keeps its value)."""
        observed, references = self.split(value)
        return torch.cat([observed, (observed + references) / 2], self.axis + 1).reshape(value.shape)

    def spread(self, on_references: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """Values of references as rows of the batch, 0 on observed rows."""
        observed = torch.zeros_like(on_references.narrow(self.axis + 1, 0, 1))
        return torch.cat([observed, on_references], self.axis + 1).reshape(shape)

    def highest(self, value: torch.Tensor) -> torch.Tensor:
        """The maximum over the rows of each group, on every row."""
        count = value.shape[self.axis] // self.rows
        parts = value.unflatten(self.axis, (self.rows // (self.n + 1), self.n + 1, count))
        return parts.amax(self.axis + 1, keepdim=True).expand_as(parts).reshape(value.shape)


class _Elementwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, function: Function, pairs: Pairs, smallest: float, whole: bool) -> torch.Tensor:
        y = function(x)
        ctx.save_for_backward(x, y)
        ctx.function, ctx.pairs, ctx.smallest, ctx.whole = function, pairs, smallest, whole
        return y

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        x, y = ctx.saved_tensors
        pairs = ctx.pairs
        change, effect = pairs.difference(x), pairs.difference(y)
        # Not a number is the change of what is -inf in both, as where attention is masked: there nothing changes.
        small = ~(change.abs() >= ctx.smallest) if ctx.smallest else ~(change.abs() > 0)
        slope = effect / change.masked_fill(small, 1)
        if small.any():
            if ctx.whole:
                derivative = pairs.split(_derivative(ctx.function, x))[0].expand_as(change)[small]
            else:
                derivative = _derivative(ctx.function, pairs.split(x)[0].expand_as(change)[small])
            little = size = change[small]
            if little.any():
                size = (pairs.split(x)[0].abs() + pairs.split(y)[0].abs()).expand_as(change)[small]
            slope[small] = _slope_of_little(derivative, little, effect[small], size).to(slope.dtype)
        return pairs.spread(pairs.split(grad)[1] * slope, x.shape), None, None, None, None


def _derivative(function: Function, x: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        return torch.autograd.grad(function(x).sum(), x)[0]


def _slope_of_little(
    slope: torch.Tensor, change: torch.Tensor, effect: torch.Tensor, size: torch.Tensor
) -> torch.Tensor:
    """The derivative; where it is infinite, as that of a root of 0, the ratio, or 0 where nothing changes.

    The ratio as well where values, of that ``size``, are as little as their change: there it holds no rounding, and a
    kink between the two (that of a ReLU of 1e-7, which a root may follow) is no error.
    """
    instead = ~slope.isfinite() | (slope.abs() > STEEP) | (change.abs() > TINY * (size + effect.abs()))
    if instead.any():
        still = change == 0
        ratio = (effect / change.masked_fill(still, 1)).masked_fill(still, 0)
        slope = torch.where(instead, ratio.to(slope.dtype), slope)
    return slope


def elementwise(
    x: torch.Tensor, function: Function, pairs: Pairs, smallest: float = TINY, whole: bool = False
) -> torch.Tensor:
    """The rescale rule: the change of the output over the change of the input.

    Args:
        smallest: where the input changes less, the derivative stands for the ratio; 0: where it does not change.
        whole: the function takes no part of ``x``, as a tensor beside it has its shape.
    """
    return _Elementwise.apply(x, function, pairs, smallest, whole)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a: torch.Tensor, b: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        ctx.save_for_backward(a, b)
        ctx.pairs = pairs
        return a * b

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        a, b = ctx.saved_tensors
        mean_a, mean_b = ctx.pairs.midpoint(a), ctx.pairs.midpoint(b)
        if max(a.abs().max(), b.abs().max()) > HUGE:
            mean_a, mean_b = _one_after_another(a, b, mean_a, mean_b, ctx.pairs)
        return grad * mean_b, grad * mean_a, None


def _one_after_another(
    a: torch.Tensor, b: torch.Tensor, mean_a: torch.Tensor, mean_b: torch.Tensor, pairs: Pairs
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same means, but where one of them would be huge and taken back by the other's change.

    0 / 1e-12 against 1 / 2, a normalization of what is 0 at one end: there the factors change one after another, by the
    way that does not pass 1 / 1e-12, which adds up to the product's change as well.
    """
    (a1, a0), (b1, b0) = pairs.split(a), pairs.split(b)
    own = torch.maximum((a1 * b1).abs(), (a0 * b0).abs())
    mean_a, mean_b = pairs.split(mean_a)[1], pairs.split(mean_b)[1]
    for cross, far, near in (((a1 * b0).abs(), a0, b1), ((a0 * b1).abs(), a1, b0)):
        taken_back = cross > HUGE * torch.maximum(own, TINY * torch.ones_like(own))
        mean_a, mean_b = torch.where(taken_back, far, mean_a), torch.where(taken_back, near, mean_b)
    return pairs.spread(mean_a, a.shape), pairs.spread(mean_b, b.shape)


def product(a: torch.Tensor, b: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """a * b by halves: each factor's change times the mean of the other, which adds up to the product's change."""
    a, b = torch.broadcast_tensors(a, b)
    return _Product.apply(a, b, pairs)


def bilinear(
    a: torch.Tensor,
    b: torch.Tensor,
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    pairs_a: Pairs,
    pairs_b: Pairs,
) -> torch.Tensor:
    """Any bilinear function (matmul, einsum) by the product rule."""
    with torch.no_grad():
        value, mean_a, mean_b = function(a, b), pairs_a.midpoint(a), pairs_b.midpoint(b)
    return valued(function(a, mean_b) + function(mean_a, b), value)


class _Valued(torch.autograd.Function):
    @staticmethod
    def forward(ctx, surrogate: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        return grad, None


def valued(surrogate: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The value, with the multipliers of another way to it, which need not pass infinities: -inf + (1 + inf) is 1."""
    return _Valued.apply(surrogate, value.detach())


class _Maxima(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, values: torch.Tensor, places: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        ctx.save_for_backward(x, values, places)
        ctx.pairs = pairs
        return values.clone()

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        x, values, places = ctx.saved_tensors
        pairs = ctx.pairs
        (observed, reference), slope = pairs.split(values), pairs.split(grad)[1]
        at_observed, at_reference = pairs.split(places)
        at_observed = at_observed.expand_as(at_reference)
        top = torch.maximum(observed, reference)
        change = pairs.difference(x)
        routed = torch.zeros_like(change)
        routed.scatter_add_(-1, at_observed, slope * (top - reference))
        routed.scatter_add_(-1, at_reference, slope * (observed - top))
        same = ~(change.abs() > 0)  # of -inf in both the difference is no number
        plain = torch.zeros_like(change).scatter_add_(-1, at_observed, slope)
        multiplier = torch.where(same, plain, routed / change.masked_fill(same, 1))
        return pairs.spread(multiplier, x.shape), None, None, None


def maxima(x: torch.Tensor, values: torch.Tensor, places: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """Maxima over windows of the last axis: the change goes to the places that held the larger maximum.

    Args:
        x: (..., S). values, places: (..., P), each window's maximum and its index in S.
    """
    return _Maxima.apply(x, values.detach(), places, pairs)
