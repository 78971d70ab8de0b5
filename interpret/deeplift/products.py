"""Products of what varies: each factor's change times the mean of the other, in pairs where there are many."""

from __future__ import annotations

import math
from typing import Any

import torch

from interpret.deeplift.handler import Handler, Varies, arguments
from interpret.deeplift.normalizations import softmax_of
from interpret.deeplift.pairs import Pairs, bilinear, elementwise, product

__all__ = ["PRODUCTS"]


def _mul(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return product(args[0], args[1], pairs) if varies[0] and varies[1] else target(*args, **kwargs)


def _div(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    if not varies[1]:
        return target(*args, **kwargs)
    inverse = elementwise(args[1], torch.reciprocal, varies[1])
    return product(args[0], inverse, pairs) if varies[0] else args[0] * inverse


def _addcmul(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    added, a, b = args
    return added + kwargs.get("value", 1) * (product(a, b, pairs) if varies[1] and varies[2] else a * b)


def _addcdiv(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    added, a, b = args
    return added + kwargs.get("value", 1) * _div(pairs, torch.div, [a, b], {}, varies[1:])


def _cross(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    if not (varies[0] and varies[1]):
        return target(*args, **kwargs)
    return bilinear(args[0], args[1], lambda a, b: target(a, b, *args[2:], **kwargs), varies[0], varies[1])


def _lerp(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    start, end, weight = args
    both = (varies[0] or varies[1]) and varies[2]
    return start + (product(end - start, weight, pairs) if both else (end - start) * weight)


def _glu(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    a, b = args[0].chunk(2, args[1] if len(args) > 1 else -1)
    return product(a, elementwise(b, torch.sigmoid, pairs), pairs)


def _matmul(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    if not (varies[0] and varies[1]):
        return target(*args, **kwargs)
    return bilinear(args[0], args[1], target, varies[0], varies[1])


def _added_matmul(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """addmm and baddbmm."""
    found = _matmul(pairs, torch.matmul, args[1:], {}, varies[1:])
    return kwargs.get("beta", 1) * args[0] + kwargs.get("alpha", 1) * found


def _einsum(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    equation, operands = args[0], args[1]
    if len(operands) != 2 or not all(varies):
        return target(equation, operands)
    return bilinear(*operands, lambda a, b: target(equation, [a, b]), varies[0], varies[1])


def _bilinear(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """torch's layer of two inputs."""
    a, b, weight, bias = (*args, None)[:4]
    if not (varies[0] and varies[1]):
        return target(*args, **kwargs)
    found = bilinear(a, b, lambda a, b: target(a, b, weight), varies[0], varies[1])
    return found if bias is None else found + bias


def _attention(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    q, k, v, mask, _, causal, scale, *_ = (*args, *[None, 0.0, False, None][len(args) - 3 :])
    mask, causal = kwargs.get("attn_mask", mask), kwargs.get("is_causal", causal)
    scale = kwargs.get("scale", scale)
    if kwargs.get("enable_gqa"):  # several heads of queries to each of keys and values
        k, v = (value.repeat_interleave(q.shape[-3] // value.shape[-3], -3) for value in (k, v))
    scores = _matmul(pairs, torch.matmul, [q, k.transpose(-2, -1)], {}, varies[:2]) * (scale or q.shape[-1] ** -0.5)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    if not (varies[0] or varies[1]):
        return torch.matmul(scores.softmax(-1), v)
    return _matmul(pairs, torch.matmul, [softmax_of(pairs, scores, -1), v], {}, [pairs, varies[2]])


# ---------------------------------------------------------------- of all along an axis


def _prod(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """Neighbours are multiplied until one is left."""
    given = arguments(target, args, kwargs)
    x, dim = given["self"], given["dim"] % given["self"].ndim
    found = x.movedim(dim, -1)
    own = Pairs(pairs.rows, pairs.n, varies[0].axis - (varies[0].axis > dim))
    while found.shape[-1] > 1:
        even = found.shape[-1] // 2 * 2
        halved = product(found[..., 0:even:2], found[..., 1:even:2], own)
        found = torch.cat([halved, found[..., even:]], -1)
    return found.movedim(-1, dim) if given.get("keepdim") else found.squeeze(-1)


def _cumprod(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """Each is multiplied by the product of 1, 2, 4, ... before it."""
    given = arguments(target, args, kwargs)
    found, dim, step = given["self"], given["dim"], 1
    while step < found.shape[dim]:
        rest = found.shape[dim] - step
        later = product(found.narrow(dim, step, rest), found.narrow(dim, 0, rest), varies[0])
        found, step = torch.cat([found.narrow(dim, 0, step), later], dim), 2 * step
    return found


PRODUCTS: dict[str, Handler] = {
    "mul": _mul,
    "multiply": _mul,
    "div": _div,
    "divide": _div,
    "true_divide": _div,
    "addcmul": _addcmul,
    "addcdiv": _addcdiv,
    "cross": _cross,
    "linalg_cross": _cross,
    "lerp": _lerp,
    "glu": _glu,
    "bmm": _matmul,
    "matmul": _matmul,
    "linalg_matmul": _matmul,
    "mm": _matmul,
    "addmm": _added_matmul,
    "baddbmm": _added_matmul,
    "einsum": _einsum,
    "bilinear": _bilinear,
    "scaled_dot_product_attention": _attention,
    "prod": _prod,
    "cumprod": _cumprod,
}
