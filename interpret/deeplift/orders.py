"""Maxima, minima, and what stands at a rank.

The change of a maximum goes to the places that held the larger one (``pairs.maxima``). Sorting is a network of
comparisons, each the maximum and the minimum of two values, so that it is as complete as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F

from interpret.deeplift.handler import Handler, Varies, arguments
from interpret.deeplift.pairs import Pairs, elementwise, maxima, valued

__all__ = ["ORDERS", "PLACES", "largest", "maximum", "minimum"]


def maximum(a: torch.Tensor, b: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """The larger of two."""
    return valued(a + elementwise(b - a, torch.relu, pairs), torch.maximum(a, b))


def minimum(a: torch.Tensor, b: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """The smaller of two."""
    return valued(a - elementwise(a - b, torch.relu, pairs), torch.minimum(a, b))


def _maximum(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return maximum(args[0], args[1], pairs)


def _minimum(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    return minimum(args[0], args[1], pairs)


def _logaddexp(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """logaddexp and logaddexp2."""
    a, b = args if varies[0] else args[::-1]
    return b + elementwise(a - b, lambda d: target(d, torch.zeros_like(d)), pairs)


# ---------------------------------------------------------------- pooling


def _max_pool(pool: Callable[..., Any], spatial: int) -> Handler:
    def handler(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
        x = args[0]
        values, places = pool(x.detach(), *args[1:], **kwargs, return_indices=True)
        first = places.ndim - spatial
        return maxima(x.flatten(first), values.flatten(first), places.flatten(first), pairs).reshape(values.shape)

    return handler


def _pooled_pair(pool: Callable[..., Any], spatial: int) -> Handler:
    """Operations that return values and places; what uses the places has no rule."""
    inner = _max_pool(pool, spatial)
    return lambda *given: (inner(*given), None)


# ---------------------------------------------------------------- over axes


def largest(x: torch.Tensor, dims: list[int], keep: bool, rows: Pairs) -> torch.Tensor:
    """The maximum over axes, which are sorted and not the batch's."""
    rest = [d for d in range(x.ndim) if d not in dims]
    moved = x.permute(*rest, *dims).flatten(len(rest))
    values, places = moved.detach().max(-1, keepdim=True)
    found = maxima(moved, values, places, Pairs(rows.rows, rows.n, rest.index(rows.axis))).squeeze(-1)
    for d in dims if keep else []:
        found = found.unsqueeze(d)
    return found


