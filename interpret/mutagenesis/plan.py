"""Which operations of a captured graph propagate windows, and how each does."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.nn import functional as F

from interpret.capture import is_identity, name_of, shape_of
from interpret.deeplift.rules import ELEMENTWISE
from interpret.mutagenesis.layers import AvgPool, Layer, Local, MaxPool, Relabel, Shift, Sliding, Sum, Taps
from interpret.mutagenesis.window import Layout

__all__ = ["Plan", "layer_for"]

BROADCAST = frozenset({"mul", "div", "maximum", "minimum", "rsub", "sub", "add", "pow", "prelu", "true_divide"})
CASTS = frozenset({"to", "_to_copy", "double", "float", "type_as", "neg", "sign", "floor", "ceil", "round"})
RESHAPES = frozenset({"view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"})
PERMUTES = frozenset({"permute", "transpose", "t", "movedim", "swapaxes", "moveaxis"})
OVER_ONE = {
    "softmax": 1,
    "_softmax": 1,
    "log_softmax": 1,
    "_log_softmax": 1,
    "glu": 1,
    "cumsum": 1,
    "select": 1,
    "index_select": 1,
    "narrow": 1,
    "slice": 1,
}
REDUCES = frozenset({"sum", "mean", "amax", "amin", "var", "std", "logsumexp"})
SPLITS = frozenset({"split", "split_with_sizes", "chunk", "unbind"})


class Plan:
    """What is known of the graph while its nodes are visited in order.

    Attributes:
        layers: of each node that propagates windows.
        layouts: of those nodes, and of tensors along the sequence that no edit changes.
        constants: values of nodes that no input enters.
        varying: nodes that an edit changes.
        like: a tensor of the module's dtype and device.
    """

    def __init__(self, constants: dict[fx.Node, Any], varying: set[fx.Node], like: torch.Tensor) -> None:
        self.constants, self.varying, self.like = constants, varying, like
        self.layers: dict[fx.Node, Layer] = {}
        self.layouts: dict[fx.Node, Layout] = {}

    def constant(self, argument: Any) -> Any:
        """The value of an argument that no input enters."""
        return self.constants[argument] if isinstance(argument, fx.Node) else argument


def layer_for(node: fx.Node, plan: Plan) -> Layer | None:
    """How the node propagates windows; None where it does not."""
    if node.op != "call_function" or shape_of(node) is None:
        return None
    name = name_of(node)
    builder = BUILDERS.get(name)
    if builder is None:
        builder = _elementwise if name in ELEMENTWISE | BROADCAST | CASTS else None
    if is_identity(node):
        builder = _reshape
    try:
        return builder(node, plan) if builder else None
    except (KeyError, LookupError):  # an argument that is neither a window nor a constant
        return None


def _layout(node: fx.Node, axis: int, stride: int) -> Layout:
    shape = shape_of(node)
    return Layout(axis, shape[axis - 1], (*shape[: axis - 1], *shape[axis:]), stride)


def _same(node: fx.Node, plan: Plan, **more: Any) -> Layer | None:
    """A function of one window that keeps its axis."""
    source = node.args[0]
    x = plan.layouts[source]
    layout = _layout(node, x.axis, x.stride)
    return Local(inputs=[source], layout=layout, **more) if layout.length == x.length else None


def _with(node: fx.Node, *places: int) -> Callable[..., Any]:
    """The operation as a function of some of its arguments."""

    def function(*values: torch.Tensor) -> Any:
        args = list(node.args)
        for place, value in zip(places, values, strict=True):
            args[place] = value
        return node.target(*args, **node.kwargs)

    return function


def _bound(node: fx.Node, plan: Plan, windows: list[fx.Node], first: bool = False) -> Callable[..., torch.Tensor]:
    """The operation as a function of the windows among its arguments; ``first``: of the tuple it gives, the first."""

    def function(*values: torch.Tensor) -> torch.Tensor:
        known = dict(zip(windows, values, strict=True))
        get = lambda n: known[n] if n in known else plan.constants[n]  # noqa: E731
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), get)
        found = node.target(*args, **kwargs)
        return found[0] if first else found

    return function


def _static(node: fx.Node, plan: Plan, ndim: int, axis: int, length: int) -> bool:
    """Whether a constant lies along the sequence; its layout is noted."""
    value = plan.constants[node]
    if not isinstance(value, torch.Tensor) or value.ndim < ndim - axis or value.shape[value.ndim - ndim + axis] == 1:
        return False
    shape = [1] * (ndim - value.ndim) + list(value.shape)
    if shape[axis] != length or shape[0] != 1:
        raise LookupError(node)
    plan.layouts.setdefault(node, Layout(axis, length, (*shape[1:axis], *shape[axis + 1 :]), 1))
    return True


def _elementwise(node: fx.Node, plan: Plan) -> Layer | None:
    sources = list(dict.fromkeys(node.all_input_nodes))
    changing = [n for n in sources if n in plan.varying]
    layouts = [plan.layouts[n] for n in changing]
    ndim, axis, stride = len(shape_of(node)) + 1, layouts[0].axis, layouts[0].stride
    if any((x.axis, x.length, x.stride, len(x.rest) + 2) != (axis, layouts[0].length, stride, ndim) for x in layouts):
        return None
    name = name_of(node)
    if name in ("add", "sub") and "alpha" not in node.kwargs and all(n in plan.varying for n in sources):
        rest = _layout(node, axis, stride).rest
        if len(changing) == 2 and all(x.rest == rest for x in layouts):
            factors = [1.0, 1.0 if name == "add" else -1.0]
            return Sum(inputs=list(node.args[:2]), layout=_layout(node, axis, stride), factors=factors)
    if name == "prelu" and axis == 1:
        return None
    along = [
        n
        for n in sources
        if n not in plan.varying and name != "prelu" and _static(n, plan, ndim, axis, layouts[0].length)
    ]
    for n in along:
        if plan.layouts[n].stride != stride:
            plan.layouts[n] = Layout(axis, layouts[0].length, plan.layouts[n].rest, stride)
    windows = changing + along
    alone = len(windows) == 1 and name in ELEMENTWISE and node.args[0] is windows[0]
    in_place = _in_place(node, plan) if alone else None
    return Local(
        inputs=windows, layout=_layout(node, axis, stride), function=_bound(node, plan, windows), in_place=in_place
    )


def _in_place(node: fx.Node, plan: Plan) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """A function of one tensor, written over it."""
    if any(n not in plan.varying and plan.constants[n].ndim for n in node.all_input_nodes):
        return None  # its shape may not fit the window's order of axes
    function = _bound(node, plan, [node.args[0]])
    packet = getattr(torch.ops.aten, f"{name_of(node)}_", None)
    overload = getattr(packet, node.target._overloadname, None) if packet is not None else None
    if overload is None:
        return lambda rows: rows.copy_(function(rows))
    more, kwargs = fx.node.map_arg((node.args[1:], node.kwargs), plan.constants.__getitem__)
    return lambda rows: overload(rows, *more, **kwargs)


def _numbers(value: Any, count: int, default: int | None = None) -> list[int]:
    value = default if value is None or value == [] else value
    value = [value] if isinstance(value, int) else list(value)
    return value * count if len(value) == 1 else value


def _convolution(node: fx.Node, plan: Plan) -> Layer | None:
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    x, weight = plan.layouts[given["input"]], plan.constant(given["weight"])
    spatial = weight.ndim - 2
    if spatial > 2 or x.axis < 2 or len(x.rest) != spatial:
        return None
    stride, dilation = (_numbers(given.get(key), spatial, 1) for key in ("stride", "dilation"))
    padding = given.get("padding")
    if padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    padding = _numbers(None if padding == "valid" else padding, spatial, 0)
    along, across = x.axis - 2, 1 - (x.axis - 2)
    groups, beside = given.get("groups", 1), x.rest[1] if spatial == 2 else 1
    eye = torch.eye(math.prod(x.rest), dtype=weight.dtype, device=weight.device).reshape(-1, x.rest[0], beside)
    more = {"stride": stride[across], "dilation": dilation[across]} if spatial == 2 else {}
    side = padding[across] if spatial == 2 else 0
    if spatial == 2 and given.get("padding") == "same" and weight.shape[2 + across] % 2 == 0:
        return None
    matrices = []
    for tap in range(weight.shape[2 + along]):
        kernel = weight.select(2 + along, tap)
        kernel = kernel if spatial == 2 else kernel[:, :, None]
        found = F.conv1d(eye, kernel, padding=side, groups=groups, **more)
        matrices.append(found.reshape(len(eye), -1).contiguous())
    sliding = Sliding(len(matrices), stride[along], padding[along], dilation[along])
    layout = _layout(node, x.axis, x.stride * stride[along])
    return Taps(inputs=[given["input"]], layout=layout, sliding=sliding, matrices=matrices, base=node, last=node)


def _linear(node: fx.Node, plan: Plan) -> Layer | None:
    x, weight = plan.layouts[node.args[0]], plan.constant(node.args[1])
    if x.axis == len(x.rest) + 1:
        return None
    if len(x.rest) > 1:
        return _same(node, plan, function=_bound(node, plan, [node.args[0]]))
    return Taps(
        inputs=[node.args[0]],
        layout=_layout(node, x.axis, x.stride),
        sliding=Sliding(1),
        matrices=[weight.t().contiguous()],
        base=node,
        last=node,
    )


def _matmul(node: fx.Node, plan: Plan) -> Layer | None:
    x, weight = plan.layouts[node.args[0]], plan.constant(node.args[1])
    if x.axis == len(x.rest) + 1 or weight.ndim != 2:
        return None
    return _same(node, plan, function=_bound(node, plan, [node.args[0]]))


def batch_norm_terms(node: fx.Node, plan: Plan) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Factor and offset of each channel of a batch norm in eval mode."""
    if name_of(node) == "batch_norm":
        _, weight, bias, mean, variance, training, _, eps, *_ = node.args
    else:
        (_, weight, bias, mean, variance, _, eps), training = node.args, False
    if training:
        return None
    weight, bias, mean, variance = (plan.constant(v) for v in (weight, bias, mean, variance))
    factor = torch.rsqrt(variance + eps) * (1 if weight is None else weight)
    return factor, (0 if bias is None else bias) - mean * factor


