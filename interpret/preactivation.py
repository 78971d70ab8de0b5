"""What enters a model's last activation, found on its graph."""

from __future__ import annotations

import torch
from torch import fx

from interpret.capture import capture
from interpret.explained import evaluating
from zoo.errors import ModelError
from zoo.models.loaded import LoadedModel, as_list

__all__ = ["without_last_activation"]

ACTIVATIONS = frozenset(
    {
        "exp",
        "sigmoid",
        "softmax",
        "_softmax",
        "softplus",
        "log_softmax",
        "_log_softmax",
        "relu",
        "tanh",
        "expm1",
    }
)
#: Operations that only rearrange: the activation may stand before them.
VIEWS = frozenset(
    {
        "view",
        "_unsafe_view",
        "reshape",
        "flatten",
        "unflatten",
        "permute",
        "transpose",
        "t",
        "squeeze",
        "unsqueeze",
        "select",
        "slice",
        "clone",
        "contiguous",
        "alias",
        "detach",
        "index_select",
    }
)


class _Parts(torch.nn.Module):
    """A model's outputs as a list, for graphs."""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.module, self.model = model.module, model

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(as_list(self.module(x), self.model.outputs))


def without_last_activation(model: LoadedModel) -> tuple[torch.nn.Module, str] | None:
    """The module without the activation of its outputs, and that activation's name.

    None where no output ends with one, or where the computation cannot be captured.
    """
    parts = _Parts(model)
    with evaluating(model.module) as device:
        example = model.loader.arrange(torch.full((3, 4, model.length), 0.25, device=device))
        try:
            graph_module = capture(parts, example).graph_module
        except ModelError:
            return None
    output = next(node for node in graph_module.graph.nodes if node.op == "output")
    removed = [name for part in output.args[0] if (name := _remove(part))]
    if not removed:
        return None
    graph_module.graph.eliminate_dead_code()
    # Anew, since an exported module refuses eval(), which every method calls.
    plain = fx.GraphModule(graph_module, graph_module.graph).eval()
    return plain, ", ".join(dict.fromkeys(removed))


def _remove(node: fx.Node) -> str | None:
    """Take the activation behind an output out of the graph; its name, or None when there is none."""
    while isinstance(node, fx.Node) and node.op == "call_function" and len(node.users) == 1:
        schema = getattr(node.target, "_schema", None)
        name = schema.name.rpartition("::")[2] if schema is not None else ""
        if name in ACTIVATIONS:
            node.replace_all_uses_with(node.args[0])
            return name.strip("_")
        if name not in VIEWS:
            return None
        node = node.args[0]
    return None
