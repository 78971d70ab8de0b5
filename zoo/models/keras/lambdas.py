"""Lambda layers. Their Python bytecode is data here: it is hashed and never run.

A Lambda whose bytecode has a known hash is replaced by a module written for it; any other is refused.
The known ones are those of the 927 DeepBind models of Kipoi, written by its ``convert_all_models.py``
under Python 2.7; what they do was read off their instructions and constants.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.shapes import MaxOverLength

__all__ = ["KNOWN_LAMBDAS", "bytecode_hash", "lambda_module"]


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
    function = layer.options.get("function")
    closure = function[2] if isinstance(function, list) and len(function) > 2 else None
    if make is None or layer.options.get("arguments"):
        raise ModelError(
            f"layer {layer.name!r} is a Lambda: it holds Python code that is not known here",
            f"sha256 of its code {digest}; nothing of it was run" if digest else f"function {function!r:.80}",
            "Fix: replace the Lambda by a layer of Keras and save the model again",
        )
    return make(closure or [])


def bytecode_hash(layer: LayerConfig) -> str | None:
    """sha256 of the marshalled code of a Lambda, or None where there is none."""
    function = layer.options.get("function")
    if isinstance(function, dict):  # Keras 3
        inner = function.get("config")
        code = inner.get("code") if isinstance(inner, dict) else None
    else:
        code = function[0] if isinstance(function, list) and function else None
    if not isinstance(code, str):
        return None
    try:
        return hashlib.sha256(base64.b64decode(code)).hexdigest()
    except (binascii.Error, ValueError):
        return None
