"""Where windows end: dense layers on flattened windows, sums and maxima along the sequence, whole tensors."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from interpret.capture import name_of
from interpret.mutagenesis.layers import Interval
from interpret.mutagenesis.plan import Plan
from interpret.mutagenesis.window import Block, Reference, Window

if TYPE_CHECKING:
    from interpret.mutagenesis.window import _Part

__all__ = ["DenseEnd", "ReducedEnd", "materialise"]


def materialise(window: Window, block: Block, reference: Reference) -> torch.Tensor:
    """The whole edited tensor, (edits, ...) as the module has it."""
    layout, margin = reference.layout, reference.margin
    seen = reference.padded[None, :, None]
    shape = (block.positions, block.sequences, block.bases, *reference.padded.shape[1:])
    whole = seen.expand(shape).clone(memory_format=torch.contiguous_format)  # one edit has the shape already
    if len(window):
        inner = whole.stride(3)
        low = max(window.low, -margin)
        valued = window.value is not None
        rows = block.split(window.value if valued else window.as_delta(block))[low - window.low :]
        if block.steps is None:
            step = block.period // layout.stride
            target = whole.as_strided(
                (len(rows), *shape[:3], *layout.rest),
                (inner, whole.stride(0) + step * inner, *whole.stride()[1:3], *whole.stride()[4:]),
                (margin + low) * inner,
            )
            targets = [(target, rows)]
        else:
            starts = [margin + low + shift for shift in block.shifts(layout.stride)]
            targets = [
                (whole[number, :, :, start : start + len(rows)].movedim(2, 0), rows[:, number])
                for number, start in enumerate(starts)
            ]
        for target, found in targets:
            if valued:
                target.copy_(found)
            else:
                target += found
    whole = whole[:, :, :, margin : margin + layout.length].reshape(block.edits, layout.length, *layout.rest)
    return whole.movedim(1, layout.axis).contiguous()


class DenseEnd:
    """A dense layer after flattening: for each position, one product for all edits whose windows hold it."""

    def __init__(self, node: fx.Node, windows: fx.Node, plan: Plan) -> None:
        self.windows, self.layout = windows, plan.layouts[windows]
        weight = plan.constants[node.args[1]]
        self.outputs = len(weight)
        shape = list(self.layout.rest)
        shape.insert(self.layout.axis - 1, self.layout.length)
        weight = weight.view(self.outputs, *shape).movedim(self.layout.axis, 0).flatten(2)  # (L, O, C)
        room = -self.outputs % 16  # rows of the product then begin where vectors do
        self.matrices = torch.nn.functional.pad(weight.transpose(1, 2), (0, room)).contiguous()

    def open(self, part: _Part, places: list[tuple[Block, Interval]]) -> None:
        """Make room for the windows of a part."""
        length, device = self.layout.length, self.matrices.device
        first = torch.full((length,), part.count, dtype=torch.long)
        last = torch.zeros(length, dtype=torch.long)
        for block, (low, high) in places:
            for place, shift in zip(part.rows(block), block.shifts(self.layout.stride), strict=True):
                reached = slice(max(low + shift, 0), max(high + shift, 0))
                first[reached].clamp_(max=place)
                last[reached].clamp_(min=place + 1)
        self.count = (last - first).clamp_(min=0)
        self.start = self.count.cumsum(0) - self.count
        self.first = first
        edits = places[0][0].sequences * places[0][0].bases
        shape = (int(self.count.sum()) + 1, edits * self.matrices.shape[1])  # the last holds what lies outside
        self.store = self.matrices.new_zeros(shape)
        self.edits, self.part = edits, part
        self.base = (self.start - self.first).to(device)

    def add(self, part: _Part, block: Block, window: Window) -> None:
        """Put a block's windows beside those of the other blocks that hold the same positions."""
        if not len(window):
            return
        device = self.store.device
        rows = window.as_delta(block).reshape(len(window) * block.positions, -1)
        place = torch.tensor(part.rows(block), device=device)
        position = torch.arange(window.low, window.high, device=device)[:, None]
        position = position + torch.tensor(block.shifts(self.layout.stride), device=device)
        within = (position >= 0) & (position < self.layout.length)
        target = self.base[position.clamp(0, self.layout.length - 1)] + place
        self.store.index_copy_(0, target.where(within, len(self.store) - 1).flatten(), rows)

    def finish(self, observed: torch.Tensor) -> torch.Tensor:
        """The layer's value for each edit of the part, (edits, outputs)."""
        length, channels, width = self.matrices.shape
        found = observed.new_zeros((self.part.count * self.edits, width))
        for position in range(length):
            count, first = int(self.count[position]), int(self.first[position])
            if count:
                start = int(self.start[position])
                rows = self.store[start : start + count].view(-1, channels)
                found[first * self.edits : (first + count) * self.edits].addmm_(rows, self.matrices[position])
        del self.store
        return found[:, : self.outputs].add_(observed)