def _batch_norm(node: fx.Node, plan: Plan) -> Layer | None:
    source = node.args[0]
    x = plan.layouts[source]
    terms = batch_norm_terms(node, plan)
    if terms is None or x.axis < 2:
        return None
    factor, offset = (v.reshape(-1, *[1] * len(x.rest)) for v in terms)
    return Local(inputs=[source], layout=x, function=lambda rows: rows * factor + offset)


def _getitem(node: fx.Node, plan: Plan) -> Layer | None:
    parent, number = node.args
    name = name_of(parent)
    if name == "_native_batch_norm_legit_no_training":
        return _batch_norm(parent, plan) if number == 0 else None
    if name not in SPLITS:
        return None
    source = parent.args[0]
    x = plan.layouts[source]
    dim = _dim(parent.args[2 if name != "unbind" else 1] if len(parent.args) > (2 if name != "unbind" else 1) else 0, x)
    if dim in (0, x.axis):
        return None
    split = _bound(parent, plan, [source])
    axis = x.axis - 1 if name == "unbind" and dim < x.axis else x.axis
    return Local(inputs=[source], layout=_layout(node, axis, x.stride), function=lambda v: split(v)[number])


def _dim(dim: int, x: Layout) -> int:
    return dim if dim >= 0 else dim + len(x.rest) + 2


