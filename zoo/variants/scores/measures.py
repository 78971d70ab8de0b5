"""What is made of the predictions of both alleles: each score, track by track, and which outputs can have it.

Bins of a profile are first made one number: counts and probabilities are summed; logarithms become the logarithm of the
sum of what they are of; logits, which do not add up, are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from zoo.models.scale import Scale

__all__ = ["LEVELS", "SCORES", "Measure", "Values", "default_score", "fitting", "why_unfit"]

#: Tracks of a profile whose distributions are compared at once: Borzoi has 7,611 of 6,144 bins.
TRACKS_AT_ONCE = 256
_TINY = np.finfo(np.float64).tiny
#: Scores that are no comparison of ALT with REF: they do not depend on the place of an indel, or hardly.
LEVELS = ("ref", "alt", "active")


@dataclass(frozen=True)
class Values:
    """One output's predictions of both alleles in the bins that are scored: (tracks, bins) float32, bins >= 1.

    Attributes:
        of_ref: what was made of the same ``ref`` for another ALT; is added to.
    """

    ref: np.ndarray
    alt: np.ndarray
    scale: Scale
    of_ref: dict[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Measure:
    """One score.

    Attributes:
        of: values -> (tracks,) float64; NaN where there is no such number.
        fits: whether an output of this kind and scale has it.
        says: what it is, for headers.
        units: of the number, where they are not the output's.
    """

    of: Callable[[Values], np.ndarray]
    fits: Callable[[str, Scale], bool]
    says: str
    units: str | None = None


# ---------------- bins to one number


def _total(values: np.ndarray, scale: Scale) -> np.ndarray:
    """(tracks, bins) -> (tracks,) float64."""
    if scale.kind == "logit":
        return values.mean(axis=1, dtype=np.float64)
    if scale.kind == "log" and values.shape[1] > 1:
        return _log_of_sum(values, scale)
    return values.sum(axis=1, dtype=np.float64)


def _log_of_sum(values: np.ndarray, scale: Scale) -> np.ndarray:
    """The logarithm of the sum of what the bins are logarithms of, in the same base."""
    natural = values.astype(np.float64) * np.log(scale.base)
    if scale.plus_one:
        return np.log1p(np.expm1(natural).sum(axis=1)) / np.log(scale.base)
    top = natural.max(axis=1)
    return (top + np.log(np.exp(natural - top[:, None]).sum(axis=1))) / np.log(scale.base)


def _ref(both: Values) -> np.ndarray:
    return _total(both.ref, both.scale)


def _alt(both: Values) -> np.ndarray:
    return _total(both.alt, both.scale)


def _active(both: Values) -> np.ndarray:
    return np.maximum(_ref(both), _alt(both))


def _diff(both: Values) -> np.ndarray:
    if both.scale.kind == "log" and both.ref.shape[1] > 1:
        return _alt(both) - _ref(both)
    # Bin by bin: what is equal gives exactly 0, and small changes of a large sum are kept.
    return _total(both.alt - both.ref, both.scale)


def _log2fc(both: Values) -> np.ndarray:
    if both.scale.kind == "log":
        return _diff(both) * np.log2(both.scale.base)
    ref, alt = _ref(both), _alt(both)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((ref > 0) & (alt > 0), np.log2(alt) - np.log2(ref), np.nan)


# ---------------- bin by bin


def _logit(both: Values) -> np.ndarray:
    inside = (both.ref > 0) & (both.ref < 1) & (both.alt > 0) & (both.alt < 1)
    ref = np.where(inside, both.ref, 0.5).astype(np.float64)
    alt = np.where(inside, both.alt, 0.5).astype(np.float64)
    moved = (np.log(alt) - np.log(ref)) - (np.log1p(-alt) - np.log1p(-ref))
    bins = inside.sum(axis=1)
    return np.where(bins > 0, moved.sum(axis=1) / np.maximum(bins, 1), np.nan)


def _max(both: Values) -> np.ndarray:
    moved = both.alt - both.ref
    at = np.abs(moved).argmax(axis=1)
    return moved[np.arange(len(moved)), at].astype(np.float64)


def _l2(both: Values) -> np.ndarray:
    moved = (both.alt - both.ref).astype(np.float64)
    return np.sqrt(np.einsum("tb,tb->t", moved, moved))


def _jsd(both: Values) -> np.ndarray:
    scale = both.scale
    if len(both.ref) <= TRACKS_AT_ONCE:
        if "shares" not in both.of_ref:
            both.of_ref["shares"] = _distribution(both.ref, scale)
        return _divergence(both.of_ref["shares"], _distribution(both.alt, scale))
    parts = [slice(low, low + TRACKS_AT_ONCE) for low in range(0, len(both.ref), TRACKS_AT_ONCE)]
    found = [_divergence(_distribution(both.ref[p], scale), _distribution(both.alt[p], scale)) for p in parts]
    return np.concatenate(found)


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits, (tracks,), of shares (tracks, bins)."""
    both = np.stack([p, q])
    middle = np.maximum((p + q) / 2, _TINY)
    # That of Kullback and Leibler of each from the middle; a share of 0 counts for nothing.
    apart = np.maximum(both, _TINY)
    apart /= middle
    bits = np.einsum("atb,atb->at", both, np.log2(apart, out=apart))
    return np.clip((bits[0] + bits[1]) / 2, 0, 1)


