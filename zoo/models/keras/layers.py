"""Layers with weights, one function a kind: its config and arrays -> a torch module in Keras's layout."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from zoo.models.keras.activations import activated
from zoo.models.keras.arrays import LayerArrays, put, put_bias, ranked
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.shapes import ChannelsLast

__all__ = ["dense", "dropout", "einsum_dense", "einsum_roles", "embedding", "identity", "prelu"]


class PReLU(nn.Module):
    """Slopes below zero as Keras keeps them: (C,), (1, C) or (L, C)."""

    def __init__(self, slopes: np.ndarray) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.from_numpy(slopes))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.alpha * x)


class Einsum(nn.Module):
    """A product of the input and a kernel by an equation, with a bias that is broadcast."""

    def __init__(self, equation: str, kernel: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__()
        self.equation = equation
        self.kernel = nn.Parameter(torch.from_numpy(kernel))
        self.bias = None if bias is None else nn.Parameter(torch.from_numpy(bias))

    def forward(self, x: Tensor) -> Tensor:
        found = torch.einsum(self.equation, x, self.kernel)
        return found if self.bias is None else found + self.bias


class Embedding(nn.Module):
    """Whole numbers (N, L), in any type, -> vectors (N, L, C); with ``mask_zero`` also the mask of what is not 0."""

    def __init__(self, count: int, size: int, mask_zero: bool) -> None:
        super().__init__()
        self.table, self.mask_zero = nn.Embedding(count, size), mask_zero

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        found = self.table(x.long())
        return (found, x != 0) if self.mask_zero else found


def identity(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Layers that do nothing at prediction: inputs, noise, regularisers, masks of nothing."""
    return nn.Identity()


def dense(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Dense, on the last axis."""
    kernel = ranked(layer, arrays["kernel"], 2)
    linear = nn.Linear(*kernel.shape, bias="bias" in arrays)
    put(linear.weight, kernel.T, layer)
    put_bias(linear, arrays, layer)
    return activated(layer, linear)


def einsum_roles(layer: LayerConfig) -> tuple[list[str], list[str]]:
    """A kernel and, where axes are named for it, a bias."""
    return ["kernel", *(["bias"] if layer.options.get("bias_axes") else [])], []


def einsum_dense(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """EinsumDense."""
    return activated(layer, Einsum(layer.options["equation"], arrays["kernel"], arrays.get("bias")))


def embedding(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Embedding; with ``mask_zero`` entry 0 stands for no position."""
    vectors = ranked(layer, arrays["embeddings"], 2)
    module = Embedding(*vectors.shape, mask_zero=bool(layer.options.get("mask_zero")))
    put(module.table.weight, vectors, layer)
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