def _over_one(node: fx.Node, plan: Plan) -> Layer | None:
    name, source = name_of(node), node.args[0]
    x = plan.layouts[source]
    default = -1 if name == "glu" else 0
    dim = _dim(node.args[1] if len(node.args) > 1 else default, x)
    if name == "slice" and dim == x.axis:
        return _slice(node, x)
    if dim in (0, x.axis):
        return None
    axis = x.axis - 1 if name == "select" and dim < x.axis else x.axis
    return Local(inputs=[source], layout=_layout(node, axis, x.stride), function=_bound(node, plan, [source]))


def _slice(node: fx.Node, x: Layout) -> Layer | None:
    start, _, step = (*node.args[2:], *[None, None, 1][len(node.args) - 2 :])[:3]
    start = 0 if start is None else start
    start = max(0, start + x.length) if start < 0 else start
    return Shift(inputs=[node.args[0]], layout=_layout(node, x.axis, x.stride * step), start=start, step=step)


def _index(node: fx.Node, plan: Plan) -> Layer | None:
    x, indices = plan.layouts[node.args[0]], node.args[1]
    chosen = [place for place, index in enumerate(indices) if index is not None]
    if len(chosen) != 1 or chosen[0] in (0, x.axis) or plan.constant(indices[chosen[0]]).ndim != 1:
        return None
    return _same(node, plan, function=_bound(node, plan, [node.args[0]]))


