"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365) by captum.

As many steps as completeness needs.
"""

from __future__ import annotations

import numpy as np
import torch

from interpret.completeness import check_complete
from interpret.explained import batches, check_one_hot, evaluating, fixed_arguments, gradients_on, scalar
from interpret.multipliers import Explanation, explain_pairs
from interpret.pairs import joined, reference_array
from interpret.references import References

__all__ = ["explain_by_integrated_gradients", "integrated_gradients"]

FIRST_STEPS, MOST_STEPS = 32, 256
TOLERANCE = 1e-3
ROWS = 256  # rows of one forward pass inside captum


def integrated_gradients(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    references: np.ndarray | References | None = None,
    *,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
    allow_incomplete: bool = False,
) -> np.ndarray:
    """Hypothetical contributions, averaged over references.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32.
        references: (N, n, 4, L), or how to make them; default 20 dinucleotide shuffles.
        steps: points on the way from reference to sequence; default 32, doubled until the contributions are
            complete or 256 are reached.
        tolerance: relative completeness error that is enough.
        allow_incomplete: return what is not complete.

    Returns:
        (N, 4, L) float32.

    Raises:
        MismatchError: the median completeness error stays above the tolerance.
    """
    found = explain_by_integrated_gradients(module, one_hot, references, steps=steps, tolerance=tolerance)
    if not allow_incomplete:
        check_complete(found.pair_error, "integrated gradients", tolerance)
    return found.hypothetical


def explain_by_integrated_gradients(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    references: np.ndarray | References | None = None,
    *,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
) -> Explanation:
    """``integrated_gradients`` with predictions and completeness; refuses nothing."""
    one_hot = check_one_hot(one_hot)
    given = reference_array(references, one_hot)
    found = []
    with evaluating(module) as device, gradients_on():
        for part, x in batches(one_hot, 1, device):
            reference = torch.from_numpy(np.ascontiguousarray(given[part])).to(device)
            found.append(_explain(module, x, reference, steps, tolerance))
    return joined(found, one_hot.shape)


def _explain(
    module: torch.nn.Module, x: torch.Tensor, reference: torch.Tensor, steps: int | None, tolerance: float
) -> Explanation:
    n = reference.shape[1]
    fixed = tuple(value.expand(n, *value.shape[1:]) for value in fixed_arguments(module, x))
    with torch.no_grad():
        y = scalar(module, x, *(value[:1] for value in fixed))
        y_reference = scalar(module, reference[0], *fixed)
    count = steps or FIRST_STEPS
    while True:
        slopes = _mean_gradients(module, x.expand(n, -1, -1), reference[0], fixed, count)
        found = explain_pairs(x, reference, slopes[None], y, y_reference[None])
        if steps or count >= MOST_STEPS or found.pair_error.max() <= tolerance:
            return found
        count *= 2


def _mean_gradients(
    module: torch.nn.Module, x: torch.Tensor, reference: torch.Tensor, fixed: tuple[torch.Tensor, ...], steps: int
) -> torch.Tensor:
    """Gradient averaged along the straight line from each reference to x, (n, 4, L)."""
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(lambda z, *rest: scalar(module, z, *rest), multiply_by_inputs=False)
    return method.attribute(
        x.contiguous(), baselines=reference.contiguous(), additional_forward_args=fixed or None, n_steps=steps,
        internal_batch_size=max(ROWS, len(x)),
    ).to(x.dtype).detach()
