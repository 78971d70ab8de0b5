"""From multipliers to hypothetical contributions, and the completeness of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["Explanation", "explain_pairs", "hypothetical_of", "relative_error"]

SMALLEST = 1e-6
#: Of the predictions: a smaller difference is lost in the rounding of float32, so that nothing can be relative to it.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Explanation:
    """What a method with references found for N sequences.

    Attributes:
        hypothetical: (N, 4, L) float32, mean over references.
        prediction: (N,) float32, the explained number.
        reference_prediction: (N,) float32, its mean over references.
        completeness_error: (N,) float32, |contributions - difference| of the means over references, relative
            to the difference, or to 1e-4 of the predictions where the difference is smaller (at least 1e-6).
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
    contributions: torch.Tensor, difference: torch.Tensor, floor: float | torch.Tensor = SMALLEST
) -> torch.Tensor:
    """|contributions - difference| / max(|difference|, floor)."""
    return (contributions - difference).abs() / difference.abs().clamp_min(torch.as_tensor(floor))


def explain_pairs(
    x: torch.Tensor, references: torch.Tensor, multipliers: torch.Tensor, y: torch.Tensor, y_reference: torch.Tensor
) -> Explanation:
    """Average the pairs of each sequence.

    Args:
        x: (N, 4, L). references, multipliers: (N, n, 4, L). y: (N,). y_reference: (N, n).
    """
    pairs = (multipliers.double() * (x[:, None].double() - references)).sum((2, 3))
    difference = y[:, None].double() - y_reference.double()
    floor = (ROUNDING * torch.maximum(y[:, None].abs(), y_reference.abs()).double()).clamp_min(SMALLEST)
    pair_error = (pairs - difference).abs().sum(1) / torch.maximum(difference.abs().sum(1), floor.sum(1))
    error = relative_error(pairs.mean(1), difference.mean(1), floor.mean(1))
    hypothetical = hypothetical_of(multipliers, references).mean(1)
    return Explanation(
        *(value.detach().float().cpu().numpy() for value in (hypothetical, y, y_reference.mean(1), error, pair_error))
    )
