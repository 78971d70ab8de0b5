"""What each kind of operation does to a window: convolution, pooling, crops and pads, sums, functions of one position.

Every layer says which of its outputs an input window reaches, which inputs an output window needs, and computes the
one from the other, exactly.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import fx

from interpret.mutagenesis.window import Block, Layout, Reference, Window

__all__ = [
    "AvgPool",
    "Interval",
    "Layer",
    "Local",
    "MaxPool",
    "Relabel",
    "Shift",
    "Sliding",
    "Sum",
    "Taps",
    "chunk_rows",
]

Interval = tuple[int, int]
CHUNK_BYTES = 1 << 21  # rows of a convolution's output that are finished while they lie in the cache
#: A convolution to so few channels with so many taps is one product of several positions to all that they reach.
NARROW, MANY_TAPS, TOGETHER = 8, 8, 8
PRODUCT_BYTES = 1 << 20  # read by such a product


def chunk_rows(shape: Sequence[int], like: torch.Tensor) -> int:
    """How many rows of (window, edit, channels) are finished at a time."""
    if like.is_cuda:
        return max(1, shape[0])
    return max(1, CHUNK_BYTES // (math.prod(shape[1:]) * like.element_size()))


@dataclass(frozen=True)
class Sliding:
    """Geometry of a kernel that moves along the sequence."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def reach(self, low: int, high: int) -> Interval:
        """Outputs that inputs ``low`` to ``high`` enter."""
        first = -((self.dilation * (self.kernel - 1) - self.padding - low) // self.stride)
        return first, (high - 1 + self.padding) // self.stride + 1

    def need(self, low: int, high: int) -> Interval:
        """Inputs that enter outputs ``low`` to ``high``."""
        last = (high - 1) * self.stride - self.padding + self.dilation * (self.kernel - 1)
        return low * self.stride - self.padding, last + 1

    def tap(self, number: int, low: int, high: int) -> slice:
        """Rows, of inputs that begin with ``need``'s first, that the tap reads for ``high - low`` outputs."""
        start = number * self.dilation
        return slice(start, start + (high - low - 1) * self.stride + 1, self.stride)


@dataclass(kw_only=True)
class Layer:
    """An operation on windows.

    Attributes:
        inputs: the nodes whose windows it reads.
        layout: of what it gives.
        wants: the form of the rows it reads, ``delta`` or ``value``.
    """

    inputs: list[fx.Node]
    layout: Layout
    wants: str = "delta"
    room: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)

    def reach(self, intervals: Sequence[Interval]) -> Interval:
        """The outputs that change with these inputs; empty ones are (0, 0)."""
        changed = [(low, high) for low, high in intervals if low < high]
        return (min(low for low, _ in changed), max(high for _, high in changed)) if changed else (0, 0)

    def need(self, low: int, high: int) -> Interval:
        """The inputs that these outputs read."""
        return low, high

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        """The output's window from ``low`` to ``high``."""
        raise NotImplementedError

    def _room(self, name: str, like: torch.Tensor, size: int) -> torch.Tensor:
        """Memory of the block before, which nothing reads any more: fresh pages take as long as the products."""
        held = self.room.get(name)
        if held is None or held.numel() < size or held.dtype != like.dtype or held.device != like.device:
            held = self.room[name] = like.new_empty(size)
        return held[:size]


