"""LSTM, GRU, SimpleRNN with the gates of Keras; Bidirectional."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.activations import activation
from zoo.models.keras.arrays import LayerArrays
from zoo.models.keras.config import LayerConfig

__all__ = ["BothWays", "Recurrent", "check_both_ways", "cudnn", "recurrent"]


class Recurrent(nn.Module):
    """Steps through (N, L, C); gives the last state (N, units), or all of them (N, L, units).

    Gates lie in Keras's order: LSTM input, forget, cell, output; GRU update, reset, candidate. Where a mask (N, L) is
    false, the state stays what it was; what is given there is the state, or 0 with ``zero_output``.
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
        zero_output: bool = False,
    ) -> None:
        super().__init__()
        self.zero_output = zero_output
        self.kind, self.backwards, self.sequences, self.reset_after = kind, backwards, sequences, reset_after
        self.inner, self.gate = inner, gate
        self.kernel = nn.Parameter(torch.from_numpy(arrays["kernel"]))
        self.recurrent_kernel = nn.Parameter(torch.from_numpy(arrays["recurrent_kernel"]))
        bias = arrays.get("bias", np.zeros(self.kernel.shape[1], np.float32))
        bias = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
        self.bias = nn.Parameter(torch.from_numpy(bias))

    def forward(self, x: Tensor, *, mask: Tensor | None = None) -> Tensor:
        if self.backwards:
            x, mask = x.flip(1), None if mask is None else mask.flip(1)
        projected = x @ self.kernel + self.bias[0]
        state = x.new_zeros(x.shape[0], self.recurrent_kernel.shape[0])
        cell, states = state, []
        for step in range(x.shape[1]):
            before = state, cell
            state, cell = self._step(projected[:, step], state, cell)
            if mask is not None:
                counts = mask[:, step, None]
                state, cell = torch.where(counts, state, before[0]), torch.where(counts, cell, before[1])
            states.append(state)
        found = torch.stack(states, dim=1) if self.sequences else state
        if mask is None or not self.zero_output:
            return found
        counts = mask if self.sequences else mask[:, -1]
        return torch.where(counts.unsqueeze(-1), found, torch.zeros_like(found))

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
        for side in (self.first, self.second):
            side.zero_output |= side.sequences  # as Keras, whatever the option says

    def forward(self, x: Tensor, *, mask: Tensor | None = None) -> Tensor:
        first, second = self.first(x, mask=mask), self.second(x, mask=mask)
        if self.second.sequences:
            second = second.flip(1)
        if self.mode == "concat":
            return torch.cat([first, second], dim=-1)
        if self.mode == "mul":
            return first * second
        return (first + second) / (2 if self.mode == "ave" else 1)


def recurrent(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """LSTM, GRU, SimpleRNN; the recurrent activation's default changed from hard_sigmoid with Keras 2.3.

    Raises:
        ModelError: options that ask for more than states from zero, one sequence at a time.
    """
    options = layer.options
    if options.get("stateful") or options.get("return_state"):
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) keeps or returns its state: not supported",
            "",
            "Fix: save the model without stateful and return_state",
        )
    if options.get("time_major"):
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) with time_major is not supported",
            "",
            "Fix: save the model without time_major",
        )
    return Recurrent(
        layer.kind,
        arrays,
        activation(layer, options.get("activation", "tanh")),
        activation(layer, options.get("recurrent_activation", "hard_sigmoid")),
        bool(options.get("go_backwards")),
        bool(options.get("return_sequences")),
        bool(options.get("reset_after")),
        bool(options.get("zero_output_for_mask")),
    )


def cudnn(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """CuDNNLSTM, CuDNNGRU of early Keras 2: LSTM and GRU with sigmoid gates, whose arrays lie as cuDNN wants them.

    Kernels of each gate are turned, and there is a bias for the input and one for the state.
    """
    kind = layer.kind.removeprefix("CuDNN")
    gates = {"LSTM": 4, "GRU": 3}[kind]
    inputs = [gate.T.reshape(gate.shape, order="F") for gate in np.split(arrays["kernel"], gates, axis=1)]
    states = [gate.T for gate in np.split(arrays["recurrent_kernel"], gates, axis=1)]
    bias = arrays["bias"].reshape(2, -1)
    turned = {
        "kernel": np.concatenate(inputs, axis=1),
        "recurrent_kernel": np.concatenate(states, axis=1),
        "bias": bias.sum(0) if kind == "LSTM" else bias,
    }
    options = layer.options | {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True}
    return recurrent(replace(layer, kind=kind, options=options), turned)


def check_both_ways(layer: LayerConfig) -> None:
    """Both sides of a Bidirectional layer must be of one kind with the same options.

    Raises:
        ModelError: the backward layer was given by itself, and differs.
    """
    other = layer.options.get("backward_layer")
    if other is None:
        return
    mine = layer.wrapped.options
    differing = [
        key
        for key in mine
        if not (key in OF_ONE_SIDE or key.endswith(OF_TRAINING)) and other["config"].get(key, mine[key]) != mine[key]
    ]
    if other["class_name"] != layer.wrapped.kind or differing:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) with a backward_layer that differs is not supported",
            f"it differs in {', '.join(differing) or 'its kind'}",
            "Fix: use one kind of layer for both sides",
        )


OF_TRAINING = ("_initializer", "_regularizer", "_constraint", "dropout", "seed")  # change no prediction
OF_ONE_SIDE = {"name", "go_backwards", "build_config", "shared_object_id"}
