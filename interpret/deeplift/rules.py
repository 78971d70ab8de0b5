"""One rule an operation of the graph, composed of the primitives of ``deeplift.pairs``.

An operation is linear in what varies (autograd does it), elementwise, or has a handler in ``products.py``,
``normalizations.py``, ``orders.py``, ``recurrence.py`` or below. Everything else has no rule, and
``multipliers.audit`` names it. ``docs/attribution_operations.md`` lists what torch has.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from interpret.capture import name_of
from interpret.deeplift.handler import Handler, Varies, arguments
from interpret.deeplift.normalizations import NORMALIZATIONS
from interpret.deeplift.orders import ORDERS, PLACES
from interpret.deeplift.pairs import Pairs, elementwise
from interpret.deeplift.products import PRODUCTS
from interpret.deeplift.recurrence import RECURRENT

__all__ = [
    "BATCH_FIRST",
    "ELEMENTWISE",
    "HANDLERS",
    "LINEAR_IN_ALL",
    "LINEAR_IN_FIRST",
    "PLACES",
    "RECURRENT",
    "SEVERAL",
    "over_batch",
    "rule_name",
]

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
        "fill",
        "copy",
        "view_as",
        "pixel_shuffle",
        "ravel",
        "slice_copy",
        "select_copy",
        "native_dropout",
        "avg_pool3d",
        "adaptive_avg_pool3d",
        "reflection_pad3d",
        "replication_pad3d",
        "upsample_nearest3d",
        "upsample_trilinear3d",
        "_upsample_nearest_exact1d",
        "_upsample_nearest_exact2d",
        "pixel_unshuffle",
        "channel_shuffle",
        "native_channel_shuffle",
        "col2im",
        "positive",
        "conj_physical",
        "deg2rad",
        "rad2deg",
        "diff",
        "rot90",
        "fliplr",
        "flipud",
        "index_add",
        "index_copy",
        "index_fill",
        "scatter",
        "scatter_add",
        "select_scatter",
        "slice_scatter",
        "tensor_split",
        "narrow_copy",
        "permute_copy",
        "split_copy",
        "split_with_sizes_copy",
        "squeeze_copy",
        "unbind_copy",
        "unsqueeze_copy",
        "unsafe_chunk",
        "unsafe_split",
        "unsafe_split_with_sizes",
        "feature_alpha_dropout",
        "mT",
        "mH",
        "adjoint",
        "swapdims",
        "moveaxis",
        "broadcast_to",
        "hsplit",
        "dsplit",
        "dstack",
        "column_stack",
        "atleast_2d",
        "atleast_3d",
        "diag_embed",
        "linalg_diagonal",
        "negative",
        "subtract",
        "resolve_conj",
        "resolve_neg",
        "upsample_bicubic2d",
        "_upsample_bilinear2d_aa",
        "_upsample_bicubic2d_aa",
    }
)
#: Linear in the first tensor; the others must not vary.
LINEAR_IN_FIRST = frozenset(
    {
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "_convolution",
        "_convolution_mode",
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
        "conv_transpose3d",
        "take_along_dim",
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
        "hardshrink",
        "threshold",
        "sign",
        "sgn",
        "heaviside",
        "rrelu",
        "softshrink",
        "tanhshrink",
        "clip",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atanh",
        "tan",
        "erfc",
        "erfinv",
        "digamma",
        "lgamma",
        "polygamma",
        "mvlgamma",
        "i0",
        "logit",
        "sinc",
        "nan_to_num",
        "float_power",
        "xlogy",
        "atan2",
        "igamma",
        "igammac",
        "special_expit",
    }
)


def _step(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """Flat but where it jumps: what changes at all changes by its ratio, however little its input does."""
    if not varies[0]:  # the value at the jump
        return target(*args, **kwargs)
    return elementwise(args[0], lambda x: target(x.detach(), *args[1:], **kwargs) + 0 * x, varies[0], 0, True)


def _jump(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    """As a step, with slopes besides."""
    return elementwise(args[0], lambda x: target(x, *args[1:], **kwargs), varies[0], smallest=0)


def _prelu(pairs: Pairs, target: Any, args: list[Any], kwargs: dict[str, Any], varies: Varies) -> torch.Tensor:
    x, weight = args
    weight = weight.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight
    return elementwise(x, torch.relu, pairs) - weight * elementwise(-x, torch.relu, pairs)


HANDLERS: dict[str, Handler] = {
    **PRODUCTS,
    **NORMALIZATIONS,
    **ORDERS,
    **RECURRENT,
    **dict.fromkeys(("sign", "sgn", "heaviside"), _step),
    **dict.fromkeys(("hardshrink", "threshold"), _jump),
    "prelu": _prelu,
    "_prelu_kernel": _prelu,
}
#: Handlers that assume the batch on the first axis.
BATCH_FIRST = frozenset(
    {name for name in ORDERS if "max_pool" in name} | {"group_norm", "instance_norm", "prelu", "_prelu_kernel"}
) | frozenset(name for name in RECURRENT if name.endswith("_cell"))
#: Handlers that take several varying tensors.
SEVERAL = frozenset(
    {
        "mul",
        "multiply",
        "div",
        "divide",
        "true_divide",
        "addcmul",
        "addcdiv",
        "cross",
        "linalg_cross",
        "hypot",
        "lerp",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "logaddexp",
        "logaddexp2",
        "bmm",
        "matmul",
        "linalg_matmul",
        "mm",
        "addmm",
        "baddbmm",
        "einsum",
        "bilinear",
        "scaled_dot_product_attention",
        "pairwise_distance",
        "cosine_similarity",
        *RECURRENT,
    }
)


def rule_name(node: Any) -> str:
    """The name under which a node's rule stands: of ``max`` and ``min`` of two tensors, that of the elementwise one."""
    name = name_of(node)
    two = name in ("max", "min") and getattr(getattr(node, "target", None), "_overloadname", "") == "other"
    return {"max": "maximum", "min": "minimum"}[name] if two else name


# ---------------------------------------------------------------- along the batch: sequences would change each other

#: Operations that mix what lies along ``dim`` or ``dims``; with neither, along all axes.
MIXING = frozenset(
    {
        "all",
        "amax",
        "amin",
        "aminmax",
        "any",
        "argmax",
        "argmin",
        "count_nonzero",
        "cosine_similarity",
        "cummax",
        "cummin",
        "cumprod",
        "cumsum",
        "dist",
        "glu",
        "kthvalue",
        "linalg_vector_norm",
        "log_softmax",
        "_log_softmax",
        "logcumsumexp",
        "logsumexp",
        "max",
        "mean",
        "median",
        "min",
        "cross",
        "diff",
        "frobenius_norm",
        "linalg_cross",
        "linalg_norm",
        "nanmean",
        "nanmedian",
        "nansum",
        "norm",
        "prod",
        "quantile",
        "softmax",
        "_softmax",
        "sort",
        "std",
        "std_mean",
        "sum",
        "topk",
        "var",
        "var_mean",
    }
)


def over_batch(node: fx.Node, name: str, axis: int | None) -> bool:
    """Whether an operation mixes the sequences of a batch.

    Args:
        axis: the batch's, of the node's first argument; None if it has none.
    """
    if name not in MIXING or axis is None:
        return False
    given = arguments(node.target, list(node.args), dict(node.kwargs))
    dims = given.get("dim")
    if dims is None or dims == []:
        return True
    ndim = node.args[0].meta["val"].ndim
    return axis in {d % ndim for d in ([dims] if isinstance(dims, int) else dims)}
