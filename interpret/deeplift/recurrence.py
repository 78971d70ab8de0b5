"""LSTM, GRU and RNN, layers and cells: their steps backwards, with the rules of their parts.

A gate is an elementwise function of a linear one, and a gate times a state is a product by halves, so that a layer is
as complete as they are. The module's own kernel computes the layer forward; all gates of all steps are then one matrix
product, and only what runs from step to step is a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from interpret.deeplift.handler import Handler, Varies
from interpret.deeplift.pairs import TINY, Pairs
from interpret.recurrent import own_operation

__all__ = ["RECURRENT"]

Tensors = tuple[torch.Tensor, ...]


class _Rows:
    """References' rows of tensors (steps, batch, ...): what each pair's multipliers are made of."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def change(self, value: torch.Tensor) -> torch.Tensor:
        """Observed less reference."""
        return self.pairs.difference(value)

    def middle(self, value: torch.Tensor) -> torch.Tensor:
        """Mean of observed and reference."""
        observed, references = self.pairs.split(value)
        return (observed + references) / 2

    def slope(self, x: torch.Tensor, y: torch.Tensor, derivative: torch.Tensor) -> torch.Tensor:
        """The change of ``y = f(x)`` over that of ``x``; the derivative where ``x`` hardly changes."""
        change = self.change(x)
        small = change.abs() < TINY
        slope = self.change(y) / change.masked_fill(small, 1)
        return torch.where(small, self.pairs.split(derivative)[0].expand_as(slope), slope)

    def sigmoid(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The slope of the logistic function, y, at x."""
        return self.slope(x, y, y * (1 - y))

    def tanh(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The slope of the hyperbolic tangent, y, at x."""
        return self.slope(x, y, 1 - y * y)

    def relu(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The slope of the rectifier, y, at x."""
        return self.slope(x, y, (x > 0).to(x.dtype))

    def taken(self, grad: torch.Tensor) -> torch.Tensor:
        """The references' part of a gradient, one row a pair: (steps, pairs, features)."""
        references = self.pairs.split(grad)[1]
        return references.reshape(len(grad), -1, grad.shape[-1])

    def flat(self, value: torch.Tensor) -> torch.Tensor:
        """(steps, groups, n, k, features) as (steps, pairs, features)."""
        return value.reshape(len(value), -1, value.shape[-1])

    def put(self, value: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """One row a pair back as rows of the batch, 0 on observed ones."""
        groups, count = self.pairs.rows // (self.pairs.n + 1), shape[1] // self.pairs.rows
        value = value.reshape(shape[0], groups, self.pairs.n, count, shape[2])
        return self.pairs.spread(value, shape)


def _with_first(first: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """The state before each step."""
    return torch.cat([first[None], states[:-1]])


class _Lstm(torch.autograd.Function):
    """(T, B, F), (B, P), (B, H), weights -> (T, B, P) and the last cell state (B, H); P is H, or ``proj_size``."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor, weights: Tensors, biased: bool, pairs: Pairs):
        hx = [h[None].contiguous(), c[None].contiguous()]
        y, _, last = own_operation("lstm")(x, hx, list(weights), biased, 1, 0.0, False, False, False)
        ctx.save_for_backward(x, h, c, y)
        ctx.weights, ctx.biased, ctx.pairs = weights, biased, pairs
        return y, last[0]

    @staticmethod
    def backward(ctx, grad_y: torch.Tensor, grad_last: torch.Tensor):
        x, h, c, y = ctx.saved_tensors
        rows = _Rows(ctx.pairs)
        w_ih, w_hh, *more = ctx.weights
        biases, projection = (more[:2], more[2:]) if ctx.biased else ([], more)
        z = x @ w_ih.t() + _with_first(h, y) @ w_hh.t()
        z = z + sum(biases) if biases else z
        z_i, z_f, z_g, z_o = z.chunk(4, 2)
        i, f, g, o = z_i.sigmoid(), z_f.sigmoid(), z_g.tanh(), z_o.sigmoid()
        cells = [c]
        for forget, new in zip(f, i * g, strict=True):
            cells.append(torch.addcmul(new, forget, cells[-1]))
        before, after = torch.stack(cells[:-1]), torch.stack(cells[1:])
        seen = after.tanh()
        to_i = rows.flat(rows.middle(g) * rows.sigmoid(z_i, i))
        to_f = rows.flat(rows.middle(before) * rows.sigmoid(z_f, f))
        to_g = rows.flat(rows.middle(i) * rows.tanh(z_g, g))
        of_cell = torch.stack([to_i, to_f, to_g], 2)  # (T, pairs, 3, H): gates that a cell's multiplier passes
        of_seen = rows.flat(rows.middle(seen) * rows.sigmoid(z_o, o))
        into_cell = rows.flat(rows.middle(o) * rows.tanh(after, seen))
        kept = rows.flat(rows.middle(f))
        grads = rows.taken(grad_y)
        m_cell = rows.taken(grad_last[None])[0]
        hidden = grads.new_zeros(grads.shape[1:])
        width = m_cell.shape[-1]
        gates = z.new_empty((len(x), len(m_cell), 4, width))
        for step in reversed(range(len(x))):
            m_hidden = grads[step] + hidden
            m_hidden = m_hidden @ projection[0] if projection else m_hidden
            m_cell = torch.addcmul(m_cell, m_hidden, into_cell[step])
            own = gates[step]
            torch.mul(of_cell[step], m_cell[:, None], out=own[:, :3])
            torch.mul(of_seen[step], m_hidden, out=own[:, 3])
            hidden = own.flatten(1) @ w_hh
            m_cell = m_cell * kept[step]
        m_x = rows.put(gates.flatten(2) @ w_ih, x.shape)
        m_h, m_c = (rows.put(m[None], v[None].shape)[0] for m, v in ((hidden, h), (m_cell, c)))
        return m_x, m_h, m_c, None, None, None


def _forward(
    ctx: Any, name: str, x: torch.Tensor, h: torch.Tensor, weights: Tensors, biased: bool, pairs: Pairs
) -> torch.Tensor:
    """(T, B, H) of a layer with one state, by the module's own kernel; what the way back needs is kept."""
    y, _ = own_operation(name)(x, h[None].contiguous(), list(weights), biased, 1, 0.0, False, False, False)
    ctx.save_for_backward(x, h, y)
    ctx.weights, ctx.pairs = weights, pairs
    return y


class _Gru(torch.autograd.Function):
    """(T, B, F), (B, H), weights -> (T, B, H)."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, h: torch.Tensor, weights: Tensors, biased: bool, pairs: Pairs):
        return _forward(ctx, "gru", x, h, weights, biased, pairs)

    @staticmethod
    def backward(ctx, grad_y: torch.Tensor):
        x, h, y = ctx.saved_tensors
        rows = _Rows(ctx.pairs)
        w_ih, w_hh, *biases = ctx.weights
        before = _with_first(h, y)
        of_x, of_h = x @ w_ih.t(), before @ w_hh.t()
        if biases:
            of_x, of_h = of_x + biases[0], of_h + biases[1]
        (x_r, x_z, x_n), (h_r, h_z, h_n) = of_x.chunk(3, 2), of_h.chunk(3, 2)
        z_r, z_z = x_r + h_r, x_z + h_z
        r, z = z_r.sigmoid(), z_z.sigmoid()
        z_n = x_n + r * h_n
        n = z_n.tanh()
        kept = rows.middle(z)
        to_z = rows.middle(before - n) * rows.sigmoid(z_z, z)
        to_n = (1 - kept) * rows.tanh(z_n, n)
        to_r = to_n * rows.middle(h_n) * rows.sigmoid(z_r, r)
        into_h = torch.stack([rows.flat(v) for v in (to_r, to_z, to_n * rows.middle(r))], 2)
        into_x = torch.stack([rows.flat(v) for v in (to_r, to_z, to_n)], 2)
        kept, grads = rows.flat(kept), rows.taken(grad_y)
        states = torch.empty_like(grads)
        hidden = grads.new_zeros(grads.shape[1:])
        for step in reversed(range(len(x))):
            own = torch.add(grads[step], hidden, out=states[step])
            hidden = torch.addcmul((into_h[step] * own[:, None]).flatten(1) @ w_hh, own, kept[step])
        m_x = rows.put((into_x * states[:, :, None]).flatten(2) @ w_ih, x.shape)
        return m_x, rows.put(hidden[None], h[None].shape)[0], None, None, None


class _Rnn(torch.autograd.Function):
    """(T, B, F), (B, H), weights -> (T, B, H); ``name`` is rnn_tanh or rnn_relu."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, h: torch.Tensor, weights: Tensors, biased: bool, pairs: Pairs, name: str):
        ctx.name = name
        return _forward(ctx, name, x, h, weights, biased, pairs)

    @staticmethod
    def backward(ctx, grad_y: torch.Tensor):
        x, h, y = ctx.saved_tensors
        rows = _Rows(ctx.pairs)
        w_ih, w_hh, *biases = ctx.weights
        z = x @ w_ih.t() + _with_first(h, y) @ w_hh.t()
        z = z + sum(biases) if biases else z
        slope = rows.flat(rows.tanh(z, y) if ctx.name == "rnn_tanh" else rows.relu(z, y))
        grads = rows.taken(grad_y)
        hidden = grads.new_zeros(grads.shape[1:])
        gates = torch.empty_like(grads)
        for step in reversed(range(len(x))):
            own = torch.mul(grads[step] + hidden, slope[step], out=gates[step])
            hidden = own @ w_hh
        m_x = rows.put(gates @ w_ih, x.shape)
        return m_x, rows.put(hidden[None], h[None].shape)[0], None, None, None, None


def _steps(
    name: str, x: torch.Tensor, states: Sequence[torch.Tensor], weights: Tensors, biased: bool, pairs: Pairs
) -> tuple[torch.Tensor, Tensors]:
    """One layer in one direction: (T, B, F) -> (T, B, P) and its last states."""
    if name == "lstm":
        y, last = _Lstm.apply(x, *states, weights, biased, pairs)
        return y, (y[-1], last)
    if name == "gru":
        y = _Gru.apply(x, *states, weights, biased, pairs)
    else:
        y = _Rnn.apply(x, *states, weights, biased, pairs, name)
    return y, (y[-1],)


def _layer(name: str) -> Handler:
    """All layers and directions of ``torch.lstm`` and its kin."""

    def handler(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Tensors:
        x, hx, weights, biased, layers, _, _, bidirectional, batch_first = args
        states = [hx] if isinstance(hx, torch.Tensor) else list(hx)
        rows, directions = Pairs(pairs.rows, pairs.n, 1), 2 if bidirectional else 1
        each = len(weights) // (layers * directions)
        x = x.transpose(0, 1) if batch_first else x
        last: list[Tensors] = []
        for layer in range(layers):
            found = []
            for direction in range(directions):
                number = layer * directions + direction
                own = tuple(weights[number * each : (number + 1) * each])
                turned = x.flip(0) if direction else x
                y, ends = _steps(name, turned.contiguous(), [s[number] for s in states], own, biased, rows)
                found.append(y.flip(0) if direction else y)
                last.append(ends)
            x = torch.cat(found, 2) if bidirectional else found[0]
        ends = tuple(torch.stack(parts) for parts in zip(*last, strict=True))
        return (x.transpose(0, 1) if batch_first else x, *ends)

    return handler


def _cell(name: str) -> Handler:
    """One step."""

    def handler(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
        x, hx, *weights = args
        states = [hx] if isinstance(hx, torch.Tensor) else list(hx)
        weights = tuple(w for w in weights if w is not None)
        rows = Pairs(pairs.rows, pairs.n, 1)
        _, last = _steps(name, x[None], states, weights, len(weights) > 2, rows)
        return last if name == "lstm" else last[0]

    return handler


RECURRENT: dict[str, Handler] = {
    **{name: _layer(name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    **{f"{name}_cell": _cell(name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}
