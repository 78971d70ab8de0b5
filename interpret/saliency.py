"""Saliency: how strongly the output reacts to each base, without a sign (Simonyan et al. 2013, arXiv:1312.6034)."""

from __future__ import annotations

import numpy as np
import torch

from interpret.inputxgradient import gradient

__all__ = ["saliency"]


def saliency(
    module: torch.nn.Module, one_hot: np.ndarray, *, corrected: bool = True, batch_size: int | None = None
) -> np.ndarray:
    """Absolute gradient of the output, at every base.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32.
        corrected: subtract the gradient's mean over the four bases first (Majdandzic et al. 2023,
            doi:10.1186/s13059-023-02956-3): the part off the simplex of sequences says nothing of them.

    Returns:
        (N, 4, L) float32, not negative; its values at the observed bases are the projected track.
    """
    return np.abs(gradient(module, one_hot, corrected=corrected, batch_size=batch_size))
