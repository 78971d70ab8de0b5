"""Kipoi's example model ``pyt``: one hidden layer over the flattened window."""

from torch import Tensor, nn


class ExampleModel(nn.Sequential):
    """(N, 1000, 4) one-hot to (N, 1), between 0 and 1."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(4000, 100), nn.ReLU(), nn.Linear(100, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)
