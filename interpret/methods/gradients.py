"""Methods of one gradient: input x gradient and saliency."""

from __future__ import annotations

import numpy as np
import torch

from interpret.function.gradient import check_gradient
from interpret.module import (
    batches,
    check_one_hot,
    evaluating,
    fixed_arguments,
    gradient_of,
    gradients_on,
    scalar,
)
from interpret.target import Explained, of_a_model
from zoo.errors import ModelError
from zoo.genome.encode import Sequences

__all__ = ["gradient", "inputxgradient", "saliency"]


@of_a_model
def inputxgradient(
    module: Explained, one_hot: Sequences, *, corrected: bool = True, batch_size: int | None = None
) -> np.ndarray:
    """Gradient of the output at every base; times the input it is input x gradient, the projected track.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32, or N strings of L letters.
        corrected: subtract the mean over the four bases (see ``saliency``).
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N, 4, L) float32: to first order, what each base would contribute at its position.

    Raises:
        ModelError: the output has no gradient: sequence enters it through a choice of places only, as tokens do.
    """
    return gradient(module, one_hot, corrected=corrected, batch_size=batch_size)


def gradient(module: torch.nn.Module, one_hot: np.ndarray, *, corrected: bool, batch_size: int | None) -> np.ndarray:
    """Gradient of the output with respect to the one-hot sequence, (N, 4, L) float32."""
    one_hot = check_one_hot(one_hot)
    found = np.empty_like(one_hot)
    with evaluating(module) as device, gradients_on():
        for part, x in batches(one_hot, batch_size, device):
            fixed = fixed_arguments(module, x)
            x.requires_grad_(True)
            try:
                slope = gradient_of(scalar(module, x, *fixed), x)
            except ModelError:
                check_gradient(module, one_hot[part])  # names the operation
                raise
            if slope is None:
                check_gradient(module, one_hot[part])  # else the output is a constant
                slope = torch.zeros_like(x)
            if corrected:
                slope = slope - slope.mean(1, keepdim=True)
            found[part] = slope.detach().cpu().numpy()
    return found


# ---------------------------------------------------------------- saliency (Simonyan et al. 2013, arXiv:1312.6034)


@of_a_model
def saliency(
    module: Explained, one_hot: Sequences, *, corrected: bool = True, batch_size: int | None = None
) -> np.ndarray:
    """Absolute gradient of the output, at every base.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32, or N strings of L letters.
        corrected: subtract the gradient's mean over the four bases first (Majdandzic et al. 2023,
            doi:10.1186/s13059-023-02956-3): the part off the simplex of sequences says nothing of them.
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N, 4, L) float32, not negative; its values at the observed bases are the projected track.

    Raises:
        ModelError: see ``inputxgradient``.
    """
    return np.abs(gradient(module, one_hot, corrected=corrected, batch_size=batch_size))
