"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365) by captum.

As many steps as completeness needs: captum's 32 points of Gauss and Legendre are exact to rounding where a net is
smooth. A ReLU or a maximum puts kinks on the way from a reference to the sequence, on which points laid by a fixed
rule converge as slowly as 1 / steps; pairs that are not complete go on by ``adaptive_path``, which puts points where
the kinks are.
"""

from __future__ import annotations

import numpy as np
import torch

from interpret.adaptive_path import adaptive_gradients
from interpret.completeness import check_complete
from interpret.explained import (
    batches,
    check_one_hot,
    evaluating,
    fixed_arguments,
    gradients_on,
    rows_a_pass,
    scalar,
)
from interpret.multipliers import Explanation, explain_pairs
from interpret.pairs import joined, reference_array
from interpret.references import References
from zoo.extras import needs

__all__ = ["explain_by_integrated_gradients", "integrated_gradients"]

FIRST_STEPS = 32
TOLERANCE = 1e-3
#: Share of the tolerance that each pair may use: rounding and the note's 0.1% leave the rest.
SHARE = 0.5
FIX = "Fix: --method ism or deepliftshap; or --allow-incomplete to keep them all the same"


def integrated_gradients(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    references: np.ndarray | References | None = None,
    *,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
    batch_size: int | None = None,
    allow_incomplete: bool = False,
) -> np.ndarray:
    """Hypothetical contributions, averaged over references.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32.
        references: (N, n, 4, L), or how to make them; default 20 dinucleotide shuffles.
        steps: points on the way from reference to sequence; default 32, and for pairs that are not complete with
            them up to 4,096 more (fewer for windows above 8 kb, see ``adaptive_path``).
        tolerance: relative completeness error that is enough.
        batch_size: sequences on that way a pass; default what suits the device.
        allow_incomplete: return what is not complete.

    Returns:
        (N, 4, L) float32.

    Raises:
        MismatchError: the median completeness error stays above the tolerance.
    """
    found = explain_by_integrated_gradients(
        module, one_hot, references, steps=steps, tolerance=tolerance, batch_size=batch_size
    )
    if not allow_incomplete:
        check_complete(found.pair_error, "integrated gradients", tolerance, FIX)
    return found.hypothetical


def explain_by_integrated_gradients(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    references: np.ndarray | References | None = None,
    *,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
    batch_size: int | None = None,
) -> Explanation:
    """``integrated_gradients`` with predictions and completeness; refuses nothing."""
    one_hot = check_one_hot(one_hot)
    given = reference_array(references, one_hot)
    found = []
    with evaluating(module) as device, gradients_on():
        for part, x in batches(one_hot, 1, device):
            reference = torch.from_numpy(np.ascontiguousarray(given[part])).to(device)
            found.append(_explain(module, x, reference, steps, tolerance, batch_size))
    return joined(found, one_hot.shape)


def _explain(
    module: torch.nn.Module,
    x: torch.Tensor,
    reference: torch.Tensor,
    steps: int | None,
    tolerance: float,
    batch_size: int | None,
) -> Explanation:
    n = reference.shape[1]
    weights = fixed_arguments(module, x)
    with torch.no_grad():  # in one batch unless another size is asked for: there equal rows give equal numbers
        rows = torch.cat([x, reference[0]]).split(batch_size or n + 1)
        y, y_reference = torch.cat([scalar(module, part, *_times(weights, part)) for part in rows]).split([1, n])
    size = batch_size or rows_a_pass(x.shape[2], x.device)
    chunks = reference[0].split(batch_size or n)
    slopes = torch.cat([_mean_gradients(module, x, part, weights, steps or FIRST_STEPS, size) for part in chunks])
    if steps is None:
        difference = y.double() - y_reference.double()
        errors = ((slopes.double() * (x - reference[0])).sum((1, 2)) - difference).abs()
        # Completeness is judged by the sum over pairs: a pair without a difference need not be complete by itself.
        enough = SHARE * tolerance * float(difference.abs().mean())
        for i in torch.nonzero(errors > enough).flatten().tolist():
            found = adaptive_gradients(module, x[0], reference[0, i], weights, enough, size)
            if found.error < errors[i]:
                slopes[i] = found.gradients
    return explain_pairs(x, reference, slopes[None], y, y_reference[None])


def _times(weights: tuple[torch.Tensor, ...], rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Further arguments of the module, one row, for each of ``rows``."""
    return tuple(value.expand(len(rows), *value.shape[1:]) for value in weights)


def _mean_gradients(
    module: torch.nn.Module,
    x: torch.Tensor,
    reference: torch.Tensor,
    weights: tuple[torch.Tensor, ...],
    steps: int,
    size: int,
) -> torch.Tensor:
    """Gradient averaged along the straight line from each reference (n, 4, L) to x (1, 4, L), (n, 4, L)."""
    with needs("captum", "integrated_gradients", "or another --method"):
        from captum.attr import IntegratedGradients

    method = IntegratedGradients(lambda z, *rest: scalar(module, z, *rest), multiply_by_inputs=False)
    return (
        method.attribute(
            x.expand(len(reference), -1, -1).contiguous(),
            baselines=reference.contiguous(),
            additional_forward_args=_times(weights, reference) or None,
            n_steps=steps,
            internal_batch_size=max(size, len(reference)),
        )
        .to(x.dtype)
        .detach()
    )
