"""What operations on tensors compute, by the names of TensorFlow and of Keras 3, written with torch.

The first axis is the batch: windows that are predicted together. An operation over it would give a window another
number in other company, so it is refused; sizes of the batch may be read (``tf.shape``) for reshaping.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ACTIVATIONS", "KERAS", "TENSORFLOW", "Sizes", "matmul_of_two"]

FULL = slice(None)
# Operations of one tensor that are activations: their modules are those of layers, which attributions know.
ACTIVATIONS = {
    **{name: name for name in ("relu", "relu6", "sigmoid", "tanh", "softplus", "softsign", "selu", "exp", "mish")},
    **{"silu": "silu", "swish": "silu", "hard_sigmoid": "hard_sigmoid"},
}


class Sizes:
    """The result of ``tf.shape``: sizes, not numbers of windows; part of a tensor's axes where it is cut."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes


class BatchError(ValueError):
    """An operation over the batch axis."""

    def __init__(self) -> None:
        super().__init__("it works over the batch axis: windows that are predicted together would change each other")


def _axes(x: Tensor, axis: Any, batch: int = 0) -> list[int]:
    """Axes counted from the front; the batch axis is refused. None is all axes, so the batch too."""
    if axis is None:
        raise BatchError
    found = [int(part) % x.ndim for part in (axis if isinstance(axis, list | tuple) else [axis])]
    if batch in found:
        raise BatchError
    return found


def _axis(x: Tensor, axis: Any, extra: int = 0) -> int:
    """One axis, counted from the front, of a tensor that is about to get ``extra`` axes."""
    if axis is None or int(axis) % (x.ndim + extra) == 0:
        raise BatchError
    return int(axis) % (x.ndim + extra)


def _operands(first: Any, second: Any) -> tuple[Any, Any]:
    """Lists of numbers as tensors beside the other operand."""
    like = next((part for part in (first, second) if isinstance(part, Tensor)), None)
    return tuple(
        torch.tensor(part, dtype=like.dtype, device=like.device)
        if isinstance(part, list) and like is not None
        else part
        for part in (first, second)
    )


