"""Facts about nodes of a captured graph that propagating windows needs: shapes, constants, what is linear."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from interpret.deeplift.rules import LINEAR_IN_ALL, LINEAR_IN_FIRST
from interpret.graph_nodes import attribute_of, name_of

__all__ = ["constants_of", "is_identity", "is_linear", "run_node", "shape_of"]

CASTS = frozenset({"to", "_to_copy", "type_as", "float", "double"})
BILINEAR = frozenset({"mul", "matmul", "bmm", "mm", "linear", "einsum", "div"})


def shape_of(node: Any) -> tuple[int, ...] | None:
    """Sizes without the batch, which is on axis 0; None where it is not, or where the node is no floating tensor."""
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    if not isinstance(value, torch.Tensor) or not value.ndim or not value.dtype.is_floating_point:
        return None
    batch, *sizes = value.shape
    if not isinstance(batch, torch.SymInt) or any(isinstance(size, torch.SymInt) for size in sizes):
        return None
    return tuple(sizes)


def constants_of(module: fx.GraphModule) -> dict[fx.Node, Any]:
    """Values of the nodes that no input enters."""
    found: dict[fx.Node, Any] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr":
            found[node] = attribute_of(module, node.target)
        elif node.op == "call_function" and all(n in found for n in node.all_input_nodes):
            found[node] = run_node(node, found)
    return found


def run_node(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    """The node's value."""
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
    name = name_of(node)
    if name in ("detach", "alias"):  # what is detached for training depends on the sequence all the same
        return args[0]
    if name in ("view", "_unsafe_view"):  # a window's value may lie otherwise in memory than the module's own
        return torch.reshape(*args)
    return node.target(*args, **kwargs)


def is_identity(node: fx.Node) -> bool:
    """Whether the node gives its first argument unchanged, in eval mode."""
    return name_of(node) in ("clone", "contiguous", "detach", "alias", "dropout", "feature_dropout", "alpha_dropout")


def _uses(node: fx.Node, varying: set[fx.Node]) -> int:
    """How often the node's arguments name a varying node: x * x does twice."""
    found: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), found.append)
    return sum(n in varying for n in found)


def is_linear(node: fx.Node, varying: set[fx.Node]) -> bool:
    """Whether the node is linear, or affine, in all its varying arguments together."""
    if node.op != "call_function":
        return False
    name, several = name_of(node), _uses(node, varying)
    if node.target is operator.getitem:
        return is_linear(node.args[0], varying)
    if name in CASTS and node.args[0].meta["val"].dtype != node.meta["val"].dtype:
        return False  # its weights would be as coarse as what it reads
    if name in LINEAR_IN_ALL:
        return True
    first = node.args[0] in varying if isinstance(node.args[0], fx.Node) else False
    if name == "_native_batch_norm_legit_no_training" or name in LINEAR_IN_FIRST:
        return several == 1 and first and not (name == "batch_norm" and node.args[5])
    return name in BILINEAR and several == 1 and (name != "div" or first)
