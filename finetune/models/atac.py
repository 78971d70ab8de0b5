"""A cell's own track beside the sequence: its difference from the training average changes the prediction of DNA.

The track is taken as a difference, per bin and as a summary of the whole, and no layer that it passes has a bias: the
average cell, whose difference is zero, gets exactly the change 0.0, whatever the weights and the sequence are. So the
model cannot gain by predicting the average better, only by what this cell has of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from finetune.data.cell_track import Summary, cell_summary, difference, fit_summary, refuse_itself, track_features
from finetune.models.cut import activate, to_logit
from zoo.errors import ModelError

__all__ = [
    "FLOOR",
    "Baked",
    "CellAdapter",
    "Summary",
    "bake",
    "cell_summary",
    "difference",
    "fit_summary",
    "offset_logits",
    "offset_prediction",
    "refuse_itself",
    "to_bins",
    "track_features",
]

#: Least mean that an offset takes the logarithm of; bins below it can still rise.
FLOOR = 0.01


class CellAdapter(nn.Module):
    """The change of logits that a cell's own track makes.

    The difference is filtered, the summary spread over all bins, and each is multiplied by what the DNA's embedding
    (and the average, where it is an input) opens at the bin; two layers without bias follow. The last starts at zero:
    before training each cell gets the average prediction.

    Args:
        tracks: of the head that is changed.
        channels: of the embedding; None makes the model without sequence (``cell.dna: false``).
        summary: numbers of the summary; 0 for none.
        width: of the layers.
        average: whether the average track is an input of the gate (``cell.average: input`` or ``both``).
        kernel: bins that the filters see, odd.
        pool: positions of the embedding to a bin.
        scales: widths in bins, odd, of running means of the difference that are seen beside each other.
        limit: largest change of a logit either way, approached smoothly; for logits of a logarithm (3 is 20-fold),
            where a cell beyond all training cells would else be changed without bounds. None for other units.
    """

    def __init__(
        self,
        tracks: int,
        channels: int | None,
        summary: int = 8,
        width: int = 16,
        average: bool = False,
        kernel: int = 5,
        pool: int = 1,
        scales: tuple[int, ...] = (1,),
        limit: float | None = None,
    ) -> None:
        super().__init__()
        self.tracks, self.channels, self.n_summary = tracks, channels, summary
        self.takes_average, self.pool, self.width, self.dna = average, pool, width, channels is not None
        self.kernel = kernel
        same = {"kernel_size": kernel, "padding": kernel // 2, "bias": False}
        self.scales, self.limit = tuple(scales), limit
        self.filters = nn.Conv1d(len(self.scales), width, **same)
        self.bend = nn.Conv1d(width, width, 1, bias=False)
        self.spread = nn.Linear(summary, width, bias=False) if summary else None
        self.cross = nn.Linear(summary, width, bias=False) if summary else None
        self.mix = nn.Conv1d(width, width, **same)
        self.last = nn.Conv1d(2 * width, tracks, **same)
        nn.init.zeros_(self.last.weight)
        seen = (channels or 0) + (tracks if average else 0)
        parts = 2 * width if summary else width
        self.gate = (
            nn.Sequential(nn.Conv1d(seen, width, 1), nn.GELU(approximate="tanh"), nn.Conv1d(width, parts, 1))
            if seen
            else None
        )
        self.open = None if seen else nn.Parameter(torch.ones(1, parts, 1))

    def arguments(self) -> dict[str, Any]:
        """What another one of the same shape is built with, as YAML takes it."""
        return {
            "tracks": self.tracks,
            "channels": self.channels,
            "summary": self.n_summary,
            "width": self.width,
            "average": self.takes_average,
            "kernel": self.kernel,
            "pool": self.pool,
            "scales": list(self.scales),
            "limit": self.limit,
        }

    def forward(
        self,
        embedding: torch.Tensor | None,
        atac: torch.Tensor,
        summary: torch.Tensor | None = None,
        average: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The change.

        Args:
            embedding: (n, channels, positions); the middle ``bins * pool`` positions are used. Not looked at by the
                model without sequence.
            atac: (n, 1, bins) difference of the cell's track from the training average; NaN, not measured, is 0.
            summary: (n, k), zero for the average cell.
            average: (n, tracks, bins) of training cells; NaN is 0.

        Returns:
            (n, tracks, bins) change of logits, exactly 0 where the difference and the summary are 0.

        Raises:
            ModelError: the embedding has not as many positions as the bins need.
        """
        atac = torch.nan_to_num(atac)
        atac = torch.cat([_running_mean(atac, scale) for scale in self.scales], dim=1)
        gates = self._gates(embedding, average, atac.shape[-1])
        own = self.filters(atac)
        own = own + self.bend(functional.gelu(own, approximate="tanh"))
        hidden = own * gates[:, : self.width]
        if self.spread is not None and summary is not None:
            summary = torch.asinh(summary)  # a new cell may lie beyond all training cells
            hidden = hidden + self.spread(summary)[:, :, None] * gates[:, self.width :]
            hidden = hidden + own * torch.tanh(self.cross(summary))[:, :, None]
        change = self.last(torch.cat([hidden, functional.gelu(self.mix(hidden), approximate="tanh")], dim=1))
        return change if self.limit is None else self.limit * torch.tanh(change / self.limit)

    def _gates(self, embedding: torch.Tensor | None, average: torch.Tensor | None, bins: int) -> torch.Tensor:
        """(n or 1, parts, bins or 1) factors of the filtered difference, then of the summary."""
        if self.gate is None:
            assert self.open is not None
            return self.open
        seen = []
        if self.channels is not None:
            if embedding is None:
                raise ModelError("the adapter is gated by DNA and got no embedding", "", "Fix: set `cell.dna: false`")
            seen.append(to_bins(embedding, bins, self.pool))
        if self.takes_average:
            if average is None:
                raise ModelError(
                    "the adapter takes the average track and got none", "", "Fix: set `cell.average: offset`"
                )
            seen.append(torch.log1p(torch.nan_to_num(average).clamp_min(0)))
        return torch.tanh(self.gate(torch.cat(seen, dim=1)))


