"""The graph of a module cut into parts: windows, what follows them on whole tensors, and a linear end.

The linear end is one weight for each value that enters it, so that none of it is computed for an edit.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field

import torch
from torch import fx

from interpret.capture import constants_of, is_identity, is_number, name_of, shape_of, varying_with
from interpret.deeplift.rules import LINEAR_IN_ALL, LINEAR_IN_FIRST
from interpret.mutagenesis.layers import Layer, Local, Relabel, Sum, Taps
from interpret.mutagenesis.plan import PERMUTES, RESHAPES, Plan, batch_norm_terms, layer_for
from interpret.mutagenesis.window import Layout

__all__ = ["Analysis", "analyse", "chooses_places", "is_linear"]


@dataclass
class Analysis:
    """What is computed how.

    Attributes:
        layers: nodes that propagate windows, in order.
        dense, reduced: nodes that take windows to tensors without an axis along the sequence, and the windows' node.
        materialised: nodes whose whole tensors are needed, because what reads them does not propagate windows.
        rest: the nodes computed on whole tensors, in order; ``dense`` and ``reduced`` are among them.
        tail: the linear end; empty where outputs are wanted as they are.
        frontier: what enters it, or the outputs that edits change.
        outputs: the nodes of the module's outputs.
    """

    plan: Plan
    source: fx.Node
    outputs: tuple[fx.Node, ...]
    layers: dict[fx.Node, Layer] = field(default_factory=dict)
    dense: dict[fx.Node, fx.Node] = field(default_factory=dict)
    reduced: dict[fx.Node, fx.Node] = field(default_factory=dict)
    materialised: dict[fx.Node, fx.Node] = field(default_factory=dict)
    rest: list[fx.Node] = field(default_factory=list)
    tail: list[fx.Node] = field(default_factory=list)
    frontier: list[fx.Node] = field(default_factory=list)

    @property
    def output(self) -> fx.Node:
        """The node of the module's only output."""
        return self.outputs[0]

    @property
    def period(self) -> int:
        """Bases after which windows line up again."""
        return math.lcm(*(self.plan.layouts[n].stride for n in [self.source, *self.layers]))

    def consumers(self, node: fx.Node) -> list[fx.Node | None]:
        """The nodes that read a node's windows; None stands for the linear end."""
        found: list[fx.Node | None] = [n for n, layer in self.layers.items() for i in layer.inputs if i is node]
        found += [n for part in (self.dense, self.reduced) for n, x in part.items() if x is node]
        found += [reader for x, reader in self.materialised.items() if x is node]
        return found + ([None] if node in self.frontier else [])


def analyse(module: fx.GraphModule, source: fx.Node, like: torch.Tensor, linear_end: bool = True) -> Analysis:
    """Find the parts of a graph whose input ``source`` is (batch, 4, length).

    Args:
        linear_end: only the sum of the one output is wanted.
    """
    graph = module.graph
    outputs = tuple(next(n for n in graph.nodes if n.op == "output").args[0])
    varying = varying_with(graph, source)
    plan = Plan(constants_of(module), varying, like)
    channels, length = shape_of(source)
    plan.layouts[source] = Layout(2, length, (channels,), 1)
    for node in graph.nodes:
        if node in varying and node is not source and (layer := layer_for(node, plan)):
            plan.layers[node], plan.layouts[node] = layer, layer.layout
    found = Analysis(plan, source, outputs)
    if linear_end:
        _find_tail(graph, found)
    else:
        found.frontier = [n for n in dict.fromkeys(outputs) if n in varying]
    _find_rest(graph, found)
    _keep_used(graph, found)
    _fuse(found)
    found.layers = {n: found.layers[n] for n in graph.nodes if n in found.layers}
    for node, layer in found.layers.items():
        readers = found.consumers(node)
        wants = [_wants(found, reader) for reader in readers]
        if isinstance(layer, Taps) and not layer.adds and wants and all(w == "value" for w in wants):
            layer.gives = "value"
    return found


def _wants(found: Analysis, reader: fx.Node | None) -> str:
    return found.layers[reader].wants if reader in found.layers else "delta"


