"""Convolutions, one function a kind: its config and arrays -> a torch module in Keras's layout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.activations import activated
from zoo.models.keras.arrays import LayerArrays, put, put_bias, ranked
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.shapes import EdgePad, in_layout, sizes

__all__ = ["conv", "depthwise_conv", "locally_connected", "locally_connected_2d", "separable_conv", "transposed_conv"]


def conv(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Conv1D, Conv2D: kernels (*size, in / groups, out)."""
    n = _axes(layer)
    kernel = ranked(layer, _kernel_of_keras_1(layer, arrays["kernel"]), n + 2)
    stride, dilation = sizes(layer.options.get("strides"), n), sizes(layer.options.get("dilation_rate"), n)
    groups = int(layer.options.get("groups") or 1)
    kind = nn.Conv2d if n == 2 else nn.Conv1d
    module = kind(
        kernel.shape[-2] * groups,
        kernel.shape[-1],
        kernel.shape[:n],
        stride,
        0,
        dilation,
        groups,
        bias="bias" in arrays,
    )
    put(module.weight, kernel.transpose(n + 1, n, *range(n)), layer)
    put_bias(module, arrays, layer)
    return activated(layer, in_layout(layer, _padded(layer, module)))


def _kernel_of_keras_1(layer: LayerConfig, kernel: np.ndarray) -> np.ndarray:
    """Keras 1 keeps an axis of length 1 in kernels of Conv1D, and (out, in, *size) where channels come first."""
    filters, size = int(layer.options.get("filters", -1)), sizes(layer.options.get("kernel_size"), 2)
    if layer.kind == "Conv2D":
        first = layer.version < 2 and layer.options.get("data_format") == "channels_first"
        return kernel.transpose(2, 3, 1, 0) if first else kernel
    if kernel.ndim != 4:
        return kernel
    usual = kernel.shape[:2] == (size[0], 1) and kernel.shape[3] == filters
    return (kernel if usual else kernel.transpose(2, 3, 1, 0))[:, 0]


