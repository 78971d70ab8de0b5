"""DeepLIFT on a captured graph: every operation has a rule, or the run stops before it starts."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx
from torch.utils._pytree import tree_leaves

from interpret.capture import Captured, attribute_of, capture, name_of, place_of, run_node, varying_with
from interpret.deeplift.handler import arguments
from interpret.deeplift.pairs import Pairs, elementwise
from interpret.deeplift.rules import (
    BATCH_FIRST,
    ELEMENTWISE,
    HANDLERS,
    LINEAR_IN_ALL,
    LINEAR_IN_FIRST,
    PLACES,
    RECURRENT,
    SEVERAL,
    over_batch,
    rule_name,
)
from zoo.errors import ModelError
from zoo.models.foreign_python import blame

__all__ = ["CHOICES", "STEPS", "DeepLiftGraph", "audit", "chosen", "root_of_choice", "used_as_condition"]


class DeepLiftGraph:
    """The graph of a module, ready to give multipliers.

    Args:
        module: in eval mode; (N, 4, L) -> (N,) or (N, 1).
        examples: one or more inputs; only the first varies between a sequence and its references.
        any_batch: for any number of rows; else for that of the examples only, which takes any Python that looks at it.

    Raises:
        ModelError: the module cannot be captured, or an operation has no rule.
    """

    def __init__(self, module: torch.nn.Module, *examples: torch.Tensor, any_batch: bool = True) -> None:
        self.captured = capture(module, *examples, any_batch=any_batch)
        self.varying = varying_with(self.captured.graph_module.graph, self.captured.inputs[0])
        find_rows(self.captured, self.varying, *examples)
        if faults := audit(self.captured, self.varying):
            faults = list(dict.fromkeys(faults))
            shown = "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
            raise ModelError(
                f"deepliftshap has no rule for {shown}",
                f"{len(faults)} operation(s) of the model",
                "Fix: --fallback integrated_gradients, or --method ism",
            )
        self._roots = {
            node: root
            for node in self.captured.graph_module.graph.nodes
            if _is_choice(node, self.varying) and (root := _root(node, self.varying)) is not None
        }
        self._last_use = _last_uses(self.captured.graph_module.graph, self._roots)

    def forward(self, pairs: Pairs, *inputs: torch.Tensor, by_step: bool = False) -> torch.Tensor:
        """The module's value; the gradient of its sum over references' rows is the multiplier of the first input.

        Args:
            by_step: take the gradient of each operation's value as well, to name the first that has none.

        Raises:
            ModelError: an operation fails; it is named.
        """
        values: dict[fx.Node, Any] = dict(zip(self.captured.inputs, inputs, strict=True))
        for node in self.captured.graph_module.graph.nodes:
            if node.op == "output":
                return fx.node.map_arg(node.args[0], values.__getitem__)[0]
            if node.op == "get_attr":
                values[node] = attribute_of(self.captured.graph_module, node.target)
            elif node.op == "call_function":
                args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
                with _in_operation(node):
                    values[node] = self._run(pairs, node, list(args), dict(kwargs))
                    if by_step and isinstance(values[node], torch.Tensor) and values[node].requires_grad:
                        torch.autograd.grad(values[node].sum(), inputs[0], retain_graph=True, allow_unused=True)
                if node in self._roots:
                    condition, root = args[CHOICES[name_of(node)]], values[self._roots[node]]
                    values[node] = chosen(root, condition, values[node], self._pairs(pairs, node))
            for used in self._last_use.get(node, ()):
                values.pop(used, None)
        raise AssertionError("a graph ends with its output")

    def _run(self, pairs: Pairs, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Any:
        name = rule_name(node)
        if node not in self.varying:
            return node.target(*args, **kwargs)
        if name in ("detach", "alias"):  # what is detached for training depends on the sequence all the same
            return args[0]
        if name in ("view", "_unsafe_view"):  # a rule's value may lie otherwise in memory than the module's own
            return torch.reshape(*args)
        if name == "copy":  # which has no derivative
            return args[1].to(args[0]).expand_as(args[0])
        if name in ELEMENTWISE or name in HANDLERS:
            rows = [self._pairs(pairs, source) for source in _operands(node)]
            own = self._pairs(pairs, node) or next(r for r in rows if r is not None)
            if name in HANDLERS:
                return HANDLERS[name](own, node.target, args, kwargs, rows)
            place = next(i for i, r in enumerate(rows) if r is not None)
            value = args[place]
            function = lambda x: node.target(*(x if arg is value else arg for arg in args), **kwargs)  # noqa: E731
            beside = sum(isinstance(value, torch.Tensor) for value in [*args, *kwargs.values()]) > 1
            return elementwise(value, function, own, whole=beside)
        return node.target(*args, **kwargs)

    def _pairs(self, pairs: Pairs, node: Any) -> Pairs | None:
        if not isinstance(node, fx.Node) or node not in self.varying:
            return None
        axis = _batch_axis(node)
        return None if axis is None else Pairs(pairs.rows * node.meta.get(COPIES, 1), pairs.n, axis)


@contextlib.contextmanager
def _in_operation(node: fx.Node) -> Iterator[None]:
    """What fails in the block is an error that names the operation.

    Raises:
        ModelError: whatever it is, but what a lack of memory is told by.
    """
    try:
        yield
    except Exception:
        value, given = node.meta.get("val"), ""
        if isinstance(value, torch.Tensor):
            given = f"its result is ({', '.join(str(n) if isinstance(n, int) else 'N' for n in value.shape)})"
        with blame(f"deepliftshap: {place_of(node)}", given, "--method integrated_gradients, or --method ism"):
            raise


def audit(captured: Captured, varying: set[fx.Node]) -> list[str]:
    """Every operation that depends on the sequence and has no rule, with its module and source line."""
    nodes = captured.graph_module.graph.nodes
    return [f"{place_of(node)}: {fault}" for node in nodes if (fault := _fault(node, varying))]


def _fault(node: fx.Node, varying: set[fx.Node]) -> str | None:
    if node.op == "call_function" and _draws(node):
        return "it draws random numbers, which a graph draws anew"
    if node not in varying or node.op != "call_function":
        return None
    name = rule_name(node)
    given = [value for value in tree_leaves((node.args, dict(node.kwargs))) if isinstance(value, fx.Node)]
    several = sum(value in varying for value in given)  # one that is given twice is two
    if node.target is operator.getitem:
        placed = name_of(node.args[0]) in PLACES
        return "the places of its values are used" if placed and node.args[1] != 0 else None
    if over_batch(node, name, _batch_axis(node.args[0]) if node.args else None):
        return "it runs over the batch, so that sequences would change each other"
    if node.kwargs.get("rounding_mode"):
        return "it leaves whole numbers"
    if name == "scatter" and node.kwargs.get("reduce"):
        return "no rule"
    if name in LINEAR_IN_ALL:
        made = node.meta.get("val")
        whole = isinstance(made, torch.Tensor) and not (made.is_floating_point() or made.is_complex())
        return "it leaves whole numbers" if whole and name in CASTS else None
    if name == "index_put":
        places = [n for n in node.args[1] if n in varying]
        return "the places that it writes to vary" if places else None
    if name in STEPS:
        return None if used_as_condition(node, name_of) else "a step of which more than a choice is made"
    if _is_choice(node, varying):
        known = _root(node, varying) is not None and _batch_axis(node) is not None
        return None if known else "its condition is not made of the values that it chooses from"
    if name == "where":
        return None  # the same choice for every sequence: linear in both values
    if name == "rrelu" and dict(node.kwargs).get("training", (*node.args, None, None, False)[3]):
        return "it draws at random"
    if name in ELEMENTWISE:
        known = _pairing_axis(node, varying) is not None
        others = sum(source in varying for source in node.all_input_nodes) > 1  # xlogy(p, p) is a function of p
        return "more than one argument varies" if others else None if known else NOT_CLEAR
    if name in LINEAR_IN_FIRST and name not in HANDLERS:
        return None if several == 1 and node.args[0] in varying else "more than its first argument varies"
    if name == "wrap_with_autocast":
        return "it computes in few bits"
    if name not in HANDLERS:
        return "no rule"
    if name not in SEVERAL and several > 1:
        return "more than one argument varies"
    if name == "quantile" and not isinstance(node.args[1], float):
        return "its quantile is not one number"
    if name == "linalg_norm" and _of_matrices(arguments(node.target, list(node.args), dict(node.kwargs))):
        return "a norm of matrices"
    if name == "einsum" and len(node.args[1]) > 2 and several > 1:
        return "more than two operands"
    if name in RECURRENT and (fault := _recurrent_fault(node, name, varying)):
        return fault
    if name in BATCH_FIRST and _batch_axis(node.args[0]) != 0:
        return "the batch is not on its first axis"
    if _pairing_axis(node, varying) is None:
        return NOT_CLEAR
    return None


def _draws(node: fx.Node) -> bool:
    """Whether an operation draws random numbers; a seed that forward sets before it is none of the graph."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    given = arguments(node.target, list(node.args), dict(node.kwargs))
    return bool(next((given[key] for key in ("train", "training", "dropout_p") if key in given), True))


