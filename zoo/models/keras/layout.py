"""Layouts and padding: Keras's channels last and TensorFlow's ``same``, around torch's channels-first modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models.keras.config import LayerConfig

__all__ = ["ChannelsLast", "EdgePad", "in_layout", "sizes"]


class ChannelsLast(nn.Module):
    """Runs a channels-first module on (N, ..., C).

    The turned tensors are views: between two such layers nothing is copied.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.movedim(-1, 1)).movedim(1, -1)


class EdgePad(nn.Module):
    """Pads the axes after the channels as TensorFlow does for ``same`` and ``causal``.

    ``same`` makes ceil(size / stride) positions; an odd number of pads puts the extra one at the end.
    """

    def __init__(
        self, mode: str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], value: float = 0.0
    ) -> None:
        super().__init__()
        self.mode, self.value = mode, value
        self.kernel, self.stride, self.dilation = tuple(kernel), tuple(stride), tuple(dilation)

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for size, kernel, stride, dilation in zip(x.shape[2:], self.kernel, self.stride, self.dilation, strict=True):
            reach = (kernel - 1) * dilation
            if self.mode == "causal":
                before, after = reach, 0
            else:
                total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
                before, after = total // 2, total - total // 2
            pads = [before, after, *pads]  # F.pad starts from the last axis
        return F.pad(x, pads, value=self.value) if any(pads) else x


def in_layout(layer: LayerConfig, inner: nn.Module) -> nn.Module:
    """Wrap a channels-first module for the layout that the layer works in."""
    return inner if layer.options.get("data_format") == "channels_first" else ChannelsLast(inner)


def sizes(value: Any, n: int, default: int = 1) -> tuple[int, ...]:
    """A size for each of ``n`` axes, from a number, a list or nothing."""
    if value is None:
        value = default
    values = value if isinstance(value, list | tuple) else [value] * n
    return tuple(int(v) for v in values)
