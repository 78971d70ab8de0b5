"""Facts about nodes of a captured graph that every walk over it needs: names, numbers, what the sequence changes."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

__all__ = ["attribute_of", "is_number", "name_of", "varying_with"]

#: Operations that take only the shape of a tensor.
SHAPE_ONLY = frozenset({"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"})


def name_of(node: Any) -> str:
    """Of an operation, without its overload; ``getitem`` for a part of a tuple."""
    target = node.target if isinstance(node, fx.Node) else None
    schema = getattr(target, "_schema", None)
    return schema.name.rpartition("::")[2] if schema is not None else getattr(target, "__name__", str(target))


def is_number(node: fx.Node) -> bool:
    """Whether the node is a size, not a tensor."""
    return isinstance(node.meta.get("val"), int | float | bool | torch.SymInt | torch.SymFloat | torch.SymBool)


def varying_with(graph: fx.Graph, source: fx.Node) -> set[fx.Node]:
    """Nodes whose tensors depend on the values of ``source``."""
    found = {source}
    for node in graph.nodes:
        depends = node.op == "call_function" and any(n in found for n in node.all_input_nodes)
        if depends and not is_number(node) and name_of(node) not in SHAPE_ONLY:
            found.add(node)
    return found


def attribute_of(module: fx.GraphModule, path: str) -> Any:
    """A parameter or buffer, without gradient."""
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    return value.detach() if isinstance(value, torch.Tensor) else value
