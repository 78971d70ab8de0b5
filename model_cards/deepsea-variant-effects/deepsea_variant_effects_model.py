"""DeepSEA (Zhou & Troyanskaya 2015) as Kipoi publishes it for variant effects: one strand.

Layers stand at the places of Sequential that the published state_dict names (``1.0.weight`` ...).
"""

from torch import Tensor, nn


class SwapInner(nn.Module):
    """Channels A C G T to A G C T, the order that the weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, [0, 2, 1, 3]]


def rectify() -> nn.Module:
    """Where the original's rectifier gives zero it gives 1e-6."""
    return nn.Threshold(0, 1e-6)


def dense(inputs: int, outputs: int) -> nn.Sequential:
    """The state_dict has dense layers one level deeper, as second of two."""
    return nn.Sequential(nn.Identity(), nn.Linear(inputs, outputs))


class DeepSeaVariantEffects(nn.Sequential):
    """Probabilities of 919 chromatin features for the strand that is given: (N, 4, 1, 1000) to (N, 919)."""

    def __init__(self) -> None:
        network = nn.Sequential(
            nn.Conv2d(4, 320, (1, 8)), rectify(), nn.MaxPool2d((1, 4)), nn.Dropout(0.2),
            nn.Conv2d(320, 480, (1, 8)), rectify(), nn.MaxPool2d((1, 4)), nn.Dropout(0.2),
            nn.Conv2d(480, 960, (1, 8)), rectify(), nn.Dropout(0.5),
            nn.Flatten(), dense(960 * 53, 925), rectify(), dense(925, 919), nn.Sigmoid(),
        )
        super().__init__(SwapInner(), network)
