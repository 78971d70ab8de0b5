"""SpliceAI-10k (Jaganathan et al. 2019, doi:10.1016/j.cell.2018.12.015): five dilated residual networks, averaged.

The weights are those of five Keras files; the names of the file number ``i`` begin with ``members.<i>.``:
``members.0.conv1d_3/conv1d_3/kernel:0``.
"""

import re
from typing import Any

import torch
from torch import Tensor, nn

BATCHNORM_EPS = 1e-3  # Keras' default; torch's is 1e-5
# (kernel width, dilation) of the residual blocks; a skip connection leaves after every fourth.
BLOCKS = [(11, 1)] * 4 + [(11, 4)] * 4 + [(21, 10)] * 4 + [(41, 25)] * 4


def block(channels: int, width: int, dilation: int) -> nn.Sequential:
    """Twice batch norm, ReLU, dilated convolution. No padding: each end loses (width - 1) * dilation bp."""
    return nn.Sequential(
        nn.BatchNorm1d(channels, eps=BATCHNORM_EPS),
        nn.ReLU(),
        nn.Conv1d(channels, channels, width, dilation=dilation),
        nn.BatchNorm1d(channels, eps=BATCHNORM_EPS),
        nn.ReLU(),
        nn.Conv1d(channels, channels, width, dilation=dilation),
    )


class SpliceNetwork(nn.Module):
    """(N, 4, L) one-hot to logits (N, 3, L - 10000): neither, acceptor, donor.

    The context is used up block by block. Zero padding and one crop at the end, as published, give the same
    numbers for more work: what is cropped is all that the padding reaches.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, channels, 1)
        self.first_skip = nn.Conv1d(channels, channels, 1)
        self.blocks = nn.ModuleList(block(channels, width, dilation) for width, dilation in BLOCKS)
        self.skips = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(len(BLOCKS) // 4))
        self.last = nn.Conv1d(channels, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[2] - 2 * sum((width - 1) * dilation for width, dilation in BLOCKS)
        x = self.first(x)
        skip = self.first_skip(middle(x, length))
        for i, residual in enumerate(self.blocks):
            change = residual(x)
            x = middle(x, change.shape[2]) + change
            if i % 4 == 3:
                skip = skip + self.skips[i // 4](middle(x, length))
        return self.last(skip)


class SpliceAI(nn.Module):
    """Probabilities of neither, acceptor and donor, (N, 4, L) to (N, 3, L - 10000): the mean of the members."""

    def __init__(self, n_members: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(SpliceNetwork() for _ in range(n_members))
        self.register_load_state_dict_pre_hook(from_keras)

    def forward(self, x: Tensor) -> Tensor:
        x = unknown_as_zero(x)
        return torch.stack([member(x).softmax(dim=1) for member in self.members]).mean(dim=0)


def unknown_as_zero(x: Tensor) -> Tensor:
    """The network was trained with zeros at unknown bases; Kipoi's dataloaders write 0.25 in all channels."""
    return x.masked_fill((x == 0.25).all(dim=1, keepdim=True), 0.0)


def middle(x: Tensor, length: int) -> Tensor:
    """The central ``length`` positions of the last axis."""
    start = (x.shape[2] - length) // 2
    return x[:, :, start : start + length]


def layer_names() -> tuple[list[str], list[str]]:
    """Our names of the convolutions and of the batch norms in the order in which Keras numbers them, from 1."""
    convolutions, norms = ["first", "first_skip"], []
    for i in range(len(BLOCKS)):
        convolutions += [f"blocks.{i}.2", f"blocks.{i}.5"]
        norms += [f"blocks.{i}.0", f"blocks.{i}.3"]
        if i % 4 == 3:
            convolutions.append(f"skips.{i // 4}")
    return [*convolutions, "last"], norms


TENSOR = re.compile(
    r"(?P<member>members\.\d+\.)(?P<layer>conv1d|batch_normalization)_(?P<number>\d+)/.+/(?P<name>\w+):0"
)
PARAMETERS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def from_keras(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give the tensors of the Keras files the names and axes of this module, in place; other names stay as they are."""
    convolutions, norms = layer_names()
    for name in list(state):
        found = TENSOR.fullmatch(name.removeprefix(prefix))
        if found is None:
            continue
        layers = convolutions if found["layer"] == "conv1d" else norms
        target = f"{prefix}{found['member']}{layers[int(found['number']) - 1]}.{PARAMETERS[found['name']]}"
        state[target] = turned(state.pop(name))


def turned(tensor: Tensor) -> Tensor:
    """A kernel (width, in, out) as torch has it, (out, in, width); a vector as it is."""
    return tensor.permute(2, 1, 0).contiguous() if tensor.ndim == 3 else tensor