@dataclass(kw_only=True)
class Taps(Layer):
    """Convolution as one matrix product a tap, with what follows it while its rows are in the cache.

    Attributes:
        sliding: its geometry.
        matrices: (inputs, outputs), one a tap.
        base: node whose reference the products are added to: the convolution, or the batch norm folded into it.
        functions: elementwise functions that follow, writing in place.
        rectifies: the only one is relu.
        last: node after them, before a residual.
        adds: whether a second window is added at the end (a residual).
        gives: the form of the rows it gives.
        tail: takes the finished rows instead of memory, where nothing else reads them.
        wide: all matrices as one, for ``_add_narrow_products``.
    """

    sliding: Sliding
    matrices: list[torch.Tensor]
    base: fx.Node
    last: fx.Node
    functions: list[Callable[[torch.Tensor], torch.Tensor]] = field(default_factory=list)
    rectifies: bool = False
    adds: bool = False
    gives: str = "delta"
    tail: Callable[[Block, torch.Tensor, int], None] | None = None
    wide: torch.Tensor | None = field(default=None, repr=False)

    def reach(self, intervals: Sequence[Interval]) -> Interval:
        first = self.sliding.reach(*intervals[0]) if intervals[0][0] < intervals[0][1] else (0, 0)
        return super().reach([first, *intervals[1:]])

    def need(self, low: int, high: int) -> Interval:
        return self.sliding.need(low, high)

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        x = windows[0].as_delta(block).reshape(len(windows[0]), block.edits, len(self.matrices[0])).contiguous()
        width = self.matrices[0].shape[1]
        narrow = (
            width <= NARROW and len(self.matrices) >= MANY_TAPS and self.sliding.stride == self.sliding.dilation == 1
        )
        size = high - low if narrow else chunk_rows((high - low, block.edits, width), x)
        add_products = self._add_narrow_products if narrow else self._add_products
        held = min(size, high - low) if self.tail else high - low
        out = self._room("out", x, held * block.edits * width).view(held, block.edits, width)
        valued = bool(self.functions) or self.gives == "value"
        before = references(self.base) if valued else None
        rectifies = self.rectifies and self.gives == "delta"
        after = references(self.last) if valued and self.gives == "delta" and not rectifies else None
        if rectifies:
            before, above = before.halves
        other = windows[1].as_delta(block) if self.adds else None
        for start in range(low, high, size):
            stop = min(start + size, high)
            rows = out[: stop - start] if self.tail else out[start - low : stop - low]
            shaped = rows.view(stop - start, block.edits, *self.layout.rest)
            if before is None:
                rows.zero_()
            else:
                block.split(shaped).copy_(before.window(block, start, stop))
            add_products(x, windows[0].low, rows, start)
            if rectifies:
                split = block.split(shaped)
                torch.maximum(split, above.window(block, start, stop), out=split)
            for function in () if rectifies else self.functions:
                function(rows)
            if after is not None:
                block.split(shaped).sub_(after.window(block, start, stop))
            if self.gives == "delta":
                self.layout.outside_(block, start, shaped, 0)
            if other is not None:
                first, end = max(start, windows[1].low), min(stop, windows[1].high)
                if first < end:
                    shaped[first - start : end - start] += other[first - windows[1].low : end - windows[1].low]
            if self.tail:
                self.tail(block, shaped, start)
        if self.tail:
            return Window(self.layout, None, 0, 0)
        found = out.view(high - low, block.edits, *self.layout.rest)
        return Window(self.layout, references(None), low, high, **{self.gives: found})

    def _add_products(self, x: torch.Tensor, x_low: int, rows: torch.Tensor, low: int) -> None:
        """Add the products of a window of differences to the outputs from ``low`` on."""
        s, high, x_high, edits = self.sliding, low + len(rows), x_low + len(x), x.shape[1]
        flat, target = x.view(-1, x.shape[2]), rows.view(-1, rows.shape[2])
        for tap, matrix in enumerate(self.matrices):
            shift = tap * s.dilation - s.padding  # output o reads input o * stride + shift
            first = max(low, -((shift - x_low) // s.stride))
            end = min(high, (x_high - 1 - shift) // s.stride + 1)
            if first < end:
                start = first * s.stride + shift - x_low
                if s.stride == 1:
                    read = flat[start * edits : (start + end - first) * edits]
                else:
                    read = x[start : start + (end - first - 1) * s.stride + 1 : s.stride].reshape(-1, x.shape[2])
                target[(first - low) * edits : (end - low) * edits].addmm_(read, matrix)

    def _add_narrow_products(self, x: torch.Tensor, x_low: int, rows: torch.Tensor, low: int) -> None:
        """The same where the outputs are few channels, of which a product a tap would be mostly reading.

        One product takes ``TOGETHER`` positions of the input to all outputs that they reach.
        """
        edits, width, beside = x.shape[1], rows.shape[2], len(self.matrices) - 1
        reached = -(-(TOGETHER + beside) // TOGETHER)  # blocks of outputs that a block of inputs reaches
        if self.wide is None:
            self.wide = self._wide(reached)
        count = -(-len(x) // TOGETHER)
        found = self._room("found", x, (count + reached - 1) * edits * TOGETHER * width)
        found = found.view(count + reached - 1, edits, TOGETHER * width).zero_()
        size = max(1, PRODUCT_BYTES // (len(self.wide) * edits * x.element_size()))
        for start in range(0, count, size):
            read = x[start * TOGETHER : (start + size) * TOGETHER]
            blocks = self._blocks(read)
            product = self._room("product", x, len(blocks) * self.wide.shape[1]).view(len(blocks), -1)
            torch.mm(blocks, self.wide, out=product)
            product = product.view(-1, edits, reached, TOGETHER * width)
            for number in range(reached):
                found[start + number : start + number + len(product)] += product[:, :, number]
        found = found.view(-1, edits, TOGETHER, width).transpose(1, 2)
        found = found.reshape(-1, edits, width)
        at = x_low + self.sliding.padding - beside - low  # the first output that the first input reaches
        first, end = max(at, 0), min(at + len(found), len(rows))
        if first < end:
            rows[first:end] += found[first - at : end - at]

    def _blocks(self, x: torch.Tensor) -> torch.Tensor:
        """(positions, edits, inputs) as (blocks of positions * edits, TOGETHER * inputs), filled up with zeros."""
        whole, rest = divmod(len(x), TOGETHER)
        shape = (whole + bool(rest), x.shape[1], TOGETHER, x.shape[2])
        blocks = self._room("blocks", x, math.prod(shape)).view(shape)
        of_whole = x[: whole * TOGETHER].view(whole, TOGETHER, *x.shape[1:])
        blocks[:whole].copy_(of_whole.transpose(1, 2))
        if rest:
            blocks[whole, :, :rest].copy_(x[whole * TOGETHER :].transpose(0, 1))
            blocks[whole, :, rest:] = 0
        return blocks.view(-1, TOGETHER * x.shape[2])

    def _wide(self, reached: int) -> torch.Tensor:
        """The taps as one matrix (TOGETHER * inputs, reached * TOGETHER * outputs)."""
        taps = torch.stack(self.matrices).flip(0)  # the last tap gives the first output
        wide = taps.new_zeros((TOGETHER, taps.shape[1], reached * TOGETHER, taps.shape[2]))
        for position in range(TOGETHER):
            wide[position, :, position : position + len(taps)] = taps.transpose(0, 1)
        return wide.flatten(2).flatten(0, 1)


@dataclass(kw_only=True)
class MaxPool(Layer):
    """The largest of ``sliding.kernel`` positions; what lies outside the tensor never is."""

    sliding: Sliding
    wants: str = "value"

    def reach(self, intervals: Sequence[Interval]) -> Interval:
        return self.sliding.reach(*intervals[0]) if intervals[0][0] < intervals[0][1] else (0, 0)

    def need(self, low: int, high: int) -> Interval:
        return self.sliding.need(low, high)

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        x = windows[0]
        start, stop = self.need(low, high)
        rows = x.as_value(block, start, stop)
        if rows is x.value and x.shared and (start < 0 or stop > x.layout.length - x.layout.drift(block)):
            rows = rows.clone()
        rows = x.layout.outside_(block, start, rows, -torch.inf)
        found = rows[self.sliding.tap(0, low, high)].clone()
        for tap in range(1, self.sliding.kernel):
            torch.maximum(found, rows[self.sliding.tap(tap, low, high)], out=found)
        return Window(self.layout, references(None), low, high, value=found)


@dataclass(kw_only=True)
class AvgPool(Layer):
    """The mean of ``sliding.kernel`` positions; ``weights`` holds, for each output, one over what it divides by."""

    sliding: Sliding
    weights: torch.Tensor

    def reach(self, intervals: Sequence[Interval]) -> Interval:
        return self.sliding.reach(*intervals[0]) if intervals[0][0] < intervals[0][1] else (0, 0)

    def need(self, low: int, high: int) -> Interval:
        return self.sliding.need(low, high)

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        x, s = windows[0], self.sliding
        start, stop = self.need(low, high)
        rows = x.as_delta(block)
        wide = rows.new_zeros((stop - start, *rows.shape[1:]))
        first, end = max(start, x.low), min(stop, x.high)
        if first < end:
            wide[first - start : end - start] = rows[first - x.low : end - x.low]
        found = wide[s.tap(0, low, high)].clone()
        for tap in range(1, s.kernel):
            found += wide[s.tap(tap, low, high)]
        margin = self.layout.drift(block) + abs(min(low, 0)) + 1
        weights = Reference(self.weights[None], Layout(1, self.layout.length, (), self.layout.stride), margin)
        one = dataclasses.replace(block, sequences=1, bases=1)
        scale = weights.window(one, low, high)
        block.split(found).mul_(scale.reshape(*scale.shape, *[1] * (found.ndim - 2)))
        self.layout.outside_(block, low, found, 0)
        return Window(self.layout, references(None), low, high, delta=found)


@dataclass(kw_only=True)
class Shift(Layer):
    """A crop or a pad with a constant: output o is input ``o * step + start``."""

    start: int
    step: int = 1
    wants: str = "either"

    def _sliding(self) -> Sliding:
        return Sliding(1, self.step, -self.start)

    def reach(self, intervals: Sequence[Interval]) -> Interval:
        return self._sliding().reach(*intervals[0]) if intervals[0][0] < intervals[0][1] else (0, 0)

    def need(self, low: int, high: int) -> Interval:
        return self._sliding().need(low, high)

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        x = windows[0]
        start, stop = self.need(low, high)
        rows = x.as_delta(block)[start - x.low : stop - x.low : self.step]
        inside = low >= 0 and high + self.layout.drift(block) <= self.layout.length
        if self.step > 1 or not inside:
            if x.shared or self.step > 1:
                rows = self._room("out", rows, rows.numel()).view(rows.shape).copy_(rows)
            self.layout.outside_(block, low, rows, 0)
        found = Window(self.layout, references(None), low, high, delta=rows)
        found.shared = x.shared and self.step == 1 and inside
        return found


@dataclass(kw_only=True)
class Sum(Layer):
    """A weighted sum of windows; constants added to it change nothing."""

    factors: list[float]

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        first = windows[0].as_delta(block)
        found = first.new_zeros((high - low, block.edits, *self.layout.rest))
        for window, factor in zip(windows, self.factors, strict=True):
            start, stop = max(low, window.low), min(high, window.high)
            if start < stop:
                part = window.as_delta(block)[start - window.low : stop - window.low]
                found[start - low : stop - low].add_(part, alpha=factor)
        return Window(self.layout, references(None), low, high, delta=found)


@dataclass(kw_only=True)
class Relabel(Layer):
    """Another shape of the same rows."""

    wants: str = "either"

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        x, rows = windows[0], slice(low - windows[0].low, high - windows[0].low)
        shape = (high - low, block.edits, *self.layout.rest)
        forms = {
            form: None if held is None else held[rows].reshape(shape)
            for form, held in (("delta", x.delta), ("value", x.value))
        }
        found = Window(self.layout, references(None), low, high, **forms)
        found.shared = x.shared
        return found


@dataclass(kw_only=True)
class Local(Layer):
    """A function of each position by itself: elementwise, over channels, or a matrix product of them.

    Attributes:
        function: takes the inputs' values as the module does, the window in place of the sequence.
        in_place: a version for one input that writes over it.
    """

    function: Callable[..., torch.Tensor]
    in_place: Callable[[torch.Tensor], torch.Tensor] | None = None
    wants: str = "value"

    def run(self, block: Block, windows: list[Window], low: int, high: int, references: Callable) -> Window:
        values = [window.as_value(block, low, high) for window in windows]
        if self.in_place and not (values[0] is windows[0].value and windows[0].shared):
            return Window(self.layout, references(None), low, high, value=self.in_place(values[0]))
        found = self.function(*(w.layout.original(v) for w, v in zip(windows, values, strict=True)))
        found = found.movedim(self.layout.axis, 0)
        shape = (high - low, block.edits, *self.layout.rest)
        return Window(self.layout, references(None), low, high, value=found.expand(shape).contiguous())
