"""Recurrent layers as one operation each of a captured graph.

torch exports a recurrent layer as its steps, thousands of nodes for a short sequence. Within
``whole_recurrent_layers`` each call of ``nn.LSTM``, ``nn.GRU``, ``nn.RNN`` and of their cells is one node of the
library ``seqzoo``, which computes what torch's own does. ``deeplift/recurrence.py`` has their rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["CELLS", "LAYERS", "Unfollowed", "own_operation", "whole_recurrent_layers"]

_REST = "Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional"
_CELL = "Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None"
#: Arguments and results; of a layer as ``torch.lstm`` takes them.
LAYERS = {
    "lstm": f"(Tensor input, Tensor[] hx, {_REST}, bool batch_first) -> (Tensor, Tensor, Tensor)",
    **dict.fromkeys(
        ("gru", "rnn_tanh", "rnn_relu"), f"(Tensor input, Tensor hx, {_REST}, bool batch_first) -> (Tensor, Tensor)"
    ),
}
CELLS = {
    "lstm_cell": f"(Tensor input, Tensor[] hx, {_CELL}) -> (Tensor, Tensor)",
    **dict.fromkeys(("gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), f"(Tensor input, Tensor hx, {_CELL}) -> Tensor"),
}
PACKING = frozenset({"_pack_padded_sequence", "pack_padded_sequence", "_pad_packed_sequence"})
PACKED = "a packed sequence (pack_padded_sequence) is not followed, as its steps hold different rows"


class Unfollowed(RuntimeError):
    """A call that no graph can hold."""


def own_operation(name: str) -> Callable[..., Any]:
    """torch's operation of that name."""
    return getattr(torch._VF, name)


def _layer_shapes(x: torch.Tensor, hx: torch.Tensor | Sequence[torch.Tensor], *rest: Any) -> tuple[torch.Tensor, ...]:
    bidirectional = rest[-2]
    states = (hx,) if isinstance(hx, torch.Tensor) else tuple(hx)
    width = states[0].shape[-1] * (2 if bidirectional else 1)
    return x.new_empty((*x.shape[:-1], width)), *(torch.empty_like(state) for state in states)


def _cell_shapes(x: torch.Tensor, hx: torch.Tensor | Sequence[torch.Tensor], *rest: Any) -> Any:
    if isinstance(hx, torch.Tensor):
        return torch.empty_like(hx)
    return tuple(torch.empty_like(state) for state in hx)


_LIBRARY = torch.library.Library("seqzoo", "DEF")
for _name, _arguments in {**LAYERS, **CELLS}.items():
    _LIBRARY.define(_name + _arguments)
    _LIBRARY.impl(_name, own_operation(_name), "CompositeExplicitAutograd")
    torch.library.register_fake(f"seqzoo::{_name}", _layer_shapes if _name in LAYERS else _cell_shapes, lib=_LIBRARY)


class whole_recurrent_layers(TorchFunctionMode):
    """Record recurrent layers whole, for the block.

    Raises (within the block):
        Unfollowed: a packed sequence, whose steps hold different rows.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        if name in PACKING:
            raise Unfollowed(PACKED)
        if (name in LAYERS or name in CELLS) and function == own_operation(name):
            if name in LAYERS and isinstance(args[3], list | tuple):  # of a layer of its own, the weights are args[2]
                raise Unfollowed(PACKED)
            return getattr(torch.ops.seqzoo, name)(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))
