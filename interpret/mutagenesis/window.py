"""Windows: the stretch of a layer that a single-base edit can change, for many edits at a time.

Edits are computed in blocks whose positions lie ``period`` bases apart, the product of all strides, so that their
windows line up: that of the m-th position is that of the first, moved by ``m * period / stride``. Values lie as
(window, edit, channels): each tap of a convolution is then one matrix product over all edits.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch

__all__ = ["Block", "Layout", "Reference", "Window"]


@dataclass(frozen=True)
class Block:
    """Edits at ``first, first + period, ...`` of several sequences, ordered (position, sequence, base).

    Attributes:
        steps: where the positions are at other distances: periods from the first to each, ascending from 0.
    """

    first: int
    positions: int
    sequences: int
    bases: int
    period: int
    steps: tuple[int, ...] | None = None

    @classmethod
    def of(cls, positions: Sequence[int], bases: int, period: int) -> Block:
        """Edits of one sequence at ascending positions, whose distances are multiples of ``period``."""
        apart = {b - a for a, b in pairwise(positions)}
        if len(apart) <= 1:  # a period that is a multiple of the graph's
            return cls(positions[0], len(positions), 1, bases, max(apart, default=period))
        steps = tuple((place - positions[0]) // period for place in positions)
        return cls(positions[0], len(positions), 1, bases, period, steps)

    def shifts(self, stride: int) -> Sequence[int]:
        """How far the window of each position lies behind the first's, in a layer of that stride."""
        step = self.period // stride
        return range(0, self.positions * step, step) if self.steps is None else [n * step for n in self.steps]

    @property
    def edits(self) -> int:
        """How many edited sequences there are."""
        return self.positions * self.sequences * self.bases

    def split(self, rows: torch.Tensor) -> torch.Tensor:
        """(w, edits, ...) as (w, positions, sequences, bases, ...)."""
        return rows.view(len(rows), self.positions, self.sequences, self.bases, *rows.shape[2:])


@dataclass(frozen=True)
class Layout:
    """A tensor (batch, ...) with one axis along the sequence.

    Attributes:
        axis: that axis, 1 or more.
        length: its size.
        rest: sizes of the other axes, the batch left out.
        stride: bases between two of its positions.
    """

    axis: int
    length: int
    rest: tuple[int, ...]
    stride: int

    @property
    def channels(self) -> int:
        """Numbers a position."""
        return math.prod(self.rest)

    def drift(self, block: Block) -> int:
        """Positions by which the block's last window lies behind its first."""
        return block.shifts(self.stride)[-1]

    def clip(self, block: Block, low: int, high: int, need: tuple[int, int]) -> tuple[int, int]:
        """The part of a window that lies within ``need`` for any of the block's positions; (0, 0) if none does."""
        low, high = max(low, need[0] - self.drift(block)), min(high, need[1])
        return (low, high) if low < high else (0, 0)

    def outside_(self, block: Block, low: int, rows: torch.Tensor, value: float) -> torch.Tensor:
        """Fill what lies before the tensor's start or behind its end, for each of the block's positions."""
        shifts, split = block.shifts(self.stride), block.split(rows)
        for number in range(block.positions):
            before = -(low + shifts[number])
            if before <= 0:
                break
            split[:before, number] = value
        for number in reversed(range(block.positions)):
            behind = low + shifts[number] + len(rows) - self.length
            if behind <= 0:
                break
            split[max(0, len(rows) - behind) :, number] = value
        return rows

    def original(self, rows: torch.Tensor) -> torch.Tensor:
        """(w, edits, rest) as (edits, ...), the window on the sequence's axis; a view."""
        return rows.movedim(0, self.axis)