def _of_matrices(given: dict[str, Any]) -> bool:
    """Whether a norm is over two axes, but for that without an order, which is of all their numbers."""
    axes = len(given["dim"]) if given["dim"] else given["self"].meta["val"].ndim
    return given["ord"] is not None and axes != 1


def _is_choice(node: fx.Node, varying: set[fx.Node]) -> bool:
    """Whether a node chooses by a condition on the sequence."""
    place = CHOICES.get(name_of(node)) if node.op == "call_function" else None
    return place is not None and len(node.args) > place and node.args[place] in varying


def _root(node: fx.Node, varying: set[fx.Node]) -> fx.Node | None:
    return root_of_choice(node, varying, name_of, ELEMENTWISE)


def _pairing_axis(node: fx.Node, varying: set[fx.Node]) -> int | None:
    axis = _batch_axis(node)
    if axis is not None:
        return axis
    return next((a for n in node.all_input_nodes if n in varying and (a := _batch_axis(n)) is not None), None)


def _recurrent_fault(node: fx.Node, name: str, varying: set[fx.Node]) -> str | None:
    """Why a recurrent layer or cell has no rule."""
    x, _, weights, *rest = node.args
    if any(w in varying for w in ([weights, *rest] if name.endswith("_cell") else weights)):
        return "its weights vary with the sequence"
    if name.endswith("_cell"):
        return None
    *_, dropout, training, _, batch_first = rest
    if training and dropout:
        return "dropout between its layers"
    steps = 1 if batch_first else 0
    axis = _batch_axis(x)
    return None if axis is not None and axis != steps and len(x.meta["val"].shape) == 3 else "its steps are the batch"


