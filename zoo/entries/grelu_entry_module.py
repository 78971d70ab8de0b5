"""An architecture of gReLU (https://github.com/Genentech/gReLU) and the activation of its task.

Written by `zoo add`; model.yaml holds the arguments. Needs torch and gReLU (`pip install grelu`).
"""

from typing import ClassVar

import grelu.model.models
import torch
from torch import Tensor, nn


class Exp(nn.Module):
    """Rates of the logs of rates that the model gives."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(x)


ACTIVATIONS = {"exp": Exp, "identity": nn.Identity, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(dim=1)}


class GreluEntry(nn.Module):
    """(N, 4, length) one-hot to (N, tasks, bins), or to (N, tasks) where the model pools its bins into one.

    `model_type` names a class of `grelu.model.models`, `model_params` are its arguments.
    """

    zoo_explain: ClassVar = {"logits": "logits"}  # `zoo attribute` explains what this method gives

    def __init__(self, model_type: str, model_params: dict, activation: str, scalar: bool) -> None:
        super().__init__()
        self.model = getattr(grelu.model.models, model_type)(**model_params)
        self.activation = ACTIVATIONS[activation]()
        self.scalar = scalar

    def logits(self, x: Tensor) -> Tensor:
        """Before the activation; explain this output."""
        x = self.model(x)
        return x.squeeze(-1) if self.scalar else x

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.logits(x))