def _two(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda x, y: function(*_operands(x, y))


def _one(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """With a signature; torch's own functions have none."""
    return lambda x: function(x)


def _extreme(x: Any, y: Any, highest: bool) -> Tensor:
    if not isinstance(x, Tensor):
        x, y = y, x
    if not isinstance(y, Tensor):
        return x.clamp(min=y) if highest else x.clamp(max=y)
    return (torch.maximum if highest else torch.minimum)(x, y)


def _whole_division(x: Any, y: Any) -> Any:
    return torch.floor(x / y) if isinstance(x, Tensor) or isinstance(y, Tensor) else x // y


BINARY = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "truediv": operator.truediv,
    "floordiv": _whole_division,
    "mod": operator.mod,
    "power": operator.pow,
    "maximum": partial(_extreme, highest=True),
    "minimum": partial(_extreme, highest=False),
    "squared_difference": lambda x, y: (x - y) * (x - y),
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "logical_and": operator.and_,
    "logical_or": operator.or_,
}
UNARY: dict[str, Callable[[Any], Any]] = {
    "negative": operator.neg,
    "abs": torch.abs,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
    "reciprocal": torch.reciprocal,
    "sign": torch.sign,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "log_sigmoid": F.logsigmoid,
    "logical_not": torch.logical_not,
    "identity": lambda x: x,
    "stop_gradient": lambda x: x,
    "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like,
}


def _reduced(function: Callable[[Tensor, list[int], bool], Tensor]) -> Callable[..., Tensor]:
    def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        batch = 0
        if isinstance(x, list):  # tensors that are stacked first: their batch axis is the second
            x, batch = torch.stack(x), 1
        return function(x, _axes(x, axis, batch), keepdims)

    return reduce


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


REDUCTIONS = {
    "sum": _reduced(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "mean": _reduced(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "max": _reduced(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "min": _reduced(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "prod": _reduced(_product),
    "any": _reduced(lambda x, axes, keep: x.bool().any(axes, keepdim=keep)),
    "all": _reduced(lambda x, axes, keep: x.bool().all(axes, keepdim=keep)),
    "std": _reduced(lambda x, axes, keep: x.std(axes, correction=0, keepdim=keep)),
    "variance": _reduced(lambda x, axes, keep: x.var(axes, correction=0, keepdim=keep)),
    "logsumexp": _reduced(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep)),
}


# ---------------------------------------------------------------- shapes


def reshape(x: Tensor, shape: Any) -> Tensor:
    if isinstance(shape, Tensor):
        shape = shape.tolist()
    return x.reshape(list(shape.sizes if isinstance(shape, Sizes) else shape))


def transpose(x: Tensor, perm: Any = None, conjugate: bool = False) -> Tensor:
    if perm is None or int(perm[0]) % x.ndim != 0:
        raise BatchError
    return x.permute(*(int(axis) for axis in perm))


def swapaxes(x: Tensor, axis1: int, axis2: int) -> Tensor:
    return x.transpose(_axis(x, axis1), _axis(x, axis2))


def moveaxis(x: Tensor, source: Any, destination: Any) -> Tensor:
    return x.movedim(tuple(_axes(x, source)), tuple(_axes(x, destination)))


def expand_dims(x: Tensor, axis: Any) -> Tensor:
    axes = axis if isinstance(axis, list | tuple) else [axis]
    for one in sorted(_axis(x, part, len(axes)) for part in axes):
        x = x.unsqueeze(one)
    return x


def squeeze(x: Tensor, axis: Any = None) -> Tensor:
    axes = [i for i in range(1, x.ndim) if x.shape[i] == 1] if axis in (None, []) else _axes(x, axis)
    if any(x.shape[i] != 1 for i in axes):
        raise ValueError(f"an axis of {tuple(x.shape)} that is no 1 is squeezed")
    return x.squeeze(axes)


def concatenate(values: list[Tensor], axis: Any = -1) -> Tensor:
    return torch.cat(values, dim=_axis(values[0], axis))


def stack(values: list[Tensor], axis: Any = 0) -> Tensor:
    return torch.stack(values, dim=_axis(values[0], axis, 1))


def unstack(x: Tensor, num: Any = None, axis: Any = 0) -> tuple[Tensor, ...]:
    return x.unbind(_axis(x, axis))


def split_sizes(x: Tensor, num_or_size_splits: Any, axis: Any = 0, num: Any = None) -> tuple[Tensor, ...]:
    """TensorFlow: a number of equal parts, or the size of each; one of them may be -1."""
    axis = _axis(x, axis)
    total = x.shape[axis]
    if not isinstance(num_or_size_splits, list):
        return _equal_parts(x, int(num_or_size_splits), axis)
    rest = total - sum(size for size in num_or_size_splits if size >= 0)
    return x.split([rest if size < 0 else size for size in num_or_size_splits], dim=axis)


def split_places(x: Tensor, indices_or_sections: Any, axis: Any = 0) -> tuple[Tensor, ...]:
    """NumPy and Keras 3: a number of equal parts, or the places of the cuts."""
    if not isinstance(indices_or_sections, list):
        return _equal_parts(x, int(indices_or_sections), _axis(x, axis))
    return x.tensor_split(indices_or_sections, dim=_axis(x, axis))


def _equal_parts(x: Tensor, count: int, axis: int) -> tuple[Tensor, ...]:
    if x.shape[axis] % count:
        raise ValueError(f"{x.shape[axis]} positions are no {count} equal parts")
    return x.split(x.shape[axis] // count, dim=axis)


def tile(x: Tensor, repeats: Any) -> Tensor:
    counts = repeats if isinstance(repeats, list) else [repeats]
    if len(counts) >= x.ndim and int(counts[-x.ndim]) != 1:
        raise BatchError
    if len(counts) > x.ndim:
        raise BatchError
    return x.tile(tuple(int(count) for count in counts))


def repeat(x: Tensor, repeats: Any, axis: Any = None) -> Tensor:
    return x.repeat_interleave(int(repeats), dim=_axis(x, axis))


def flip(x: Tensor, axis: Any = None) -> Tensor:
    return x.flip(_axes(x, axis))


def roll(x: Tensor, shift: Any, axis: Any = None) -> Tensor:
    return x.roll(shift, _axes(x, axis))


def pad(x: Tensor, paddings: Any, mode: str = "constant", constant_values: Any = 0) -> Tensor:
    """Zeros or another number around all axes but the batch; one pair is for every axis, so the batch too."""
    pairs = [[int(part) for part in pair] for pair in paddings] if isinstance(paddings, list) else []
    if len(pairs) != x.ndim or pairs[0] != [0, 0]:
        raise BatchError
    if mode.lower() != "constant":
        raise ValueError(f"padding of mode {mode!r}")
    value = 0.0 if constant_values is None else float(constant_values)
    return F.pad(x, [size for pair in reversed(pairs) for size in pair], value=value)


def cumsum(x: Tensor, axis: Any = None) -> Tensor:
    return x.cumsum(_axis(x, axis))


def tf_cumsum(x: Tensor, axis: Any = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    axis = _axis(x, axis)
    x = x.flip(axis) if reverse else x
    found = x.cumsum(axis) - x if exclusive else x.cumsum(axis)
    return found.flip(axis) if reverse else found


def take(x: Tensor, indices: Any, axis: Any = None) -> Tensor:
    axis = _axis(x, axis)
    places = torch.as_tensor(indices, device=x.device).long() % x.shape[axis]
    found = x.index_select(axis, places.flatten())
    return found.unflatten(axis, places.shape) if places.ndim > 1 else found if places.ndim else found.squeeze(axis)


def tf_gather(x: Tensor, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0) -> Tensor:
    if batch_dims:
        raise ValueError(f"batch_dims {batch_dims}")
    return take(x, indices, axis)


def getitem(x: Any, key: Any) -> Any:
    """``x[key]`` for numbers, slices (steps below 0 too), new axes and the ellipsis."""
    if isinstance(x, Sizes):
        found = x.sizes[key[0] if isinstance(key, list) else key]
        return Sizes(found) if isinstance(found, tuple) else found
    keys = list(key) if isinstance(key, list | tuple) else [key]
    if any(not (part is None or part is Ellipsis or isinstance(part, int | slice)) for part in keys):
        raise ValueError("it is cut by a tensor or an array")
    rest = x.ndim - sum(part is not None and part is not Ellipsis for part in keys)
    where = next((i for i, part in enumerate(keys) if part is Ellipsis), len(keys))
    keys = [*keys[:where], *[FULL] * rest, *keys[where + 1 :]]
    if keys[0] not in (FULL, slice(0, None), slice(None, None, 1), slice(0, None, 1)):
        raise BatchError
    for axis, part in reversed(list(enumerate([part for part in keys if part is not None]))):
        if isinstance(part, slice) and part.step is not None and part.step < 0:
            places = range(*part.indices(x.shape[axis]))
            whole = len(places) == x.shape[axis] and part.step == -1
            x = x.flip(axis) if whole else x.index_select(axis, torch.tensor(list(places), device=x.device))
    return x[tuple(FULL if isinstance(part, slice) and (part.step or 1) < 0 else part for part in keys)]


# ---------------------------------------------------------------- others


def matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    a, b = _operands(a, b)
    return (a.mT if transpose_a else a) @ (b.mT if transpose_b else b)


def matmul_of_two(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Of two tensors of the graph: with two axes, the batch of one would be multiplied with that of the other."""
    if a.ndim < 3 or b.ndim < 3:
        raise BatchError
    return matmul(a, b, transpose_a, transpose_b)


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    sides = subscripts.replace(" ", "").split("->")
    if len(sides) != 2 or len({side[:1] for side in (*sides[0].split(","), sides[1])}) != 1 or not sides[1]:
        raise BatchError
    return torch.einsum(subscripts, *operands)


def softmax(x: Tensor, axis: Any = -1) -> Tensor:
    return torch.softmax(x, _axis(x, axis))


def log_softmax(x: Tensor, axis: Any = -1) -> Tensor:
    return torch.log_softmax(x, _axis(x, axis))


def clip(x: Tensor, low: Any, high: Any) -> Tensor:
    return x.clamp(low, high)


def where(condition: Tensor, x: Any, y: Any) -> Tensor:
    return torch.where(condition, *_operands(x, y))


def cast(x: Any, dtype: Any) -> Any:
    if not isinstance(x, Tensor) or dtype is None:
        return x
    kinds = {"bool": torch.bool, "int32": torch.int64, "int64": torch.int64}
    if not isinstance(dtype, str) or not (dtype in kinds or "float" in dtype):
        raise ValueError(f"numbers of kind {dtype!r}")
    if dtype in kinds:
        return x.to(kinds[dtype])
    return x if x.is_floating_point() else x.float()


def gelu(x: Tensor, approximate: bool = False) -> Tensor:
    return F.gelu(x, approximate="tanh" if approximate else "none")


def leaky_relu(x: Tensor, slope: float = 0.2) -> Tensor:
    return F.leaky_relu(x, slope)


def l2_normalize(x: Tensor, axis: Any = None, epsilon: float = 1e-12) -> Tensor:
    return x * torch.rsqrt((x * x).sum(_axes(x, axis), keepdim=True).clamp(min=epsilon))


def add_n(inputs: list[Tensor]) -> Tensor:
    return sum(inputs[1:], inputs[0])


def shape_of(x: Tensor, out_type: Any = None) -> Sizes:
    return Sizes(tuple(x.shape))


# Names as in ``tf.``, without ``math.``, ``nn.``, ``linalg.``, ``__operators__.`` and ``compat.v1.``
TENSORFLOW: dict[str, Callable[..., Any]] = {
    **{name: _two(function) for name, function in BINARY.items()},
    **{"sub": _two(operator.sub), "mul": _two(operator.mul), "divide": _two(operator.truediv)},
    **{"pow": _two(operator.pow), "div": _two(operator.truediv), "scalar_mul": _two(operator.mul)},
    **{"floor_div": _two(_whole_division), "floormod": _two(operator.mod)},
    **{name: _one(function) for name, function in UNARY.items()},
    **{f"reduce_{name}": function for name, function in REDUCTIONS.items()},
    "add_n": add_n,
    "reshape": reshape,
    "transpose": transpose,
    "expand_dims": lambda x, axis: expand_dims(x, axis),
    "squeeze": squeeze,
    "concat": lambda values, axis: concatenate(values, axis),
    "stack": stack,
    "unstack": unstack,
    "split": split_sizes,
    "tile": lambda x, multiples: tile(x, multiples),
    "repeat": repeat,
    "reverse": lambda x, axis: flip(x, axis),
    "roll": lambda x, shift, axis: roll(x, shift, axis),
    "pad": pad,
    "cast": cast,
    "clip_by_value": lambda x, clip_value_min, clip_value_max: clip(x, clip_value_min, clip_value_max),
    "where": where,
    "gather": tf_gather,
    "cumsum": tf_cumsum,
    "matmul": matmul,
    "getitem": lambda x, slice_spec: getitem(x, slice_spec),
    "shape": shape_of,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "gelu": gelu,
    "elu": _one(F.elu),
    "leaky_relu": lambda x, alpha=0.2: leaky_relu(x, alpha),
    "silu": lambda x, beta=1.0: x * torch.sigmoid(beta * x),
    "l2_normalize": l2_normalize,
}

# Classes of ``keras.ops``, in snake case.
KERAS: dict[str, Callable[..., Any]] = {
    **{name: _two(function) for name, function in BINARY.items()},
    **{"true_divide": _two(operator.truediv), "divide": _two(operator.truediv)},
    "floor_divide": _two(_whole_division),
    **{name: _one(function) for name, function in UNARY.items()},
    "absolute": _one(torch.abs),
    "zeros_like": lambda x, dtype=None: cast(torch.zeros_like(x), dtype),
    "ones_like": lambda x, dtype=None: cast(torch.ones_like(x), dtype),
    **REDUCTIONS,
    **{"amax": REDUCTIONS["max"], "amin": REDUCTIONS["min"], "var": REDUCTIONS["variance"]},
    "reshape": lambda x, newshape: reshape(x, newshape),
    "transpose": lambda x, axes=None: transpose(x, axes),
    "swapaxes": swapaxes,
    "moveaxis": moveaxis,
    "expand_dims": expand_dims,
    "squeeze": squeeze,
    "concatenate": concatenate,
    "stack": stack,
    "unstack": unstack,
    "split": split_places,
    "tile": tile,
    "repeat": repeat,
    "flip": flip,
    "roll": roll,
    "pad": lambda x, pad_width, mode="constant", constant_values=None: pad(x, pad_width, mode, constant_values),
    "cast": cast,
    "clip": lambda x, x_min, x_max: clip(x, x_min, x_max),
    "where": lambda condition, x1, x2: where(condition, x1, x2),
    "take": take,
    "cumsum": cumsum,
    "matmul": lambda x1, x2: matmul(x1, x2),
    "einsum": lambda *operands, subscripts: einsum(subscripts, *operands),
    "get_item": getitem,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "gelu": lambda x, approximate=True: gelu(x, approximate),
    "elu": lambda x, alpha=1.0: F.elu(x, alpha),
    "celu": lambda x, alpha=1.0: F.celu(x, alpha),
    "leaky_relu": lambda x, negative_slope=0.2: leaky_relu(x, negative_slope),
    "hard_silu": _one(F.hardswish),
}
