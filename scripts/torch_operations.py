"""What torch has of layers, elementwise functions and functions along an axis, and how DeepLIFT/SHAP takes each.

Every class and function is decided here: it is complete, or it is refused by words that its error holds. The lists of
torch itself are read, so that a new one fails the test until it is decided: ``test_operations.py`` in
``tests/interpret/attributions/`` puts each into a net. ``scripts/build_operations_table.py`` writes the page of docs.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "CHANNELS",
    "GROUPS",
    "LENGTH",
    "Operation",
    "functions_along_an_axis",
    "layers_of",
    "operations",
    "pointwise",
]

#: What an operation gets: (N, 8, 40), of order 1, or the same numbers in another shape.
CHANNELS, LENGTH = 8, 40
ONE, TWO, THREE, LAST = (8, 40), (8, 5, 8), (4, 4, 4, 5), (40, 8)
GROUPS = {
    "activation": "Activations",
    "pooling": "Pooling",
    "normalization": "Normalization",
    "batchnorm": "Batch normalization, with running statistics",
    "instancenorm": "Instance normalization",
    "adaptive": "Adaptive softmax",
    "dropout": "Dropout, in eval mode",
    "padding": "Padding",
    "upsampling": "Upsampling",
    "rnn": "Recurrent layers and cells",
    "transformer": "Transformers",
    "pixelshuffle": "Pixel shuffling",
    "channelshuffle": "Channel shuffling",
    "fold": "Folding",
    "distance": "Distances",
    "linear": "Dense layers",
    "conv": "Convolutions",
    "flatten": "Flattening",
    "sparse": "Embeddings",
}


@dataclass(frozen=True)
class Operation:
    """One class or function.

    Attributes:
        name: as torch has it.
        group: a module of torch.nn, ``pointwise`` or ``axis``.
        apply: (x, part) -> what it makes of x.
        part: makes the layer; None of a function.
        shape: of x without the batch.
        refused: words of the error; None where contributions are complete.
    """

    name: str
    group: str
    apply: Callable[..., Tensor]
    part: Callable[[], nn.Module] | None = None
    shape: tuple[int, ...] = ONE
    refused: str | None = None


#: Classes that others are made of, and functions that torch has for no tensor that a net could hold.
BASES = frozenset({"RNNBase", "RNNCellBase"})
UNUSABLE = frozenset({"native_norm"})

# ---------------------------------------------------------------- what torch has


def layers_of(group: str) -> list[str]:
    """The classes of a module of ``torch.nn.modules`` that compute something."""
    module = importlib.import_module(f"torch.nn.modules.{group}")
    return sorted(name for name in module.__all__ if hasattr(getattr(module, name), "forward") and name not in BASES)


def _of_aten(wanted: Callable[[object], bool]) -> list[str]:
    """Functions of ``torch`` of which an overload of the same name is wanted."""
    found = []
    for name in dir(torch):
        packet = getattr(torch.ops.aten, name, None)
        if name.startswith("_") or name.endswith("_") or packet is None or not callable(getattr(torch, name)):
            continue
        if any(wanted(getattr(packet, overload)) for overload in packet.overloads()):
            found.append(name)
    return sorted(set(found) - UNUSABLE)


def pointwise() -> list[str]:
    """Functions that torch marks as elementwise."""
    return _of_aten(lambda overload: torch.Tag.pointwise in overload.tags)


def functions_along_an_axis() -> list[str]:
    """Functions of a tensor with an argument ``dim`` or ``dims``: reductions, scans, sorting, softmax, shapes."""

    def along(overload: object) -> bool:
        arguments = overload._schema.arguments
        first = arguments and arguments[0].name in ("self", "input") and str(arguments[0].type) == "Tensor"
        return first and any(a.name in ("dim", "dims") and "int" in str(a.type) for a in arguments)

    return _of_aten(along)


# ---------------------------------------------------------------- layers


def _call(x: Tensor, part: nn.Module) -> Tensor:
    return part(x)


def _first(x: Tensor, part: nn.Module) -> Tensor:
    return part(x)[0]


def _self_attention(x: Tensor, part: nn.Module) -> Tensor:
    return part(x, x, x, need_weights=False)[0]


def _halves(x: Tensor, part: nn.Module) -> Tensor:
    return part(x[:, :4], x[:, 4:])


def _last_step(x: Tensor, part: nn.Module) -> Tensor:
    found = part(x[:, 5])
    return found if isinstance(found, Tensor) else found[0]


def _tokens(x: Tensor, part: nn.Module) -> Tensor:
    return part(x.argmax(1))


class _PooledUnpooled(nn.Module):
    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.pool = getattr(nn, f"MaxPool{dimensions}d")(2, return_indices=True)
        self.back = getattr(nn, f"MaxUnpool{dimensions}d")(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.back(*self.pool(x))


#: Name -> (what makes the layer, shape, how it is called); a name that is not here is called as its kind below.
LAYERS: dict[str, tuple] = {
    "Threshold": (lambda: nn.Threshold(0.1, 0.5),),
    "GLU": (lambda: nn.GLU(1),),
    "PReLU": (lambda: nn.PReLU(CHANNELS),),
    "Softmin": (lambda: nn.Softmin(1),),
    "Softmax": (lambda: nn.Softmax(2),),
    "Softmax2d": (nn.Softmax2d, TWO),
    "LogSoftmax": (lambda: nn.LogSoftmax(1),),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), LAST, _self_attention),
    **{f"MaxUnpool{d}d": (lambda d=d: _PooledUnpooled(d), (ONE, TWO, (4, 4, 4, 4))[d - 1]) for d in (1, 2, 3)},
    **{f"LPPool{d}d": (lambda d=d: getattr(nn, f"LPPool{d}d")(2, 2), (ONE, TWO, THREE)[d - 1]) for d in (1, 2, 3)},
    **{
        f"FractionalMaxPool{d}d": (lambda d=d: getattr(nn, f"FractionalMaxPool{d}d")(2, output_size=2),) for d in (2, 3)
    },
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3),),
    "CrossMapLRN2d": (lambda: nn.CrossMapLRN2d(3), TWO),
    "LayerNorm": (lambda: nn.LayerNorm(LENGTH),),
    "GroupNorm": (lambda: nn.GroupNorm(2, CHANNELS),),
    "RMSNorm": (lambda: nn.RMSNorm(LENGTH),),
    "SyncBatchNorm": (lambda: nn.SyncBatchNorm(CHANNELS),),
    "AdaptiveLogSoftmaxWithLoss": (
        lambda: nn.AdaptiveLogSoftmaxWithLoss(40, 6, [2]),
        ONE,
        lambda x, part: part.log_prob(x.flatten(0, 1)).view(x.shape[0], 8, 6),
    ),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="linear"),),
    "RNN": (lambda: nn.RNN(8, 4, 2, batch_first=True), LAST, _first),
    "LSTM": (lambda: nn.LSTM(8, 4, 2, batch_first=True, bidirectional=True, proj_size=3), LAST, _first),
    "GRU": (lambda: nn.GRU(8, 4, batch_first=True, bidirectional=True), LAST, _first),
    **{
        name: (lambda name=name: getattr(nn, name)(8, 4), LAST, _last_step)
        for name in ("RNNCell", "LSTMCell", "GRUCell")
    },
    "Transformer": (
        lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
        LAST,
        lambda x, part: part(x[:, :20], x[:, 20:]),
    ),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
        LAST,
    ),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu"),
        LAST,
    ),
    "TransformerDecoder": (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 1),
        LAST,
        lambda x, part: part(x[:, :20], x[:, 20:]),
    ),
    "TransformerDecoderLayer": (
        lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, norm_first=True),
        LAST,
        lambda x, part: part(x[:, :20], x[:, 20:]),
    ),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), TWO),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (5, 8, 8)),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2),),
    "Unfold": (lambda: nn.Unfold(3), TWO),
    "Fold": (lambda: nn.Fold((4, 11), (3, 3)), (9, 18), lambda x, part: part(F.pad(x, (0, 0)))),
    "PairwiseDistance": (nn.PairwiseDistance, ONE, _halves),
    "CosineSimilarity": (lambda: nn.CosineSimilarity(dim=2), ONE, _halves),
    "Bilinear": (lambda: nn.Bilinear(LENGTH, LENGTH, 3), ONE, _halves),
    "Linear": (lambda: nn.Linear(LENGTH, 5),),
    "LazyLinear": (lambda: nn.LazyLinear(5),),
    "Flatten": (nn.Flatten,),
    "Unflatten": (lambda: nn.Unflatten(2, (4, 10)),),
    "Embedding": (lambda: nn.Embedding(CHANNELS, 3), ONE, _tokens),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(CHANNELS, 3), ONE, _tokens),
}
UNCAPTURED = "cannot be captured"
REFUSED_LAYERS = {
    **{f"MaxUnpool{d}d": "places of its values" for d in (1, 2, 3)},
    "FractionalMaxPool2d": "fractional_max_pool2d",
    "FractionalMaxPool3d": "fractional_max_pool3d",
    "CrossMapLRN2d": UNCAPTURED,
    "Embedding": "argmax",
    "EmbeddingBag": "argmax",
}


def _layer(name: str, group: str) -> Operation:
    make, *more = LAYERS.get(name, (None,))
    dimensions = int(name[-2]) if name.endswith("d") and name[-2].isdigit() else 1
    shape = (ONE, TWO, THREE)[dimensions - 1]
    kind = getattr(nn, name, None)
    if make is None and "Pad" in name:
        make = (lambda: kind(1, 0.5)) if "Constant" in name else (lambda: kind(1))
    elif make is None and group in ("batchnorm", "instancenorm"):
        affine = {"affine": True} if group == "instancenorm" else {}
        make = (lambda: kind(**affine)) if name.startswith("Lazy") else (lambda: kind(shape[0], **affine))
    elif (make is None and "Adaptive" in name) or (make is None and group == "pooling"):
        make = lambda: kind(2)  # noqa: E731
    elif make is None and group == "conv":
        make = (lambda: kind(3, 2)) if name.startswith("Lazy") else (lambda: kind(shape[0], 3, 2))
    elif make is None and group == "upsampling":
        shape, make = TWO, lambda: kind(scale_factor=2)
    else:
        make = make or kind
    shape, apply = (*more, *(shape, _call)[len(more) :])
    return Operation(name, group, apply, make, shape, REFUSED_LAYERS.get(name))


# ---------------------------------------------------------------- functions of each number


def _positive(x: Tensor) -> Tensor:
    return x.square() + 0.5


def _within(x: Tensor) -> Tensor:
    return 0.9 * torch.tanh(x)


def _each(call: Callable[[Callable, Tensor], Tensor], *names: str) -> dict[str, Callable[[Tensor], Tensor]]:
    """The same call of several functions of torch."""
    return {name: functools.partial(call, getattr(torch, name)) for name in names}


#: What a function is given in place of x, and how it is called.
CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    **_each(lambda f, x: f(_within(x)), "acos", "asin", "atanh", "erfinv", "tan"),
    "acosh": lambda x: torch.acosh(_positive(x) + 1),
    **_each(
        lambda f, x: f(_positive(x)),
        "digamma",
        "lgamma",
        "log",
        "log10",
        "log1p",
        "log2",
        "rsqrt",
        "sqrt",
        "reciprocal",
    ),
    "logit": lambda x: torch.logit(torch.sigmoid(x)),
    "mvlgamma": lambda x: torch.mvlgamma(_positive(x), 1),
    "polygamma": lambda x: torch.polygamma(1, _positive(x)),
    **_each(
        lambda f, x: f(x[:, :4], x[:, 4:]),
        "add",
        "sub",
        "mul",
        "rsub",
        "maximum",
        "minimum",
        "max",
        "min",
        "fmax",
        "fmin",
        "logaddexp",
        "logaddexp2",
        "hypot",
        "fmod",
        "remainder",
        "copysign",
        "nextafter",
        "ldexp",
    ),
    "div": lambda x: torch.div(x[:, :4], _positive(x[:, 4:])),
    "true_divide": lambda x: torch.true_divide(x[:, :4], _positive(x[:, 4:])),
    "addcmul": lambda x: torch.addcmul(x[:, :2], x[:, 2:4], x[:, 4:6], value=0.5),
    "addcdiv": lambda x: torch.addcdiv(x[:, :2], x[:, 2:4], _positive(x[:, 4:6]), value=0.5),
    "lerp": lambda x: torch.lerp(x[:, :2], x[:, 2:4], torch.sigmoid(x[:, 4:6])),
    "xlogy": lambda x: torch.xlogy(torch.full_like(x, 1.5), _positive(x)),
    "atan2": lambda x: torch.atan2(x, torch.full_like(x, 0.5)),
    "igamma": lambda x: torch.igamma(torch.full_like(x, 1.5), _positive(x)),
    "igammac": lambda x: torch.igammac(torch.full_like(x, 1.5), _positive(x)),
    "pow": lambda x: torch.pow(x, 3),
    "float_power": lambda x: torch.float_power(x, 2).to(x.dtype),
    "celu": F.celu,
    "clamp": lambda x: torch.clamp(x, -0.5, 0.5),
    "clip": lambda x: torch.clip(x, -0.5, 0.5),
    "clamp_max": lambda x: torch.clamp_max(x, 0.3),
    "clamp_min": lambda x: torch.clamp_min(x, 0.3),
    "threshold": lambda x: torch.threshold(x, 0.2, 0.7),
    "heaviside": lambda x: x * torch.heaviside(x, torch.tensor(0.5)),
    "sign": lambda x: x.square() * torch.sign(x),
    "masked_fill": lambda x: x.masked_fill(x > 0.5, 0.5),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "frexp": lambda x: torch.frexp(x)[0],
    **_each(lambda f, x: f(x, x.flip(2)).to(x.dtype), "eq", "ne", "gt", "ge", "lt", "le"),
    **_each(
        lambda f, x: f(x > 0, x > 0.5).to(x.dtype),
        "logical_and",
        "logical_or",
        "logical_xor",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
    ),
    **_each(lambda f, x: f(x > 0).to(x.dtype), "logical_not", "bitwise_not"),
    **_each(lambda f, x: f((10 * x).int(), 2).to(x.dtype), "bitwise_left_shift", "bitwise_right_shift"),
    **_each(lambda f, x: f((10 * x).int(), torch.tensor(6, dtype=torch.int32)).to(x.dtype), "gcd", "lcm"),
    "equal": lambda x: x * torch.equal(x, x + 1),
    **_each(lambda f, x: f(x).to(x.dtype), "isfinite", "isinf", "isnan", "isneginf", "isposinf", "signbit"),
}
STEP = "a step of which more than a choice is made"
#: Functions that jump or are no numbers, and their names in the error.
REFUSED_POINTWISE = {
    **{
        name: STEP
        for name in (
            *("eq", "ne", "gt", "ge", "lt", "le", "isfinite", "isinf", "isnan"),
            *("logical_and", "logical_not", "logical_or", "logical_xor"),
            *("bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor"),
        )
    },
    **{
        name: f"aten.{name}."
        for name in (
            *("ceil", "floor", "frac", "round", "trunc", "angle", "copysign", "frexp", "fmod", "remainder"),
            *("ldexp", "nextafter", "signbit", "isneginf", "isposinf", "gcd", "lcm"),
            *("bitwise_left_shift", "bitwise_right_shift"),
        )
    },
    "equal": UNCAPTURED,
}

# ---------------------------------------------------------------- functions along an axis

ALONG: dict[str, Callable[[Tensor], Tensor]] = {
    **_each(
        lambda f, x: f(x, 2)[0],
        "max",
        "min",
        "median",
        "nanmedian",
        "mode",
        "sort",
        "std_mean",
        "var_mean",
        "cummax",
        "cummin",
    ),
    "aminmax": lambda x: torch.aminmax(x, dim=2).max,
    "topk": lambda x: torch.topk(x, 3, 2).values,
    "kthvalue": lambda x: torch.kthvalue(x, 5, 2).values,
    **_each(lambda f, x: f(x, 2).to(x.dtype), "all", "any", "argmax", "argmin", "argsort", "count_nonzero"),
    "norm": lambda x: torch.norm(x, dim=2),
    "frobenius_norm": lambda x: torch.frobenius_norm(x, [2]),
    "nuclear_norm": lambda x: torch.nuclear_norm(x, [1, 2]),
    "renorm": lambda x: torch.renorm(x, 2, 1, 1.0),
    "prod": lambda x: torch.prod(x, 1),
    "quantile": lambda x: torch.quantile(x, 0.3, 2),
    "nanquantile": lambda x: torch.nanquantile(x, 0.3, 2),
    "chunk": lambda x: torch.chunk(x, 2, 2)[1],
    "unsafe_chunk": lambda x: torch.unsafe_chunk(x, 2, 2)[1],
    "tensor_split": lambda x: torch.tensor_split(x, 3, 2)[1],
    **_each(lambda f, x: f(x, 8, 2)[1], "split", "split_copy", "unsafe_split"),
    **_each(lambda f, x: f(x, [8, 32], 2)[1], "split_with_sizes", "split_with_sizes_copy", "unsafe_split_with_sizes"),
    **_each(lambda f, x: f(x, 1)[3], "unbind", "unbind_copy"),
    **_each(lambda f, x: f(x, 2, 3, 9), "narrow", "narrow_copy"),
    **_each(lambda f, x: f(x, 2, 3), "select", "select_copy"),
    "slice_copy": lambda x: torch.slice_copy(x, 2, 3, 20),
    "slice_inverse": lambda x: torch.slice_inverse(x[:, :, 3:20], x, 2, 3, 20, 1),
    "slice_scatter": lambda x: torch.slice_scatter(x, 2 * x[:, :, :4], 2, 0, 4),
    "select_scatter": lambda x: torch.select_scatter(x, x[:, :, 4] * 2, 2, 0),
    **_each(lambda f, x: f(x.unsqueeze(3), 3), "squeeze", "squeeze_copy"),
    **_each(lambda f, x: f(x, 1), "unsqueeze", "unsqueeze_copy"),
    **_each(lambda f, x: f(x, (0, 2, 1)), "permute", "permute_copy"),
    "flip": lambda x: torch.flip(x, (2,)),
    "roll": lambda x: torch.roll(x, 3, 2),
    "rot90": lambda x: torch.rot90(x, 1, (1, 2)),
    "diff": lambda x: torch.diff(x, dim=2),
    "gradient": lambda x: torch.gradient(x, dim=2)[0],
    "cross": lambda x: torch.cross(x[:, :3], x[:, 3:6], dim=1),
    "tile": lambda x: torch.tile(x, (1, 1, 2)),
    "repeat_interleave": lambda x: torch.repeat_interleave(x, 2, 2),
    "unflatten": lambda x: torch.unflatten(x, 2, (4, 10)),
    "index_select": lambda x: torch.index_select(x, 2, torch.tensor([3, 1])),
    "index_add": lambda x: torch.index_add(x, 2, torch.tensor([3, 1]), x[:, :, 5:7]),
    "index_copy": lambda x: torch.index_copy(x, 2, torch.tensor([3, 1]), x[:, :, 5:7]),
    "index_fill": lambda x: torch.index_fill(x, 2, torch.tensor([3, 1]), 0.5),
    "index_reduce": lambda x: torch.index_reduce(x, 2, torch.tensor([3, 1]), x[:, :, 5:7], "amax"),
    "gather": lambda x: torch.gather(x, 2, torch.arange(3).expand(x.shape[0], 8, 3)),
    "take_along_dim": lambda x: torch.take_along_dim(x, torch.arange(3).expand(1, 8, 3), 2),
    "scatter": lambda x: torch.scatter(x, 2, torch.arange(3).expand(x.shape[0], 8, 3), x[:, :, 5:8]),
    "scatter_add": lambda x: torch.scatter_add(x, 2, torch.arange(3).expand(x.shape[0], 8, 3), x[:, :, 5:8]),
    "scatter_reduce": lambda x: torch.scatter_reduce(
        x, 2, torch.arange(3).expand(x.shape[0], 8, 3), x[:, :, 5:8], "amax"
    ),
    "unique_consecutive": lambda x: torch.unique_consecutive(x, dim=2).sum(2),
    "hash_tensor": lambda x: torch.hash_tensor(x, 2).to(x.dtype),
}
REFUSED_ALONG = {
    **{
        name: f"aten.{name}."
        for name in (
            *("argmax", "argmin", "argsort", "count_nonzero", "index_reduce", "mode", "nanmean", "nanmedian"),
            *("nanquantile", "nansum", "nuclear_norm", "renorm", "scatter_reduce", "unique_consecutive"),
        )
    },
    **dict.fromkeys(("all", "any"), STEP),
    **{name: f"aten.{name}." for name in ("gradient", "hash_tensor")},
    "slice_inverse": "aten.slice_inverse",
}


def _function(
    name: str, group: str, calls: dict[str, Callable[[Tensor], Tensor]], refused: dict[str, str]
) -> Operation:
    function = getattr(torch, name)
    plain = function if group == "pointwise" else lambda x: function(x, 2)
    return Operation(name, group, calls.get(name, plain), refused=refused.get(name))


def _causal(x: Tensor) -> Tensor:
    """Scores of places, those that are later out of sight."""
    scores = x.transpose(1, 2) @ x
    return scores + torch.full(scores.shape[1:], -torch.inf).triu(1)


def _first(x: Tensor) -> Tensor:
    return torch.zeros(x.shape, dtype=torch.long)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


#: Functions that torch does not list as either.
FURTHER = {
    name: Operation(name, "further", apply, refused=refused)
    for name, apply, refused in (
        ("F.normalize", lambda x: F.normalize(x, dim=1), None),
        ("F.lp_pool1d", lambda x: F.lp_pool1d(x, 4, 4), None),
        ("F.lp_pool1d of order 5", lambda x: F.lp_pool1d(x.relu(), 5, 3), None),
        ("torch.pow with a tensor", lambda x: torch.pow(x.abs(), torch.linspace(1, 2, 8)[:, None]), None),
        ("torch.clamp with tensors", lambda x: torch.clamp(x, torch.zeros(LENGTH), torch.ones(8, 1)), None),
        ("torch.special.expit", torch.special.expit, None),
        *(
            (f"torch.quantile, {way}", lambda x, way=way: torch.quantile(x, 0.37, dim=2, interpolation=way), None)
            for way in ("lower", "higher", "midpoint", "nearest")
        ),
        ("softmax of scores with a mask of -inf", lambda x: _causal(x).softmax(2), None),
        ("torch.div, rounded", lambda x: torch.div(x, x.abs() + 1, rounding_mode="floor"), "it leaves whole numbers"),
        ("torch.scatter, multiplied", lambda x: x.scatter(2, _first(x), x.exp(), reduce="multiply"), "scatter"),
        ("random numbers of a seed", lambda x: x * torch.rand(LENGTH, generator=_seeded()), "it draws random numbers"),
        ("torch.linalg.vector_norm", lambda x: torch.linalg.vector_norm(x, 2, dim=1), None),
        ("torch.linalg.vector_norm of order 1", lambda x: torch.linalg.vector_norm(x, 1, dim=1), None),
        ("torch.linalg.vector_norm of order 3", lambda x: torch.linalg.vector_norm(x, 3, dim=1), None),
        ("torch.linalg.vector_norm of order inf", lambda x: torch.linalg.vector_norm(x, torch.inf, dim=1), None),
        ("torch.linalg.vector_norm of order 0", lambda x: torch.linalg.vector_norm(x.relu(), 0, dim=2), None),
        ("torch.linalg.norm", lambda x: torch.linalg.norm(x, dim=1), None),
        ("torch.linalg.norm of matrices", lambda x: torch.linalg.norm(x, 1, dim=(1, 2)), "a norm of matrices"),
        ("torch.linalg.matrix_norm", torch.linalg.matrix_norm, "linalg_matrix_norm"),
        ("torch.fft.rfft", lambda x: torch.fft.rfft(x).abs(), "fft"),
        ("torch.cdist", lambda x: torch.cdist(x, x), "cdist"),
        ("nn.Softmax() over the batch", lambda x: nn.Softmax()(x), "it runs over the batch"),
        ("mean over the batch", lambda x: x - x.mean(0), "it runs over the batch"),
        ("max over the batch", lambda x: x - x.max(), "it runs over the batch"),
    )
}


def operations() -> list[Operation]:
    """All of them, in torch's own order."""
    found = [_layer(name, group) for group in GROUPS for name in layers_of(group)]
    found += [_function(name, "pointwise", CALLS, REFUSED_POINTWISE) for name in pointwise()]
    found += [_function(name, "axis", ALONG, REFUSED_ALONG) for name in functions_along_an_axis()]
    return found + list(FURTHER.values())
