"""Layers without weights: pooling, cropping, padding, reshaping; Keras's layouts around torch's modules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.arrays import LayerArrays
from zoo.models.keras.config import LayerConfig

__all__ = [
    "ChannelsLast",
    "EdgePad",
    "FoldTime",
    "crop",
    "flatten",
    "global_pool",
    "in_layout",
    "pad",
    "permute",
    "pool",
    "repeat",
    "reshape",
    "sizes",
    "upsample",
]


class AverageInside(nn.Module):
    """Average pooling with ``same`` padding: the pads do not count."""

    def __init__(self, pad: EdgePad, kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.pad, self.kernel, self.stride = pad, kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        pool = F.avg_pool1d if len(self.kernel) == 1 else F.avg_pool2d
        inside = pool(self.pad(torch.ones_like(x[:1, :1])), self.kernel, self.stride)
        return pool(self.pad(x), self.kernel, self.stride) / inside


class MaxOverLength(nn.Module):
    """(N, L, C) -> (N, C), by a torch module of pooling whose window is the whole length.

    ``amax`` would give the same: but attributions follow modules, and know this one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool1d(1)

    def forward(self, x: Tensor) -> Tensor:
        self.pool.kernel_size = self.pool.stride = x.shape[1]
        return self.pool(x.transpose(1, 2))[:, :, 0]


class GlobalPool(nn.Module):
    """Maximum or mean over all axes but batch and channels; a mean may be one over the positions of a mask."""

    def __init__(self, maximum: bool, channels_first: bool, keep: bool) -> None:
        super().__init__()
        self.maximum, self.channels_first, self.keep = maximum, channels_first, keep

    def forward(self, x: Tensor, *, mask: Tensor | None = None) -> Tensor:
        axes = tuple(range(2, x.ndim)) if self.channels_first else tuple(range(1, x.ndim - 1))
        if mask is not None:  # a mean of (N, L, C) over the positions of the mask (N, L)
            counts = mask.unsqueeze(-1).to(x)
            return (x * counts).sum(1, self.keep) / counts.sum(1, self.keep)
        return x.amax(axes, self.keep) if self.maximum else x.mean(axes, self.keep)


class MaskedAverage(nn.Module):
    """concise's GlobalAveragePooling1D_Mask0: mean over the positions where the second input is not all zero.

    Inputs: features (N, L, C) and one-hot sequence (N, L, 4).
    """

    def forward(self, x: Tensor, sequence: Tensor) -> Tensor:
        mask = sequence.amax(dim=2, keepdim=True)
        return (x * mask).sum(1) / mask.sum(1).clamp(min=1e-7)


class Flatten(nn.Module):
    """Row-major over everything but the batch; channels-first input is turned first, as Keras does."""

    def __init__(self, channels_first: bool) -> None:
        super().__init__()
        self.channels_first = channels_first

    def forward(self, x: Tensor) -> Tensor:
        return (x.movedim(1, -1) if self.channels_first else x).flatten(1)


class Crop(nn.Module):
    """Cuts both ends off the axes from ``first`` on."""

    def __init__(self, ends: list[tuple[int, int]], first: int = 1) -> None:
        super().__init__()
        self.ends, self.first = ends, first

    def forward(self, x: Tensor) -> Tensor:
        for axis, (before, after) in enumerate(self.ends, self.first):
            x = x.narrow(axis, before, x.shape[axis] - before - after)
        return x


class Pad(nn.Module):
    """Zeros around the axes from ``first`` on."""

    def __init__(self, pads: list[tuple[int, int]], first: int = 1) -> None:
        super().__init__()
        self.pads, self.first = [size for pair in reversed(pads) for size in pair], first

    def forward(self, x: Tensor) -> Tensor:
        after = x.ndim - self.first - len(self.pads) // 2
        return F.pad(x, [0, 0] * after + self.pads)


class Repeat(nn.Module):
    """UpSampling: each position of the axes from ``first`` on so many times."""

    def __init__(self, times: Sequence[int], first: int = 1) -> None:
        super().__init__()
        self.times, self.first = tuple(times), first

    def forward(self, x: Tensor) -> Tensor:
        for axis, times in enumerate(self.times, self.first):
            x = x.repeat_interleave(times, dim=axis)
        return x


