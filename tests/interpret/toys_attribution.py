"""Toy nets, one an operation: 4 x 40 in, one number out. Those of ``COMPLETE`` must be explained completely.

``REFUSED`` holds nets with an operation that has no rule, and words of the message that names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["COMPLETE", "LENGTH", "REFUSED", "Toy", "make_toy"]

LENGTH = 40
WIDTH = 8


class Toy(nn.Module):
    """Convolution, the operation, and a linear head; ``parts`` are the operation's own modules."""

    def __init__(self, operation: Callable[..., Tensor], parts: Callable[[], nn.Module] | None = None) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, WIDTH, 7, padding=3)
        self.part = parts() if parts else None
        self.operation = operation
        self.head = nn.LazyLinear(1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.operation(x, self.part) if self.part is not None else self.operation(x)
        return self.head(x.flatten(1)).squeeze(1)


def make_toy(operation: Callable[..., Tensor], parts: Callable[[], nn.Module] | None = None) -> Toy:
    """A toy with fixed random weights, in eval mode; outputs of the stem are of order 1."""
    torch.manual_seed(1)
    toy = Toy(operation, parts)
    with torch.no_grad():
        toy.stem.weight.mul_(3)
        for module in toy.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        toy(torch.zeros(2, 4, LENGTH))
    return toy.eval()


def _relu_in_place(x: Tensor) -> Tensor:
    x = F.relu(x, inplace=True)
    x += 1
    return x


def _attention_pool(x: Tensor) -> Tensor:
    """gReLU's and Enformer's: softmax over pairs of positions weights them."""
    x = x.unflatten(2, (LENGTH // 2, 2))
    return (x * (2 * x).softmax(3)).sum(3)


def _plain_attention(x: Tensor) -> Tensor:
    x = x.transpose(1, 2)
    scores = torch.einsum("bid,bjd->bij", x, x) / math.sqrt(WIDTH)
    return torch.einsum("bij,bjd->bid", scores.softmax(2), x)


def _own_layer_norm(x: Tensor) -> Tensor:
    x = x.transpose(1, 2)
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5)


def _weighted_pool(x: Tensor, score: nn.Module) -> Tensor:
    return (x * score(x).softmax(2)).sum(2)


def _heads(x: Tensor, part: nn.Module) -> Tensor:
    x = x.transpose(1, 2)
    return part(x, x, x, need_weights=False)[0]


def _dense_net(x: Tensor) -> Tensor:
    return torch.cat([x, F.relu(x), torch.tanh(x[:, :2])], 1)


class _Shared(nn.Module):
    """One ReLU module used twice, around a dilated convolution with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.norm = nn.ReLU(), nn.BatchNorm1d(WIDTH)
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3, padding=2, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.relu(self.norm(self.conv(self.relu(x))))


COMPLETE: dict[str, tuple] = {
    "linear": (lambda x: x,),
    "module-relu-shared": (lambda x, p: p(x), _Shared),
    "F.relu": (F.relu,),
    "x.relu()": (lambda x: x.relu(),),
    "relu-in-place": (_relu_in_place,),
    "F.gelu": (F.gelu,),
    "gelu-tanh": (lambda x: F.gelu(x, approximate="tanh"),),
    "gelu-enformer": (lambda x: torch.sigmoid(1.702 * x) * x,),
    "x*sigmoid(x)": (lambda x: x * torch.sigmoid(x),),
    "F.silu": (F.silu,),
    "F.mish": (F.mish,),
    "F.elu": (F.elu,),
    "F.selu": (F.selu,),
    "F.leaky_relu": (F.leaky_relu,),
    "PReLU": (lambda x, p: p(x), lambda: nn.PReLU(WIDTH)),
    "softplus": (F.softplus,),
    "hardswish": (F.hardswish,),
    "hardsigmoid": (F.hardsigmoid,),
    "hardtanh": (F.hardtanh,),
    "clamp": (lambda x: x.clamp(-0.5, 1),),
    "clamp-min": (lambda x: x.clamp_min(0.1),),
    "exp": (torch.exp,),
    "log1p": (lambda x: torch.log1p(x.abs()),),
    "sqrt": (lambda x: torch.sqrt(x.square() + 1),),
    "square": (lambda x: x**2,),
    "cube": (lambda x: x.pow(3),),
    "x*x": (lambda x: x * x,),
    "sigmoid": (torch.sigmoid,),
    "tanh": (torch.tanh,),
    "sin": (torch.sin,),
    "snake": (lambda x: x + torch.sin(2 * x) ** 2 / 2,),
    "division": (lambda x: x / (1 + x.abs()),),
    "reciprocal": (lambda x: 1 / (2 + x.square()),),
    "gated-product": (lambda x: x[:, :4] * torch.sigmoid(x[:, 4:]),),
    "F.glu": (lambda x: F.glu(x, 1),),
    "maximum": (lambda x: torch.maximum(x[:, :4], x[:, 4:]),),
    "minimum": (lambda x: torch.minimum(x[:, :4], x[:, 4:]),),
    "F.max_pool1d": (lambda x: F.max_pool1d(x, 4),),
    "overlapping-max-pool": (lambda x: F.max_pool1d(x, 5, 2, padding=1),),
    "dilated-max-pool": (lambda x: F.max_pool1d(x, 3, 2, dilation=2),),
    "max_pool2d": (lambda x: F.max_pool2d(x.unsqueeze(1), (2, 4)),),
    "max-over-length": (lambda x: x.max(2).values,),
    "amax": (lambda x: x.amax(2),),
    "amax-over-channels": (lambda x: x.amax(1, keepdim=True),),
    "amin": (lambda x: x.amin((1, 2), keepdim=True),),
    "adaptive-max-pool": (lambda x: F.adaptive_max_pool1d(x, 3),),
    "avg-pool-relu": (lambda x: F.relu(F.avg_pool1d(x, 4)),),
    "batch-norm": (lambda x, p: F.relu(p(x)), lambda: nn.BatchNorm1d(WIDTH)),
    "F.layer_norm": (lambda x: F.layer_norm(x.transpose(1, 2), (WIDTH,)),),
    "own-layer-norm": (_own_layer_norm,),
    "group-norm": (lambda x, p: F.relu(p(x)), lambda: nn.GroupNorm(2, WIDTH)),
    "instance-norm": (lambda x, p: F.relu(p(x)), lambda: nn.InstanceNorm1d(WIDTH, affine=True)),
    "rms-norm": (lambda x: F.rms_norm(x.transpose(1, 2), (WIDTH,)),),
    "standard-deviation": (lambda x: x.std(2),),
    "softmax": (lambda x: x.softmax(1),),
    "log-softmax": (lambda x: F.log_softmax(x, 2),),
    "logsumexp": (lambda x: torch.logsumexp(x, 2),),
    "attention-pool": (_attention_pool,),
    "weighted-pool": (_weighted_pool, lambda: nn.Conv1d(WIDTH, 1, 1)),
    "plain-attention": (_plain_attention,),
    "sdpa": (lambda x: F.scaled_dot_product_attention(*[x.transpose(1, 2)] * 3),),
    "multi-head-attention": (_heads, lambda: nn.MultiheadAttention(WIDTH, 2, batch_first=True)),
    "transformer-layer": (
        lambda x, p: p(x.transpose(1, 2)),
        lambda: nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True),
    ),
    "LSTM": (lambda x, p: p(x[:, :, :3].transpose(1, 2))[0], lambda: nn.LSTM(WIDTH, 4, batch_first=True)),
    "bidirectional-GRU": (
        lambda x, p: p(x[:, :, :3].transpose(1, 2))[0],
        lambda: nn.GRU(WIDTH, 4, batch_first=True, bidirectional=True),
    ),
    "dense-net": (_dense_net,),
    "both-strands": (lambda x: torch.maximum(F.relu(x), F.relu(x.flip(1, 2))),),
    "where": (lambda x: torch.where(x > 0, x, 0.1 * x),),
    "where-capped": (lambda x: torch.where(x > 0.5, torch.full_like(x, 0.5), x),),
    "where-of-functions": (lambda x: torch.where((x > -1) & (x < 1), x.square(), 2 * x.abs() - 1),),
    "where-constant-condition": (lambda x: torch.where(torch.arange(LENGTH) % 3 > 0, F.relu(x), x),),
    "masked-channels": (lambda x: x.masked_fill((x > 0.5).all(1, keepdim=True), 0.0),),
    "logaddexp": (lambda x: torch.logaddexp(x, torch.zeros_like(x)),),
    "logaddexp-of-two": (lambda x: torch.logaddexp(x[:, :4], x[:, 4:]),),
    "sort": (lambda x: x.sort(2).values,),
    "cumprod": (lambda x: torch.cumprod(x[:, :, :4], 2),),
    "sum-then-exp": (lambda x: torch.exp(x.sum((1, 2)) / 50).unsqueeze(1),),
}

REFUSED: dict[str, tuple] = {
    "where-of-another": (lambda x: torch.where(x.flip(2) > 0, x, 0.1 * x), "aten.where.self"),
    "step": (lambda x: (x > 0).to(x.dtype), "aten.gt.Scalar"),
    "argmax": (lambda x: F.one_hot(x.argmax(1), WIDTH).float() * x.transpose(1, 2), "aten.argmax"),
    "places-of-a-sort": (lambda x: x * x.sort(2).indices, "getitem"),
    "round": (lambda x: x.round(), "aten.round"),
    "value-dependent": (lambda x: x if x.sum() > 0 else -x, "cannot be captured"),
}
