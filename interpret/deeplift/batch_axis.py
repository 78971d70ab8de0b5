"""Operations along the batch: what they give for a sequence depends on the others that stand beside it."""

from __future__ import annotations

from typing import Any

from torch import fx

__all__ = ["over_batch"]

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
    given = _given(node)
    dims = given.get("dim")
    if dims is None or dims == []:
        return True
    ndim = node.args[0].meta["val"].ndim
    return axis in {d % ndim for d in ([dims] if isinstance(dims, int) else dims)}


def _given(node: fx.Node) -> dict[str, Any]:
    schema = node.target._schema.arguments
    defaults = {a.name: a.default_value for a in schema if a.has_default_value()}
    return defaults | {a.name: v for a, v in zip(schema, node.args, strict=False)} | dict(node.kwargs)
