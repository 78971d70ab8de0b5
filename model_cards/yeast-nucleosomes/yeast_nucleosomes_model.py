"""The yeast-atac network in plain PyTorch.

The same layers, in the same order, as `grelu.model.models.ConvModel` with the arguments in
`grelu.ckpt`, so that both give the same numbers to the last bit.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn


class Stem(nn.Module):
    """Motif-like filters at base resolution: (N, 4, L) to (N, channels, L)."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, channels, kernel_size, padding="same")
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x))


class Block(nn.Module):
    """Dilated convolution with batch norm and a residual; halves the length."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            in_channels, out_channels, kernel_size, padding="same", dilation=dilation
        )
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.BatchNorm1d(out_channels)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv1d(in_channels, out_channels, kernel_size=1, padding="same")
        )
        self.act = nn.ReLU()
        self.pool = nn.MaxPool1d(2)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm(self.dropout(self.conv(x)))
        return self.pool(self.act(torch.add(residual, self.shortcut(x))))


class YeastAtac(nn.Module):
    """Tn5 cuts per 32-bp bin from sequence.

    Args mirror gReLU's names. `channels` lists the output channels of each block; five blocks
    halve the length five times, hence bins of 32 bp.
    """

    zoo_explain: ClassVar = {"logits": "logits"}  # `zoo attribute` explains what this method gives

    def __init__(
        self,
        stem_channels: int,
        stem_kernel_size: int,
        channels: list[int],
        kernel_size: int,
        dilations: list[int],
        dropout: float = 0.0,
        crop_bins: int = 0,
    ) -> None:
        super().__init__()
        widths = [stem_channels, *channels]
        self.stem = Stem(stem_channels, stem_kernel_size)
        self.blocks = nn.ModuleList(
            Block(narrow, wide, kernel_size, dilation, dropout)
            for narrow, wide, dilation in zip(widths[:-1], widths[1:], dilations, strict=True)
        )
        self.crop_bins = crop_bins
        self.head = nn.Conv1d(widths[-1], 1, kernel_size=1, padding="same")

    def logits(self, x: Tensor) -> Tensor:
        """Log of the expected cuts, (N, 4, L) one-hot to (N, 1, bins); explain this output."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        if self.crop_bins:
            x = x[..., self.crop_bins : -self.crop_bins]
        return self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """Expected cuts per bin, (N, 4, L) one-hot to (N, 1, bins)."""
        return torch.exp(self.logits(x))
