"""Training windows seen again from the other strand, some bp aside, or beside their middle; after the split.

What is drawn of chance, from the seed and the epoch, stands in ``batches``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from finetune.config import AugmentConfig, TargetConfig
from finetune.data.regions import Geometry
from zoo.errors import UsageError
from zoo.words import near_names

__all__ = [
    "check_augment",
    "moved",
    "partners_of",
    "reverse_complement",
    "reversed_bins",
]


def check_augment(
    config: AugmentConfig,
    geometry: Geometry,
    *,
    cached: bool,
    targets: Sequence[TargetConfig] = (),
    position: int | None = None,
) -> None:
    """Refuse what would pair a sequence with another place's target.

    Args:
        cached: whether embeddings are computed once, in place of sequences.
        targets: of the run, for their strands.
        position: bp of a position of the embedding; default the target's bin.

    Raises:
        UsageError: a shift that is no whole bin, or flanks, with cached embeddings; flanks of several bins; bins that
            lie aside of the window's middle under reverse complement; strands without partners.
    """
    step = max(geometry.bin_size, position or 0)
    if cached and config.shift % step:
        down = config.shift // step * step
        raise UsageError(
            f"`augment.shift: {config.shift}` is no whole bin of {step} bp, and `mode: head` trains on cached "
            "embeddings, which move by whole bins only",
            "",
            f"Fix: `augment.shift: {down}` or {down + step}, or `mode: lora`, which reads the sequence each time",
        )
    if config.flank and cached:
        raise UsageError(
            f"`augment.flank: {config.flank}`: `mode: head` caches embeddings where windows lie",
            "",
            "Fix: `augment.flank: 0`, or `mode: lora`",
        )
    if config.flank and geometry.n_bins > 1:
        raise UsageError(
            f"`augment.flank: {config.flank}`: windows to the sides take the target of the middle one, and its "
            f"{geometry.n_bins} bins would lie {config.flank} bp off",
            "flanking (Cao & Zhang 2019) is for one label a window",
            "Fix: `augment.shift`, which moves input and target together",
        )
    after = geometry.length - geometry.offset - geometry.span
    if config.reverse_complement and after != geometry.offset:
        raise UsageError(
            f"`augment.reverse_complement`: the bins begin {geometry.offset:,} bp into the window and end {after:,} bp "
            "before its end, so that the other strand's bins are of another place",
            "",
            "Fix: `augment.reverse_complement: false`",
        )
    if config.reverse_complement:
        partners_of(targets)


def partners_of(targets: Sequence[TargetConfig]) -> np.ndarray:
    """Which track takes whose place under reverse complement: (tracks,) int64, a track without strand its own.

    Raises:
        UsageError: a stranded track without partner; a partner that does not exist, is of the same strand or head, or
            has another one itself.
    """
    index = {target.name: i for i, target in enumerate(targets)}
    out = np.arange(len(targets), dtype=np.int64)
    for i, target in enumerate(targets):
        if target.partner is None and target.strand is None:
            continue
        where = f"target {target.name!r}"
        if target.partner is None:
            raise UsageError(
                f"{where} is of strand {target.strand} and has no `partner` to swap with under reverse complement",
                "",
                "Fix: `partner:` the track of the other strand, or `augment.reverse_complement: false`",
            )
        if target.partner not in index:
            near = near_names(target.partner, index) or list(index)
            raise UsageError(
                f"{where}: its partner {target.partner!r} is no target", "", f"Fix: write {' or '.join(near[:4])}"
            )
        out[i] = index[target.partner]
        _check_pair(target, targets[out[i]])
    return out


def _check_pair(target: TargetConfig, other: TargetConfig) -> None:
    what = f"target {target.name!r} and its partner {other.name!r}"
    if other.partner != target.name:
        raise UsageError(
            f"{what}: the partner of {other.name!r} is {other.partner!r}", "", f"Fix: `partner: {target.name}` there"
        )
    if {target.strand, other.strand} != {"+", "-"}:
        raise UsageError(
            f"{what} have the strands {target.strand} and {other.strand}", "", "Fix: `strand: +` and `strand: -`"
        )
    if (target.head, target.bin) != (other.head, other.bin):
        raise UsageError(f"{what} differ in `head` or `bin`", "", "Fix: give both the same")


def reverse_complement(
    flip: np.ndarray,
    inputs: Any,
    target: Any,
    partners: np.ndarray,
    atac: Any = None,
    average: Any = None,
) -> tuple[Any, Any, Any, Any]:
    """Some windows of a batch as the other strand shows them; the rest as they are.

    Args:
        flip: (n,) bool.
        inputs: (n, 4, L) one-hot, numpy or torch, channels A, C, G, T; or None where embeddings are cached.
        target: (n, T, bins). partners: (T,) as of ``partners_of``.
        atac: (n, 1, bins) or None. average: (n, T, bins) or None, swapped as the target is.

    Returns:
        ``(inputs, target, atac, average)``, copies.
    """
    return (
        None if inputs is None else _flipped(inputs, flip, np.array([3, 2, 1, 0])),
        reversed_bins(target, flip, partners),
        None if atac is None else reversed_bins(atac, flip, np.arange(atac.shape[1])),
        None if average is None else reversed_bins(average, flip, partners),
    )


def reversed_bins(tracks: Any, flip: np.ndarray, partners: np.ndarray) -> Any:
    """(n, T, bins) tracks of the flipped windows: bins from the end, stranded tracks swapped."""
    return _flipped(tracks, flip, partners)


def _flipped(array: Any, flip: np.ndarray, order: np.ndarray) -> Any:
    """A copy in which flipped rows have their last axis reversed and their second in another order."""
    if isinstance(array, np.ndarray):
        out = array.copy()
        out[flip] = array[flip][:, order, ::-1]
        return out
    import torch

    rows = torch.as_tensor(np.flatnonzero(flip), device=array.device)
    out = array.clone()
    out[rows] = array[rows][:, torch.as_tensor(order, device=array.device)].flip(-1)
    return out


def moved(array: np.ndarray, steps: np.ndarray, fill: float = np.nan) -> np.ndarray:
    """What a window sees that begins ``steps`` bins (or positions of an embedding) further on.

    Cached embeddings and their targets are moved by the same bp; bins that come from outside the window are unknown,
    NaN in a target and so masked.

    Args:
        array: (n, ..., bins). steps: (n,) int64, positive to higher coordinates. fill: for what is not known.

    Returns:
        (n, ..., bins), floating.
    """
    bins = array.shape[-1]
    at = np.arange(bins) + np.asarray(steps)[:, None]
    known = ((at >= 0) & (at < bins)).reshape(len(array), *[1] * (array.ndim - 2), bins)
    at = np.clip(at, 0, bins - 1).reshape(known.shape)
    return np.where(known, np.take_along_axis(array, at, axis=-1), np.asarray(fill, dtype=array.dtype))
