"""DeepSEA (Zhou & Troyanskaya 2015) as Kipoi publishes it for predictions: the mean of both strands.

Layers stand at the places of Sequential that the published state_dict names (``2.0.weight`` ...).
"""

import torch
from torch import Tensor, nn


class SwapInner(nn.Module):
    """Channels A C G T to A G C T, the order that the weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, [0, 2, 1, 3]]


class AddReverseComplement(nn.Module):
    """(N, 4, 1, L) to (2N, 4, 1, L): the other strands follow. In A G C T, reversal of channels complements."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.flip(1, 3)])


class MeanOfStrands(nn.Module):
    """(2N, features) to (N, features)."""

    def forward(self, x: Tensor) -> Tensor:
        forward, reverse = x.chunk(2)
        return forward / 2 + reverse / 2


def rectify() -> nn.Module:
    """Where the original's rectifier gives zero it gives 1e-6."""
    return nn.Threshold(0, 1e-6)


def dense(inputs: int, outputs: int) -> nn.Sequential:
    """The state_dict has dense layers one level deeper, as second of two."""
    return nn.Sequential(nn.Identity(), nn.Linear(inputs, outputs))


class DeepSeaPredict(nn.Sequential):
    """Probabilities of 919 chromatin features, averaged over both strands: (N, 4, 1, 1000) to (N, 919)."""

    def __init__(self) -> None:
        network = nn.Sequential(
            nn.Conv2d(4, 320, (1, 8)), rectify(), nn.MaxPool2d((1, 4)), nn.Dropout(0.2),
            nn.Conv2d(320, 480, (1, 8)), rectify(), nn.MaxPool2d((1, 4)), nn.Dropout(0.2),
            nn.Conv2d(480, 960, (1, 8)), rectify(), nn.Dropout(0.5),
            nn.Flatten(), dense(960 * 53, 925), rectify(), dense(925, 919), nn.Sigmoid(),
        )
        super().__init__(SwapInner(), AddReverseComplement(), network, MeanOfStrands())
