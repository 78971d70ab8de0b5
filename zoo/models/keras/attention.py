"""Keras's own attention layers: MultiHeadAttention, Attention, AdditiveAttention -> torch modules.

Scores, softmax and their products are plain operations of torch, which attributions have rules for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.arrays import LayerArrays, put, ranked
from zoo.models.keras.calls import TensorRef
from zoo.models.keras.config import LayerConfig
from zoo.words import counted

__all__ = ["additive_attention", "dot_attention", "dot_roles", "multi_head", "multi_head_roles"]

SIDES = ("query", "key", "value")


class MultiHead(nn.Module):
    """Attention of several heads: query (N, ..., C), value and key (N, ..., C') -> (N, ..., out).

    The axes between batch and channels are one sequence, as Keras takes them unless it is told otherwise.
    """

    def __init__(self, projections: dict[str, nn.Linear], out: nn.Linear, heads: int, causal: bool, axes: Any) -> None:
        super().__init__()
        self.query, self.key, self.value = (projections[side] for side in SIDES)
        self.out, self.heads, self.causal = out, heads, causal
        self.axes = None if axes is None else tuple(axes if isinstance(axes, list | tuple) else [axes])

    def forward(self, query: Tensor, value: Tensor, key: Tensor | None = None) -> Tensor:
        self._check_axes(query.ndim)
        q, v = self._split(self.query(query)), self._split(self.value(value))
        k = self._split(self.key(value if key is None else key))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(attended.transpose(1, 2).flatten(2)).unflatten(1, query.shape[1:-1])

    def _split(self, x: Tensor) -> Tensor:
        """(N, ..., heads * size) -> (N, heads, positions, size)."""
        return x.flatten(1, -2).unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _check_axes(self, rank: int) -> None:
        if self.axes is not None and sorted(axis % rank for axis in self.axes) != list(range(1, rank - 1)):
            raise ModelError(
                f"MultiHeadAttention over the axes {self.axes} of {rank} is not supported",
                "only attention over all axes between batch and channels is",
                "Fix: save the model with attention_axes=None",
            )


def multi_head_roles(layer: LayerConfig) -> tuple[list[str], list[str]]:
    """Kernel and bias of its four projections."""
    parts = ("kernel", "bias") if layer.options.get("use_bias", True) else ("kernel",)
    return [f"{side}/{part}" for side in (*SIDES, "attention_output") for part in parts], []


def multi_head(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """MultiHeadAttention: kernels (in, heads, size), that of the output (heads, size, out).

    Raises:
        ModelError: it is called in a way that is not supported.
    """
    arguments = _arguments(layer)
    for option in ("use_gate", "sliding_window"):
        if layer.options.get(option):
            raise _refused(layer, f"with {option}", f"save the model without {option}")
    projections = {}
    for side in SIDES:
        kernel = ranked(layer, arrays[f"{side}/kernel"], 3)
        projections[side] = _linear(layer, kernel.reshape(len(kernel), -1), _flat(arrays.get(f"{side}/bias")))
    kernel = ranked(layer, arrays["attention_output/kernel"], 3)
    out = _linear(layer, kernel.reshape(-1, kernel.shape[2]), arrays.get("attention_output/bias"))
    causal = bool(arguments.get("use_causal_mask"))
    return MultiHead(projections, out, kernel.shape[0], causal, layer.options.get("attention_axes"))


def _linear(layer: LayerConfig, kernel: np.ndarray, bias: np.ndarray | None) -> nn.Linear:
    linear = nn.Linear(*kernel.shape, bias=bias is not None)
    put(linear.weight, kernel.T, layer)
    if bias is not None:
        put(linear.bias, bias, layer)
    return linear


def _flat(bias: np.ndarray | None) -> np.ndarray | None:
    return None if bias is None else bias.reshape(-1)


# ---------------------------------------------------------------- Attention, AdditiveAttention


class DotAttention(nn.Module):
    """Query (N, T, C), value (N, S, D) and key (N, S, C), the value where there is none -> (N, T, D).

    The score of two positions is the product of query and key, or ``weight * sum(tanh(query + key))`` (``concat``);
    ``scale`` is a number before the product, or within the tanh.
    """

    def __init__(self, concat: bool, causal: bool, scale: np.ndarray | None, weight: np.ndarray | None) -> None:
        super().__init__()
        self.concat, self.causal = concat, causal
        self.scale, self.weight = _parameter(scale), _parameter(weight)

    def forward(self, query: Tensor, value: Tensor, key: Tensor | None = None) -> Tensor:
        scores = self._scores(query, value if key is None else key)
        if self.causal:
            seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
            scores = scores.masked_fill(~seen, -torch.inf)
        return torch.softmax(scores, dim=-1) @ value

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        if not self.concat:
            scores = query @ key.transpose(-2, -1)
            return scores if self.scale is None else scores * self.scale
        joined = query.unsqueeze(-2) + key.unsqueeze(-3)
        return self.weight * torch.tanh(joined if self.scale is None else self.scale * joined).sum(-1)


class AdditiveAttention(DotAttention):
    """Bahdanau's: the score is ``sum(scale * tanh(query + key))`` with a scale for each channel."""

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        joined = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
        return (joined if self.scale is None else self.scale * joined).sum(-1)


def _parameter(array: np.ndarray | None) -> nn.Parameter | None:
    return None if array is None else nn.Parameter(torch.from_numpy(np.array(array)))


def dot_roles(layer: LayerConfig) -> tuple[list[str], list[str]]:
    """``scale`` and ``concat_score_weight``, where its options ask for them."""
    names = ["scale"] if layer.options.get("use_scale") else []
    return [*names, *(["concat_score_weight"] if layer.options.get("score_mode") == "concat" else [])], []


def dot_attention(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Attention, of both modes of scores.

    Raises:
        ModelError: a layer of this name that is not Keras's, or called in a way that is not supported.
    """
    _check_own(layer)
    mode = layer.options.get("score_mode", "dot")
    if mode not in ("dot", "concat"):
        raise _refused(layer, f"with score_mode {mode!r}", "use dot or concat")
    return DotAttention(mode == "concat", _causal(layer), arrays.get("scale"), arrays.get("concat_score_weight"))


def additive_attention(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """AdditiveAttention.

    Raises:
        ModelError: as ``dot_attention``.
    """
    _check_own(layer)
    return AdditiveAttention(True, _causal(layer), arrays.get("scale"), None)


def _causal(layer: LayerConfig) -> bool:
    """Keras before 2.10 had ``causal`` as an option, later ones ``use_causal_mask`` as an argument of the call."""
    return bool(layer.options.get("causal") or _arguments(layer).get("use_causal_mask"))


def _check_own(layer: LayerConfig) -> None:
    """Many models have a class ``Attention`` of their own, of one input and with arrays W and b."""
    inputs = {len(call.inputs) for call in layer.calls}
    if "use_scale" not in layer.options or not inputs <= {2, 3}:
        raise _refused(
            layer,
            f"of {counted(min(inputs, default=0), 'input')}, which is not Keras's own "
            "(a list of query, value and perhaps key)",
            "rebuild the model with Keras's Attention or MultiHeadAttention; "
            "custom_objects of a model folder are not run",
        )


def _arguments(layer: LayerConfig) -> dict[str, Any]:
    """The arguments of its calls, which must all be alike.

    Raises:
        ModelError: they ask for what is not supported, or differ.
    """
    found = [
        {key: value for key, value in call.arguments.items() if value and not isinstance(value, TensorRef)}
        for call in layer.calls
    ] or [{}]
    if any(arguments != found[0] for arguments in found):
        raise _refused(layer, "called with different arguments", "use a layer for each")
    if surplus := sorted(set(found[0]) - {"use_causal_mask", "training"}):
        raise _refused(layer, f"called with {', '.join(surplus)}", "save the model without it")
    return found[0]


def _refused(layer: LayerConfig, what: str, fix: str) -> ModelError:
    return ModelError(f"layer {layer.name!r} ({layer.kind}) {what} is not supported", "", f"Fix: {fix}")