def _operands(node: fx.Node) -> list[Any]:
    """The positional arguments; of einsum its operands, of a recurrent layer its input and states."""
    if name_of(node) in RECURRENT:
        states = node.args[1]
        return [node.args[0], *(states if isinstance(states, list | tuple) else [states])]
    return list(node.args[1]) if name_of(node) == "einsum" else list(node.args)


def _batch_axis(node: Any) -> int | None:
    """The axis that holds the batch; None if there is none or several, or if its rows lie in no known order."""
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    if not isinstance(value, torch.Tensor):
        return None
    if ROWS in node.meta:
        return node.meta[ROWS]
    axes = [axis for axis, size in enumerate(value.shape) if isinstance(size, torch.SymInt)]
    return axes[0] if len(axes) == 1 else None


def _last_uses(graph: fx.Graph, also: dict[fx.Node, fx.Node]) -> dict[fx.Node, list[fx.Node]]:
    """Which nodes are not needed after each; ``also`` gives a node one more that it needs."""
    seen: set[fx.Node] = set()
    found: dict[fx.Node, list[fx.Node]] = {}
    for node in reversed(graph.nodes):
        for source in [*node.all_input_nodes, *([also[node]] if node in also else [])]:
            if source not in seen:
                seen.add(source)
                found.setdefault(node, []).append(source)
    return found


# ---------------- where the rows of a batch lie: cat([x, x.flip(1, 2)]) holds each of them twice