def _distribution(values: np.ndarray, scale: Scale) -> np.ndarray:
    """(tracks, bins) that sum to 1 in each track; NaN where there is nothing to share out."""
    values = values.astype(np.float64)
    if scale.kind in ("log", "logit"):
        natural = values * (np.log(scale.base) if scale.kind == "log" else 1)
        weights = np.expm1(natural) if scale.plus_one else np.exp(natural - natural.max(axis=1, keepdims=True))
    else:
        weights = values
    sums = weights.sum(axis=1, keepdims=True)
    fit = (sums > 0) & (weights.min(axis=1, keepdims=True) >= 0)
    return weights / np.where(fit, sums, np.nan)


def _any(kind: str, scale: Scale) -> bool:
    return True


SCORES: Mapping[str, Measure] = {
    "diff": Measure(_diff, _any, "ALT minus REF"),
    "log2fc": Measure(
        _log2fc,
        lambda kind, scale: scale.non_negative or scale.kind == "log",
        "log2 of ALT over REF, without a pseudocount; missing where one of them is 0",
        "log2 fold change",
    ),
    "logit": Measure(
        _logit,
        lambda kind, scale: scale.kind == "probability",
        "log-odds (natural) of ALT minus those of REF, the mean over bins; bins of exactly 0 or 1 have none",
        "log-odds ratio",
    ),
    "l2": Measure(_l2, _any, "root of the sum over bins of the squared difference"),
    "jsd": Measure(
        _jsd,
        lambda kind, scale: kind == "profile" and (scale.non_negative or scale.kind in ("log", "logit")),
        "Jensen-Shannon divergence (base 2) of the two profiles, each shared out over its bins",
        "bits",
    ),
    "max": Measure(_max, _any, "ALT minus REF, with its sign, at the bin where it is largest"),
    "ref": Measure(_ref, _any, "REF"),
    "alt": Measure(_alt, _any, "ALT"),
    "active": Measure(_active, _any, "the larger of REF and ALT"),
}


def fitting(kind: str, scale: Scale) -> list[str]:
    """The scores that an output of this kind and scale can have."""
    return [name for name, score in SCORES.items() if score.fits(kind, scale)]


def default_score(kind: str, scale: Scale) -> str:
    """The score of an output where none is asked for.

    Counts and logarithms: ``log2fc``. Probabilities: ``logit`` of a scalar, and of a profile ``max``, the change at one
    site. Logits of a profile: ``jsd``. All else: ``diff``.
    """
    if scale.kind in ("counts", "log"):
        return "log2fc"
    if scale.kind == "probability":
        return "max" if kind == "profile" else "logit"
    return "jsd" if scale.kind == "logit" and kind == "profile" else "diff"


def why_unfit(name: str, kind: str, units: str | None, scale: Scale) -> str:
    """What an output has that ``name`` cannot be made of."""
    if name == "jsd" and kind == "scalar":
        return "one number a window, not a profile"
    units = f" ({units})" if units else ""
    if name == "logit":
        done = scale.kind == "logit"
        return f"{scale}{units}, {'whose difference is one of log-odds already' if done else 'no probabilities'}"
    return f"{scale}{units}, which may be negative"