def _find_tail(graph: fx.Graph, found: Analysis) -> None:
    tail: set[fx.Node] = set()
    varying = found.plan.varying
    for node in reversed(graph.nodes):
        users = [u for u in node.users if u in varying]
        ends = node is found.output if not users else node is not found.output and all(u in tail for u in users)
        if node in varying and node is not found.source and ends and is_linear(node, varying):
            tail.add(node)
    # What enters must be one row an edit: weights are summed over the rest.
    while wrong := {
        t for t in tail if any(n in varying and n not in tail and shape_of(n) is None for n in t.all_input_nodes)
    }:
        tail -= wrong
    found.tail = [n for n in graph.nodes if n in tail]
    entering = [n for t in found.tail for n in t.all_input_nodes if n in varying and n not in tail]
    found.frontier = list(dict.fromkeys(entering)) or [found.output]


def _find_rest(graph: fx.Graph, found: Analysis) -> None:
    plan, seen = found.plan, set()
    waiting = [n for n in found.frontier if n not in plan.layouts]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if (x := _flattened(node, plan)) is not None:
            found.dense[node] = x
        elif (x := _over_length(node, plan)) is not None:
            found.reduced[node] = x
        else:
            for n in node.all_input_nodes:
                if n in plan.varying and n in plan.layouts:
                    if not is_number(node):
                        found.materialised.setdefault(n, node)
                elif n in plan.varying or is_number(n):
                    waiting.append(n)
    found.rest = [n for n in graph.nodes if n in seen]


def _flattened(node: fx.Node, plan: Plan) -> fx.Node | None:
    """The windows that a dense layer reads, all positions and channels as one vector."""
    if name_of(node) != "linear" or len(shape_of(node) or ()) != 1 or node.args[1] not in plan.constants:
        return None
    x = node.args[0]
    while is_identity(x):
        x = x.args[0]
    if x in plan.layouts or name_of(x) not in RESHAPES:
        return None
    x = x.args[0]
    return x if x in plan.varying and x in plan.layouts else None


def _over_length(node: fx.Node, plan: Plan) -> fx.Node | None:
    """The windows that a sum, mean or maximum along the sequence reads."""
    name, inner = name_of(node), node
    if node.target is operator.getitem and node.args[1] == 0:
        inner, name = node.args[0], name_of(node.args[0])
    source = inner.args[0] if inner.op == "call_function" and inner.args else None
    if not isinstance(source, fx.Node) or source not in plan.layouts:
        return None
    x = plan.layouts[inner.args[0]]
    if inner.args[0] not in plan.varying or shape_of(node) is None:
        return None
    if name in ("adaptive_avg_pool1d", "adaptive_max_pool1d"):
        size = inner.args[1]
        whole = x.axis == 2 and len(x.rest) == 1 and size in (1, [1])
        return inner.args[0] if whole else None
    if name not in ("sum", "mean", "amax", "max") or len(inner.args) < 2:
        return None
    dims = [inner.args[1]] if isinstance(inner.args[1], int) else inner.args[1]
    if dims is None or (name == "max" and inner is node) or not all(isinstance(d, int) for d in dims):
        return None
    dims = [d if d >= 0 else d + len(x.rest) + 2 for d in dims]
    linear = name in ("sum", "mean") and x.axis in dims and 0 not in dims
    return inner.args[0] if linear or dims == [x.axis] else None


def _keep_used(graph: fx.Graph, found: Analysis) -> None:
    layers, used = found.plan.layers, set()
    waiting = [*found.dense.values(), *found.reduced.values(), *found.materialised, *found.frontier]
    while waiting:
        node = waiting.pop()
        if node in layers and node not in used:
            used.add(node)
            waiting.extend(layers[node].inputs)
    found.layers = {n: layers[n] for n in graph.nodes if n in used}


def _fuse(found: Analysis) -> None:
    """Let convolutions take along the batch norm, elementwise functions and residual sum that follow them."""
    for start, layer in list(found.layers.items()):
        if not isinstance(layer, Taps):
            continue
        last = start
        while len(readers := found.consumers(last)) == 1 and readers[0] in found.layers:
            after, following = readers[0], found.layers[readers[0]]
            if isinstance(following, Sum):
                following = _with_sum(found, layer, last, following)
                if following is not None:
                    _take(found, last, after, following)
                    following.last = last
                break
            if not _take_along(found, layer, after, following):
                break
            last = _take(found, last, after, layer)