def _reduce(node: fx.Node, plan: Plan) -> Layer | None:
    x, dims = plan.layouts[node.args[0]], node.args[1] if len(node.args) > 1 else None
    if dims is None:
        return None
    dims = [_dim(d, x) for d in ([dims] if isinstance(dims, int) else dims)]
    if 0 in dims or x.axis in dims or not dims:
        return None
    keep = len(shape_of(node)) == len(x.rest) + 1
    axis = x.axis if keep else x.axis - sum(d < x.axis for d in dims)
    source = [node.args[0]]
    return Local(inputs=source, layout=_layout(node, axis, x.stride), function=_bound(node, plan, source))


def _norm(node: fx.Node, plan: Plan) -> Layer | None:
    x, shape = plan.layouts[node.args[0]], node.args[1]
    if x.axis > len(x.rest) + 1 - len(shape):
        return None
    return _same(node, plan, function=_bound(node, plan, [node.args[0]]))


def _reshape(node: fx.Node, plan: Plan) -> Layer | None:
    x, after = plan.layouts[node.args[0]], shape_of(node)
    before = math.prod(x.rest[: x.axis - 1])
    for axis, size in enumerate(after, 1):
        fits = size == x.length and math.prod(after[: axis - 1]) == before
        if fits and math.prod(after) == math.prod(x.rest) * x.length:
            return Relabel(inputs=[node.args[0]], layout=_layout(node, axis, x.stride))
    return None


def _permute(node: fx.Node, plan: Plan) -> Layer | None:
    source = node.args[0]
    x = plan.layouts[source]
    ndim = len(x.rest) + 2
    order = list(_with(node, 0)(torch.empty(tuple(range(2, ndim + 2)), device="meta")).shape)
    if order[0] != 2:
        return None
    axis = order.index(x.axis + 2)
    layout = _layout(node, axis, x.stride)
    if [size for size in order if size != x.axis + 2] == sorted(size for size in order if size != x.axis + 2):
        return Relabel(inputs=[source], layout=layout)
    return Local(inputs=[source], layout=layout, function=_with(node, 0))


