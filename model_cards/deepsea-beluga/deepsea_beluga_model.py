"""Beluga, the chromatin model of ExPecto (Zhou et al. 2018): DeepSEA with pairs of convolutions.

Layers stand at the places of Sequential that the published state_dict names (``model.0.0.weight`` ...).
"""

from torch import Tensor, nn


def pair(inputs: int, outputs: int) -> list[nn.Module]:
    """Two convolutions of width 8, each with a rectifier."""
    return [nn.Conv2d(inputs, outputs, (1, 8)), nn.ReLU(), nn.Conv2d(outputs, outputs, (1, 8)), nn.ReLU()]


def dense(inputs: int, outputs: int) -> nn.Sequential:
    """The state_dict has dense layers one level deeper, as second of two."""
    return nn.Sequential(nn.Identity(), nn.Linear(inputs, outputs))


class DeepSeaBeluga(nn.Module):
    """Probabilities of 2,002 chromatin features: (N, 4, 1, 2000), channels A G C T, to (N, 2002)."""

    def __init__(self) -> None:
        super().__init__()
        convolutions = nn.Sequential(
            *pair(4, 320), nn.Dropout(0.2), nn.MaxPool2d((1, 4)),
            *pair(320, 480), nn.Dropout(0.2), nn.MaxPool2d((1, 4)),
            *pair(480, 640),
        )
        classifier = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), dense(640 * 106, 2003), nn.ReLU(), dense(2003, 2002))
        self.model = nn.Sequential(convolutions, classifier, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)
