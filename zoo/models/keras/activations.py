"""Functions without weights: activations of Keras by name, and the Lambda layers that are known -> torch modules."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.published_lambdas import published_lambda
from zoo.models.keras.shapes import MaxOverLength

__all__ = [
    "KNOWN_LAMBDAS",
    "activated",
    "activation",
    "activation_layer",
    "activation_names",
    "bytecode_hash",
    "lambda_module",
]


class HardSigmoid2(nn.Module):
    """Keras 1 and 2: clip(0.2 x + 0.5, 0, 1). Keras 3 took over torch's slope of 1/6."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(0.2 * x + 0.5, 0.0, 1.0)


class Exponential(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(x)


class Softplus(nn.Module):
    """log(1 + exp(x)) for every x; torch's own turns linear above 20."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.logaddexp(x, torch.zeros_like(x))


class CappedReLU(nn.Module):
    """ReLU layer of Keras with a maximum, a slope below the threshold, or both."""

    def __init__(self, max_value: float | None, slope: float, threshold: float) -> None:
        super().__init__()
        self.max_value, self.slope, self.threshold = max_value, slope, threshold

    def forward(self, x: Tensor) -> Tensor:
        above = x if self.max_value is None else x.clamp(max=self.max_value)
        return torch.where(x >= self.threshold, above, self.slope * (x - self.threshold))


class LastSoftmax(nn.Module):
    """Softmax over an axis, or over several together."""

    def __init__(self, axes: Sequence[int] = (-1,)) -> None:
        super().__init__()
        self.axes = tuple(axes)

    def forward(self, x: Tensor) -> Tensor:
        if len(self.axes) == 1:
            return torch.softmax(x, dim=self.axes[0])
        last = tuple(range(-len(self.axes), 0))
        turned = x.movedim(self.axes, last)
        together = torch.softmax(turned.flatten(-len(self.axes)), dim=-1)
        return together.reshape(turned.shape).movedim(last, self.axes)


class LogSoftmax(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log_softmax(x, dim=-1)


NAMED: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": Softplus,
    "softsign": nn.Softsign,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "exponential": Exponential,
    "exp": Exponential,
    "swish": nn.SiLU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softmax": LastSoftmax,
    "log_softmax": LogSoftmax,
    "hard_silu": nn.Hardswish,
    "hard_swish": nn.Hardswish,
    "hard_tanh": nn.Hardtanh,
    "celu": nn.CELU,
    "glu": nn.GLU,
    "log_sigmoid": nn.LogSigmoid,
    "tanh_shrink": nn.Tanhshrink,
}
LAYERS = ("Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Softmax")


def activation_names() -> list[str]:
    """Activations that are known by name."""
    return sorted([*NAMED, "hard_sigmoid", "leaky_relu"])


def activation(layer: LayerConfig, value: Any, arguments: dict[str, Any] | None = None) -> nn.Module:
    """The module of an activation as it stands in a layer's config: a name, or Keras 3's dict.

    Raises:
        ModelError: an activation that is not known here.
    """
    if isinstance(value, dict):
        inner = value.get("config")
        if value["class_name"] in LAYERS:  # `activation=LeakyReLU(0.1)`: a layer with options of its own
            return activation_layer(replace(layer, kind=value["class_name"], options=dict(inner or {})))
        name = value["class_name"].lower()
        if name == "function":
            name = inner["name"] if isinstance(inner, dict) else inner
    else:
        name = "linear" if value is None else value
    if name == "hard_sigmoid":
        return nn.Hardsigmoid() if layer.version >= 3 else HardSigmoid2()
    if name == "leaky_relu":
        return nn.LeakyReLU(0.2)
    if name == "gelu" and (arguments or {}).get("approximate"):
        return nn.GELU(approximate="tanh")
    if name not in NAMED:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}): the activation {name!r} is not known here",
            "",
            f"Fix: use one of {', '.join(activation_names())}",
        )
    return NAMED[name]()


def activation_layer(layer: LayerConfig) -> nn.Module:
    """ReLU, LeakyReLU, ELU, Softmax ... used as layers."""
    options, kind = layer.options, layer.kind
    if kind == "ReLU":
        top, slope = options.get("max_value"), float(options.get("negative_slope") or 0.0)
        threshold = float(options.get("threshold") or 0.0)
        return nn.ReLU() if top is None and slope == threshold == 0.0 else CappedReLU(top, slope, threshold)
    if kind == "LeakyReLU":
        return nn.LeakyReLU(float(options.get("alpha", options.get("negative_slope", 0.3))))
    if kind == "ELU":
        return nn.ELU(float(options.get("alpha", 1.0)))
    if kind == "ThresholdedReLU":
        return nn.Threshold(float(options.get("theta", 1.0)), 0.0)
    if kind == "Softmax":
        axis = options.get("axis", -1)
        return LastSoftmax(axis if isinstance(axis, list | tuple) else [axis])
    return activation(layer, options.get("activation"))


def activated(layer: LayerConfig, module: nn.Module) -> nn.Module:
    """The module and, as a module of its own, its activation: attributions hook it."""
    function = activation(layer, layer.options.get("activation"))
    return module if isinstance(function, nn.Identity) else nn.Sequential(module, function)


# ---------------------------------------------------------------- Lambda layers: bytecode is hashed, never run


class PadUnknown(nn.Module):
    """``tf.pad(x, [[0, 0], [n, n], [0, 0]], constant_values=0.25)``, n = detector length - 1."""

    def __init__(self, detector_length: int) -> None:
        super().__init__()
        self.pad = nn.ConstantPad2d((0, 0, detector_length - 1, detector_length - 1), 0.25)

    def forward(self, x: Tensor) -> Tensor:
        return self.pad(x)


class ReverseComplement(nn.Module):
    """``x[:, ::-1, ::-1]`` of (N, L, 4) with channels A C G T."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(1, 2)


class MaxOverPositions(MaxOverLength):
    """``tf.reduce_max(x, axis=1)[:, 0]`` of (N, positions, 1).

    The layer declares the output shape (None, 1), though the operation gives (N,): here it is (N, 1).
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :1]


# sha256 of the marshalled code -> what replaces it, given the values the function closes over.
KNOWN_LAMBDAS: dict[str, Callable[[list[Any]], nn.Module]] = {
    "02f21803a80b937f059225691086874b673544cfb44749affbdcf67f2c67cce5": lambda closure: PadUnknown(int(closure[0])),
    "d7d39b904a9581a3e34c5e5a685409dd51b26fc7af7153247ca630aee2f8b9b1": lambda closure: ReverseComplement(),
    "4a830017a4757b5598a1dd66b9534ae42ae155a09a5b9019e2f224778a19fb61": lambda closure: MaxOverPositions(),
}


def lambda_module(layer: LayerConfig) -> nn.Module:
    """The module that stands for a Lambda layer.

    Raises:
        ModelError: its code is not known here.
    """
    digest = bytecode_hash(layer)
    make = KNOWN_LAMBDAS.get(digest or "")
    code, defaults, closure = _function(layer)
    if not layer.options.get("arguments"):
        if make is not None:
            return make(closure or [])
        published = published_lambda(code) if code is not None and not defaults and not closure else None
        if published is not None:
            return published
    raise ModelError(
        f"layer {layer.name!r} is a Lambda: it holds Python code that is not known here, so it is not supported",
        f"sha256 of its code {digest}; nothing of it was run" if digest else f"function {defaults!r:.80}",
        "Fix: replace the Lambda by a layer of Keras and save the model again",
    )


def bytecode_hash(layer: LayerConfig) -> str | None:
    """sha256 of the marshalled code of a Lambda, or None where there is none."""
    code, _, _ = _function(layer)
    return None if code is None else hashlib.sha256(code).hexdigest()


def _function(layer: LayerConfig) -> tuple[bytes | None, Any, Any]:
    """Marshalled code, defaults and closure of a Lambda; without code, what stands in its place as defaults."""
    function = layer.options.get("function")
    parts = function
    if isinstance(function, dict) and isinstance(inner := function.get("config"), dict):  # Keras 3
        parts = inner.get("value") or [inner.get(key) for key in ("code", "defaults", "closure")]
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], str):
        return None, function, None
    try:
        code = base64.b64decode(parts[0])
    except (binascii.Error, ValueError):
        return None, function, None
    return (code, *[*parts[1:3], None, None][:2])
