"""Ablation: what the output loses when a stretch around a base is replaced by shuffled sequence or nothing."""

from __future__ import annotations

import numpy as np
import torch

from interpret.module import check_one_hot, evaluating, fixed_arguments, rows_a_pass, scalar
from interpret.references import References, reference_array
from interpret.target import Explained, of_a_model
from zoo.genome.encode import Sequences

__all__ = ["ablate", "ablation"]


@of_a_model
def ablation(
    module: Explained,
    one_hot: Sequences,
    references: np.ndarray | References | None = None,
    *,
    width: int = 1,
    batch_size: int | None = None,
) -> np.ndarray:
    """Prediction less the mean prediction with a stretch of ``width`` bp replaced by the reference's.

    Stretches lie side by side from the first base on; each base bears its stretch's loss divided by the
    stretch's length.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32, or N strings of L letters.
        references: (N, n, 4, L), or how to make them; default 20 dinucleotide shuffles.
        width: bp of a stretch.
        batch_size: edited sequences a forward pass; default what suits the device.
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N, 4, L) float32: the loss at the observed base, 0 at the others, as nothing is known of them.
    """
    return ablate(module, one_hot, references, width=width, batch_size=batch_size)


def ablate(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    references: np.ndarray | References | None = None,
    *,
    width: int = 1,
    batch_size: int | None = None,
) -> np.ndarray:
    """``ablation`` of a module that is known to be a function of one sequence."""
    one_hot = check_one_hot(one_hot)
    given = reference_array(references, one_hot)
    found = np.zeros_like(one_hot)
    starts = np.arange(0, one_hot.shape[2], width)
    with evaluating(module) as device, torch.inference_mode():
        size = batch_size or rows_a_pass(one_hot.shape[2], device)
        for i, sequence in enumerate(one_hot):
            x = torch.from_numpy(sequence).to(device)
            reference = torch.from_numpy(np.ascontiguousarray(given[i])).to(device)
            fixed = fixed_arguments(module, x[None])
            observed = float(scalar(module, x[None], *fixed)[0])
            jobs = [(start, row) for start in starts for row in range(len(reference))]
            scores = np.empty(len(jobs))
            for first in range(0, len(jobs), size):
                chunk = jobs[first : first + size]
                edited = x.expand(len(chunk), -1, -1).clone()
                for k, (start, row) in enumerate(chunk):
                    edited[k, :, start : start + width] = reference[row, :, start : start + width]
                again = tuple(value.expand(len(chunk), *value.shape[1:]) for value in fixed)
                scores[first : first + len(chunk)] = scalar(module, edited, *again).cpu().numpy()
            loss = observed - scores.reshape(len(starts), -1).mean(1)
            lengths = np.minimum(width, one_hot.shape[2] - starts)
            found[i] = np.repeat(loss / lengths, lengths) * (sequence > 0.5)
    return found