def _cat(node: fx.Node, plan: Plan) -> Layer | None:
    parts = list(node.args[0])
    x = plan.layouts[parts[0]]
    stacks = name_of(node) == "stack"
    ndim = len(x.rest) + 2 + stacks
    dim = node.args[1] if len(node.args) > 1 else 0
    dim = dim + ndim if dim < 0 else dim
    layouts = [plan.layouts[part] for part in parts]
    if any((y.axis, y.length, y.stride) != (x.axis, x.length, x.stride) for y in layouts):
        return None
    if dim == 0 or (dim == x.axis and not stacks) or any(part not in plan.varying for part in parts):
        return None
    axis = x.axis + 1 if stacks and dim <= x.axis else x.axis
    windows = list(dict.fromkeys(parts))
    return Local(inputs=windows, layout=_layout(node, axis, x.stride), function=_bound(node, plan, windows))


def _flip(node: fx.Node, plan: Plan) -> Layer | None:
    x = plan.layouts[node.args[0]]
    if any(_dim(d, x) in (0, x.axis) for d in node.args[1]):
        return None
    return _same(node, plan, function=_bound(node, plan, [node.args[0]]))


def _pad(node: fx.Node, plan: Plan) -> Layer | None:
    source, pads, *more = node.args
    x = plan.layouts[source]
    if name_of(node) == "pad" and (more[0] if more else node.kwargs.get("mode", "constant")) != "constant":
        return None
    place = 2 * (len(x.rest) + 1 - x.axis)
    own = list(pads[place : place + 2]) or [0, 0]
    if any(pads[:place]) or any(pads[place + 2 :]):
        if any(own):
            return None
        return Local(inputs=[source], layout=_layout(node, x.axis, x.stride), function=_with(node, 0))
    return Shift(inputs=[source], layout=_layout(node, x.axis, x.stride), start=-own[0])


def _pool(node: fx.Node, plan: Plan) -> Layer | None:
    name, source = name_of(node), node.args[0]
    x = plan.layouts[source]
    spatial = 1 if name.endswith("1d") else 2
    along = x.axis - (len(x.rest) + 2 - spatial)
    if along < 0:
        return None
    args = [*node.args[1:], *[None] * 6]
    kernel = _numbers(args[0], spatial)
    stride, padding = _numbers(args[1], spatial, kernel), _numbers(args[2], spatial, 0)
    dilation = _numbers(args[3], spatial, 1) if name.startswith("max") else [1] * spatial
    if spatial == 2:
        across = 1 - along
        if (kernel[across], stride[across], padding[across]) != (1, 1, 0):
            return None
    layout = _layout(node, x.axis, x.stride * stride[along])
    sliding = Sliding(kernel[along], stride[along], padding[along], dilation[along])
    if name.startswith("max"):
        return MaxPool(inputs=[source], layout=layout, sliding=sliding)
    like = plan.like
    ones = torch.ones(1, *[1] * (spatial - 1 + 1), x.length, dtype=like.dtype, device=like.device)
    ones = ones if spatial == 1 else ones.movedim(3, 2 + along)
    mean = _with(node, 0)(ones).flatten()
    count = F.conv1d(
        F.pad(torch.ones(1, 1, x.length, dtype=like.dtype, device=like.device), (sliding.padding, sliding.kernel * 2)),
        torch.ones(1, 1, sliding.kernel, dtype=like.dtype, device=like.device),
        stride=sliding.stride,
    )[0, 0, : layout.length]
    return AvgPool(inputs=[source], layout=layout, sliding=sliding, weights=mean / count)


BUILDERS: dict[str, Callable[[fx.Node, Plan], Layer | None]] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "linear": _linear,
    "matmul": _matmul,
    "batch_norm": _batch_norm,
    operator.getitem.__name__: _getitem,
    "index": _index,
    "layer_norm": _norm,
    "rms_norm": _norm,
    "cat": _cat,
    "stack": _cat,
    "flip": _flip,
    "pad": _pad,
    "constant_pad_nd": _pad,
    **dict.fromkeys(("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"), _pool),
    **dict.fromkeys(OVER_ONE, _over_one),
    **dict.fromkeys(REDUCES, _reduce),
    **dict.fromkeys(RESHAPES, _reshape),
    **dict.fromkeys(PERMUTES, _permute),
}
