"""What a method found: from multipliers to hypothetical contributions, complete or refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from zoo.errors import MismatchError
from zoo.words import counted_of

__all__ = [
    "MEDIAN_LIMIT",
    "SINGLE_LIMIT",
    "SUMMED",
    "Explanation",
    "check_complete",
    "completeness_note",
    "explain_pairs",
    "hypothetical_of",
    "joined",
    "projection_note",
    "relative_error",
]

#: What `check_complete` refuses: of the median sequence, and of any.
MEDIAN_LIMIT = 1e-3
SINGLE_LIMIT = 1e-2

SMALLEST = 1e-30
#: Of the predictions: a smaller difference is lost in the rounding of float32, so that nothing can be relative to it.
ROUNDING = 1e-4
#: Of predictions and of the sum of absolute contributions: what sums of float32 leave; a smaller error is no fault.
SUMMED = 2e-6
#: Contributions that add up to more than so many predictions, and take one another back, are none to pass as rounding.
TAKEN_BACK = 1e3


@dataclass(frozen=True)
class Explanation:
    """What a method with references found for N sequences.

    Attributes:
        hypothetical: (N, 4, L) float32, mean over references.
        prediction: (N,) float32, the explained number.
        reference_prediction: (N,) float32, its mean over references.
        completeness_error: (N,) float32, |contributions - difference| of the means over references, relative
            to the difference, or to 1e-4 of the predictions where the difference is smaller. An error that is no more
            than sums of float32 leave (2e-6 of predictions and of absolute contributions) is at most 0.1%.
        pair_error: (N,) float32, the same for each pair of sequence and reference, summed over references before
            the ratio is taken: errors of opposite sign do not cancel.
    """

    hypothetical: np.ndarray
    prediction: np.ndarray
    reference_prediction: np.ndarray
    completeness_error: np.ndarray
    pair_error: np.ndarray


def hypothetical_of(multipliers: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """What each base would contribute against each reference.

    A base contributes its multiplier less the multipliers of the bases it replaces (Shrikumar et al. 2017,
    https://github.com/kundajelab/shap; tangermeme's ``hypothetical_attributions``).

    Args:
        multipliers, references: (..., 4, L).
    """
    return multipliers - (multipliers * references).sum(-2, keepdim=True)


def relative_error(
    error: torch.Tensor, difference: torch.Tensor, scale: torch.Tensor, summed: torch.Tensor
) -> torch.Tensor:
    """An absolute error of contributions, of the difference that they should add up to.

    Args:
        error, difference: not negative. scale: of the predictions. summed: sum of the contributions' absolute values.
    """
    whole = torch.maximum(difference, ROUNDING * scale).clamp_min(SMALLEST)
    rounding = SUMMED * (scale + torch.minimum(summed, TAKEN_BACK * torch.maximum(scale, difference)))
    return error / torch.where(error <= rounding, torch.maximum(whole, rounding / MEDIAN_LIMIT), whole)


def explain_pairs(
    x: torch.Tensor, references: torch.Tensor, multipliers: torch.Tensor, y: torch.Tensor, y_reference: torch.Tensor
) -> Explanation:
    """Average the pairs of each sequence.

    Args:
        x: (N, 4, L). references, multipliers: (N, n, 4, L). y: (N,). y_reference: (N, n).
    """
    each = multipliers.double() * (x[:, None].double() - references)
    pairs, summed = each.sum((2, 3)), each.abs().sum((2, 3))
    difference = y[:, None].double() - y_reference.double()
    scale = torch.maximum(y[:, None].abs(), y_reference.abs()).double()
    pair_error = relative_error((pairs - difference).abs().sum(1), difference.abs().sum(1), scale.sum(1), summed.sum(1))
    error = relative_error(
        (pairs.mean(1) - difference.mean(1)).abs(), difference.mean(1).abs(), scale.mean(1), summed.mean(1)
    )
    hypothetical = hypothetical_of(multipliers, references).mean(1)
    return Explanation(
        *(value.detach().float().cpu().numpy() for value in (hypothetical, y, y_reference.mean(1), error, pair_error))
    )


def joined(parts: Sequence[Explanation], shape: tuple[int, ...]) -> Explanation:
    """One explanation of consecutive batches; ``shape`` is that of the sequences, for when there are none."""
    if not parts:
        nothing = np.empty(0, np.float32)
        return Explanation(np.empty(shape, np.float32), nothing, nothing, nothing, nothing)
    return Explanation(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Explanation))
    )


# ---------------------------------------------------------------- complete or refused


def check_complete(pair_error: np.ndarray, method: str, limit: float = MEDIAN_LIMIT, fix: str = "") -> None:
    """Refuse contributions that are not complete.

    Args:
        pair_error: (N,), see ``Explanation``.

    Raises:
        MismatchError: the median is above ``limit``, or a sequence above ``SINGLE_LIMIT``.
    """
    if not len(pair_error):
        return
    if not (finite := np.isfinite(pair_error)).all():
        raise MismatchError(
            f"the contributions of {method} are not finite",
            f"{counted_of(int((~finite).sum()), len(finite), 'sequence')}, or predictions of them or of their "
            "references",
            "Fix: look at the model's predictions; where these are finite, --method ism needs no gradient",
        )
    error = pair_error
    median, wrong = float(np.median(error)), int((error > SINGLE_LIMIT).sum())
    if median > limit or wrong:
        raise MismatchError(
            f"the contributions of {method} are not complete: they miss the difference to the references "
            f"by {_share(median, 2)} (median; at most {_share(error.max(), 1)})",
            f"{counted_of(wrong, len(error), 'sequence')} by more than {SINGLE_LIMIT:.0%}; "
            f"the median may be {limit:.1%}",
            fix or "Fix: --method ism, or --allow-incomplete to keep them all the same",
        )


def _share(error: float, digits: int) -> str:
    return f"{error:.{digits}%}" if error < 100 else "10,000% or more"  # of a difference that is nearly 0


def completeness_note(pair_error: np.ndarray) -> str | None:
    """A sentence on completeness, for the notes of a run; None without references."""
    known = pair_error[np.isfinite(pair_error)]
    if not len(known):
        return None
    over = int((known > MEDIAN_LIMIT).sum())
    tail = f"; {counted_of(over, len(known), 'sequence')} above {MEDIAN_LIMIT:.1%}" if over else ""
    return f"completeness error: median {np.median(known):.1e}, largest {known.max():.1e}{tail}"


def projection_note(projection_error: np.ndarray) -> str | None:
    """A sentence on what unknown bases contribute; None where that is nothing, or where there are no references.

    Args:
        projection_error: (N,) of windows with unknown bases, 0 for others.
    """
    missed = projection_error[projection_error > MEDIAN_LIMIT]  # NaN is none of them
    if not len(missed):
        return None
    return (
        f"unknown bases contribute too, but are no bases: the projected contributions of "
        f"{counted_of(len(missed), len(projection_error), 'window', 'miss')} the difference to the references by "
        f"{np.median(missed):.1%} (median; "
        f"at most {missed.max():.1%}; each in projection_error)"
    )
