"""Basset (Kelley et al. 2016) as converted to PyTorch for Kipoi.

Layers stand at the places of Sequential that the published state_dict names (``0.weight`` ...).
"""

from torch import nn


def convolution(inputs: int, outputs: int, width: int, pool: int) -> list[nn.Module]:
    """Convolution along the sequence, batch norm, rectifier, pooling: four places."""
    return [nn.Conv2d(inputs, outputs, (width, 1)), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d((pool, 1))]


def dense(inputs: int, outputs: int) -> nn.Sequential:
    """The state_dict has dense layers one level deeper, as second of two."""
    return nn.Sequential(nn.Identity(), nn.Linear(inputs, outputs))


def hidden(inputs: int, outputs: int) -> list[nn.Module]:
    """Dense layer, batch norm, rectifier, dropout: four places."""
    return [dense(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.3)]


class Basset(nn.Sequential):
    """Probabilities of accessible chromatin in 164 cell types: (N, 4, 600, 1) to (N, 164)."""

    def __init__(self) -> None:
        super().__init__(
            *convolution(4, 300, 19, 3), *convolution(300, 200, 11, 4), *convolution(200, 200, 7, 4),
            nn.Flatten(), *hidden(200 * 10, 1000), *hidden(1000, 1000), dense(1000, 164), nn.Sigmoid(),
        )