#: In a node's meta: the axis that holds the batch, and how many times all its rows follow one another on it.
ROWS, COPIES = "zoo_rows_axis", "zoo_rows_copies"
NOT_CLEAR = "the axis of the batch is not clear, or its rows are in another order"
#: Operations that can give the rows another order without another number of them.
REORDER = frozenset({"flip", "roll", "index", "index_select", "gather", "take_along_dim", "sort", "rot90"})
TRIED_ROWS = 4


def find_rows(captured: Captured, varying: set[fx.Node], *examples: torch.Tensor) -> None:
    """Find by trial where each row lies on the axes of all nodes, where shapes do not say it.

    The first row of a batch is replaced; what changes is that row. A graph for any batch is tried where an axis
    holds more than one of a row, or where rows can have changed places.
    """
    source = captured.inputs[0]
    if (rows := _static_rows(source)) is None:
        rows = TRIED_ROWS
        if not any(_unclear(node, source) for node in varying):
            return
    draw, (bases, length) = torch.Generator().manual_seed(0), examples[0].shape[1:]
    fixed = [value[:1].expand(rows, *value.shape[1:]).contiguous() for value in examples[1:]]
    numbers = 2 * torch.randn((rows + 1, bases, length), generator=draw).to(examples[0])
    try:
        _place_rows(captured, varying, numbers, *fixed)
    except ModelError:  # tokens are made of bases only
        letters = torch.randint(bases, (rows + 1, length), generator=draw)
        _place_rows(captured, varying, torch.eye(bases)[letters].transpose(1, 2).to(examples[0]), *fixed)


def _place_rows(captured: Captured, varying: set[fx.Node], x: torch.Tensor, *fixed: torch.Tensor) -> None:
    """``find_rows`` with these sequences and one more, which takes the first one's place."""
    x, changed, rows = x[:-1], torch.cat([x[-1:], x[1:-1]]), len(x) - 1
    graph, last_use = captured.graph_module.graph, _last_uses(captured.graph_module.graph, {})
    values = [dict(zip(captured.inputs, (first, *fixed), strict=True)) for first in (x, changed)]
    with torch.no_grad():
        for node in graph.nodes:
            if node.op == "output":
                return
            for held in values:
                if node.op == "get_attr":
                    held[node] = attribute_of(captured.graph_module, node.target)
                elif node.op == "call_function":
                    with _in_operation(node):
                        held[node] = run_node(node, held)
            known = node in varying and isinstance(node.meta.get("val"), torch.Tensor)
            if known and (placed := _rows_of(*(held[node] for held in values), rows)):
                node.meta[ROWS], node.meta[COPIES] = placed
            for used in last_use.get(node, ()):
                for held in values:
                    held.pop(used, None)


def _static_rows(source: fx.Node) -> int | None:
    rows = source.meta["val"].shape[0]
    return None if isinstance(rows, torch.SymInt) else rows


def _unclear(node: fx.Node, source: fx.Node) -> bool:
    axis = _batch_axis(node)
    if axis is None or node.op != "call_function":
        return False
    return name_of(node) in REORDER or node.meta["val"].shape[axis].node.expr != source.meta["val"].shape[0].node.expr