def separable_conv(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """SeparableConv1D, SeparableConv2D: a filter for each channel, then a mixture of channels."""
    n = _axes(layer)
    first = _depthwise(layer, arrays["depthwise_kernel"], n, bias=False)
    pointwise = ranked(layer, arrays["pointwise_kernel"], n + 2)
    second = (nn.Conv1d, nn.Conv2d)[n - 1](*pointwise.shape[n:], 1, bias="bias" in arrays)
    put(second.weight, pointwise.transpose(n + 1, n, *range(n)), layer)
    put_bias(second, arrays, layer)
    return activated(layer, in_layout(layer, nn.Sequential(_padded(layer, first), second)))


def depthwise_conv(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """DepthwiseConv1D, DepthwiseConv2D: ``depth_multiplier`` filters for each channel, kernels (*size, in, each)."""
    module = _depthwise(layer, arrays["kernel"], _axes(layer), bias="bias" in arrays)
    put_bias(module, arrays, layer)
    return activated(layer, in_layout(layer, _padded(layer, module)))


def _depthwise(layer: LayerConfig, kernel: np.ndarray, n: int, bias: bool) -> nn.Module:
    *size, channels, each = ranked(layer, kernel, n + 2).shape
    stride, dilation = sizes(layer.options.get("strides"), n), sizes(layer.options.get("dilation_rate"), n)
    kind = (nn.Conv1d, nn.Conv2d)[n - 1]
    module = kind(channels, channels * each, tuple(size), stride, 0, dilation, groups=channels, bias=bias)
    put(module.weight, kernel.transpose(n, n + 1, *range(n)).reshape(channels * each, 1, *size), layer)
    return module


# ---------------------------------------------------------------- transposed


class CropEnds(nn.Module):
    """Cuts positions off both ends of the axes after the channels."""

    def __init__(self, ends: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.ends = tuple(ends)

    def forward(self, x: Tensor) -> Tensor:
        for axis, (before, after) in enumerate(self.ends, 2):
            x = x.narrow(axis, before, x.shape[axis] - before - after)
        return x


def transposed_conv(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Conv1DTranspose, Conv2DTranspose: kernels (*size, out, in); as long as Keras makes it.

    The full result has (L - 1) * stride + reach positions. Keras's length differs from that by a number that does not
    depend on L: what is too much is cut off, evenly with the odd one at the end, what is missing is bias alone.

    Raises:
        ModelError: ``valid`` or ``same`` is not what it says.
    """
    n = _axes(layer)
    kernel = ranked(layer, arrays["kernel"], n + 2)
    stride, dilation = sizes(layer.options.get("strides"), n), sizes(layer.options.get("dilation_rate"), n)
    asked = layer.options.get("output_padding")
    asked = [None] * n if asked is None else sizes(asked, n)
    _check_padding(layer, ("valid", "same"))
    same = layer.options.get("padding", "valid") == "same"
    reach = [(size - 1) * rate + 1 for size, rate in zip(kernel.shape, dilation, strict=False)]
    surplus = [_surplus(same, *numbers) for numbers in zip(reach, stride, asked, strict=True)]
    module = (nn.ConvTranspose1d, nn.ConvTranspose2d)[n - 1](
        kernel.shape[n + 1],
        kernel.shape[n],
        kernel.shape[:n],
        stride,
        output_padding=tuple(max(0, -more) for more in surplus),
        dilation=dilation,
        bias="bias" in arrays,
    )
    put(module.weight, kernel.transpose(n + 1, n, *range(n)), layer)
    put_bias(module, arrays, layer)
    ends = [(max(0, more) // 2, max(0, more) - max(0, more) // 2) for more in surplus]
    cut = nn.Sequential(module, CropEnds(ends)) if any(more > 0 for more in surplus) else module
    return activated(layer, in_layout(layer, cut))


def _surplus(same: bool, reach: int, stride: int, asked: int | None) -> int:
    """Positions of the full result more than Keras's, by ``deconv_output_length``."""
    if asked is not None:
        return (2 * (reach // 2) if same else 0) - asked
    return reach - stride if same else min(0, reach - stride)


# ---------------------------------------------------------------- kernels of their own at every position


class LocallyConnected(nn.Module):
    """(N, L, C) -> (N, positions, filters) with kernels (positions, width, C, filters)."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray | None, stride: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.from_numpy(kernel))
        self.bias = None if bias is None else nn.Parameter(torch.from_numpy(bias))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        cut = x.unfold(1, self.kernel.shape[1], self.stride)  # (N, positions, C, width)
        found = torch.einsum("npcw,pwcf->npf", cut, self.kernel)
        return found if self.bias is None else found + self.bias


class LocallyConnected2D(nn.Module):
    """(N, H, W, C) -> (N, rows, columns, filters) with kernels (rows * columns, height * width * C, filters)."""

    def __init__(
        self, kernel: np.ndarray, bias: np.ndarray | None, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.from_numpy(kernel))
        self.bias = None if bias is None else nn.Parameter(torch.from_numpy(bias))
        self.size, self.stride = size, stride

    def forward(self, x: Tensor) -> Tensor:
        for axis in (0, 1):
            x = x.unfold(axis + 1, self.size[axis], self.stride[axis])
        cut = x.permute(0, 1, 2, 4, 5, 3)  # (N, rows, columns, height, width, C)
        found = torch.einsum("npk,pkf->npf", cut.flatten(3).flatten(1, 2), self.kernel)
        found = found.unflatten(1, cut.shape[1:3])
        return found if self.bias is None else found + self.bias


def locally_connected_2d(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """LocallyConnected2D: kernels (rows * columns, height * width * in, out).

    Raises:
        ModelError: ``same`` padding, channels first, or another implementation.
    """
    options = layer.options
    if options.get("implementation", 1) != 1 or options.get("data_format") == "channels_first":
        raise ModelError(
            f"layer {layer.name!r}: LocallyConnected2D of implementation {options.get('implementation', 1)} or with "
            "channels first is not supported",
            "",
            "Fix: save the model with implementation=1 and channels last",
        )
    _check_padding(layer, ("valid",))
    kernel = ranked(layer, arrays["kernel"], 3)
    size, stride = sizes(options["kernel_size"], 2), sizes(options.get("strides"), 2)
    return activated(layer, LocallyConnected2D(kernel, arrays.get("bias"), size, stride))


def locally_connected(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """LocallyConnected1D: kernels (positions, width * in, out), or (L, in, positions, out) by ``implementation=2``.

    Raises:
        ModelError: ``same`` padding, channels first, or its third implementation.
    """
    options = layer.options
    implementation = options.get("implementation", 1)
    if implementation not in (1, 2) or options.get("data_format") == "channels_first":
        raise ModelError(
            f"layer {layer.name!r}: LocallyConnected1D of implementation {implementation} or with channels first "
            "is not supported",
            "",
            "Fix: save the model with implementation=1 and channels last",
        )
    _check_padding(layer, ("valid",))
    (width,), (stride,) = sizes(options["kernel_size"], 1), sizes(options.get("strides"), 1)
    if implementation == 1:
        kernel = ranked(layer, arrays["kernel"], 3)
        kernel = kernel.reshape(len(kernel), width, -1, kernel.shape[2])
    else:
        whole = ranked(layer, arrays["kernel"], 4)
        places = range(whole.shape[2])
        kernel = np.stack([whole[p * stride : p * stride + width, :, p] for p in places])
    module = LocallyConnected(np.ascontiguousarray(kernel), arrays.get("bias"), stride)
    return activated(layer, module)


# ---------------------------------------------------------------- padding


def _padded(layer: LayerConfig, module: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """The convolution after the pads that its layer asks for."""
    _check_padding(layer, ("valid", "same", "causal"))
    mode = layer.options.get("padding", "valid")
    if mode == "valid":
        return module
    return nn.Sequential(EdgePad(mode, module.kernel_size, module.stride, module.dilation), module)


def _check_padding(layer: LayerConfig, known: tuple[str, ...]) -> None:
    mode = layer.options.get("padding", "valid")
    if mode not in known:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}): padding {mode!r} is not supported",
            "",
            f"Fix: save the model with padding {' or '.join(known)}",
        )


def _axes(layer: LayerConfig) -> int:
    return 2 if "2D" in layer.kind else 1
