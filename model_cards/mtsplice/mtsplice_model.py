"""MTSplice (Cheng et al. 2021, doi:10.1186/s13059-021-02273-7): the mean of the eight networks of mmsplice 2.4.0.

The weights are the arrays of mmsplice's eight Keras files, by the names that these have; `load_state_dict` takes them.
"""

import re
from typing import Any

import torch
from torch import Tensor, nn

N_BASES, DEGREE = 10, 3
EPSILON = 1e-3  # of Keras's BatchNormalization

# Keras's layer -> ours; Keras's array -> ours.
LAYERS = {
    "conv_exon": "conv",
    "bn1": "norm_acceptor",
    "bn2": "norm_donor",
    "splinel": "spline_acceptor",
    "spliner": "spline_donor",
    "bn5": "norm_mean",
    "dense": "hidden",
    "bn6": "norm_hidden",
    "dense2": "tissues",
}
ARRAYS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
KERAS_NAME = re.compile(r"(members\.\d+\.)(\w+)/.+/(\w+):0")


def spline_bases(length: int) -> Tensor:
    """B-splines at positions 0 ... length - 1, (length, bases) float32; knots are those of the package concise."""
    start, end = -0.001 * (length - 1), 1.001 * (length - 1)
    step = (end - start) / (N_BASES - DEGREE)
    # concise keeps its knots in single precision.
    knots = torch.linspace(start - step * DEGREE, end + step * DEGREE, N_BASES + DEGREE + 1, dtype=torch.float64)
    knots = knots.float().double()
    x = torch.arange(length, dtype=torch.float64)[:, None]
    bases = ((knots[:-1] <= x) & (x < knots[1:])).double()
    for k in range(1, DEGREE + 1):  # Cox and de Boor
        left = (x - knots[: -k - 1]) / (knots[k:-1] - knots[: -k - 1])
        right = (knots[k + 1 :] - x) / (knots[k + 1 :] - knots[1:-k])
        bases = left * bases[:, :-1] + right * bases[:, 1:]
    return bases.float()


class SplineWeight(nn.Module):
    """x * (1 + s), where s is a smooth function of the position for each channel: (N, channels, length) to the same."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(N_BASES, channels))
        self.register_buffer("bases", spline_bases(length), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + (self.bases @ self.weight).T)


class Network(nn.Module):
    """One of the eight: (N, 4, 400) around the acceptor and (N, 4, 400) around the donor to (N, 56)."""

    def __init__(self, half: int, channels: int, hidden: int, tissues: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, channels, kernel_size=9, padding="same")
        self.norm_acceptor = nn.BatchNorm1d(channels, eps=EPSILON)
        self.norm_donor = nn.BatchNorm1d(channels, eps=EPSILON)
        self.act_acceptor, self.act_donor, self.act_hidden = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.spline_acceptor = SplineWeight(channels, half)
        self.spline_donor = SplineWeight(channels, half)
        self.norm_mean = nn.BatchNorm1d(channels, eps=EPSILON)
        self.hidden = nn.Linear(channels, hidden)
        self.norm_hidden = nn.BatchNorm1d(hidden, eps=EPSILON)
        self.tissues = nn.Linear(hidden, tissues)

    def forward(self, acceptor: Tensor, donor: Tensor) -> Tensor:
        acceptor = self.spline_acceptor(self.act_acceptor(self.norm_acceptor(self.conv(acceptor))))
        donor = self.spline_donor(self.act_donor(self.norm_donor(self.conv(donor))))
        x = self.norm_mean(torch.cat([acceptor, donor], dim=2).mean(dim=2))
        return self.tissues(self.norm_hidden(self.act_hidden(self.hidden(x))))


class MTSplice(nn.Module):
    """Deviation of logit(PSI) in each tissue: (N, 4, 800) one-hot, the acceptor's 400 bp first, to (N, 56)."""

    def __init__(
        self, members: int = 8, half: int = 400, channels: int = 64, hidden: int = 32, tissues: int = 56
    ) -> None:
        super().__init__()
        self.half = half
        self.members = nn.ModuleList(Network(half, channels, hidden, tissues) for _ in range(members))
        self.register_load_state_dict_pre_hook(_from_keras)

    def forward(self, x: Tensor) -> Tensor:
        acceptor, donor = x[:, :, : self.half], x[:, :, self.half :]
        return torch.stack([member(acceptor, donor) for member in self.members]).mean(dim=0)


def _from_keras(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Names and axes of Keras to ours: kernels of convolutions are (width, in, out) there, of layers (in, out)."""
    for name in list(state):
        found = KERAS_NAME.fullmatch(name.removeprefix(prefix))
        if found is None:
            continue
        member, layer, array = found.groups()
        tensor = state.pop(name)
        if array == "kernel" and not layer.startswith("spline"):
            tensor = tensor.permute(*range(tensor.ndim - 1, -1, -1)).contiguous()
        state[f"{prefix}{member}{LAYERS[layer]}.{ARRAYS[array]}"] = tensor
