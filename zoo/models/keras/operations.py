"""Operations on tensors that stand among the layers: arithmetic, slices, functions of TensorFlow and of Keras 3."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.activations import activation
from zoo.models.keras.calls import Call, TensorRef, shown, snake_case
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.tensor_functions import ACTIVATIONS, KERAS, TENSORFLOW, matmul_of_two

__all__ = ["Operation", "operation", "operation_names"]

NAMESPACES = ("compat.v1.", "math.", "nn.", "linalg.", "__operators__.", "keras.activations.")
# Keys of a call that change no number: TensorFlow's names of operations, hints.
IGNORED = ("name", "conjugate", "validate_indices", "adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse")
NOT_SUPPORTED = ("dtype", "initial")  # options of Keras's operations that are refused unless they are None


class Constant:
    """The place of an array among the arguments; the array is a buffer of the module."""

    def __init__(self, number: int) -> None:
        self.name = f"constant_{number}"


class Operation(nn.Module):
    """One operation: its tensors are put where they stood among the arguments of the call."""

    def __init__(
        self, layer: LayerConfig, function: Callable[..., Any], args: list[Any], named: dict[str, Any]
    ) -> None:
        super().__init__()
        self.function, self.what = function, f"layer {layer.name!r} ({layer.kind}, {layer.operation})"
        self.count = 0
        self.args, self.named = self._held(args), self._held(named)

    def _held(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            place, self.count = Constant(self.count), self.count + 1
            kind = np.float32 if value.dtype.kind == "f" else value.dtype
            self.register_buffer(place.name, torch.from_numpy(np.array(value, kind)), persistent=False)
            return place
        if isinstance(value, dict):
            return {key: self._held(part) for key, part in value.items()}
        return [self._held(part) for part in value] if isinstance(value, list | tuple) else value

    def forward(self, *tensors: Tensor) -> Any:
        parts = iter(tensors)

        def put(value: Any) -> Any:
            if isinstance(value, TensorRef):
                return next(parts)
            if isinstance(value, Constant):
                return getattr(self, value.name)
            if isinstance(value, dict):
                return {key: put(part) for key, part in value.items()}
            return [put(part) for part in value] if isinstance(value, list) else value

        args = put(self.args)
        try:
            return self.function(*args, **put(self.named))
        except (TypeError, ValueError, IndexError, RuntimeError, AttributeError) as error:
            if isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            raise ModelError(
                f"{self.what} cannot be computed here: {error}",
                "",
                "Fix: build the model with a layer of Keras in its place and save it again",
            ) from error


def operation(layer: LayerConfig, call: Call) -> nn.Module:
    """The module of an operation as it is called.

    Raises:
        ModelError: an operation that is not supported, or arguments that it does not take here.
    """
    name, functions = _known(layer)
    args = list(call.given)
    named = {key: value for key, value in call.arguments.items() if key not in IGNORED or isinstance(value, TensorRef)}
    if functions is KERAS:
        named = {key: value for key, value in layer.options.items() if key != "name"} | named
        named = {key: value for key, value in named.items() if value is not None or key not in NOT_SUPPORTED}
        if named.get("decimals") == 0:
            del named["decimals"]
    if not call.inputs:
        raise _refused(layer, "no tensor")
    if name in ACTIVATIONS and len(args) == 1 and isinstance(args[0], TensorRef) and not _set(named):
        return activation(layer, ACTIVATIONS[name])
    function = matmul_of_two if name == "matmul" and len(call.inputs) == 2 else functions.get(name)
    if function is None:
        raise _refused(layer, ", ".join(f"{key}={shown(value)}" for key, value in named.items()) or "such arguments")
    try:
        inspect.signature(function).bind(*args, **named)
    except (TypeError, ValueError):
        raise _refused(layer, _listed(args, named)) from None
    _check_shape(layer, name, args, named)
    return Operation(layer, function, args, named)


def _set(named: dict[str, Any]) -> bool:
    return any(value is not None and value is not False for value in named.values())


def _known(layer: LayerConfig) -> tuple[str, dict[str, Callable[..., Any]]]:
    full = layer.operation or str(layer.options.get("function"))
    if full.startswith("ops."):
        name, functions = snake_case(full.removeprefix("ops.")), KERAS
    else:
        name, functions = full, TENSORFLOW
        for part in NAMESPACES:
            name = name.removeprefix(part)
    if "." in name or not (name in functions or name in ACTIVATIONS):
        source = "Keras" if functions is KERAS else "TensorFlow"
        called = f"{source}'s {full.removeprefix('ops.')!r}"
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) calls {called}, which is not supported",
            f"known are {', '.join(sorted({*functions, *ACTIVATIONS}))}",
            f"Fix: use one of {', '.join(operation_names())}, or a layer of Keras",
        )
    return name, functions


def operation_names() -> list[str]:
    """Operations of one tensor by their names in TensorFlow."""
    nn_names = ("gelu", "relu", "softplus", "silu", "sigmoid", "elu", "softmax")
    math_names = ("softplus", "sigmoid", "tanh", "exp", "log", "sqrt", "square", "abs")
    return [*(f"nn.{name}" for name in nn_names), *(f"math.{name}" for name in math_names)]


def _check_shape(layer: LayerConfig, name: str, args: list[Any], named: dict[str, Any]) -> None:
    """Refuse a number of windows that is written in the file."""
    if name == "reshape":
        shape = named.get("shape", named.get("newshape", args[1] if len(args) > 1 else None))
        if isinstance(shape, list) and shape and isinstance(shape[0], int) and shape[0] != -1:
            raise _refused(layer, f"the shape {shape}, which fixes the number of windows")


def _listed(args: list[Any], named: dict[str, Any]) -> str:
    return ", ".join([*(shown(value) for value in args), *(f"{key}={shown(value)}" for key, value in named.items())])


def _refused(layer: LayerConfig, what: str) -> ModelError:
    return ModelError(
        f"layer {layer.name!r} ({layer.kind}, {layer.operation}) is called with {what}, which is not supported",
        "left aside, it would give other numbers than Keras",
        "Fix: build the model with a layer of Keras in its place and save it again",
    )
