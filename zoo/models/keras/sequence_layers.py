"""Layers of genomics packages: concise for MMSplice, baskerville for Borzoi; operations of TensorFlow.

Layers are written here from their published definitions; no ``custom_objects`` of a model folder is run.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.arrays import LayerArrays, put
from zoo.models.keras.config import LayerConfig

__all__ = [
    "central_mask_features",
    "relative_attention",
    "relative_roles",
    "spline_bases",
    "spline_weight",
]


def spline_bases(length: int, n_bases: int, degree: int) -> np.ndarray:
    """B-spline bases at positions 0 ... length - 1, with the knots of concise (those of R's mgcv).

    Returns:
        (length, n_bases) float32.
    """
    start, end = -0.001 * (length - 1), 1.001 * (length - 1)
    inner = n_bases - degree + 1
    step = (end - start) / (inner - 1)
    count = inner + 2 * (degree - 1) + 2
    # concise keeps its knots in single precision.
    knots = np.linspace(start - step * degree, end + step * degree, count).astype(np.float32).astype(np.float64)
    x = np.arange(length, dtype=np.float64)[:, None]
    bases = ((knots[:-1] <= x) & (x < knots[1:])).astype(np.float64)
    for k in range(1, degree + 1):  # Cox and de Boor
        left = (x - knots[: -k - 1]) / (knots[k:-1] - knots[: -k - 1])
        right = (knots[k + 1 :] - x) / (knots[k + 1 :] - knots[1:-k])
        bases = left * bases[:, :-1] + right * bases[:, 1:]
    return bases.astype(np.float32)


class SplineWeight(nn.Module):
    """concise's SplineWeight1D: x * (1 + s), where s is a smooth function of the position for each channel."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray | None, degree: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.from_numpy(kernel))
        self.bias = None if bias is None else nn.Parameter(torch.from_numpy(bias))
        self.degree = degree

    def forward(self, x: Tensor) -> Tensor:
        bases = torch.from_numpy(spline_bases(x.shape[1], self.kernel.shape[0], self.degree)).to(x)
        track = bases @ self.kernel
        return x * (1 + (track if self.bias is None else track + self.bias))


def spline_weight(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """SplineWeight1D of concise and mmsplice."""
    return SplineWeight(arrays["kernel"], arrays.get("bias"), int(layer.options.get("spline_degree", 3)))


class StochasticReverseComplement(nn.Module):
    """baskerville's augmentation: at prediction the sequence as it is, and False."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.zeros((), dtype=torch.bool, device=x.device)


class SwitchReverse(nn.Module):
    """baskerville's turning back of bins; at prediction nothing was turned."""

    def forward(self, x: Tensor, reverse: Tensor) -> Tensor:
        return x


def central_mask_features(length: int, n_features: int) -> np.ndarray:
    """Relative positions as Enformer's central masks: is |distance| below a width, and that times its sign.

    Args:
        length: positions of the sequence.
        n_features: even number of features.

    Returns:
        (2 length - 1, n_features) float32, for distances -(length - 1) ... length - 1.
    """
    half = n_features // 2
    distances = np.arange(-length + 1, length, dtype=np.float32)
    rate = np.exp(np.log(length + 1) / half).astype(np.float32)
    widths = rate ** np.arange(1, half + 1, dtype=np.float32) - np.float32(1)
    masks = (widths > np.abs(distances)[:, None]).astype(np.float32)
    return np.concatenate([masks, np.sign(distances)[:, None] * masks], axis=1)


class RelativeAttention(nn.Module):
    """baskerville's MultiheadAttention: content and relative position, each with a bias of the queries.

    (N, L, C) -> (N, L, C).
    """

    def __init__(self, channels: int, heads: int, key_size: int, value_size: int, n_features: int, out: int) -> None:
        super().__init__()
        self.heads, self.key_size, self.n_features = heads, key_size, n_features
        self.query = nn.Linear(channels, heads * key_size, bias=False)
        self.key = nn.Linear(channels, heads * key_size, bias=False)
        self.value = nn.Linear(channels, heads * value_size, bias=False)
        self.position = nn.Linear(n_features, heads * key_size, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(1, heads, 1, key_size))
        self.position_bias = nn.Parameter(torch.zeros(1, heads, 1, key_size))
        self.embed = nn.Linear(heads * value_size, out)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        query = self._split(self.query(x)) * self.key_size**-0.5
        key, value = self._split(self.key(x)), self._split(self.value(x))
        features = torch.from_numpy(central_mask_features(length, self.n_features)).to(x)[None]
        position = self._split(self.position(features))
        relative = _shift((query + self.position_bias) @ position.transpose(2, 3), length)
        content = (query + self.content_bias) @ key.transpose(2, 3)
        attended = torch.softmax(content + relative, dim=-1) @ value
        return self.embed(attended.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """(N, L, heads * size) -> (N, heads, L, size)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _shift(logits: Tensor, length: int) -> Tensor:
    """(..., L, 2 L - 1) by distance -> (..., L, L) by position: entry (i, j) is distance j - i."""
    padded = torch.cat([torch.zeros_like(logits[..., :1]), logits], dim=-1)
    shape = padded.shape
    turned = padded.reshape(*shape[:2], shape[3], shape[2])[:, :, 1:]
    return turned.reshape(*shape[:3], shape[3] - 1)[..., :length]


def relative_roles(layer: LayerConfig) -> tuple[list[str], list[str]]:
    """None: its arrays are told apart by their names (``weights.arrays_of``)."""
    return [], []


def relative_attention(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """MultiheadAttention of baskerville.

    Its config names only key and value size: heads and features are read off the arrays. What it does
    not name either (scaled queries, features both symmetric and not) are baskerville's defaults.
    """
    named = {name.rpartition("/")[2] if "bias" in name and "r_" in name else name: a for name, a in arrays.items()}
    wanted = [
        "q_layer/kernel",
        "k_layer/kernel",
        "v_layer/kernel",
        "r_k_layer/kernel",
        "embedding_layer/kernel",
        "embedding_layer/bias",
        "r_w_bias",
        "r_r_bias",
    ]
    if sorted(named) != sorted(wanted):
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}): not the attention of baskerville that is known here",
            f"its arrays are {', '.join(sorted(named))}",
            f"Fix: an attention layer with {', '.join(wanted)}",
        )
    _, heads, _, key_size = named["r_w_bias"].shape
    channels, value_total = named["v_layer/kernel"].shape
    module = RelativeAttention(
        channels,
        heads,
        key_size,
        value_total // heads,
        named["r_k_layer/kernel"].shape[0],
        named["embedding_layer/kernel"].shape[1],
    )
    for key, linear in (
        ("q_layer", module.query),
        ("k_layer", module.key),
        ("v_layer", module.value),
        ("r_k_layer", module.position),
        ("embedding_layer", module.embed),
    ):
        put(linear.weight, named[f"{key}/kernel"].T, layer)
    put(module.embed.bias, named["embedding_layer/bias"], layer)
    put(module.content_bias, named["r_w_bias"], layer)
    put(module.position_bias, named["r_r_bias"], layer)
    return module
