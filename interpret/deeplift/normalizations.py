"""Softmax and its kin, normalizations, variances and norms: sums of what varies, divided or rooted."""

from __future__ import annotations

import math
from typing import Any

import torch

from interpret.deeplift.handler import Handler, Varies, arguments
from interpret.deeplift.orders import largest
from interpret.deeplift.pairs import Pairs, elementwise, product

__all__ = ["NORMALIZATIONS", "softmax_of"]


def _exponentials(pairs: Pairs, x: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """exp(x - c) and c, the same on all rows of a group so that it is a constant of each pair; float64."""
    x = x.double()
    shift = pairs.highest(x.detach().amax(dim, keepdim=True))
    return elementwise(x - shift, torch.exp, pairs), shift


def _softmax(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return softmax_of(pairs, args[0], args[1]).to(_dtype(args, kwargs))


def softmax_of(pairs: Pairs, x: torch.Tensor, dim: int) -> torch.Tensor:
    """Softmax over an axis, as exponentials over their sum."""
    exponentials, _ = _exponentials(pairs, x, dim)
    inverse = elementwise(exponentials.sum(dim, keepdim=True), torch.reciprocal, pairs)
    return product(exponentials, inverse, pairs).to(x.dtype)


def _log_softmax(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, dim = args[0], args[1]
    exponentials, shift = _exponentials(pairs, x, dim)
    found = x - shift - elementwise(exponentials.sum(dim, keepdim=True), torch.log, pairs)
    return found.to(_dtype(args, kwargs))


def _dtype(args: list[Any], kwargs: dict[str, Any]) -> torch.dtype:
    """Of the result of a softmax: what was asked for, or the input's."""
    asked = kwargs.get("dtype", args[2] if len(args) > 2 else None)
    return asked if isinstance(asked, torch.dtype) else args[0].dtype


def _logcumsumexp(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, dim = args
    exponentials, shift = _exponentials(varies[0], x, dim)
    return (shift + elementwise(exponentials.cumsum(dim), torch.log, varies[0])).to(x.dtype)


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


def _dims(given: dict[str, Any], ndim: int) -> list[int]:
    dims = given["dim"]
    dims = [dims] if isinstance(dims, int) else list(dims)
    return sorted(d % ndim for d in dims)


def _axis(rows: Pairs, dims: list[int], keep: bool) -> Pairs:
    """The rows of what is left of a tensor when ``dims`` are reduced."""
    return rows if keep else Pairs(rows.rows, rows.n, rows.axis - sum(d < rows.axis for d in dims))


def _root(x: torch.Tensor) -> torch.Tensor:
    """The square root, flat at 0: what stays 0 contributes nothing."""
    positive = x > 0
    return torch.sqrt(torch.where(positive, x, 1)) * positive


def _variance(target: Any, args: list[Any], kwargs: dict[str, Any], rows: Pairs) -> tuple[torch.Tensor, list[int]]:
    """The variance, its axes kept, and those axes."""
    given = arguments(target, args, kwargs)
    x, dims = given["self"], _dims(given, given["self"].ndim)
    correction = given.get("correction", 1 if given.get("unbiased", True) else 0)
    free = math.prod(x.shape[d] for d in dims) - (1 if correction is None else correction)
    centred = x - x.mean(dims, keepdim=True)
    return product(centred, centred, rows).sum(dims, keepdim=True) / free, dims


def _spread(root: bool, mean: bool) -> Handler:
    """Variance or standard deviation, alone or before the mean."""

    def handler(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
        found, dims = _variance(target, args, kwargs, varies[0])
        found = elementwise(found, _root, varies[0]) if root else found
        keep = arguments(target, args, kwargs).get("keepdim", False)
        found = found if keep else found.squeeze(dims)
        return (found, args[0].mean(dims, keepdim=keep)) if mean else found

    return handler


# ---------------------------------------------------------------- norms


def _norm(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    given = arguments(target, args, kwargs)
    order = given.get("ord", given.get("p"))
    keep = bool(given.get("keepdim"))
    return norm_of(
        given["self"], 2 if order is None else float(order), _dims(given, given["self"].ndim), keep, varies[0]
    )


def norm_of(x: torch.Tensor, order: float, dims: list[int], keep: bool, rows: Pairs) -> torch.Tensor:
    """The vector norm of an order over some axes."""
    if order == 2:  # not of the absolute value: a product has a slope at 0
        return elementwise(product(x, x, rows).sum(dims, keepdim=keep), _root, _axis(rows, dims, keep))
    if order == 0:  # how many are not 0: steps
        return elementwise(x, lambda v: (v.detach() != 0) + 0 * v, rows, smallest=0).sum(dims, keepdim=keep)
    size = elementwise(x, torch.abs, rows)
    if order == 1:
        return size.sum(dims, keepdim=keep)
    if math.isinf(order):
        return largest(size if order > 0 else -size, dims, keep, rows) * (1 if order > 0 else -1)
    total = elementwise(size, lambda v: v**order, rows).sum(dims, keepdim=keep)
    return elementwise(total, lambda v: v ** (1 / order), _axis(rows, dims, keep))


def _distance(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """pairwise_distance: of two tensors, over their last axis."""
    given = arguments(target, args, kwargs)
    apart = given["x1"] - given["x2"] + given["eps"]
    rows = varies[0] or varies[1]
    return norm_of(apart, given["p"], [apart.ndim - 1], given["keepdim"], rows)


def _hypot(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    power = sum(product(v, v, rows) if rows else v * v for v, rows in zip(args, varies, strict=True))
    return elementwise(power, _root, pairs)


def _cosine(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    given = arguments(target, args, kwargs)
    a, b = torch.broadcast_tensors(given["x1"], given["x2"])
    dims, rows, eps = [given["dim"] % a.ndim], varies[0] or varies[1], given["eps"]
    powers = [product(v, v, rows).sum(dims, keepdim=True) for v in (a, b)]
    inverse = [elementwise(p, lambda v: torch.rsqrt(v.clamp_min(eps * eps)), rows) for p in powers]
    one, other = (product(v, scale, rows) for v, scale in zip((a, b), inverse, strict=True))
    return product(one, other, rows).sum(dims)


NORMALIZATIONS: dict[str, Handler] = {
    "softmax": _softmax,
    "_softmax": _softmax,
    "log_softmax": _log_softmax,
    "_log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "logcumsumexp": _logcumsumexp,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "rms_norm": _rms_norm,
    "var": _spread(root=False, mean=False),
    "std": _spread(root=True, mean=False),
    "var_mean": _spread(root=False, mean=True),
    "std_mean": _spread(root=True, mean=True),
    "norm": _norm,
    "frobenius_norm": _norm,
    "linalg_vector_norm": _norm,
    "linalg_norm": _norm,
    "hypot": _hypot,
    "pairwise_distance": _distance,
    "cosine_similarity": _cosine,
}
