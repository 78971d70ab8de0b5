"""Batches of windows, targets and what is known of the cell, in an order that the seed alone decides."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """What one step sees. One row is a window, or a window in one cell.

    Attributes:
        head: the head that is trained.
        inputs: (n, 4, L) one-hot, or (n, channels, positions) embeddings where these were cached.
        embedded: whether ``inputs`` are embeddings.
        target: (n, tracks, bins) float32, transformed; NaN where nothing was measured.
        weight: (n, tracks) float32 of the loss.
        atac: (n, 1, bins) the cell's track less the training average, or None.
        summary: (n, k) features of the cell's whole track, zero for the average cell, or None.
        average: (n, tracks, bins) the mean track of training cells without this one, or None.
        rows: (n,) int64 numbers of the windows. cells: (n,) int64 numbers of the cells, or None.
    """

    head: str
    inputs: torch.Tensor
    embedded: bool
    target: torch.Tensor
    weight: torch.Tensor
    atac: torch.Tensor | None
    summary: torch.Tensor | None
    average: torch.Tensor | None
    rows: torch.Tensor
    cells: torch.Tensor | None
