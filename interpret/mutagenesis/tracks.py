"""A list of edits followed to all outputs of a module: every track, and every bin that a window holds.

Bins outside of an edit's window are those of the observed sequence, as they are: of a profile only what lies within
reach of the edit is computed. Nothing is added up, so that there is no linear end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import fx

from interpret.capture import capture, place_of
from interpret.mutagenesis.analysis import Analysis, analyse, chooses_places
from interpret.mutagenesis.ends import materialise
from interpret.mutagenesis.following import Following, dense_ends, observed_values
from interpret.mutagenesis.layers import Interval, Taps
from interpret.mutagenesis.window import Block, Reference, Window, _Part

__all__ = ["Observed", "TracksGraph"]

SPREAD = 512  # bases between the first and the last position of a block, or four periods where these are more


class TracksGraph:
    """A captured module with any number of outputs, ready to follow edits.

    Args:
        module: in eval mode; (N, 4, L) -> a tuple of (N, ...).
        example: (2, 4, L) or more.
        batch_size: edits at a time where whole tensors are needed.

    Raises:
        ModelError: the module cannot be captured.
    """

    def __init__(self, module: torch.nn.Module, example: torch.Tensor, batch_size: int = 128) -> None:
        self.captured, self.batch_size = capture(module, example), batch_size
        source = self.captured.inputs[0]
        like = next((p for p in module.parameters() if p.is_floating_point()), example)
        self.parts: Analysis = analyse(self.captured.graph_module, source, like, linear_end=False)
        self.dense = dense_ends(self.parts)
        self.kept = self._read_later()

    @property
    def chooses(self) -> str | None:
        """The first operation whose result rounding may decide (``chooses_places``): operation, module and line."""
        node = chooses_places(self.captured.graph_module.graph, self.parts.source)
        return None if node is None else place_of(node)

    @property
    def whole_from(self) -> str | None:
        """The first operation that runs on whole tensors: operation, module and source line; None if none does."""
        readers = set(self.parts.materialised.values())
        return next((place_of(node) for node in self.parts.rest if node in readers), None)

    def observe(self, x: torch.Tensor) -> list[Observed]:
        """Run sequences, (N, 4, L): each with what following its edits takes."""
        values = observed_values(self.captured, self.parts, x, keep=self.kept)
        return [Observed(self, x, values, row) for row in range(len(x))]

    def _read_later(self) -> set[fx.Node]:
        """The nodes whose observed values edits need."""
        parts = self.parts
        read = {parts.source, *parts.outputs, *parts.layers, *parts.rest, *parts.dense.values()}
        read |= {*parts.reduced.values(), *parts.materialised}
        for node in [*parts.layers, *parts.rest]:
            layer = parts.layers.get(node)
            read |= {*layer.inputs} if layer else {*node.all_input_nodes}
            if isinstance(layer, Taps):
                read |= {layer.base, layer.last}
        return read


class Observed:
    """One sequence that has run, and its edits.

    Attributes:
        outputs: of the sequence itself, (...) each.
    """

    def __init__(self, graph: TracksGraph, x: torch.Tensor, values: dict[fx.Node, Any], row: int) -> None:
        self.graph, self.x = graph, x[row : row + 1]
        self._values = {node: self._of_row(graph, node, value, row) for node, value in values.items()}
        self.outputs = [self._values[node][0] for node in graph.parts.outputs]
        self._references: dict[fx.Node, Reference] = {}
        self._spread = 0

    @staticmethod
    def _of_row(graph: TracksGraph, node: fx.Node, value: Any, row: int) -> Any:
        fake = node.meta.get("val")
        if node in graph.parts.plan.constants or not isinstance(value, torch.Tensor):
            return value
        axes = [a for a, size in enumerate(fake.shape) if isinstance(size, torch.SymInt)]
        return value.narrow(axes[0], row, 1) if axes else value

    def follow(self, positions: Sequence[int], bases: Sequence[int]) -> list[torch.Tensor]:
        """The outputs with one base changed each.

        Args:
            positions: of the edits. bases: what stands there then, 0 to 3.

        Returns:
            (edits, ...) an output, in the order that is given.
        """
        found = [one.new_empty((len(positions), *one.shape)) for one in self.outputs]
        spread = min(max(SPREAD, 4 * self.graph.parts.period), max(positions) - min(positions))
        if spread > self._spread:  # with as much beside them as the windows of the block's last position need
            self._references, self._spread = {}, spread
        with torch.no_grad():
            for several in _by_alternatives(positions, bases):
                _Run(self.graph, self.x, self._values, several, found, self._references, self._spread).go()
        return found


#: Edits at a position: where it is, what stands there, their numbers in the list.
_Place = tuple[int, list[int], list[int]]


def _by_alternatives(positions: Sequence[int], bases: Sequence[int]) -> Iterator[list[_Place]]:
    """Positions, ascending, of which each has as many edits as the others."""
    at: dict[int, tuple[list[int], list[int]]] = {}
    for number, (place, base) in enumerate(zip(positions, bases, strict=True)):
        alternatives, numbers = at.setdefault(int(place), ([], []))
        alternatives.append(int(base))
        numbers.append(number)
    places = sorted(((place, *found) for place, found in at.items()), key=lambda p: (len(p[1]), p[0]))
    for _, several in groupby(places, key=lambda p: len(p[1])):
        yield list(several)


class _Run(Following):
    """Edits of one sequence at some positions, as many at each."""

    def __init__(
        self,
        graph: TracksGraph,
        x: torch.Tensor,
        values: dict[fx.Node, Any],
        places: list[_Place],
        found: list[torch.Tensor],
        references: dict[fx.Node, Reference],
        most_apart: int,
    ) -> None:
        self.found, self.bases, self.most_apart = found, len(places[0][1]), most_apart
        super().__init__(graph.parts, x, values, graph.dense, graph.batch_size, references)
        device = x.device
        self.positions = [place for place, _, _ in places]
        alternatives = torch.tensor([bases for _, bases, _ in places], device=device)
        eye = torch.eye(4, dtype=x.dtype, device=device)
        self.columns = eye[alternatives] - x[0].t()[torch.tensor(self.positions, device=device)][:, None]
        self.numbers = torch.tensor([numbers for _, _, numbers in places], device=device)
        self.place = {place: number for number, place in enumerate(self.positions)}

    def go(self) -> None:
        """Put the outputs of all edits where they belong."""
        for part in self._parts():
            whole = self._follow(part, lambda block: self.numbers[self._at(block)].reshape(-1))
            numbers = self.numbers[[self.place[place] for place in part.places]].reshape(-1)
            computed = self._run_rest(numbers.new_zeros(len(numbers)), whole) if self.parts.rest else {}
            for found, node in zip(self.found, self.parts.outputs, strict=True):
                if node in computed and node not in self.plan.layouts:
                    found[numbers] = computed[node].to(found.dtype)
                elif node not in self.plan.varying:
                    found[numbers] = self.values[node].to(found.dtype)

    def _at(self, block: Block) -> list[int]:
        """Rows of a block's positions."""
        return [self.place[block.first + shift] for shift in block.shifts(1)]

    # What a subclass says.

    def _columns(self, block: Block) -> torch.Tensor:
        return self.columns[self._at(block)].reshape(1, block.edits, -1)

    def _used(self, node: fx.Node) -> Interval:
        return 0, self.plan.layouts[node].length

    def _spread(self) -> int:
        return self.most_apart

    def _collect(self, node: fx.Node, window: Window, block: Block, into: torch.Tensor) -> None:
        if node in self.parts.frontier:
            whole = materialise(window, block, self.reference(node))
            for found, output in zip(self.found, self.parts.outputs, strict=True):
                if output is node:
                    found[into] = whole

    # Which edits go together.

    def _parts(self) -> Iterator[_Part]:
        count = max(1, self._edits_a_part(self.bases) // self.bases)
        for start in range(0, len(self.positions), count):
            positions = self.positions[start : start + count]
            blocks = list(self._blocks(positions))
            if self.parts.materialised:
                yield from (self._part([block]) for block in blocks)
            else:
                yield self._part(blocks, positions)

    def _part(self, blocks: list[Block], positions: list[int] | None = None) -> _Part:
        positions = positions or [blocks[0].first + shift for shift in blocks[0].shifts(1)]
        return _Part(0, len(positions), 1, blocks, {place: number for number, place in enumerate(positions)})

    def _blocks(self, positions: list[int]) -> Iterator[Block]:
        most = max(1, self._edits_a_block(self.bases) // self.bases)
        in_phase: dict[int, list[int]] = {}
        for place in positions:
            in_phase.setdefault(place % self.period, []).append(place)
        for places in in_phase.values():
            start = 0
            for stop in range(1, len(places) + 1):
                full = stop - start == most or stop == len(places)
                if full or places[stop] - places[start] > self.most_apart:
                    yield Block.of(places[start:stop], self.bases, self.period)
                    start = stop
