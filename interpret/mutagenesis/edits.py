"""In-silico mutagenesis on a captured graph: what an edit changes is followed through the windows of each layer.

The observed sequences run once. Then blocks of edits pass the layers that propagate windows; what reads whole tensors
(dense layers after flattening, attention) is computed for all edits of a part; the linear end is a weighted sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

from interpret.capture import capture, is_number, name_of, place_of, run_node
from interpret.module import gradients_on
from interpret.mutagenesis.analysis import Analysis, analyse, chooses_places
from interpret.mutagenesis.ends import DenseEnd, ReducedEnd, materialise
from interpret.mutagenesis.layers import Interval, MaxPool, Taps, chunk_rows
from interpret.mutagenesis.trial import seconds
from interpret.mutagenesis.window import Block, Reference, Window, _Part

__all__ = ["MutagenesisGraph"]

BLOCK_BYTES = 1 << 23  # of the largest layer's windows in a block
STORE_BYTES = 1 << 27  # of the windows that wait for a dense layer
PART_EDITS = 1 << 13


class MutagenesisGraph:
    """A captured module, ready to predict edits.

    Args:
        module: in eval mode; (N, 4, L) -> (N,) or (N, 1).
        examples: inputs, two rows or more; only the first is edited.
        batch_size: edits at a time where whole tensors are needed.

    Raises:
        ModelError: the module cannot be captured.
    """

    def __init__(self, module: torch.nn.Module, *examples: torch.Tensor, batch_size: int = 128) -> None:
        self.captured, self.batch_size = capture(module, *examples), batch_size
        source = self.captured.inputs[0]
        like = next((p for p in module.parameters() if p.is_floating_point()), examples[0])
        self.parts: Analysis = analyse(self.captured.graph_module, source, like)
        self.period = self.parts.period

    @property
    def chooses(self) -> str | None:
        """The first operation whose result rounding may decide (``chooses_places``): operation, module and line."""
        node = chooses_places(self.captured.graph_module.graph, self.parts.source)
        return None if node is None else place_of(node)

    @property
    def spared(self) -> float:
        """Multiplications of convolutions that windows spare an edit in the middle of a sequence."""
        middle = self.parts.plan.layouts[self.parts.source].length // 2
        intervals, found = {self.parts.source: (middle, middle + 1)}, 0.0
        for node, layer in self.parts.layers.items():
            low, high = layer.reach([intervals.get(n, (0, 0)) for n in layer.inputs])
            intervals[node] = max(low, 0), min(high, layer.layout.length)
            if isinstance(layer, Taps):
                low, high = intervals[layer.inputs[0]]
                rows = layer.layout.length - (high - low) / layer.sliding.stride
                found += max(rows, 0) * sum(int(m.count_nonzero()) for m in layer.matrices)
        return found

    @property
    def whole_from(self) -> str | None:
        """The first operation that runs on whole tensors: operation, module and source line; None if none does."""
        readers = set(self.parts.materialised.values())
        return next((place_of(node) for node in self.parts.rest if node in readers), None)

    def trial(self, x: torch.Tensor, *fixed: torch.Tensor, positions: int) -> tuple[float, float]:
        """Seconds to prepare sequences, and seconds an edit, of some positions in the middle."""
        with torch.no_grad():
            begin = seconds(x.device)
            run = _Run(self, x, fixed)
            prepared = seconds(x.device)
            edits = run.try_some(positions)
            return prepared - begin, (seconds(x.device) - prepared) / edits

    def predict(self, x: torch.Tensor, *fixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Predictions of the observed sequences and of all their single-base edits.

        Args:
            x: (N, 4, L). fixed: further inputs of those sequences.

        Returns:
            (N,), and (N, 4, L) with each base at each position; float64.
        """
        with torch.no_grad():
            return _Run(self, x, fixed).go()


