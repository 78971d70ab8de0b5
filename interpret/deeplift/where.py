"""The rule of a choice between two values by a condition on the sequence: ``torch.where``, ``masked_fill``.

A condition is a step and has no slope. Where a sequence and its reference meet the condition alike, the choice is
linear. Where they do not, the change of the result over the change of the tensor that condition and values are
made of (their ``root``) is the multiplier, as for any elementwise function. A choice whose condition comes
from somewhere else than its values has no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from interpret.deeplift.pairs import Pairs

__all__ = ["CHOICES", "STEPS", "chosen", "root_of_choice", "used_as_condition"]

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