def _extreme(sign: int) -> Handler:
    """amax or amin."""

    def handler(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
        given = arguments(target, args, kwargs)
        x, dims = given["self"], given["dim"]
        dims = sorted(d % x.ndim for d in ([dims] if isinstance(dims, int) else dims))
        return sign * largest(sign * x, dims, bool(given.get("keepdim")), varies[0])

    return handler


def _with_place(sign: int) -> Handler:
    """max or min along one axis."""
    inner = _extreme(sign)
    return lambda *given: (inner(*given), None)


def _both_extremes(*given: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return _extreme(-1)(*given), _extreme(1)(*given)


def _running(sign: int) -> Handler:
    """cummax or cummin: each with the best of 1, 2, 4, ... before it."""

    def handler(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
        x, dim = args
        found, step = sign * x, 1
        while step < x.shape[dim]:
            rest = x.shape[dim] - step
            later = maximum(found.narrow(dim, step, rest), found.narrow(dim, 0, rest), varies[0])
            found, step = torch.cat([found.narrow(dim, 0, step), later], dim), 2 * step
        return sign * found, None

    return handler


# ---------------------------------------------------------------- ranks


def _comparisons(n: int) -> Iterator[tuple[list[int], list[int]]]:
    """Batcher's odd-even merge sort: the two places of each comparison, those that are independent together."""
    p = 1
    while p < n:
        k = p
        while k >= 1:
            low = [
                i + j
                for j in range(k % p, n - k, 2 * k)
                for i in range(min(k, n - j - k))
                if (i + j) // (2 * p) == (i + j + k) // (2 * p)
            ]
            yield low, [place + k for place in low]
            k //= 2
        p *= 2


def ascending(x: torch.Tensor, dim: int, rows: Pairs) -> torch.Tensor:
    """Values along an axis in order."""
    found = x
    for low, high in _comparisons(x.shape[dim]):
        at_low, at_high = (torch.tensor(places, device=x.device) for places in (low, high))
        a, b = found.index_select(dim, at_low), found.index_select(dim, at_high)
        change = elementwise(a - b, torch.relu, rows)
        found = found.index_copy(dim, at_high, valued(b + change, torch.maximum(a, b)))
        found = found.index_copy(dim, at_low, valued(a - change, torch.minimum(a, b)))
    return found


def _sort(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
    given = arguments(target, args, kwargs)
    found = ascending(given["self"], given["dim"], varies[0])
    return (found.flip(given["dim"]) if given["descending"] else found), None


def _topk(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
    given = arguments(target, args, kwargs)
    x, dim, k = given["self"], given["dim"], given["k"]
    found = ascending(x, dim, varies[0])
    found = found.narrow(dim, x.shape[dim] - k, k).flip(dim) if given["largest"] else found.narrow(dim, 0, k)
    return found, None


def _ranked(x: torch.Tensor, dim: int, rank: int, keep: bool, rows: Pairs) -> torch.Tensor:
    found = ascending(x, dim, rows).narrow(dim, rank, 1)
    return found if keep else found.squeeze(dim)


def _median(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
    given = arguments(target, args, kwargs)
    x, dim = given["self"], given["dim"]
    return _ranked(x, dim, (x.shape[dim] - 1) // 2, given["keepdim"], varies[0]), None


def _kthvalue(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> Any:
    given = arguments(target, args, kwargs)
    return _ranked(given["self"], given["dim"], given["k"] - 1, given["keepdim"], varies[0]), None


def _quantile(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    given = arguments(target, args, kwargs)
    x, dim = given["self"], given["dim"] % given["self"].ndim
    place = given["q"] * (x.shape[dim] - 1)
    low, high = math.floor(place), math.ceil(place)
    share = {"linear": place - low, "lower": 0, "higher": 1, "midpoint": 0.5, "nearest": round(place) - low}
    below, above = (_ranked(x, dim, rank, given["keepdim"], varies[0]) for rank in (low, high))
    return below + share[given["interpolation"]] * (above - below)


#: Operations that return values and their places, which have no rule.
PLACES = frozenset(
    {
        "max",
        "min",
        "cummax",
        "cummin",
        "sort",
        "topk",
        "median",
        "kthvalue",
        "max_pool1d_with_indices",
        "max_pool2d_with_indices",
        "max_pool3d_with_indices",
        "adaptive_max_pool1d",
        "adaptive_max_pool2d",
        "adaptive_max_pool3d",
    }
)
_POOLS = {
    f"{kind}max_pool{d}d": (getattr(F, f"{kind}max_pool{d}d"), d) for kind in ("", "adaptive_") for d in (1, 2, 3)
}
ORDERS: dict[str, Handler] = {
    "maximum": _maximum,
    "minimum": _minimum,
    "fmax": _maximum,
    "fmin": _minimum,
    "logaddexp": _logaddexp,
    "logaddexp2": _logaddexp,
    **{name: _max_pool(*_POOLS[name]) for name in _POOLS if name not in PLACES},
    **{name: _pooled_pair(*_POOLS[name]) for name in _POOLS if name in PLACES},
    **{f"{name}_with_indices": _pooled_pair(*_POOLS[name]) for name in _POOLS if name not in PLACES},
    "amax": _extreme(1),
    "amin": _extreme(-1),
    "aminmax": _both_extremes,
    "max": _with_place(1),
    "min": _with_place(-1),
    "cummax": _running(1),
    "cummin": _running(-1),
    "sort": _sort,
    "topk": _topk,
    "median": _median,
    "kthvalue": _kthvalue,
    "quantile": _quantile,
}
