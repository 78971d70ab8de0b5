"""Masks of Keras: which positions of a sequence count. Masking and Embedding make them; recurrent layers skip them.

Keras hands a mask from layer to layer beside the tensors. Here the way of each is known when the model is built: a
layer that uses one takes it as a further input, and a model in which a mask reaches what has no rule is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.arrays import LayerArrays
from zoo.models.keras.calls import Call, TensorRef
from zoo.models.keras.config import LayerConfig

__all__ = ["Masking", "masked", "masking", "masks_after"]


class Masking(nn.Module):
    """Positions of (N, L, C) whose entries all are ``value`` become 0; gives also the mask (N, L) of the others."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        counts = (x != self.value).any(-1)
        return masked(x, counts), counts


def masked(x: Tensor, counts: Tensor) -> Tensor:
    """(N, L, C) with 0 where the mask (N, L) is false."""
    return torch.where(counts.unsqueeze(-1), x, torch.zeros_like(x))


def masking(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Masking."""
    return Masking(float(layer.options.get("mask_value", 0.0)))


def masks_after(
    layer: LayerConfig, rule: str, call: Call, masks: Mapping[TensorRef, TensorRef], output: TensorRef
) -> tuple[dict[str, TensorRef], dict[TensorRef, TensorRef]]:
    """What a call of a layer makes of the masks of its inputs.

    Args:
        rule: ``LayerKind.mask`` of the layer.
        masks: tensor -> the tensor that is its mask.
        output: the first tensor that the call gives.

    Returns:
        The masks that the layer takes as further inputs, by name, and the masks of what it gives.

    Raises:
        ModelError: a mask reaches a layer for which it is not known what Keras does with it.
    """
    if rule == "made" and (layer.kind != "Embedding" or layer.options.get("mask_zero")):
        return {}, {output: TensorRef(output.layer, output.call, 1)}
    given = call.arguments.get("mask")  # Keras 3 writes it beside the tensor
    given = given if isinstance(given, TensorRef) else None
    incoming = [masks.get(ref) for ref in call.inputs if ref != given]
    mask = next(filter(None, incoming), given)
    if rule in ("made", "ends") or mask is None:
        return {}, {}
    if rule == "passes" and len(set(incoming)) == 1 and _keeps_positions(layer):
        return {}, {output: mask}
    if rule == "used" and len(incoming) == 1:
        inner = layer.wrapped or layer
        mask = given or mask
        return {} if given else {"mask": mask}, {output: mask} if inner.options.get("return_sequences") else {}
    raise ModelError(
        f"layer {layer.name!r} ({layer.kind}) with a mask (of a Masking layer or of an Embedding with mask_zero) "
        "is not supported",
        "",
        "Fix: put the layer before the mask, or save the model without it",
    )


def _keeps_positions(layer: LayerConfig) -> bool:
    return layer.kind != "Concatenate" or layer.options.get("axis", -1) == -1