class ReducedEnd:
    """A sum, mean or maximum along the sequence."""

    def __init__(self, node: fx.Node, windows: fx.Node, plan: Plan, values: dict[fx.Node, Any]) -> None:
        inner = node.args[0] if node.target is operator.getitem else node
        self.windows, self.layout, self.inner = windows, plan.layouts[windows], inner
        name = name_of(inner)
        self.largest = name in ("amax", "max", "adaptive_max_pool1d")
        self.mean = name in ("mean", "adaptive_avg_pool1d")
        self.shape = tuple(values[node].shape[1:])
        if self.largest:
            observed = values[windows].movedim(self.layout.axis, 1)
            ends = observed.new_full((len(observed), 1, *self.layout.rest), -torch.inf)
            self.before = torch.cat([ends, observed.cummax(1).values], 1)
            self.behind = torch.cat([observed.flip(1).cummax(1).values.flip(1), ends], 1)

    def open(self, part: _Part) -> None:
        """Make room for the values of a part."""
        block = part.blocks[0]
        self.found: torch.Tensor | None = None
        self.size = (part.count, block.sequences, block.bases)

    def add(self, part: _Part, block: Block, window: Window) -> None:
        """Reduce a block's windows."""
        if self.largest:
            found = self._maxima(block, window)
        elif len(window):
            rows = self.layout.original(window.as_delta(block))
            args, kwargs = list(self.inner.args[1:]), self.inner.kwargs
            found = self.inner.target(rows, *args, **kwargs)
            found = found * (len(window) / self.layout.length) if self.mean else found
        else:
            return
        found = found.reshape(block.positions, block.sequences, block.bases, *self.shape)
        if self.found is None:
            self.found = found.new_zeros((*self.size, *self.shape))
        self.found[part.index(block)] = found

    def _maxima(self, block: Block, window: Window) -> torch.Tensor:
        length = self.layout.length
        shift = torch.tensor(block.shifts(self.layout.stride), device=self.before.device)
        before = self.before[: block.sequences, (window.low + shift).clamp(0, length)].transpose(0, 1)
        behind = self.behind[: block.sequences, (window.high + shift).clamp(0, length)].transpose(0, 1)
        found = torch.maximum(before, behind)[:, :, None]
        if not len(window):
            return torch.maximum(found, self.behind[: block.sequences, 0][:, None]).expand(
                block.positions, block.sequences, block.bases, *self.layout.rest
            )
        rows = window.as_value(block)
        rows = self.layout.outside_(block, window.low, rows.clone(), -torch.inf)
        return torch.maximum(found, block.split(rows.amax(0)[None])[0])

    def finish(self, observed: torch.Tensor) -> torch.Tensor:
        """The value for each edit of the part."""
        if self.found is None:
            return observed
        found = self.found.reshape(-1, *self.shape)
        return found if self.largest else found + observed