class RepeatVector(nn.Module):
    """(N, C) -> (N, times, C)."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(1).expand(-1, self.times, -1)


class FoldTime(nn.Module):
    """TimeDistributed: the inner module sees every position as an item of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Reshape(nn.Module):
    """Reshape all axes but the batch; one may be -1."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)


class Permute(nn.Module):
    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, *self.order)


def pool(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """MaxPooling1D/2D, AveragePooling1D/2D."""
    n = 2 if layer.kind.endswith("2D") else 1
    kernel = sizes(layer.options.get("pool_size"), n, 2)
    stride = kernel if layer.options.get("strides") is None else sizes(layer.options["strides"], n)
    maximum, same = layer.kind.startswith("Max"), layer.options.get("padding", "valid") == "same"
    kinds = (nn.MaxPool1d, nn.MaxPool2d) if maximum else (nn.AvgPool1d, nn.AvgPool2d)
    module: nn.Module = kinds[n - 1](kernel if n == 2 else kernel[0], stride if n == 2 else stride[0])
    if same:
        edges = EdgePad("same", kernel, stride, (1,) * n, -math.inf if maximum else 0.0)
        module = nn.Sequential(edges, module) if maximum else AverageInside(edges, kernel, stride)
    return in_layout(layer, module)


def global_pool(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """GlobalMaxPooling1D/2D, GlobalAveragePooling1D/2D."""
    if layer.kind == "GlobalMaxPooling1D" and not layer.options.get("keepdims") and not _channels_first(layer):
        return MaxOverLength()
    return GlobalPool("Max" in layer.kind, _channels_first(layer), bool(layer.options.get("keepdims")))


def flatten(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Flatten."""
    return Flatten(_channels_first(layer))


def crop(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Cropping1D, Cropping2D."""
    return Crop(_ends(layer, layer.options.get("cropping", 1)), _first_axis(layer))


def pad(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """ZeroPadding1D, ZeroPadding2D."""
    return Pad(_ends(layer, layer.options.get("padding", 1)), _first_axis(layer))


def _ends(layer: LayerConfig, value: Any) -> list[tuple[int, int]]:
    """What is cut off or put on before and after each axis."""
    if layer.kind.endswith("1D"):
        return [sizes(value, 2)]
    rows = value if isinstance(value, list | tuple) else [value, value]
    return [sizes(part, 2) for part in rows]


def _first_axis(layer: LayerConfig) -> int:
    return 2 if _channels_first(layer) else 1


def upsample(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """UpSampling1D, UpSampling2D.

    Raises:
        ModelError: positions are to be interpolated.
    """
    if (how := layer.options.get("interpolation", "nearest")) != "nearest":
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) with interpolation {how!r} is not supported",
            "",
            "Fix: save the model with interpolation='nearest'",
        )
    return Repeat(sizes(layer.options.get("size"), 2 if layer.kind.endswith("2D") else 1, 2), _first_axis(layer))


def repeat(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """RepeatVector."""
    return RepeatVector(int(layer.options["n"]))


def reshape(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Reshape."""
    return Reshape(tuple(int(size) for size in layer.options["target_shape"]))


def permute(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Permute."""
    return Permute(tuple(int(axis) for axis in layer.options["dims"]))


def _channels_first(layer: LayerConfig) -> bool:
    return layer.options.get("data_format") == "channels_first"


# ---------------------------------------------------------------- Keras's channels last and TensorFlow's ``same``


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
        self.before: tuple[int, ...] | None = None  # pads before the first position, where Theano chose them

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for i, (size, kernel, stride, dilation) in enumerate(
            zip(x.shape[2:], self.kernel, self.stride, self.dilation, strict=True)
        ):
            reach = (kernel - 1) * dilation
            total = (-(-size // stride) - 1) * stride + reach + 1 - size
            if self.mode == "causal":
                before, after = reach, 0
            elif self.before is not None:
                before, after = self.before[i], max(total - self.before[i], 0)
            else:
                before, after = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
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
