"""Layers that scale: normalisation of a batch, of groups and of axes, and by numbers of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.arrays import LayerArrays, put
from zoo.models.keras.config import LayerConfig

__all__ = [
    "batch_norm",
    "group_norm",
    "layer_norm",
    "normalization",
    "normalization_roles",
    "rescaling",
    "unit_length",
    "unit_norm",
]


class AxisNorm(nn.Module):
    """Batch normalisation of one axis; the others are joined. A mask says what counts in training alone."""

    def __init__(self, axis: int, size: int, epsilon: float, momentum: float) -> None:
        super().__init__()
        self.axis = axis
        self.norm = nn.BatchNorm1d(size, eps=epsilon, momentum=momentum)

    def forward(self, x: Tensor, *, mask: Tensor | None = None) -> Tensor:
        if x.ndim == 2:
            return self.norm(x)
        turned = x.movedim(self.axis, 1)
        if turned.ndim > 3:
            return self.norm(turned.flatten(2)).unflatten(2, turned.shape[2:]).movedim(1, self.axis)
        return self.norm(turned).movedim(1, self.axis)


class AxesNorm(nn.Module):
    """Layer normalisation over any axes; ``shape`` is that of scale and centre, None where there are none."""

    def __init__(self, axes: Sequence[int], shape: Sequence[int] | None, epsilon: float) -> None:
        super().__init__()
        self.axes, self.epsilon = tuple(axes), epsilon
        self.norm = None if shape is None else nn.LayerNorm(tuple(shape), eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        axes = [axis % x.ndim for axis in self.axes]
        if axes != sorted(set(axes)) or 0 in axes:
            raise ModelError(
                f"LayerNormalization over the axes {self.axes} of {x.ndim} is not supported",
                "axes must be in order, each once, without that of the batch",
                "Fix: name the axes in ascending order",
            )
        last = list(range(x.ndim - len(axes), x.ndim))
        turned = x if axes == last else x.movedim(axes, last)
        shape = turned.shape[-len(axes) :]
        found = F.layer_norm(turned, shape, eps=self.epsilon) if self.norm is None else self.norm(turned)
        return found if axes == last else found.movedim(last, axes)


class GroupNorm(nn.Module):
    """Normalisation of groups of channels, which lie on ``axis``."""

    def __init__(self, axis: int, groups: int, channels: int, epsilon: float) -> None:
        super().__init__()
        self.axis = axis
        self.norm = nn.GroupNorm(groups, channels, eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.movedim(self.axis, 1)).movedim(1, self.axis)


class UnitNorm(nn.Module):
    """Each vector along the axes divided by its length, as TensorFlow's ``l2_normalize``."""

    def __init__(self, axes: Sequence[int]) -> None:
        super().__init__()
        self.axes = tuple(axes)

    def forward(self, x: Tensor) -> Tensor:
        return unit_length(x, self.axes)


def unit_length(x: Tensor, axes: Sequence[int]) -> Tensor:
    """Vectors of length 1; one shorter than 1e-6 is divided by that."""
    return x * (x * x).sum(tuple(axes), keepdim=True).clamp(min=1e-12).rsqrt()


class Affine(nn.Module):
    """x * scale + offset; both fixed, of one number or one for each entry of the last axis."""

    def __init__(self, scale: Any, offset: Any) -> None:
        super().__init__()
        self.register_buffer("scale", torch.as_tensor(np.asarray(scale, np.float32)))
        self.register_buffer("offset", torch.as_tensor(np.asarray(offset, np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.offset


def batch_norm(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """BatchNormalization; Keras 1 calls the variance running_std.

    Raises:
        ModelError: a mode or axes that are not supported.
    """
    axes = _axes(layer)
    if layer.options.get("mode", 0) not in (0, 2):
        raise _refused(layer, f"of mode {layer.options['mode']}", "save the model with mode 0")
    if len(axes) != 1 or layer.options.get("renorm"):
        what = "with renorm" if len(axes) == 1 else f"of the axes {axes}"
        raise _refused(layer, what, "normalise one axis, without renorm")
    mean = arrays["moving_mean"]
    momentum = 1.0 - float(layer.options.get("momentum", 0.99))
    module = AxisNorm(axes[0], len(mean), _epsilon(layer), momentum)
    put(module.norm.running_mean, mean, layer)
    put(module.norm.running_var, arrays["moving_variance"], layer)
    _scale_and_shift(module.norm, arrays, layer)
    return module


def layer_norm(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """LayerNormalization over one or several axes.

    Raises:
        ModelError: ``rms_scaling``.
    """
    if layer.options.get("rms_scaling"):
        raise _refused(layer, "with rms_scaling", "normalise by mean and variance")
    sized = arrays.get("gamma", arrays.get("beta"))
    module = AxesNorm(_axes(layer), None if sized is None else sized.shape, _epsilon(layer))
    if module.norm is not None:
        _scale_and_shift(module.norm, arrays, layer)
    return module


def group_norm(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """GroupNormalization.

    Raises:
        ModelError: without scale and centre, from which the number of channels is read.
    """
    sized = arrays.get("gamma", arrays.get("beta"))
    if sized is None:
        raise _refused(layer, "without scale and center", "save it with one of them")
    groups = int(layer.options.get("groups", 32))
    module = GroupNorm(_axes(layer)[0], len(sized) if groups == -1 else groups, len(sized), _epsilon(layer))
    _scale_and_shift(module.norm, arrays, layer)
    return module


def unit_norm(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """UnitNormalization."""
    return UnitNorm(_axes(layer))


def rescaling(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Rescaling."""
    return Affine(layer.options["scale"], layer.options.get("offset", 0.0))


def normalization_roles(layer: LayerConfig) -> tuple[list[str], list[str]]:
    """Mean, variance and count of what it was adapted to; none where they are numbers of its config."""
    return [], [] if layer.options.get("mean") is not None else ["mean", "variance", "count"]


def normalization(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Normalization of the last axis by mean and variance that were measured before the training.

    Raises:
        ModelError: of other axes, or inverted.
    """
    axis = layer.options.get("axis", -1)
    if (axis is not None and _axes(layer) != [-1]) or layer.options.get("invert"):
        raise _refused(layer, f"of axis {axis} or inverted", "normalise the last axis")
    mean = np.asarray(arrays.get("mean", layer.options.get("mean")), np.float32)
    variance = np.asarray(arrays.get("variance", layer.options.get("variance")), np.float32)
    spread = np.maximum(np.sqrt(variance), 1e-7)
    return Affine(1 / spread, -mean / spread)


def _axes(layer: LayerConfig) -> list[int]:
    axis = layer.options.get("axis", -1)
    return [int(one) for one in (axis if isinstance(axis, list | tuple) else [axis])]


def _epsilon(layer: LayerConfig) -> float:
    return float(layer.options.get("epsilon", 1e-3))


def _scale_and_shift(norm: nn.Module, arrays: LayerArrays, layer: LayerConfig) -> None:
    """gamma and beta; torch's start values, 1 and 0, are Keras's absent ones."""
    for role, parameter in (("gamma", norm.weight), ("beta", norm.bias)):
        if role in arrays:
            put(parameter, arrays[role], layer)


def _refused(layer: LayerConfig, what: str, fix: str) -> ModelError:
    return ModelError(f"layer {layer.name!r}: {layer.kind} {what} is not supported", "", f"Fix: {fix}")
