"""Layers that join several tensors: sums, products, extremes, one after the other, products along an axis."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.models.keras.arrays import LayerArrays
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.norms import unit_length
from zoo.models.keras.shapes import sizes

__all__ = ["dot", "merge"]


class Largest(nn.Module):
    """Maximum of ``n`` tensors as b + relu(a - b): attributions follow the ReLU, and know no ``torch.maximum``."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(n - 1))

    def forward(self, *parts: Tensor) -> Tensor:
        parts = _of_one_rank(parts)
        result = parts[0]
        for part, relu in zip(parts[1:], self.relus, strict=True):
            result = result + relu(part - result)
        return result


class Merge(nn.Module):
    """Add, Subtract, Multiply, Average, Minimum, Concatenate of several tensors."""

    def __init__(self, how: str, axis: int = -1) -> None:
        super().__init__()
        self.how, self.axis = how, axis

    def forward(self, *parts: Tensor) -> Tensor:
        if self.how == "Concatenate":
            return torch.cat(parts, dim=self.axis)
        parts = _of_one_rank(parts)
        result = parts[0]
        for part in parts[1:]:
            result = _JOIN[self.how](result, part)
        return result / len(parts) if self.how == "Average" else result


def _of_one_rank(parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Missing axes are put after the batch, as Keras does: torch would put them before it."""
    rank = max(part.ndim for part in parts)
    found = []
    for part in parts:
        while part.ndim < rank:
            part = part.unsqueeze(1)
        found.append(part)
    return tuple(found)


_JOIN = {
    "Add": torch.add,
    "Average": torch.add,
    "Subtract": torch.sub,
    "Multiply": torch.mul,
    "Minimum": torch.minimum,
}


def merge(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate; all calls of a layer join as many tensors.

    Raises:
        ValueError: the calls of one layer join different numbers of tensors, or one.
    """
    counts = {len(call.inputs) for call in layer.calls}
    if len(counts) != 1 or (layer.kind != "Concatenate" and min(counts) < 2):
        raise ValueError(f"it joins {' or '.join(map(str, sorted(counts)))} tensor(s)")
    if layer.kind == "Maximum":
        return Largest(len(layer.calls[0].inputs))
    return Merge(layer.kind, int(layer.options.get("axis", -1)))


class Dot(nn.Module):
    """Sums of products of two tensors along an axis of each: (N, rest of the first, rest of the second)."""

    def __init__(self, axes: tuple[int, int], unit: bool) -> None:
        super().__init__()
        self.axes, self.unit = axes, unit

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        if self.unit:
            a, b = unit_length(a, self.axes[:1]), unit_length(b, self.axes[1:])
        a, b = a.movedim(self.axes[0], -1), b.movedim(self.axes[1], 1)
        rest = (*a.shape[1:-1], *b.shape[2:])
        found = a.reshape(a.shape[0], -1, a.shape[-1]) @ b.reshape(*b.shape[:2], -1)
        return found.reshape(found.shape[0], *(rest or (1,)))


def dot(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Dot."""
    return Dot(sizes(layer.options["axes"], 2), bool(layer.options.get("normalize")))
