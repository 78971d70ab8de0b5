"""OpenSpliceAI (Chao et al. 2025, doi:10.7554/eLife.107454): SpliceAI's networks, retrained, with leaky ReLU."""

import torch
from torch import Tensor, nn

SLOPE = 0.1  # of the leaky ReLU below zero
# (kernel width, dilation) of the residual units, four of each; a skip connection leaves after every fourth.
GROUPS = [(11, 1), (11, 4), (21, 10), (41, 25)]
CONTEXTS = [80, 400, 2000, 10_000]  # bp that so many groups use up: 8 * (width - 1) * dilation each


class ResidualUnit(nn.Module):
    """Twice batch norm, leaky ReLU, dilated convolution. No padding: each end loses (width - 1) * dilation bp."""

    def __init__(self, channels: int, width: int, dilation: int) -> None:
        super().__init__()
        self.batchnorm1 = nn.BatchNorm1d(channels)
        self.batchnorm2 = nn.BatchNorm1d(channels)
        self.relu1 = nn.LeakyReLU(SLOPE)
        self.relu2 = nn.LeakyReLU(SLOPE)
        self.conv1 = nn.Conv1d(channels, channels, width, dilation=dilation)
        self.conv2 = nn.Conv1d(channels, channels, width, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        change = self.conv1(self.relu1(self.batchnorm1(x)))
        change = self.conv2(self.relu2(self.batchnorm2(change)))
        return middle(x, change.shape[2]) + change


class Skip(nn.Module):
    """A convolution of width 1 on the way to the output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class OpenSpliceAI(nn.Module):
    """Probabilities of neither, acceptor and donor, (N, 4, L) to (N, 3, L - context).

    ``context`` is 80, 400, 2000 or 10000: the more, the more groups of residual units. Names of the parameters are
    those of the published state dict. The context is used up unit by unit; zero padding and one crop at the end, as
    published, give the same numbers for more work.
    """

    def __init__(self, context: int, channels: int = 32) -> None:
        super().__init__()
        self.context = context
        self.initial_conv = nn.Conv1d(4, channels, 1)
        self.initial_skip = Skip(channels)
        self.residual_units = nn.ModuleList()
        for width, dilation in GROUPS[: CONTEXTS.index(context) + 1]:
            self.residual_units.extend(ResidualUnit(channels, width, dilation) for _ in range(4))
            self.residual_units.append(Skip(channels))
        self.final_conv = nn.Conv1d(channels, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[2] - self.context
        x = self.initial_conv(unknown_as_zero(x))
        skip = self.initial_skip(middle(x, length))
        for layer in self.residual_units:
            if isinstance(layer, Skip):
                skip = skip + layer(middle(x, length))
            else:
                x = layer(x)
        return torch.softmax(self.final_conv(skip), dim=1)


def unknown_as_zero(x: Tensor) -> Tensor:
    """The network was trained with zeros at unknown bases; Kipoi's dataloaders write 0.25 in all channels."""
    return x.masked_fill((x == 0.25).all(dim=1, keepdim=True), 0.0)


def middle(x: Tensor, length: int) -> Tensor:
    """The central ``length`` positions of the last axis."""
    start = (x.shape[2] - length) // 2
    return x[:, :, start : start + length]