def _rows_of(before: torch.Tensor, after: torch.Tensor, rows: int) -> tuple[int | None, int] | None:
    """The axis on which the first row is what changed, and how many times all rows follow one another on it.

    Axis None where that is not known; None where nothing changed: all units are dead.
    """
    other = before != after
    if not other.any():
        return None
    found = []
    for axis, size in enumerate(other.shape):
        there = other.movedim(axis, 0).reshape(size, -1).any(1)
        for copies in range(1, size // rows + 1):
            if size % (rows * copies) == 0:
                expected = torch.zeros(copies, rows, size // rows // copies, dtype=torch.bool, device=there.device)
                expected[:, 0] = True
                if not (there & ~expected.flatten()).any():  # some may be of dead units
                    found.append((axis, copies))
    return found[0] if len(found) == 1 else (None, 1)


# ---------------- choices by a condition on the sequence: torch.where, masked_fill

# A condition is a step and has no slope. Where a sequence and its reference meet it alike, the choice is linear. Where
# they do not, the change of the result over the change of the tensor that condition and values are made of (their
# root) is the multiplier, as for any elementwise function. A choice whose condition comes from somewhere else than its
# values has no rule.


#: Operations whose results are true or false.
STEPS = frozenset(
    {
        "eq",
        "ne",
        "gt",
        "ge",
        "lt",
        "le",
        "all",
        "any",
        "logical_not",
        "logical_and",
        "logical_or",
        "logical_xor",
        "bitwise_not",
        "bitwise_and",
        "bitwise_or",
        "__and__",
        "__or__",
        "__xor__",
        "isnan",
        "isinf",
        "isfinite",
    }
)
#: What can make whole numbers of others.
CASTS = frozenset({"to", "_to_copy", "type_as", "copy"})
#: Position of the condition among the arguments.
CHOICES = {"where": 0, "masked_fill": 1}
#: Operations that leave each value at its place: what they make of a root is still made of the root alone.
IN_PLACE = frozenset({"add", "sub", "rsub", "mul", "div", "neg", "to", "_to_copy", "clone", "contiguous", "detach"})

Namer = Callable[[Any], str]


def used_as_condition(node: fx.Node, name_of: Namer) -> bool:
    """Whether a step only decides choices, directly or through other steps."""
    return all(
        name_of(user) in STEPS or (name_of(user) in CHOICES and user.args[CHOICES[name_of(user)]] is node)
        for user in node.users
    )


def root_of_choice(node: fx.Node, varying: set[fx.Node], name_of: Namer, elementwise: frozenset[str]) -> fx.Node | None:
    """The one tensor that the condition and the values of a choice are made of; None if there are several.

    Args:
        varying: nodes that depend on the sequence. elementwise: names of elementwise operations.
    """
    condition = node.args[CHOICES[name_of(node)]]
    roots = _roots(condition, varying, name_of, STEPS)
    through = elementwise | IN_PLACE
    for value in (arg for arg in node.args if isinstance(arg, fx.Node) and arg is not condition and arg in varying):
        roots |= _first_met(value, roots, varying, name_of, through)
    if len(roots) != 1:
        return None
    (root,) = roots
    shapes = [tuple(n.meta["val"].shape) for n in (root, node)]
    return root if shapes[0] == shapes[1] else None


def _roots(node: Any, varying: set[fx.Node], name_of: Namer, through: frozenset[str]) -> set[fx.Node]:
    """Where a walk back through the named operations ends."""
    if not isinstance(node, fx.Node) or node not in varying:
        return set()
    if name_of(node) not in through:
        return {node}
    return set().union(*(_roots(source, varying, name_of, through) for source in node.all_input_nodes))


def _first_met(
    node: fx.Node, roots: set[fx.Node], varying: set[fx.Node], name_of: Namer, through: frozenset[str]
) -> set[fx.Node]:
    """The roots that a value is made of, or itself where a walk back meets none."""
    while node not in roots:
        sources = [source for source in node.all_input_nodes if source in varying]
        if name_of(node) not in through or len(sources) != 1:
            return {node}
        node = sources[0]
    return {node}


class _Rescaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, root: torch.Tensor, y: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        ctx.save_for_backward(root, y)
        ctx.pairs = pairs
        return y.clone()

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        root, y = ctx.saved_tensors
        pairs = ctx.pairs
        change = pairs.difference(root)
        still = change == 0
        slope = (pairs.difference(y) / change.masked_fill(still, 1)).masked_fill(still, 0)
        return pairs.spread(pairs.split(grad)[1] * slope, root.shape), None, None


def chosen(root: torch.Tensor, condition: torch.Tensor, plain: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """A choice with its rule.

    Args:
        root: what condition and values are made of, in the shape of the result.
        condition: true or false, broadcast to the result.
        plain: the result as the operation gives it.
    """
    condition = condition.expand_as(plain)
    observed, references = pairs.split(condition)
    alike = torch.cat([torch.ones_like(observed), observed == references], pairs.axis + 1).reshape(plain.shape)
    return torch.where(alike, plain, _Rescaled.apply(root, plain.detach(), pairs))
