"""Random stacks of layers, for tests that compare two ways of computing the same."""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ENDS", "KINDS", "random_net"]

KINDS = (
    "conv",
    "strided",
    "dilated",
    "grouped",
    "same",
    "wide",
    "max",
    "overlapping-max",
    "average",
    "residual",
    "gate",
    "norm",
    "crop",
    "pad",
    "attention",
    "transposed",
    "two-dimensional",
    "positions",
    "cat",
    "reversed",
    "strides-crop",
)
ENDS = ("flatten", "mean", "max", "crop-sum", "hidden", "softmax", "centre")


class _Residual(nn.Module):
    def __init__(self, width: int, draw: Random) -> None:
        super().__init__()
        dilation = draw.choice((1, 2, 5))
        self.norm = nn.BatchNorm1d(width)
        self.conv = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.gelu(self.norm(self.conv(x)))


class _Two(nn.Module):
    """A convolution over channels and sequence as an image."""

    def __init__(self, width: int, draw: Random) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, (width // 2, draw.choice((1, 3))), stride=(2, 1), padding=(1, draw.choice((0, 1))))
        self.last = nn.LazyConv1d(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.conv(x.unsqueeze(1))).flatten(1, 2))


class _Does(nn.Module):
    def __init__(self, function, *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


def _layer(kind: str, width: int, length: int, draw: Random) -> nn.Module:
    conv = nn.Conv1d
    positions = torch.rand(length)
    return {
        "conv": lambda: conv(width, width, draw.choice((1, 3, 6))),
        "strided": lambda: conv(width, width, draw.choice((2, 5)), stride=draw.choice((2, 3)), padding=1),
        "dilated": lambda: conv(width, width, 3, dilation=draw.choice((2, 4)), padding=draw.choice((0, 3))),
        "grouped": lambda: conv(width, width, 3, groups=draw.choice((2, width)), padding=1),
        "same": lambda: conv(width, width, draw.choice((4, 5)), padding="same"),
        "wide": lambda: conv(width, width, 15, padding=7),
        "max": lambda: nn.MaxPool1d(draw.choice((2, 3)), ceil_mode=draw.random() < 0.5),
        "overlapping-max": lambda: nn.MaxPool1d(4, draw.choice((1, 2)), padding=draw.choice((0, 2)), dilation=1),
        "average": lambda: nn.AvgPool1d(
            draw.choice((2, 3)),
            draw.choice((1, 2)),
            padding=1,
            ceil_mode=draw.random() < 0.5,
            count_include_pad=draw.random() < 0.5,
        ),
        "residual": lambda: _Residual(width, draw),
        "gate": lambda: _Does(lambda x, c: x * torch.sigmoid(c(x)), conv(width, width, 3, padding=1)),
        "norm": lambda: _Does(lambda x, n: n(x.transpose(1, 2)).transpose(1, 2), nn.LayerNorm(width)),
        "crop": lambda: _Does(lambda x: x[:, :, 2:-1]),
        "strides-crop": lambda: _Does(lambda x: x[:, :, 1::2]),
        "pad": lambda: _Does(lambda x: F.pad(x, (3, 1), value=0.7)),
        "attention": lambda: _Does(
            lambda x: x + F.scaled_dot_product_attention(*[x.transpose(1, 2)] * 3).transpose(1, 2)
        ),
        "transposed": lambda: _Does(
            lambda x, d: F.relu(d(x.permute(0, 2, 1))).permute(0, 2, 1), nn.Linear(width, width)
        ),
        "two-dimensional": lambda: _Two(width, draw),
        "positions": lambda: _Does(lambda x: torch.exp(x * 0.2 * positions.to(x.dtype)) - positions.to(x.dtype)),
        "cat": lambda: _Does(lambda x: torch.cat([x[:, ::2], F.relu(x[:, 1::2])], 1)),
        "reversed": lambda: _Does(lambda x: torch.maximum(x, x.flip(1))),
    }[kind]()


class _Net(nn.Module):
    def __init__(self, layers: nn.Module, end: str, width: int, length: int, draw: Random) -> None:
        super().__init__()
        self.layers, self.end = layers, end
        self.low = draw.randrange(length)
        self.high = draw.randint(self.low + 1, length)
        self.hidden, self.head = nn.Linear(width * length, 7), nn.Linear(width, 1)
        self.last = nn.Linear(7, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x)
        if self.end in ("flatten", "hidden"):
            x = self.hidden(x.flatten(1))
            return self.last(F.relu(x) if self.end == "hidden" else x)[:, 0]
        if self.end == "mean":
            return F.softplus(self.head(x.mean(2)))[:, 0]
        if self.end == "max":
            return self.head(x.amax(2))[:, 0]
        if self.end == "softmax":
            return (x.softmax(2) * x).sum((1, 2))
        if self.end == "centre":
            return x[:, 0, x.shape[2] // 2]
        return torch.exp(x[:, :, self.low : self.high] / 4).sum((1, 2))


def random_net(kinds: list[str], end: str, length: int, seed: int) -> nn.Module | None:
    """A net in eval mode for (N, 4, length); None if the sequence is too short for it."""
    draw = Random(seed)
    torch.manual_seed(seed)
    width = 4
    layers: list[nn.Module] = [nn.Conv1d(4, width, draw.choice((1, 4, 7)), padding=draw.choice((0, 2)))]
    x = torch.rand(2, 4, length)
    try:
        x = layers[0](x)
        for kind in kinds:
            after = nn.ReLU() if draw.random() < 0.6 else nn.Identity()
            part = nn.Sequential(_layer(kind, width, x.shape[2], draw), after)
            x = part(x)
            layers.append(part)
        net = _Net(nn.Sequential(*layers), end, width, x.shape[2], draw)
        net(torch.rand(2, 4, length))
    except (RuntimeError, ValueError):
        return None
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
    return net.eval()
