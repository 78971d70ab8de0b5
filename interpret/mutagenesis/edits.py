"""In-silico mutagenesis on a captured graph: all edits of a sequence followed to one number, by ``following``.

The linear end is a weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import fx

from interpret.capture import capture, place_of, run_node
from interpret.module import gradients_on
from interpret.mutagenesis.analysis import Analysis, analyse, chooses_places
from interpret.mutagenesis.following import Following, dense_ends, observed_values
from interpret.mutagenesis.layers import Interval, Taps, chunk_rows
from interpret.mutagenesis.trial import seconds
from interpret.mutagenesis.window import Block, Reference, Window, _Part

__all__ = ["MutagenesisGraph"]


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


class _Run(Following):
    """All edits of a few sequences."""

    def __init__(self, graph: MutagenesisGraph, x: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> None:
        self.parts, values = graph.parts, observed_values(graph.captured, graph.parts, x, *fixed)
        self.weights = self._linear_end(values)
        known = (((x == 0) | (x == 1)).all(1) & (x.sum(1) == 1)).all()
        self.bases = 3 if known else 4
        super().__init__(graph.parts, x, values, dense_ends(graph.parts), graph.batch_size)
        self.columns = self._edited_columns()
        self.seen_weights: dict[fx.Node, Reference] = {}
        self.positions = max(1, self._edits_a_block(self.bases) // (self.sequences * self.bases))

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

    def _linear_end(self, observed: dict[fx.Node, torch.Tensor]) -> dict[fx.Node, torch.Tensor]:
        """The weight of each value that enters the linear end."""
        with gradients_on():
            values = dict(observed)
            for node in self.parts.frontier:
                values[node] = observed[node].detach().clone().requires_grad_()
            leaves = [values[node] for node in self.parts.frontier]
            for node in self.parts.tail:
                values[node] = run_node(node, values)
            end = values[self.parts.output]
            found = torch.autograd.grad(end.sum(), leaves, allow_unused=True)
        pairs = zip(self.parts.frontier, found, leaves, strict=True)
        return {n: torch.zeros_like(leaf) if g is None else g.detach() for n, g, leaf in pairs}

    def _used(self, node: fx.Node) -> Interval:
        axis = self.plan.layouts[node].axis
        used = self.weights[node].movedim(axis, 0).flatten(1).ne(0).any(1).nonzero()
        return (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)

    def _spread(self) -> int:
        return (self.positions - 1) * self.period

    def _edited_columns(self) -> torch.Tensor:
        """(L, N, bases, 4): new column less the observed one."""
        columns = self.x.permute(2, 0, 1)
        eye = torch.eye(4, dtype=self.x.dtype, device=self.x.device)
        if self.bases == 3:
            self.alternatives = (self.x.argmax(1)[..., None] + torch.arange(1, 4, device=self.x.device)) % 4
        else:
            self.alternatives = torch.arange(4, device=self.x.device).expand(self.sequences, self.length, 4)
        return eye[self.alternatives.transpose(0, 1)] - columns[:, :, None]

    def _columns(self, block: Block) -> torch.Tensor:
        stop = block.first + (block.positions - 1) * block.period + 1
        return self.columns[block.first : stop : block.period].reshape(1, block.edits, -1)

    # Which edits go together.

    def _blocks(self, first: int, stop: int) -> Iterator[Block]:
        period, most = self.period, self.positions
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
        count = max(1, self._edits_a_part(self.bases) // (self.sequences * self.bases))
        for first in range(0, self.length, count):
            stop = min(first + count, self.length)
            yield _Part(first, stop - first, 1, list(self._blocks(first, stop)))

    # Edits.

    def _explain(self, part: _Part) -> torch.Tensor:
        """What the part's edits change of the output, (positions, sequences, bases), float64."""
        shape = (part.count, self.sequences, self.bases)
        delta = torch.zeros(shape, dtype=torch.float64, device=self.x.device)
        whole = self._follow(part, lambda block: delta[part.index(block)])
        if self.parts.rest:
            self._add_rest(whole, delta)
        return delta

    def _tail(self, node: fx.Node, into: torch.Tensor) -> Callable[[Block, torch.Tensor, int], None]:
        return lambda block, rows, start: self._weigh(node, block, rows, start, into)

    def _collect(self, node: fx.Node, window: Window, block: Block, into: torch.Tensor) -> None:
        if node in self.parts.frontier and len(window):
            rows = window.as_delta(block)
            size = chunk_rows(rows.shape, rows)
            for start in range(0, len(rows), size):
                self._weigh(node, block, rows[start : start + size], window.low + start, into)

    def _weigh(self, node: fx.Node, block: Block, rows: torch.Tensor, low: int, delta: torch.Tensor) -> None:
        """Add rows times their weights in the linear end."""
        if node not in self.seen_weights:
            self.seen_weights[node] = self._reference(node, self.weights[node])
        seen = self.seen_weights[node].window(block, low, low + len(rows))
        product = block.split(rows) * seen
        delta += product.sum((0, *range(4, product.ndim)))

    def _add_rest(self, whole: dict[fx.Node, torch.Tensor], delta: torch.Tensor) -> None:
        edits = delta.numel()
        sequence = torch.arange(self.sequences, device=self.x.device)[None, :, None].expand(delta.shape).reshape(-1)
        values = self._run_rest(sequence, whole)
        for node in self.parts.frontier:
            if node in values and node not in self.plan.layouts:
                changed = (values[node] - self.values[node][sequence]) * self.weights[node][sequence]
                delta += changed.double().reshape(edits, -1).sum(1).view(delta.shape)
