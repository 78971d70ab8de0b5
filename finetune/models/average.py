"""The average over other cells beside the sequence, for a new cell that has data on some windows and no other track.

``cell.average: offset`` predicts that average changed by the sequence; ``input`` lets the change see the average too.
Before training the change is 0, and the prediction the average or the head's own.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["AverageAdapter"]


class AverageAdapter(nn.Module):
    """The change of logits that sequence, and the average where it is an input, make.

    Args:
        tracks: of the head. channels: of the embedding; None leaves the sequence out (``cell.dna: false``).
        average: whether the average is seen. width: of the hidden layer. kernel: bins that it sees, odd.
    """

    def __init__(self, tracks: int, channels: int | None, average: bool, width: int = 16, kernel: int = 5) -> None:
        super().__init__()
        self.dna, self.takes_average = channels is not None, average
        seen = (channels or 0) + (tracks if average else 0)
        self.first = nn.Conv1d(seen, width, 1)
        self.last = nn.Conv1d(width, tracks, kernel, padding=kernel // 2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self,
        embedding: torch.Tensor | None,
        atac: torch.Tensor | None,
        summary: torch.Tensor | None,
        average: torch.Tensor | None,
    ) -> torch.Tensor:
        """(n, channels, bins) and (n, tracks, bins) to (n, tracks, bins); the cell's own track is none."""
        seen = [] if embedding is None else [embedding]
        if self.takes_average and average is not None:
            seen.append(torch.log1p(torch.nan_to_num(average).clamp_min(0)))
        return self.last(nn.functional.gelu(self.first(torch.cat(seen, dim=1)), approximate="tanh"))