def _take(found: Analysis, last: fx.Node, after: fx.Node, layer: Taps) -> fx.Node:
    """Let ``layer`` stand where ``after`` stood."""
    layer.last, layer.layout = after, found.plan.layouts[after]
    del found.layers[last]
    found.layers[after] = layer
    return after


def _take_along(found: Analysis, layer: Taps, after: fx.Node, following: Layer) -> bool:
    plan, node = found.plan, after
    if isinstance(following, Relabel) and is_identity(after):
        return True
    if not isinstance(following, Local) or len(following.inputs) != 1:
        return False
    if name_of(after) == "getitem":
        node = after.args[0]
    if name_of(node) in ("batch_norm", "_native_batch_norm_legit_no_training") and not layer.functions:
        if layer.layout.axis < 2:
            return False
        factor = batch_norm_terms(node, plan)[0]
        beside = layer.matrices[0].shape[1] // len(factor)
        layer.matrices = [m * factor.repeat_interleave(beside) for m in layer.matrices]
        layer.base = after
        return True
    if following.in_place is None or following.layout.rest != layer.layout.rest:
        return False
    layer.rectifies = name_of(after) == "relu" and not layer.functions
    layer.functions.append(following.in_place)
    return True


def _with_sum(found: Analysis, layer: Taps, last: fx.Node, following: Sum) -> Taps | None:
    """``layer`` with a residual: the other window must be there before, and be added once."""
    others = [n for n in following.inputs if n is not last]
    if len(others) != 1 or following.factors != [1.0, 1.0] or layer.layout.rest != following.layout.rest:
        return None
    layer.inputs, layer.adds = [layer.inputs[0], others[0]], True
    return layer


#: Operations that change no value.
UNCHANGED = RESHAPES | PERMUTES | {"clone", "contiguous", "alias", "detach", "select", "slice", "flip", "expand"}


def chooses_places(graph: fx.Graph, source: fx.Node) -> fx.Node | None:
    """The first node that makes places of computed values, or compares two of them: equal ones must stay equal.

    Repeats make them equal often, and what is followed through windows is rounded otherwise than the whole.
    """
    varying, exact = varying_with(graph, source), {source}
    for node in graph.nodes:
        if node not in varying or node is source:
            continue
        sources = [n for n in node.all_input_nodes if n in varying]
        value = node.meta.get("val")
        discrete = isinstance(value, torch.Tensor) and not (value.is_floating_point() or value.is_complex())
        if all(n in exact for n in sources):
            if name_of(node) in UNCHANGED or discrete:
                exact.add(node)
        elif discrete and (value.dtype != torch.bool or sum(_is_floating(n) for n in sources) > 1):
            return node
    return None


CASTS = frozenset({"to", "_to_copy", "type_as", "float", "double"})


BILINEAR = frozenset({"mul", "matmul", "bmm", "mm", "linear", "einsum", "div"})


def _uses(node: fx.Node, varying: set[fx.Node]) -> int:
    """How often the node's arguments name a varying node: x * x does twice."""
    found: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), found.append)
    return sum(n in varying for n in found)


def _is_floating(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return not isinstance(value, torch.Tensor) or value.dtype.is_floating_point


def is_linear(node: fx.Node, varying: set[fx.Node]) -> bool:
    """Whether the node is linear, or affine, in all its varying arguments together."""
    if node.op != "call_function":
        return False
    name, several = name_of(node), _uses(node, varying)
    if node.target is operator.getitem:
        return is_linear(node.args[0], varying)
    if name in CASTS and node.args[0].meta["val"].dtype != node.meta["val"].dtype:
        return False  # its weights would be as coarse as what it reads
    if any(n in varying and not _is_floating(n) for n in node.all_input_nodes):
        return False  # places, which choose what is taken
    if name in LINEAR_IN_ALL:
        return True
    first = node.args[0] in varying if isinstance(node.args[0], fx.Node) else False
    if name == "_native_batch_norm_legit_no_training" or name in LINEAR_IN_FIRST:
        return several == 1 and first and not (name == "batch_norm" and node.args[5])
    return name in BILINEAR and several == 1 and (name != "div" or first)
