"""The computation of a module as a graph of tensor operations, functional calls included (``torch.export``).

Below: facts about its nodes that every walk over it needs.
"""

from __future__ import annotations

import builtins
import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensor

from interpret.module import gradients_on
from interpret.recurrent import whole_recurrent_layers
from zoo.errors import ModelError

__all__ = [
    "Captured",
    "attribute_of",
    "capture",
    "constants_of",
    "is_identity",
    "is_number",
    "name_of",
    "place_of",
    "run_node",
    "shape_of",
    "varying_with",
]


@dataclass
class Captured:
    """A module's graph.

    Attributes:
        graph_module: runs the computation; its parameters are the module's own, shared.
        inputs: the placeholders, in the order of the arguments.
    """

    graph_module: fx.GraphModule
    inputs: list[fx.Node]


def capture(module: torch.nn.Module, *examples: torch.Tensor, any_batch: bool = True) -> Captured:
    """Capture ``module(*examples)`` for any size of the first axis, or for that of the examples only.

    In-place operations become functional; all others, recurrent layers among them, stay whole.

    Args:
        module: in eval mode.
        examples: inputs, the batch on axis 0; two rows or more.

    Raises:
        ModelError: the computation cannot be captured: it depends on the values of its input, or on the size of
            the batch.
    """
    batch = torch.export.Dim("batch", min=2, max=1 << 20)
    dynamic = tuple({0: batch} for _ in examples)
    if isinstance(module, fx.GraphModule):
        module = _Called(module)
    try:
        with _quiet(), gradients_on(), whole_recurrent_layers(), _length_of_any_batch(module), _shapes_once():
            shapes = (dynamic,) if _takes_any(module) else dynamic
            program = torch.export.export(module, examples, dynamic_shapes=shapes if any_batch else None, strict=False)
            if _writes_in_place(program.graph_module):  # another trace, longer than the first
                program = program.run_decompositions({})
            graph_module = program.module()
            _open_blocks(graph_module)
    except Exception as error:
        detail = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the module's computation cannot be captured: {type(error).__name__}: {detail}",
            "its graph is needed, which must not depend on the values of the input",
            "Fix: --fallback integrated_gradients, or --method ism",
        ) from error
    if any(_of_the_trace(node, graph_module) for node in graph_module.graph.nodes):
        raise ModelError(
            "the module's computation cannot be captured: torch.func (vmap, grad) leaves traces of itself in the graph",
            "its graph is needed, with numbers for constants",
            "Fix: --fallback integrated_gradients, or --method ism",
        )
    if (node := _sized_by_values(graph_module.graph)) is not None:
        raise ModelError(
            f"the module's computation cannot be captured: a size or a number depends on values at {place_of(node)}",
            "its graph is needed, which must not depend on the values of the input",
            "Fix: --fallback integrated_gradients, or --method ism",
        )
    for node in [n for n in graph_module.graph.nodes if _is_check(n)]:
        graph_module.graph.erase_node(node)
    graph_module.graph.eliminate_dead_code()
    graph_module.recompile()
    return Captured(graph_module, [n for n in graph_module.graph.nodes if n.op == "placeholder"])


class _Called(torch.nn.Module):
    """Export runs the nodes of a graph and passes its hooks by; those of a part are called."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__()
        self.graph_module = graph_module

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return self.graph_module(*args)


def _shapes_once() -> contextlib.AbstractContextManager[None]:
    """Without torch's memory of shapes: keeping them takes up to a quarter of a trace, and few are used again."""
    import torch._dynamo.config

    return torch._dynamo.config.patch(fake_tensor_cache_enabled=False)


@contextlib.contextmanager
def _length_of_any_batch(module: torch.nn.Module) -> Iterator[None]:
    """``len(x)`` is ``x.shape[0]`` for the block: Python's own makes a number of it, and the graph one of that batch.

    The builtins of the module's own files are changed too, which a model's folder has to itself.
    """
    own, whole = (part.forward for part in module.modules()), builtins.len
    spaces = {id(space): space for space in (vars(builtins), *(getattr(f, "__builtins__", {}) for f in own))}

    def length(value: Any, /) -> Any:
        return value.shape[0] if isinstance(value, torch.Tensor) and value.ndim else whole(value)

    before = [(space, space["len"]) for space in spaces.values() if "len" in space]
    try:
        for space, _ in before:
            space["len"] = length
        yield
    finally:
        for space, found in before:
            space["len"] = found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch warns of, logs and prints the whole graph of what it cannot export; our error says it in three lines."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _is_check(node: fx.Node) -> bool:
    """Assertions about shapes and types that export adds."""
    return not node.users and (node.op == "call_module" or "_assert" in str(node.target))


