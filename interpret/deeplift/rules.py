"""One rule an operation of the graph, composed of the primitives of ``deeplift.pairs``.

An operation is linear in what varies (autograd does it), elementwise, or has a handler below. Everything else
has no rule, and ``deeplift.graph.audit`` names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from interpret.deeplift.pairs import Pairs, bilinear, elementwise, maxima, product

__all__ = ["BATCH_FIRST", "ELEMENTWISE", "HANDLERS", "LINEAR_IN_ALL", "LINEAR_IN_FIRST", "SEVERAL"]

#: Linear in all their tensors together: any of them may vary.
LINEAR_IN_ALL = frozenset(
    {
        "add",
        "add_",
        "sub",
        "sub_",
        "rsub",
        "neg",
        "sum",
        "mean",
        "cat",
        "stack",
        "concat",
        "concatenate",
        "hstack",
        "vstack",
        "clone",
        "contiguous",
        "detach",
        "alias",
        "view",
        "_unsafe_view",
        "reshape",
        "flatten",
        "unflatten",
        "permute",
        "transpose",
        "t",
        "movedim",
        "swapaxes",
        "squeeze",
        "unsqueeze",
        "expand",
        "expand_as",
        "repeat",
        "tile",
        "repeat_interleave",
        "select",
        "slice",
        "narrow",
        "split",
        "split_with_sizes",
        "chunk",
        "unbind",
        "flip",
        "roll",
        "unfold",
        "as_strided",
        "diagonal",
        "pad",
        "constant_pad_nd",
        "reflection_pad1d",
        "replication_pad1d",
        "reflection_pad2d",
        "replication_pad2d",
        "zero_pad2d",
        "avg_pool1d",
        "avg_pool2d",
        "adaptive_avg_pool1d",
        "adaptive_avg_pool2d",
        "_adaptive_avg_pool2d",
        "upsample_nearest1d",
        "upsample_linear1d",
        "upsample_nearest2d",
        "upsample_bilinear2d",
        "dropout",
        "feature_dropout",
        "alpha_dropout",
        "cumsum",
        "to",
        "_to_copy",
        "type_as",
        "float",
        "double",
        "tril",
        "triu",
        "index_select",
        "im2col",
        "lift_fresh_copy",
        "view_as",
        "pixel_shuffle",
        "ravel",
        "slice_copy",
        "select_copy",
        "native_dropout",
    }
)
#: Linear in the first tensor; the others must not vary.
LINEAR_IN_FIRST = frozenset(
    {
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_transpose1d",
        "conv_transpose2d",
        "linear",
        "batch_norm",
        "_native_batch_norm_legit_no_training",
        "masked_fill",
        "index",
        "gather",
        "addmm",
        "div",
        "true_divide",
    }
)

ELEMENTWISE = frozenset(
    {
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "sigmoid",
        "tanh",
        "hardtanh",
        "hardswish",
        "hardsigmoid",
        "relu6",
        "softplus",
        "softsign",
        "log_sigmoid",
        "logsigmoid",
        "exp",
        "expm1",
        "exp2",
        "log",
        "log1p",
        "log2",
        "log10",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "square",
        "abs",
        "sin",
        "cos",
        "erf",
        "atan",
        "sinh",
        "cosh",
        "pow",
        "clamp",
        "clamp_min",
        "clamp_max",
        "threshold",
        "hardshrink",
        "softshrink",
        "tanhshrink",
    }
)

#: For each argument its own rows if it varies between a sequence and its references, else None.
Varies = list[Pairs | None]
#: (rows of the result, operation, arguments, named arguments, which vary) -> result
Handler = Callable[[Pairs, Callable[..., Any], list[Any], dict[str, Any], Varies], Any]


def _mul(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return product(args[0], args[1], pairs) if varies[0] and varies[1] else target(*args, **kwargs)


def _div(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    if not varies[1]:
        return target(*args, **kwargs)
    inverse = elementwise(args[1], torch.reciprocal, varies[1])
    return product(args[0], inverse, pairs) if varies[0] else args[0] * inverse


def _maximum(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return args[0] + elementwise(args[1] - args[0], torch.relu, pairs)


def _minimum(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return args[0] - elementwise(args[0] - args[1], torch.relu, pairs)


def _logaddexp(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    a, b = args if varies[0] else args[::-1]
    return b + elementwise(a - b, lambda d: torch.logaddexp(d, torch.zeros_like(d)), pairs)


def _prelu(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, weight = args
    weight = weight.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight
    return elementwise(x, torch.relu, pairs) - weight * elementwise(-x, torch.relu, pairs)


def _glu(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    a, b = args[0].chunk(2, args[1] if len(args) > 1 else -1)
    return product(a, elementwise(b, torch.sigmoid, pairs), pairs)


def _exponentials(pairs: Pairs, x: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """exp(x - c) and c, the same on all rows of a group so that it is a constant of each pair; float64."""
    x = x.double()
    shift = pairs.highest(x.detach().amax(dim, keepdim=True))
    return elementwise(x - shift, torch.exp, pairs), shift


def _softmax(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return _softmax_of(pairs, args[0], args[1])


def _softmax_of(pairs: Pairs, x: torch.Tensor, dim: int) -> torch.Tensor:
    exponentials, _ = _exponentials(pairs, x, dim)
    inverse = elementwise(exponentials.sum(dim, keepdim=True), torch.reciprocal, pairs)
    return product(exponentials, inverse, pairs).to(x.dtype)


def _log_softmax(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, dim = args[0], args[1]
    exponentials, shift = _exponentials(pairs, x, dim)
    return (x - shift - elementwise(exponentials.sum(dim, keepdim=True), torch.log, pairs)).to(x.dtype)


def _logsumexp(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, dim = args[0], args[1]
    keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    exponentials, shift = _exponentials(varies[0], x, dim)
    found = (shift + elementwise(exponentials.sum(dim, keepdim=True), torch.log, varies[0])).to(x.dtype)
    return found if keep else found.squeeze(dim)


def _standardized(pairs: Pairs, x: torch.Tensor, dims: list[int], eps: float) -> torch.Tensor:
    centred = x - x.mean(dims, keepdim=True)
    variance = product(centred, centred, pairs).mean(dims, keepdim=True)
    return product(centred, elementwise(variance, lambda v: torch.rsqrt(v + eps), pairs), pairs)


def _layer_norm(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, shape, weight, bias, eps = (*args, *[None, None, 1e-5][len(args) - 2 :])[:5]
    found = _standardized(pairs, x, list(range(-len(shape), 0)), eps)
    found = found if weight is None else found * weight
    return found if bias is None else found + bias


def _rms_norm(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, shape, weight, eps = (*args, *[None, None][len(args) - 2 :])[:4]
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    power = product(x, x, pairs).mean(list(range(-len(shape), 0)), keepdim=True)
    found = product(x, elementwise(power, lambda v: torch.rsqrt(v + eps), pairs), pairs)
    return found if weight is None else found * weight


def _per_channel(value: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor | None:
    return None if value is None else value.reshape(-1, *[1] * (x.ndim - 2))


def _group_norm(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, groups, weight, bias, eps = (*args, *[None, None, 1e-5][len(args) - 2 :])[:5]
    found = _standardized(pairs, x.reshape(len(x), groups, -1), [-1], eps).reshape(x.shape)
    found = found if weight is None else found * _per_channel(weight, x)
    return found if bias is None else found + _per_channel(bias, x)


def _instance_norm(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, weight, bias, _, _, use_input_stats, _, eps = args[:8]
    if not use_input_stats:
        return target(*args, **kwargs)
    return _group_norm(pairs, target, [x, x.shape[1], weight, bias, eps], {}, varies)


def _var(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x = args[0]
    dims = args[1] if len(args) > 1 and args[1] is not None else list(range(x.ndim))
    dims = [dims] if isinstance(dims, int) else list(dims)
    named = dict(kwargs)
    unbiased = args[2] if len(args) > 2 and isinstance(args[2], bool) else True
    correction = named.get("correction", 1 if unbiased else 0)
    keep = named.get("keepdim", args[3] if len(args) > 3 else False)
    count = math.prod(x.shape[d] for d in dims)
    centred = x - x.mean(dims, keepdim=True)
    free = count - (1 if correction is None else correction)
    found = product(centred, centred, varies[0]).sum(dims, keepdim=True) / free
    return found if keep else found.squeeze(dims)


def _std(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    named = dict(kwargs) | {"keepdim": True}
    keep = kwargs.get("keepdim", args[3] if len(args) > 3 else False)
    found = elementwise(_var(pairs, target, args[:3], named, varies), torch.sqrt, varies[0])
    dims = args[1] if len(args) > 1 and args[1] is not None else list(range(args[0].ndim))
    return found if keep else found.squeeze(dims)


def _attention(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    q, k, v, mask, _, causal, scale, *_ = (*args, *[None, 0.0, False, None][len(args) - 3 :])
    mask, causal = kwargs.get("attn_mask", mask), kwargs.get("is_causal", causal)
    scale = kwargs.get("scale", scale)
    scores = _matmul(pairs, torch.matmul, [q, k.transpose(-2, -1)], {}, varies[:2]) * (scale or q.shape[-1] ** -0.5)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    if not (varies[0] or varies[1]):
        return torch.matmul(scores.softmax(-1), v)
    return _matmul(pairs, torch.matmul, [_softmax_of(pairs, scores, -1), v], {}, [pairs, varies[2]])


def _matmul(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    if not (varies[0] and varies[1]):
        return target(*args, **kwargs)
    return bilinear(args[0], args[1], target, varies[0], varies[1])


def _einsum(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    equation, operands = args[0], args[1]
    if len(operands) != 2 or not all(varies):
        return target(equation, operands)
    return bilinear(*operands, lambda a, b: target(equation, [a, b]), varies[0], varies[1])


def _max_pool(pool: Callable[..., Any]) -> Handler:
    def handler(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
        x = args[0]
        values, places = pool(x.detach(), *args[1:], **kwargs, return_indices=True)
        spatial = places.ndim - (1 if pool in (F.max_pool1d, F.adaptive_max_pool1d) else 2)
        return maxima(x.flatten(spatial), values.flatten(spatial), places.flatten(spatial), pairs).reshape(values.shape)

    return handler


def _pooled_pair(pool: Callable[..., Any]) -> Handler:
    """Operations that return values and places; what uses the places has no rule."""
    inner = _max_pool(pool)
    return lambda *given: (inner(*given), None)


def _amax(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x = args[0]
    dims = args[1] if len(args) > 1 else kwargs.get("dim", [])
    dims = [dims] if isinstance(dims, int) else list(dims)
    dims = sorted(d % x.ndim for d in dims)
    keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    rest = [d for d in range(x.ndim) if d not in dims]
    moved = x.permute(*rest, *dims).flatten(len(rest))
    values, places = moved.detach().max(-1, keepdim=True)
    found = maxima(moved, values, places, Pairs(pairs.rows, pairs.n, rest.index(varies[0].axis))).squeeze(-1)
    for d in dims if keep else []:
        found = found.unsqueeze(d)
    return found


def _amin(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return -_amax(pairs, target, [-args[0], *args[1:]], kwargs, varies)


def _max(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
    return _amax(pairs, target, args, kwargs, varies), None


HANDLERS: dict[str, Handler] = {
    "mul": _mul,
    "multiply": _mul,
    "div": _div,
    "true_divide": _div,
    "maximum": _maximum,
    "minimum": _minimum,
    "logaddexp": _logaddexp,
    "prelu": _prelu,
    "_prelu_kernel": _prelu,
    "glu": _glu,
    "softmax": _softmax,
    "_softmax": _softmax,
    "log_softmax": _log_softmax,
    "_log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "rms_norm": _rms_norm,
    "var": _var,
    "std": _std,
    "scaled_dot_product_attention": _attention,
    "bmm": _matmul,
    "matmul": _matmul,
    "mm": _matmul,
    "einsum": _einsum,
    "max_pool1d": _max_pool(F.max_pool1d),
    "max_pool2d": _max_pool(F.max_pool2d),
    "max_pool1d_with_indices": _pooled_pair(F.max_pool1d),
    "max_pool2d_with_indices": _pooled_pair(F.max_pool2d),
    "adaptive_max_pool1d": _pooled_pair(F.adaptive_max_pool1d),
    "adaptive_max_pool2d": _pooled_pair(F.adaptive_max_pool2d),
    "amax": _amax,
    "amin": _amin,
    "max": _max,
}
#: Handlers that assume the batch on the first axis.
BATCH_FIRST = frozenset(
    {
        "group_norm",
        "instance_norm",
        "max_pool1d",
        "max_pool2d",
        "adaptive_max_pool1d",
        "adaptive_max_pool2d",
        "max_pool2d_with_indices",
        "max_pool1d_with_indices",
        "prelu",
    }
)
#: Handlers that take several varying tensors.
SEVERAL = frozenset(
    {
        "mul",
        "multiply",
        "div",
        "true_divide",
        "maximum",
        "minimum",
        "logaddexp",
        "bmm",
        "matmul",
        "mm",
        "einsum",
        "scaled_dot_product_attention",
    }
)
