"""LSTM, GRU and SimpleRNN with the gates and activations of Keras, and Bidirectional."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.activations import activation
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.weights import LayerArrays

__all__ = ["BothWays", "Recurrent", "recurrent"]


class Recurrent(nn.Module):
    """Steps through (N, L, C); gives the last state (N, units), or all of them (N, L, units).

    Gates lie in Keras's order: LSTM input, forget, cell, output; GRU update, reset, candidate.
    """

    def __init__(
        self,
        kind: str,
        arrays: LayerArrays,
        inner: nn.Module,
        gate: nn.Module,
        backwards: bool,
        sequences: bool,
        reset_after: bool,
    ) -> None:
        super().__init__()
        self.kind, self.backwards, self.sequences, self.reset_after = kind, backwards, sequences, reset_after
        self.inner, self.gate = inner, gate
        self.kernel = nn.Parameter(torch.from_numpy(arrays["kernel"]))
        self.recurrent_kernel = nn.Parameter(torch.from_numpy(arrays["recurrent_kernel"]))
        bias = arrays.get("bias", np.zeros(self.kernel.shape[1], np.float32))
        bias = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
        self.bias = nn.Parameter(torch.from_numpy(bias))

    def forward(self, x: Tensor) -> Tensor:
        if self.backwards:
            x = x.flip(1)
        projected = x @ self.kernel + self.bias[0]
        state = x.new_zeros(x.shape[0], self.recurrent_kernel.shape[0])
        cell, states = state, []
        for step in range(x.shape[1]):
            state, cell = self._step(projected[:, step], state, cell)
            states.append(state)
        return torch.stack(states, dim=1) if self.sequences else state

    def _step(self, x: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        if self.kind == "SimpleRNN":
            return self.inner(x + state @ self.recurrent_kernel), cell
        if self.kind == "LSTM":
            i, f, c, o = (x + state @ self.recurrent_kernel).chunk(4, dim=1)
            cell = self.gate(f) * cell + self.gate(i) * self.inner(c)
            return self.gate(o) * self.inner(cell), cell
        return self._gru(x, state), cell

    def _gru(self, x: Tensor, state: Tensor) -> Tensor:
        units = state.shape[1]
        kernel, bias = self.recurrent_kernel, self.bias[1]
        from_state = state @ kernel[:, : 2 * units] + bias[: 2 * units]
        update, reset = self.gate(x[:, : 2 * units] + from_state).chunk(2, dim=1)
        if self.reset_after:
            candidate = reset * (state @ kernel[:, 2 * units :] + bias[2 * units :])
        else:
            candidate = (reset * state) @ kernel[:, 2 * units :]
        return update * state + (1 - update) * self.inner(x[:, 2 * units :] + candidate)


class BothWays(nn.Module):
    """Bidirectional: the second side reads backwards; its states are turned back before they are joined."""

    def __init__(self, forward_side: Recurrent, backward_side: Recurrent, mode: str | None) -> None:
        super().__init__()
        if mode not in ("concat", "sum", "mul", "ave"):
            raise ValueError(f"merge_mode {mode!r}")
        self.first, self.second, self.mode = forward_side, backward_side, mode
        self.second.backwards = not self.first.backwards

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.first(x), self.second(x)
        if self.second.sequences:
            second = second.flip(1)
        if self.mode == "concat":
            return torch.cat([first, second], dim=-1)
        if self.mode == "mul":
            return first * second
        return (first + second) / (2 if self.mode == "ave" else 1)


def recurrent(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """LSTM, GRU, SimpleRNN; the recurrent activation's default changed from hard_sigmoid with Keras 2.3."""
    options = layer.options
    if options.get("stateful") or options.get("return_state"):
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) keeps or returns its state: not supported",
            "",
            "Fix: save the model without stateful and return_state",
        )
    return Recurrent(
        layer.kind,
        arrays,
        activation(layer, options.get("activation", "tanh")),
        activation(layer, options.get("recurrent_activation", "hard_sigmoid")),
        bool(options.get("go_backwards")),
        bool(options.get("return_sequences")),
        bool(options.get("reset_after")),
    )
