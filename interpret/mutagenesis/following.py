"""Blocks of edits that pass the layers of a captured module: what is the same whatever is made of the end.

The observed sequences have run once. A block passes the layers that propagate windows; what reads whole tensors is
computed for all edits of a part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import fx

from interpret.capture import Captured, is_number, name_of, run_node
from interpret.mutagenesis.analysis import Analysis
from interpret.mutagenesis.ends import DenseEnd, ReducedEnd, materialise
from interpret.mutagenesis.layers import Interval, MaxPool, Taps
from interpret.mutagenesis.window import Block, Reference, Window, _Part

__all__ = ["Following", "dense_ends", "observed_values"]

BLOCK_BYTES = 1 << 23  # of the largest layer's windows in a block
STORE_BYTES = 1 << 27  # of the windows that wait for a dense layer
PART_EDITS = 1 << 13


def observed_values(
    captured: Captured, parts: Analysis, *given: torch.Tensor, keep: Collection[fx.Node] | None = None
) -> dict[fx.Node, Any]:
    """Values of all nodes; a single sequence runs twice, as graphs are captured for two or more.

    Args:
        keep: nodes whose values are wanted; those of others are let go when the last that reads them has run.
    """
    if len(given[0]) == 1:
        given = tuple(torch.cat([one, one]) for one in given)
    values = dict(parts.plan.constants)
    values.update(zip(captured.inputs, given, strict=True))
    left = {node: len(node.users) for node in captured.graph_module.graph.nodes}
    for node in captured.graph_module.graph.nodes:
        if node.op == "call_function" and node not in values:
            values[node] = run_node(node, values)
        for n in node.all_input_nodes:
            left[n] -= 1
            if keep is not None and not left[n] and n not in keep:
                del values[n]
    return values


def dense_ends(parts: Analysis) -> dict[fx.Node, DenseEnd]:
    """The dense layers that read windows, their weights laid out for it."""
    return {n: DenseEnd(n, x, parts.plan) for n, x in parts.dense.items()}


class Following:
    """Edits of a few sequences.

    A subclass says which columns its edits have, which positions its end reads, and what becomes of what enters it.

    Args:
        parts: the module's, by ``analyse``.
        x: (N, 4, L), the observed sequences.
        values: of all nodes, for those sequences.
        dense: ``dense_ends`` of the module; of one run at a time.
        references: those of the same sequences that were made before.
        batch_size: edits at a time where whole tensors are needed.
    """

    def __init__(
        self,
        parts: Analysis,
        x: torch.Tensor,
        values: dict[fx.Node, Any],
        dense: dict[fx.Node, DenseEnd],
        batch_size: int,
        references: dict[fx.Node, Reference] | None = None,
    ) -> None:
        self.parts, self.x, self.values, self.batch_size = parts, x, values, batch_size
        self.plan, self.source, self.period = parts.plan, parts.source, parts.period
        self.sequences, _, self.length = x.shape
        self.need = self._needed()
        self.references = {} if references is None else references
        self.shared = {n: len(parts.consumers(n)) > 1 for n in [self.source, *parts.layers]}
        self.last_readers = self._last_readers()
        self.dense = dense
        self.reduced = {n: ReducedEnd(n, x, self.plan, values) for n, x in parts.reduced.items()}

    # What a subclass says.

    def _columns(self, block: Block) -> torch.Tensor:
        """(1, edits, 4): new column less the observed one."""
        raise NotImplementedError

    def _used(self, node: fx.Node) -> Interval:
        """The positions on which the end depends, of a windowed tensor that enters it."""
        raise NotImplementedError

    def _spread(self) -> int:
        """Bases between the first and the last position of a block, at most."""
        raise NotImplementedError

    def _collect(self, node: fx.Node, window: Window, block: Block, into: Any) -> None:
        """Take a window that enters the end."""

    def _tail(self, node: fx.Node, into: Any) -> Callable[[Block, torch.Tensor, int], None] | None:
        """What takes the rows of a layer that only the end reads, in place of memory."""
        return None

    # What is computed once for the observed sequences.

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
                widen(node, *self._used(node))
        for node in [*self.parts.dense.values(), *self.parts.reduced.values(), *self.parts.materialised]:
            widen(node, 0, self.plan.layouts[node].length)
        for node, layer in reversed(self.parts.layers.items()):
            if node in found:
                for number, source in enumerate(layer.inputs):
                    adds = isinstance(layer, Taps) and number == 1
                    widen(source, *(found[node] if adds else layer.need(*found[node])))
        return found

    def reference(self, node: fx.Node) -> Reference:
        """The node's observed values, to be seen through windows."""
        if node not in self.references:
            self.references[node] = self._reference(node, self.values[node])
        return self.references[node]

    def _reference(self, node: fx.Node, value: torch.Tensor) -> Reference:
        layout = self.plan.layouts[node]
        if node not in self.plan.varying:  # a constant along the sequence
            ndim = len(layout.rest) + 1
            sizes = ([1] * ndim + list(value.shape))[-ndim:]
            value = value.reshape(1, *sizes).expand(self.sequences, *sizes)
        margin = self._spread() // layout.stride + self._overhang
        return Reference(value[: self.sequences], layout, margin)

    @property
    def _overhang(self) -> int:
        pools = [layer.sliding for layer in self.parts.layers.values() if isinstance(layer, MaxPool)]
        return 1 + max((2 * s.stride + s.kernel * s.dilation + s.padding for s in pools), default=0)

    def _last_readers(self) -> dict[fx.Node, list[fx.Node]]:
        """Layers -> the nodes whose rows they may overwrite, though others read them: those have run before.

        What is, or is read as, a view of other rows is left out.
        """
        layers, found = self.parts.layers, {}
        order = {node: number for number, node in enumerate(layers)}
        for node, layer in layers.items():
            readers = self.parts.consumers(node)
            if len(readers) < 2 or layer.wants == "either" or not all(reader in layers for reader in readers):
                continue
            *before, last = sorted(set(readers), key=order.__getitem__)
            if not any(layers[reader].wants == "either" for reader in before):
                found.setdefault(last, []).append(node)
        return found

    # Which edits go together.

    def _edits_a_block(self, bases: int) -> int:
        """So many that the largest window fits into the cache's next level, and whole tensors into a batch."""
        middle = Block(self.length // 2, 1, self.sequences, bases, self.period)
        intervals, size = self._intervals(middle), 1
        for node, layer in self.parts.layers.items():
            held = layer.matrices[0].shape[1] if isinstance(layer, Taps) else self.plan.layouts[node].channels
            low, high = intervals[node]
            size = max(size, (high - low) * held)
        edits = max(1, BLOCK_BYTES // (size * self.x.element_size()))
        return min(edits, self.batch_size) if self.parts.materialised else edits

    def _edits_a_part(self, bases: int) -> int:
        """So many that what waits for dense layers does not fill the memory."""
        middle = Block(self.length // 2, 1, self.sequences, bases, self.period)
        intervals, edits = self._intervals(middle), PART_EDITS
        for node in self.parts.dense.values():
            low, high = intervals.get(node, (0, 1))
            held = max(1, high - low) * self.x.element_size() * self.plan.layouts[node].channels
            edits = min(edits, max(1, STORE_BYTES // held))
        return edits

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

    def _follow(self, part: _Part, into: Callable[[Block], Any]) -> dict[fx.Node, torch.Tensor]:
        """Pass all blocks of a part; ``into``: where its block's windows that enter the end are collected.

        Returns:
            Whole tensors, of the part's only block, that operations need which do not propagate windows.
        """
        intervals = [self._intervals(block) for block in part.blocks]
        for end in self.dense.values():
            end.open(part, [(b, i.get(end.windows, (0, 0))) for b, i in zip(part.blocks, intervals, strict=True)])
        for end in self.reduced.values():
            end.open(part)
        whole: dict[fx.Node, torch.Tensor] = {}
        for block, places in zip(part.blocks, intervals, strict=True):
            windows = self._propagate(block, places, into(block))
            for end in [*self.dense.values(), *self.reduced.values()]:
                end.add(part, block, windows[end.windows])
            for node in self.parts.materialised:
                whole[node] = materialise(windows[node], block, self.reference(node))
        return whole

    def _propagate(self, block: Block, places: dict[fx.Node, Interval], into: Any) -> dict[fx.Node, Window]:
        windows = {self.source: self._source_window(block, places[self.source])}
        self._collect(self.source, windows[self.source], block, into)
        for node, layer in self.parts.layers.items():
            low, high = places[node]
            if low >= high:
                windows[node] = self._empty(node, block)
                self._collect(node, windows[node], block, into)
                continue
            for n in self.last_readers.get(node, ()):
                windows[n].shared = False
            inputs = [windows[n] if n in windows else self._empty(n, block) for n in layer.inputs]
            last = isinstance(layer, Taps) and self.parts.consumers(node) == [None]
            if last:
                layer.tail = self._tail(node, into)
                last = layer.tail is not None
            found = layer.run(block, inputs, low, high, lambda n, node=node: self.reference(n or node))
            found.shared = self.shared[node] or (found.shared and layer.wants == "either")
            windows[node] = found
            if not last:
                self._collect(node, found, block, into)
        return windows

    def _source_window(self, block: Block, place: Interval) -> Window:
        layout = self.plan.layouts[self.source]
        if place[0] >= place[1]:
            return self._empty(self.source, block)
        return Window(layout, self.reference(self.source), *place, delta=self._columns(block), shared=True)

    def _empty(self, node: fx.Node, block: Block) -> Window:
        layout, reference = self.plan.layouts[node], self.reference(node)
        return Window(layout, reference, 0, 0, delta=reference.padded.new_empty((0, block.edits, *layout.rest)))

    def _run_rest(self, sequence: torch.Tensor, whole: dict[fx.Node, torch.Tensor]) -> dict[fx.Node, Any]:
        """Values of what is computed on whole tensors, for each edit of a part.

        Args:
            sequence: (edits,), which of the observed sequences each is of.
        """
        values: dict[fx.Node, Any] = dict(whole)
        for node in self.parts.rest:
            if node in self.dense or node in self.reduced:
                end = self.dense.get(node) or self.reduced[node]
                values[node] = end.finish(self.values[node][sequence])
                continue
            if name_of(node) == "sym_size" and node.args[1] == 0:
                values[node] = len(sequence)
                continue
            for n in node.all_input_nodes:
                if n not in values:
                    values[n] = self._for_edits(n, sequence)
            values[node] = run_node(node, values)
        return values

    def _for_edits(self, node: fx.Node, sequence: torch.Tensor) -> Any:
        """A value that no edit changes, for each edit."""
        value, fake = self.values[node], node.meta.get("val")
        if isinstance(value, torch.Tensor) and isinstance(fake, torch.Tensor):
            axes = [a for a, size in enumerate(fake.shape) if isinstance(size, torch.SymInt)]
            if axes:
                return value.index_select(axes[0], sequence)
        return len(sequence) if is_number(node) and not isinstance(fake, int | float | bool) else value