def _writes_in_place(module: fx.GraphModule) -> bool:
    graphs = (part.graph for part in module.modules() if isinstance(part, fx.GraphModule))
    schemas = (getattr(node.target, "_schema", None) for graph in graphs for node in graph.nodes)
    return any(schema is not None and schema.is_mutable for schema in schemas)


#: Blocks that export keeps as graphs of their own, and the place of that graph among the arguments.
BLOCKS = {"wrap_with_set_grad_enabled": 1, "wrap_with_autocast": 4}


def _is_block(node: fx.Node) -> bool:
    """Whether a node is a block that changes no number: without gradients, or with autocast switched off."""
    name = name_of(node)
    return name in BLOCKS and not (name == "wrap_with_autocast" and node.args[2])


def _open_blocks(module: fx.GraphModule) -> None:
    """Put what blocks without gradients or autocast compute in their place."""
    graph = module.graph
    while (block := next(filter(_is_block, graph.nodes), None)) is not None:
        place = BLOCKS[name_of(block)]
        path = block.args[place].target
        body = attribute_of(module, path).graph
        held = dict(zip(body.find_nodes(op="placeholder"), block.args[place + 1 :], strict=True))
        with graph.inserting_before(block):
            results = graph.graph_copy(body, held)
        for inner in body.find_nodes(op="get_attr"):
            held[inner].target = f"{path}.{inner.target}"
        for part in list(block.users):
            part.replace_all_uses_with(results[part.args[1]])
            graph.erase_node(part)
        graph.erase_node(block)
    for block in (node for node in graph.nodes if name_of(node) in BLOCKS):  # at the line of its first operation
        inner = attribute_of(module, block.args[BLOCKS[name_of(block)]].target).graph.nodes
        block.meta |= next((n.meta for n in inner if n.meta.get("stack_trace")), {}) | {"val": block.meta.get("val")}


def _of_the_trace(node: fx.Node, module: fx.GraphModule) -> bool:
    """Whether a node needs torch.func around it, or holds a stand-in of export or torch.func, which has no numbers."""
    if node.op != "get_attr":
        return name_of(node) in ("_vmap_increment_nesting", "_add_batch_dim")
    value = attribute_of(module, node.target)
    wrapped = isinstance(value, torch.Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(value)
    return wrapped or isinstance(value, FakeTensor)


def _sized_by_values(graph: fx.Graph) -> fx.Node | None:
    """The first node whose size or number comes from the values of an input (``nonzero``, ``unique``, ``item``).

    What a constant mask leaves is of a known size, though torch does not say it.
    """
    # Brings sympy: 0.4 s, which no method takes that needs no graph.
    from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

    varying: set[fx.Node] = set()
    for node in graph.nodes:
        sources = node.all_input_nodes
        if node.op == "placeholder":
            varying.add(node)
        elif node.op == "call_function" and any(n in varying for n in sources):
            if name_of(node) == "sym_size":
                continue  # a fault of its tensor, if it is any
            varying.add(node)
            mask = node.args[1] if name_of(node) in ("index", "masked_select") else sources
            chosen = [n for n in (mask if isinstance(mask, list | tuple) else [mask]) if n in varying]
            known = set().union(*(free_unbacked_symbols(n.meta.get("val")) for n in sources))
            if chosen and free_unbacked_symbols(node.meta.get("val")) - known:
                return node
    return None


def _takes_any(module: torch.nn.Module) -> bool:
    """Whether ``forward`` is ``forward(*args)``, whose dynamic shapes export wants nested."""
    kinds = [p.kind for p in inspect.signature(module.forward).parameters.values()]
    return inspect.Parameter.VAR_POSITIONAL in kinds


def place_of(node: fx.Node) -> str:
    """Where a node comes from: operation, module path and source line."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values() if path]
    trace = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines()]
    lines = [line for line in trace if line.startswith("File")]
    name = str(node.target)
    where = f" in module {paths[-1]}" if paths else ""
    if not lines:
        return f"{name}{where}"
    own = [line for line in lines if "/torch/" not in line] or lines
    file, _, rest = own[-1].removeprefix('File "').partition('"')
    number = rest.split("line")[-1].split(",")[0].strip()
    return f"{name}{where} ({file}:{number})"


# ---------------------------------------------------------------- nodes: names, numbers, what the sequence changes


#: Operations that take only the shape of a tensor.
SHAPE_ONLY = frozenset(
    {"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"}
)


def name_of(node: Any) -> str:
    """The name of an operation without its overload; ``getitem`` for a part of a tuple."""
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


# ---------------------------------------------------------------- nodes: shapes, constants, what is linear


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
    if name == "copy":  # which has no derivative
        return args[1].to(args[0]).expand_as(args[0])
    return node.target(*args, **kwargs)


def is_identity(node: fx.Node) -> bool:
    """Whether the node gives its first argument unchanged, in eval mode."""
    return name_of(node) in ("clone", "contiguous", "detach", "alias", "dropout", "feature_dropout", "alpha_dropout")
