"""Layers with weights, one function a kind: its config and arrays -> a torch module in Keras's layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.activations import activation
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.shapes import ChannelsLast, EdgePad, in_layout, sizes
from zoo.models.keras.weights import LayerArrays, put

__all__ = ["batch_norm", "conv", "dense", "dropout", "identity", "layer_norm", "prelu", "separable_conv"]


class LastNorm(nn.Module):
    """Layer normalisation over the last axis."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size, eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class AxisNorm(nn.Module):
    """Batch normalisation of one axis; the others are joined."""

    def __init__(self, axis: int, size: int, epsilon: float, momentum: float) -> None:
        super().__init__()
        self.axis = axis
        self.norm = nn.BatchNorm1d(size, eps=epsilon, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            return self.norm(x)
        turned = x.movedim(self.axis, 1)
        if turned.ndim > 3:
            return self.norm(turned.flatten(2)).unflatten(2, turned.shape[2:]).movedim(1, self.axis)
        return self.norm(turned).movedim(1, self.axis)


class PReLU(nn.Module):
    """Slopes below zero as Keras keeps them: (C,), (1, C) or (L, C)."""

    def __init__(self, slopes: np.ndarray) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.from_numpy(slopes))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.alpha * x)


def identity(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Layers that do nothing at prediction: inputs, noise, regularisers, masks of nothing."""
    return nn.Identity()


def dense(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Dense, on the last axis."""
    kernel = _rank(layer, arrays["kernel"], 2)
    linear = nn.Linear(*kernel.shape, bias="bias" in arrays)
    put(linear.weight, kernel.T, layer)
    _bias(linear, arrays, layer)
    return _activated(layer, linear)


def conv(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Conv1D, Conv2D: kernels (*size, in / groups, out)."""
    n = 2 if layer.kind.endswith("2D") else 1
    kernel = _rank(layer, _kernel_of_keras_1(layer, arrays["kernel"]), n + 2)
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
    _bias(module, arrays, layer)
    return _activated(layer, in_layout(layer, _padded(layer, module, kernel.shape[:n], stride, dilation)))


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
    """SeparableConv1D: a filter for each channel, then a mixture of channels."""
    depthwise = _rank(layer, arrays["depthwise_kernel"], 3)
    width, channels, multiplier = depthwise.shape
    stride, dilation = sizes(layer.options.get("strides"), 1), sizes(layer.options.get("dilation_rate"), 1)
    first = nn.Conv1d(channels, channels * multiplier, width, stride, 0, dilation, groups=channels, bias=False)
    put(first.weight, depthwise.transpose(1, 2, 0).reshape(channels * multiplier, 1, width), layer)
    pointwise = _rank(layer, arrays["pointwise_kernel"], 3)
    second = nn.Conv1d(pointwise.shape[1], pointwise.shape[2], 1, bias="bias" in arrays)
    put(second.weight, pointwise.transpose(2, 1, 0), layer)
    _bias(second, arrays, layer)
    padded = _padded(layer, first, (width,), stride, dilation)
    return _activated(layer, in_layout(layer, nn.Sequential(padded, second)))


def batch_norm(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """BatchNormalization; Keras 1 calls the variance running_std."""
    axis = layer.options.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) else axis
    if layer.options.get("mode", 0) not in (0, 2):
        raise ModelError(
            f"layer {layer.name!r}: BatchNormalization of mode {layer.options['mode']} is not supported",
            "",
            "Fix: save the model with mode 0",
        )
    mean = arrays["moving_mean"]
    momentum = 1.0 - float(layer.options.get("momentum", 0.99))
    module = AxisNorm(int(axis), len(mean), float(layer.options.get("epsilon", 1e-3)), momentum)
    put(module.norm.running_mean, mean, layer)
    put(module.norm.running_var, arrays["moving_variance"], layer)
    _scale_and_shift(module.norm, arrays, layer)
    return module


def layer_norm(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """LayerNormalization of the last axis."""
    axis = layer.options.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    sized = arrays.get("gamma", arrays.get("beta"))
    if axis not in (-1, 2) or sized is None:
        raise ModelError(
            f"layer {layer.name!r}: LayerNormalization of axis {axis} is not supported",
            "",
            "Fix: normalise the last axis, with scale or centre",
        )
    module = LastNorm(len(sized), float(layer.options.get("epsilon", 1e-3)))
    _scale_and_shift(module.norm, arrays, layer)
    return module


def prelu(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """PReLU with slopes for each channel (shared over positions) or for each unit."""
    return PReLU(arrays["alpha"])


def dropout(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Dropout, SpatialDropout1D; nothing in eval mode."""
    rate = float(layer.options.get("rate", 0.0))
    if layer.kind == "Dropout":
        return nn.Dropout(rate)
    return ChannelsLast(nn.Dropout1d(rate) if layer.kind.endswith("1D") else nn.Dropout2d(rate))


def _activated(layer: LayerConfig, module: nn.Module) -> nn.Module:
    """The module and, as a module of its own, its activation: attributions hook it."""
    function = activation(layer, layer.options.get("activation"))
    return module if isinstance(function, nn.Identity) else nn.Sequential(module, function)


def _padded(
    layer: LayerConfig, module: nn.Module, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> nn.Module:
    mode = layer.options.get("padding", "valid")
    if mode == "valid":
        return module
    if mode not in ("same", "causal"):
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}): padding {mode!r} is not known", "", "Fix: valid, same or causal"
        )
    return nn.Sequential(EdgePad(mode, kernel, stride, dilation), module)


def _bias(module: nn.Module, arrays: LayerArrays, layer: LayerConfig) -> None:
    if "bias" in arrays:
        put(module.bias, arrays["bias"], layer)


def _scale_and_shift(norm: nn.Module, arrays: LayerArrays, layer: LayerConfig) -> None:
    """gamma and beta; torch's start values, 1 and 0, are Keras's absent ones."""
    for role, parameter in (("gamma", norm.weight), ("beta", norm.bias)):
        if role in arrays:
            put(parameter, arrays[role], layer)


def _rank(layer: LayerConfig, array: Any, rank: int) -> Any:
    if array.ndim != rank:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}): the file holds a kernel of shape {array.shape}",
            f"{rank} axes are wanted",
            "Fix: give the weights that belong to this architecture",
        )
    return array
