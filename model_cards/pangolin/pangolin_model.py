"""Pangolin (Zeng and Li 2022, doi:10.1186/s13059-022-02664-4): splicing and splice site usage in four tissues."""

import torch
from torch import Tensor, nn

N_TISSUES = 4
# (kernel width, dilation) of the residual blocks; a skip connection leaves after every fourth.
BLOCKS = [(11, 1)] * 4 + [(11, 4)] * 4 + [(21, 10)] * 4 + [(41, 25)] * 4


class ResBlock(nn.Module):
    """Twice batch norm, ReLU, dilated convolution. No padding: each end loses (width - 1) * dilation bp."""

    def __init__(self, channels: int, width: int, dilation: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm1d(channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv1d(channels, channels, width, dilation=dilation)
        self.bn2 = nn.BatchNorm1d(channels)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv1d(channels, channels, width, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        change = self.conv1(self.relu1(self.bn1(x)))
        change = self.conv2(self.relu2(self.bn2(change)))
        return middle(x, change.shape[2]) + change


class Pangolin(nn.Module):
    """(N, 4, L) one-hot to (N, 12, L - 10000): for each tissue P(not a splice site), P(splice site), usage.

    Names of the parameters are those of the published state dict: ``conv_last1`` and ``conv_last2`` are the two
    heads of the first tissue, and so on. The context is used up block by block; zero padding and one crop at the
    end, as published, give the same numbers for more work.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(4, channels, 1)
        self.skip = nn.Conv1d(channels, channels, 1)
        self.resblocks = nn.ModuleList(ResBlock(channels, width, dilation) for width, dilation in BLOCKS)
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(len(BLOCKS) // 4))
        for tissue in range(N_TISSUES):
            self.add_module(f"conv_last{2 * tissue + 1}", nn.Conv1d(channels, 2, 1))
            self.add_module(f"conv_last{2 * tissue + 2}", nn.Conv1d(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[2] - 2 * sum((width - 1) * dilation for width, dilation in BLOCKS)
        x = self.conv1(unknown_as_zero(x))
        skip = self.skip(middle(x, length))
        for i, block in enumerate(self.resblocks):
            x = block(x)
            if i % 4 == 3:
                skip = skip + self.convs[i // 4](middle(x, length))
        outputs = []
        for tissue in range(N_TISSUES):
            splice = self.get_submodule(f"conv_last{2 * tissue + 1}")(skip)
            usage = self.get_submodule(f"conv_last{2 * tissue + 2}")(skip)
            outputs += [torch.softmax(splice, dim=1), torch.sigmoid(usage)]
        return torch.cat(outputs, dim=1)


def unknown_as_zero(x: Tensor) -> Tensor:
    """The network was trained with zeros at unknown bases; Kipoi's dataloaders write 0.25 in all channels."""
    return x.masked_fill((x == 0.25).all(dim=1, keepdim=True), 0.0)


def middle(x: Tensor, length: int) -> Tensor:
    """The central ``length`` positions of the last axis."""
    start = (x.shape[2] - length) // 2
    return x[:, :, start : start + length]
