"""Xpresso (Agarwal and Shendure 2020, doi:10.1016/j.celrep.2020.107663) on the promoter alone.

The authors' Keras file takes six features of the mRNA's half-life too. They are taken as 0, their mean: the rows of the
first dense layer that belong to them have no effect, and are dropped when the arrays of that file are loaded.
"""

from typing import Any

import torch
from torch import Tensor, nn

HALF_LIFE = 6
LAYERS = {"conv1d_1": "motifs", "conv1d_2": "groups", "dense_1": "first", "dense_2": "second", "dense_3": "last"}


class Xpresso(nn.Module):
    """Median expression, standardised log10: (N, 4, 10500) one-hot to (N, 1)."""

    def __init__(self, length: int = 10_500) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d((2, 3), 0.0)  # as Keras keeps the length of an even width
        self.motifs = nn.Conv1d(4, 128, kernel_size=6)
        self.groups = nn.Conv1d(128, 32, kernel_size=9, padding="same")
        self.pool, self.pool_again = nn.MaxPool1d(30), nn.MaxPool1d(10)
        self.first = nn.Linear(32 * (length // 30 // 10), 64)
        self.second = nn.Linear(64, 2)
        self.last = nn.Linear(2, 1)
        self.act_motifs, self.act_groups, self.act_first, self.act_second = (nn.ReLU() for _ in range(4))
        self.register_load_state_dict_pre_hook(_from_keras)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act_motifs(self.motifs(self.pad(x))))
        x = self.pool_again(self.act_groups(self.groups(x)))
        x = torch.flatten(x.transpose(1, 2), 1)  # Keras has channels last
        return self.last(self.act_second(self.second(self.act_first(self.first(x)))))


def _from_keras(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Names and axes of Keras (``dense_1/dense_1/kernel:0``) to ours, without the rows of the half-life."""
    for name in list(state):
        layer, _, array = name.removeprefix(prefix).partition("/")
        if layer not in LAYERS:
            continue
        tensor = state.pop(name)
        kernel = array.endswith("kernel:0")
        if layer == "dense_1" and kernel:
            tensor = tensor[:-HALF_LIFE]
        if kernel:
            tensor = tensor.permute(*range(tensor.ndim - 1, -1, -1)).contiguous()
        state[f"{prefix}{LAYERS[layer]}.{'weight' if kernel else 'bias'}"] = tensor