class _Run:
    """All edits of a few sequences."""

    def __init__(self, graph: MutagenesisGraph, x: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> None:
        self.graph, self.parts, self.x = graph, graph.parts, x
        self.plan, self.source = self.parts.plan, self.parts.source
        self.sequences, _, self.length = x.shape
        self.values = self._observed(x, fixed)
        self.weights = self._linear_end()
        self.need = self._needed()
        known = (((x == 0) | (x == 1)).all(1) & (x.sum(1) == 1)).all()
        self.bases = 3 if known else 4
        self.columns = self._edited_columns()
        self.references: dict[Any, Reference] = {}
        self.shared = {n: len(self.parts.consumers(n)) > 1 for n in [self.source, *self.parts.layers]}
        self.positions = self._positions_a_block()
        self.dense = {n: DenseEnd(n, x, self.plan) for n, x in self.parts.dense.items()}
        self.reduced = {n: ReducedEnd(n, x, self.plan, self.values) for n, x in self.parts.reduced.items()}

    def go(self) -> tuple[torch.Tensor, torch.Tensor]:
        observed = self.values[self.parts.output].reshape(-1)[: self.sequences].double()
        found = observed[:, None, None].expand(self.sequences, self.length, self.bases).clone()
        for part in self._part_list():
            delta = self._explain(part)  # (positions, sequences, bases)
            stop = part.first + (part.count - 1) * part.step + 1
            found[:, part.first : stop : part.step] += delta.transpose(0, 1)
        scores = observed[:, None, None].expand(self.sequences, 4, self.length).clone()
        return observed, scores.scatter_(1, self.alternatives.transpose(1, 2), found.transpose(1, 2))

    def try_some(self, positions: int) -> int:
        """Follow edits of some positions in the middle; how many edits."""
        first = max(0, (self.length - positions) // 2)
        stop = min(first + positions, self.length)
        for block in self._blocks(first, stop):
            if self.parts.materialised:
                self._explain(_Part(block.first, block.positions, block.period, [block]))
        if not self.parts.materialised:
            self._explain(_Part(first, stop - first, 1, list(self._blocks(first, stop))))
        return (stop - first) * self.sequences * self.bases

    # What is computed once for the observed sequences.

    def _observed(self, x: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> dict[fx.Node, Any]:
        """Values of all nodes; a single sequence runs twice, as graphs are captured for two or more."""
        if len(x) == 1:
            x, fixed = torch.cat([x, x]), tuple(torch.cat([f, f]) for f in fixed)
        values = dict(self.plan.constants)
        values.update(zip(self.graph.captured.inputs, (x, *fixed), strict=True))
        for node in self.graph.captured.graph_module.graph.nodes:
            if node.op == "call_function" and node not in values:
                values[node] = run_node(node, values)
        return values

    def _linear_end(self) -> dict[fx.Node, torch.Tensor]:
        """The weight of each value that enters the linear end."""
        with gradients_on():
            values = dict(self.values)
            for node in self.parts.frontier:
                values[node] = self.values[node].detach().clone().requires_grad_()
            leaves = [values[node] for node in self.parts.frontier]
            for node in self.parts.tail:
                values[node] = run_node(node, values)
            end = values[self.parts.output]
            found = torch.autograd.grad(end.sum(), leaves, allow_unused=True)
        pairs = zip(self.parts.frontier, found, leaves, strict=True)
        return {n: torch.zeros_like(leaf) if g is None else g.detach() for n, g, leaf in pairs}

    def _needed(self) -> dict[fx.Node, Interval]:
        """The positions of each windowed tensor on which the output depends."""
        found: dict[fx.Node, Interval] = {}

        def widen(node: fx.Node, low: int, high: int) -> None:
            low, high = max(low, 0), min(high, self.plan.layouts[node].length)
            if low < high and node in found:
                low, high = min(low, found[node][0]), max(high, found[node][1])
            if low < high:
                found[node] = (low, high)

        for node in self.parts.frontier:
            if node in self.plan.layouts:
                axis = self.plan.layouts[node].axis
                used = self.weights[node].movedim(axis, 0).flatten(1).ne(0).any(1).nonzero()
                if len(used):
                    widen(node, int(used[0]), int(used[-1]) + 1)
        for node in [*self.parts.dense.values(), *self.parts.reduced.values(), *self.parts.materialised]:
            widen(node, 0, self.plan.layouts[node].length)
        for node, layer in reversed(self.parts.layers.items()):
            if node in found:
                for number, source in enumerate(layer.inputs):
                    adds = isinstance(layer, Taps) and number == 1
                    widen(source, *(found[node] if adds else layer.need(*found[node])))
        return found

    def _edited_columns(self) -> torch.Tensor:
        """(L, N, bases, 4): new column less the observed one."""
        columns = self.x.permute(2, 0, 1)
        eye = torch.eye(4, dtype=self.x.dtype, device=self.x.device)
        if self.bases == 3:
            self.alternatives = (self.x.argmax(1)[..., None] + torch.arange(1, 4, device=self.x.device)) % 4
        else:
            self.alternatives = torch.arange(4, device=self.x.device).expand(self.sequences, self.length, 4)
        return eye[self.alternatives.transpose(0, 1)] - columns[:, :, None]

    # Which edits go together.

    def _positions_a_block(self) -> int:
        """So many that the largest window fits into the cache's next level, and whole tensors into a batch."""
        middle = Block(self.length // 2, 1, self.sequences, self.bases, self.graph.period)
        intervals, size = self._intervals(middle), 1
        for node, layer in self.parts.layers.items():
            held = layer.matrices[0].shape[1] if isinstance(layer, Taps) else self.plan.layouts[node].channels
            low, high = intervals[node]
            size = max(size, (high - low) * held)
        edits = max(1, BLOCK_BYTES // (size * self.x.element_size()))
        if self.parts.materialised:
            edits = min(edits, self.graph.batch_size)
        return max(1, edits // (self.sequences * self.bases))

    def _blocks(self, first: int, stop: int) -> Iterator[Block]:
        period, most = self.graph.period, self.positions
        for phase in range(first, min(first + period, stop)):
            places = range(phase, stop, period)
            for start in range(0, len(places), most):
                count = min(most, len(places) - start)
                yield Block(places[start], count, self.sequences, self.bases, period)

    def _part_list(self) -> Iterator[_Part]:
        if self.parts.materialised:
            for block in self._blocks(0, self.length):
                yield _Part(block.first, block.positions, block.period, [block])
            return
        edits = PART_EDITS
        middle = Block(self.length // 2, 1, self.sequences, self.bases, self.graph.period)
        intervals = self._intervals(middle)
        for node in self.parts.dense.values():
            low, high = intervals.get(node, (0, 1))
            held = (high - low) * self.x.element_size() * self.plan.layouts[node].channels
            edits = min(edits, max(1, STORE_BYTES // held))
        count = max(1, edits // (self.sequences * self.bases))
        for first in range(0, self.length, count):
            stop = min(first + count, self.length)
            yield _Part(first, stop - first, 1, list(self._blocks(first, stop)))

    def _intervals(self, block: Block) -> dict[fx.Node, Interval]:
        """The window of each node, for the block's first position."""
        nothing = (0, 0)
        layout = self.plan.layouts[self.source]
        clipped = layout.clip(block, block.first, block.first + 1, self.need.get(self.source, nothing))
        found = {self.source: clipped}
        for node, layer in self.parts.layers.items():
            low, high = layer.reach([found.get(n, nothing) for n in layer.inputs])
            found[node] = self.plan.layouts[node].clip(block, low, high, self.need.get(node, nothing))
        for node, layer in self.parts.layers.items():  # a pool reads its convolution's rows where they lie
            if isinstance(layer, MaxPool) and found[node] != nothing and not self.shared[layer.inputs[0]]:
                source = self.parts.layers.get(layer.inputs[0])
                if isinstance(source, Taps) and source.gives == "value":
                    found[layer.inputs[0]] = layer.need(*found[node])
        return found

    # Edits.

    def reference(self, node: fx.Node, weights: bool = False) -> Reference:
        """The node's observed values, or its weights, to be seen through windows."""
        key = (node, weights)
        if key not in self.references:
            layout = self.plan.layouts[node]
            value = self.weights[node] if weights else self.values[node]
            if node not in self.plan.varying:  # a constant along the sequence
                ndim = len(layout.rest) + 1
                sizes = ([1] * ndim + list(value.shape))[-ndim:]
                value = value.reshape(1, *sizes).expand(self.sequences, *sizes)
            drift = (self.positions - 1) * (self.graph.period // layout.stride)
            self.references[key] = Reference(value[: self.sequences], layout, drift + self._overhang)
        return self.references[key]

    @property
    def _overhang(self) -> int:
        pools = [layer.sliding for layer in self.parts.layers.values() if isinstance(layer, MaxPool)]
        return 1 + max((2 * s.stride + s.kernel * s.dilation + s.padding for s in pools), default=0)

    def _explain(self, part: _Part) -> torch.Tensor:
        """What the part's edits change of the output, (positions, sequences, bases), float64."""
        shape = (part.count, self.sequences, self.bases)
        delta = torch.zeros(shape, dtype=torch.float64, device=self.x.device)
        intervals = [self._intervals(block) for block in part.blocks]
        for end in self.dense.values():
            end.open(part, [(b, i.get(end.windows, (0, 0))) for b, i in zip(part.blocks, intervals, strict=True)])
        for end in self.reduced.values():
            end.open(part)
        whole: dict[fx.Node, torch.Tensor] = {}
        for block, places in zip(part.blocks, intervals, strict=True):
            windows = self._propagate(block, places, delta[part.rows(block)])
            for end in [*self.dense.values(), *self.reduced.values()]:
                end.add(part, block, windows[end.windows])
            for node in self.parts.materialised:
                whole[node] = materialise(windows[node], block, self.reference(node))
        if self.parts.rest:
            self._run_rest(part, whole, delta)
        return delta

    def _propagate(self, block: Block, places: dict[fx.Node, Interval], delta: torch.Tensor) -> dict[fx.Node, Window]:
        windows = {self.source: self._source_window(block, places[self.source])}
        self._collect(self.source, windows[self.source], block, delta)
        for node, layer in self.parts.layers.items():
            low, high = places[node]
            if low >= high:
                windows[node] = self._empty(node, block)
                continue
            inputs = [windows[n] if n in windows else self._empty(n, block) for n in layer.inputs]
            last = isinstance(layer, Taps) and self.parts.consumers(node) == [None]
            if last:
                layer.tail = lambda b, rows, start, node=node: self._weigh(node, b, rows, start, delta)
            found = layer.run(block, inputs, low, high, lambda n, node=node: self.reference(n or node))
            found.shared = self.shared[node] or (found.shared and layer.wants == "either")
            windows[node] = found
            if not last:
                self._collect(node, found, block, delta)
        return windows

    def _source_window(self, block: Block, place: Interval) -> Window:
        layout = self.plan.layouts[self.source]
        if place[0] >= place[1]:
            return self._empty(self.source, block)
        stop = block.first + (block.positions - 1) * block.period + 1
        rows = self.columns[block.first : stop : block.period].reshape(1, block.edits, -1)
        return Window(layout, self.reference(self.source), *place, delta=rows, shared=True)

    def _empty(self, node: fx.Node, block: Block) -> Window:
        layout, reference = self.plan.layouts[node], self.reference(node)
        return Window(layout, reference, 0, 0, delta=reference.padded.new_empty((0, block.edits, *layout.rest)))

    def _collect(self, node: fx.Node, window: Window, block: Block, delta: torch.Tensor) -> None:
        if node in self.parts.frontier and len(window):
            rows = window.as_delta(block)
            size = chunk_rows(rows.shape, rows)
            for start in range(0, len(rows), size):
                self._weigh(node, block, rows[start : start + size], window.low + start, delta)

    def _weigh(self, node: fx.Node, block: Block, rows: torch.Tensor, low: int, delta: torch.Tensor) -> None:
        """Add rows times their weights in the linear end."""
        seen = self.reference(node, weights=True).window(block, low, low + len(rows))
        product = block.split(rows) * seen
        delta += product.sum((0, *range(4, product.ndim)))

    def _run_rest(self, part: _Part, whole: dict[fx.Node, torch.Tensor], delta: torch.Tensor) -> None:
        edits = delta.numel()
        sequence = torch.arange(self.sequences, device=self.x.device)[None, :, None].expand(delta.shape).reshape(-1)
        values: dict[fx.Node, Any] = dict(whole)
        for node in self.parts.rest:
            if node in self.dense or node in self.reduced:
                end = self.dense.get(node) or self.reduced[node]
                values[node] = end.finish(self.values[node][sequence])
                continue
            for n in node.all_input_nodes:
                if n not in values:
                    values[n] = self._for_edits(n, sequence)
            sized = name_of(node) == "sym_size" and node.args[1] == 0
            values[node] = edits if sized else run_node(node, values)
        for node in self.parts.frontier:
            if node in values and node not in self.plan.layouts:
                changed = (values[node] - self.values[node][sequence]) * self.weights[node][sequence]
                delta += changed.double().reshape(edits, -1).sum(1).view(delta.shape)

    def _for_edits(self, node: fx.Node, sequence: torch.Tensor) -> Any:
        """A value that no edit changes, for each edit."""
        value, fake = self.values[node], node.meta.get("val")
        if isinstance(value, torch.Tensor) and isinstance(fake, torch.Tensor):
            axes = [a for a, size in enumerate(fake.shape) if isinstance(size, torch.SymInt)]
            if axes:
                return value.index_select(axes[0], sequence)
        return len(sequence) if is_number(node) and not isinstance(fake, int | float | bool) else value