def _running_mean(track: torch.Tensor, width: int) -> torch.Tensor:
    if width == 1:
        return track
    return functional.avg_pool1d(track, width, stride=1, padding=width // 2, count_include_pad=False)


def to_bins(embedding: torch.Tensor, bins: int, pool: int) -> torch.Tensor:
    """(n, channels, positions) to (n, channels, bins): the middle positions, ``pool`` of them averaged to a bin.

    Raises:
        ModelError: there are too few, or the rest does not lie evenly on both sides.
    """
    spare = embedding.shape[-1] - bins * pool
    if spare < 0 or spare % 2:
        raise ModelError(
            f"an embedding of {embedding.shape[-1]} positions has no middle of {bins} bins of {pool} positions",
            "",
            "Fix: choose `bin` so that it divides the base's output",
        )
    middle = embedding[..., spare // 2 : spare // 2 + bins * pool]
    return middle if pool == 1 else middle.unflatten(-1, (bins, pool)).mean(-1)


def offset_logits(average: torch.Tensor, activation: str, floor: float = FLOOR) -> torch.Tensor:
    """The logits whose activation is the average: what a change is added to under ``cell.average: offset``.

    Args:
        average: (n, tracks, bins); NaN becomes the floor's logit, and its target is masked.
        activation: ``exp``, ``softplus``, ``sigmoid``, ``softmax`` or ``identity``.
        floor: least mean under ``exp``, ``softplus`` and ``softmax``, and distance from 0 and 1 under ``sigmoid``; a
            bin that no training cell had reads in is thus able to rise.
    """
    return to_logit(torch.nan_to_num(average), activation, floor)


def offset_prediction(
    average: torch.Tensor, change: torch.Tensor, activation: str, floor: float = FLOOR
) -> torch.Tensor:
    """The prediction from average and change: the average itself, to the bit, where the change is 0.

    An inverse and its activation agree to rounding only, and not below the floor; these bins skip both. Under
    ``softmax``, which couples tracks, a column of tracks must be unchanged as a whole.

    Args:
        average, change: (n, tracks, bins).
    """
    logits = offset_logits(average, activation, floor) + change
    same = (change == 0).all(1, keepdim=True) if activation == "softmax" else change == 0
    return torch.where(same, average.to(logits), activate(logits, activation))


class Baked(nn.Module):
    """A head of one cell: the summary is a constant, and the per-bin track is the average's (difference 0).

    What the whole track says of the cell stays; what it says of a single bin is lost, so that sequences alone are
    enough to predict. Made by ``bake``.
    """

    def __init__(self, adapter: CellAdapter, summary: torch.Tensor, head: nn.Module | None) -> None:
        super().__init__()
        self.adapter, self.head = adapter, head
        self.register_buffer("summary", summary.detach().clone().reshape(1, -1))

    def forward(self, embedding: torch.Tensor, average: torch.Tensor | None = None) -> torch.Tensor:
        """(n, channels, positions) to (n, tracks, bins) logits, or to the change of logits where there is no head."""
        logits = None if self.head is None else self.head(embedding)
        bins = embedding.shape[-1] // self.adapter.pool if logits is None else logits.shape[-1]
        atac = embedding.new_zeros(len(embedding), 1, bins)
        change = self.adapter(embedding, atac, self.summary.expand(len(embedding), -1), average)
        return change if logits is None else logits + change


def bake(adapter: CellAdapter, summary: torch.Tensor | Sequence[float], head: nn.Module | None = None) -> Baked:
    """One cell's head, which needs no track of the cell any more.

    Args:
        summary: (k,) of the cell. head: the shared head whose logits the adapter changes; None gives the change alone.

    Raises:
        ModelError: there is nothing to bake (no summary), or the model has no sequence.
    """
    values = torch.as_tensor(summary, dtype=torch.float32)
    if not adapter.n_summary or values.numel() != adapter.n_summary:
        raise ModelError(
            f"a cell's head needs {adapter.n_summary or 'a'} summary number(s), got {values.numel()}",
            "",
            "Fix: train with `cell.summary: 8`" if not adapter.n_summary else "Fix: give the summary of this run",
        )
    if adapter.channels is None:
        raise ModelError(
            "without sequence and without the track's bins nothing is left of a cell's head",
            "",
            "Fix: `cell.dna: true`",
        )
    return Baked(adapter, values, head)
