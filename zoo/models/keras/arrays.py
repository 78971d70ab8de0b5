"""Arrays of a layer, and their places in torch modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from zoo.errors import ModelError
from zoo.models.keras.config import LayerConfig

__all__ = ["LayerArrays", "put", "put_bias", "ranked"]

LayerArrays = Mapping[str, np.ndarray]


def put(parameter: torch.Tensor, array: np.ndarray, layer: LayerConfig) -> None:
    """Copy an array into a parameter or buffer of the same shape.

    Raises:
        ModelError: the shapes differ.
    """
    if tuple(parameter.shape) != array.shape:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}): the file holds an array of shape {array.shape}",
            f"the architecture asks for {tuple(parameter.shape)}",
            "Fix: give the weights that belong to this architecture",
        )
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def put_bias(module: nn.Module, arrays: LayerArrays, layer: LayerConfig) -> None:
    """Copy the bias, where the layer has one."""
    if "bias" in arrays:
        put(module.bias, arrays["bias"], layer)


def ranked(layer: LayerConfig, array: Any, rank: int) -> Any:
    """The array, if it has so many axes.

    Raises:
        ModelError: it has more or fewer.
    """
    if array.ndim != rank:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}): the file holds a kernel of shape {array.shape}",
            f"{rank} axes are wanted",
            "Fix: give the weights that belong to this architecture",
        )
    return array