class Reference:
    """A tensor's value on the observed sequences, ready to be seen through windows.

    Args:
        value: (sequences, ...).
        margin: positions of zeros on both sides.
    """

    def __init__(self, value: torch.Tensor, layout: Layout, margin: int) -> None:
        value = value.movedim(layout.axis, 1)
        shape = (len(value), layout.length + 2 * margin, *layout.rest)
        self.layout, self.margin = layout, margin
        self.padded = value.new_zeros(shape)
        self.padded[:, margin : margin + layout.length] = value
        self._halves: tuple[Reference, Reference] | None = None

    @property
    def halves(self) -> tuple[Reference, Reference]:
        """What is below 0 of it, and what is above, negated: relu(r + d) - relu(r) is max(d + below, above)."""
        if self._halves is None:
            below, above = copy.copy(self), copy.copy(self)
            below.padded, above.padded = self.padded.clamp(max=0), self.padded.clamp(min=0).neg()
            self._halves = below, above
        return self._halves

    def window(self, block: Block, low: int, high: int) -> torch.Tensor:
        """Rows ``low`` to ``high`` (of the first position) as (w, positions, sequences, 1, rest); a view if it can."""
        if block.steps is not None:
            shifts = torch.tensor(block.shifts(self.layout.stride), device=self.padded.device)
            rows = torch.arange(self.margin + low, self.margin + high, device=self.padded.device)[:, None] + shifts
            return self.padded[:, rows].movedim(0, 2).unsqueeze(3)
        row, step = self.padded.stride(1), block.period // self.layout.stride
        rest = self.padded.shape[2:]
        return self.padded.as_strided(
            (high - low, block.positions, block.sequences, 1, *rest),
            (row, step * row, self.padded.stride(0), row, *self.padded.stride()[2:]),
            (self.margin + low) * row,
        )


@dataclass
class Window:
    """What edits change of one tensor.

    Attributes:
        low, high: the window of the block's first position; empty where nothing changes.
        delta: (high - low, edits, rest), edited less observed; zero outside the tensor.
        value: the same, edited; anything outside the tensor.
        shared: several operations read it: its rows are not overwritten.
    """

    layout: Layout
    reference: Reference | None
    low: int
    high: int
    delta: torch.Tensor | None = None
    value: torch.Tensor | None = None
    shared: bool = field(default=True)

    def __len__(self) -> int:
        return self.high - self.low

    def as_delta(self, block: Block) -> torch.Tensor:
        """Edited less observed."""
        if self.delta is None:
            seen = self.reference.window(block, self.low, self.high)
            if self.shared:
                self.delta = (block.split(self.value) - seen).view(self.value.shape)
            else:
                block.split(self.value).sub_(seen)
                self.delta, self.value = self.value, None
            self.layout.outside_(block, self.low, self.delta, 0)
        return self.delta

    def as_value(self, block: Block, low: int | None = None, high: int | None = None) -> torch.Tensor:
        """Edited, of the window or of a wider one."""
        low, high = self.low if low is None else low, self.high if high is None else high
        if self.value is not None and (low, high) == (self.low, self.high):
            return self.value
        seen = self.reference.window(block, low, high)
        shape = (high - low, block.positions, block.sequences, block.bases, *seen.shape[4:])
        found = seen.expand(shape).clone(memory_format=torch.contiguous_format)
        start, stop = max(low, self.low), min(high, self.high)
        if start < stop:
            rows = slice(start - self.low, stop - self.low)
            inner = found[start - low : stop - low]
            if self.value is not None:
                inner.copy_(block.split(self.value[rows]))
            else:
                inner += block.split(self.delta[rows])
        found = found.view(high - low, block.edits, *self.layout.rest)
        if (low, high) == (self.low, self.high):
            self.value = found
        return found


@dataclass(frozen=True)
class _Part:
    """Edits whose whole tensors are computed at once: positions ``first, first + step, ...``.

    Attributes:
        places: where they are at other distances: number in the part of each position.
    """

    first: int
    count: int
    step: int
    blocks: list[Block]
    places: dict[int, int] | None = None

    def rows(self, block: Block) -> Sequence[int]:
        """The rows of the part that hold the block's positions."""
        if self.places is not None:
            return [self.places[block.first + shift] for shift in block.shifts(1)]
        start, step = (block.first - self.first) // self.step, block.period // self.step
        return range(start, start + (block.positions - 1) * step + 1, step)

    def index(self, block: Block) -> slice | list[int]:
        """The same, to take them of a tensor with; a view if it can."""
        rows = self.rows(block)
        return slice(rows.start, rows.stop, rows.step) if isinstance(rows, range) else rows
