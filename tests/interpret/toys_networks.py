"""Small networks of kinds that explanations meet in the wild: 4 x 40 in, one number out.

CHANGING       no functions: another number each time, or with other company. With words that name the cause.
FUNCTIONS      look like those, and are functions of one sequence.
LOOKS_AT_BATCH Python of the author looks at the shape of the batch; the same numbers as ``Net``.
BOTH_STRANDS   both strands in one batch; with the same function of two passes.
FLAT           a root of something that is 0; with a twin without the root's dead part.
CUT            without a gradient, and the operation that ends it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BOTH_STRANDS", "CHANGING", "CUT", "FLAT", "FUNCTIONS", "LENGTH", "LOOKS_AT_BATCH", "ByShape", "Net"]

LENGTH = 40


class Net(nn.Module):
    """Convolution, ``middle``, convolution, mean over positions and a linear head."""

    def __init__(self, middle: Callable[..., Tensor] | None = None, *parts: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.body = nn.Conv1d(4, 8, 7, padding=3), nn.Conv1d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 1)
        self.middle, self.parts = middle, nn.ModuleList(parts)
        self.calls = 0
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.stem(x))
        if self.middle is not None:
            h = self.middle(h, *self.parts)
        return self.head(F.relu(self.body(h)).mean(2))[:, 0]


class _Counts(Net):
    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (1 + 1e-3 * self.calls)


class _Remembers(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        self.mean.mul_(0.9).add_(0.1 * x.mean((0, 2))[:, None])
        return super().forward(x - self.mean)


class _AlwaysTrains(Net):
    """Monte Carlo dropout: its author lets no one switch it off."""

    def train(self, mode: bool = True) -> nn.Module:
        return super().train(True)


def _numpy_noise(h: Tensor) -> Tensor:
    return h + 1e-3 * torch.from_numpy(np.random.default_rng().normal(size=tuple(h.shape))).to(h.dtype)


def _wrong_axis(h: Tensor, attention: nn.Module) -> Tensor:
    """Attention that takes the batch for the sequence: ``batch_first`` was forgotten."""
    h = h.transpose(1, 2)
    return attention(h, h, h)[0].transpose(1, 2)


def _drop_path(h: Tensor, body: nn.Module) -> Tensor:
    """A residual that is left out once in a hundred times."""
    kept = (0.99 + torch.rand(len(h), 1, 1)).floor()
    return h + kept * body(h)


def _layer_drop(h: Tensor, body: nn.Module) -> Tensor:
    return h if random.random() < 0.3 else h + body(h)


def _drawn_in_vain(h: Tensor, body: nn.Module) -> Tensor:
    dropped = torch.rand(1) < 0.5
    return h if dropped and body.training else h + body(h)


def _draws(how: Callable[[Tensor, float], Tensor], rate: float) -> Callable[[], Net]:
    """A residual that is left out at that rate: for all rows, or for each by itself."""
    return lambda: Net(lambda h, body: h + how(h, rate) * body(h), nn.Conv1d(8, 8, 1))


def _of_own_torch() -> Callable[[Tensor, float], Tensor]:
    own = torch.Generator().manual_seed(1)
    return lambda h, rate: (torch.rand(len(h), 1, 1, generator=own) > rate).float()


def _of_own_numpy() -> Callable[[Tensor, float], float]:
    own = np.random.default_rng(1)
    return lambda h, rate: float(own.random() > rate)


def _of_own_python() -> Callable[[Tensor, float], float]:
    own = random.Random(1)
    return lambda h, rate: float(own.random() > rate)


class _Every(Net):
    """Each pass that has a multiple for its number gives twice as much."""

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (2 if self.calls % 3 == 0 else 1)


class _Rows(Net):
    """``change`` turns what ``Net`` gives."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(super().forward(x))


def _normalized_when_many(h: Tensor) -> Tensor:
    return h if len(h) < 5 else (h - h.mean((0, 2), keepdim=True)) / h.std((0, 2), keepdim=True)


def _smoothed(h: Tensor) -> Tensor:
    """Of all rows but the first and the last: with their neighbours."""
    return torch.cat([h[:1], (h[:-2] + h[1:-1] + h[2:]) / 3, h[-1:]]) if len(h) > 2 else h


def _with_similar(h: Tensor) -> Tensor:
    """Attention to the rows of the batch, each nearly to itself and to what is like it."""
    flat = h.flatten(1)
    return h + 0.1 * torch.einsum("nm,mcl->ncl", (flat @ flat.T).softmax(1), h)


class _Full(Net):
    """Two experts, each of which takes half of the batch and leaves out the rest."""

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.stem(x)).mean(2)
        expert, taken = h[:, :2].argmax(1), torch.zeros(len(x))
        for i in range(2):
            taken[torch.nonzero(expert == i)[: math.ceil(len(x) / 2), 0]] = 1
        return self.head(h)[:, 0] * taken


class ByShape(Net):
    """Keeps what it computed for a batch of one shape, and gives it for each of that shape."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, ...], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape) not in self.kept:
            self.kept[tuple(x.shape)] = super().forward(x)
        return self.kept[tuple(x.shape)]


CHANGING: dict[str, tuple[Callable[[], Net], str]] = {
    "rows-of-own-torch": (_draws(_of_own_torch(), 0.02), "another number each time.*aten.rand.generator"),
    "own-numpy": (_draws(_of_own_numpy(), 0.3), "draws from a numpy.Generator of its own"),
    "own-python": (_draws(_of_own_python(), 0.01), "draws from a random.Random of its own"),
    "rare-python": (_draws(lambda h, rate: float(random.random() > rate), 0.01), "draws from Python's random"),
    "rare-numpy": (_draws(lambda h, rate: float(np.random.rand() > rate), 0.01), "draws from numpy.random"),
    "permuted": (lambda: _Rows(lambda y: y[torch.randperm(len(y))]), "another number each time"),
    "every-third-pass": (_Every, "another number each time.*aten.mul"),
    "normalized-when-many": (lambda: Net(_normalized_when_many), "how many are in its batch.*others from aten.mean"),
    "from-the-sixth": (lambda: _Rows(lambda y: torch.cat([y[:5], y[5:] + 1])), "or on its place.*aten"),
    "second-rows": (lambda: _Rows(lambda y: y + 0.1 * (torch.arange(len(y)) % 2)), "or on its place.*aten.mul"),
    "last-of-batch": (lambda: _Rows(lambda y: torch.cat([y[:-1], y[-1:] + 1])), "or on its place.*aten.cat"),
    "smoothed": (lambda: Net(_smoothed), "how many are in its batch, or on its place.*others from aten"),
    "with-similar": (lambda: Net(_with_similar), "batch"),
    "turned-about": (lambda: _Rows(lambda y: y.flip(0)), "the others in its batch"),
    "full-experts": (_Full, "how many are in its batch, or on its place.*aten"),
    "far-from-zero": (lambda: _Rows(lambda y: 5 * y - y.mean() + 1000), "the others in its batch.*aten.sub"),
    "F.dropout": (lambda: Net(lambda h: F.dropout(h, 0.3)), "another number each time.*aten.bernoulli_"),
    "weak-dropout": (lambda: Net(lambda h: h + 1e-4 * F.dropout(h, 0.3)), "another number each time.*aten.bernoulli_"),
    "F.alpha_dropout": (lambda: Net(lambda h: F.alpha_dropout(h, 0.3, True)), "each time.*aten.bernoulli_"),
    "F.rrelu": (lambda: Net(lambda h: F.rrelu(h - 0.3, training=True)), "each time.*aten.rrelu"),
    "gumbel": (lambda: Net(lambda h: F.gumbel_softmax(h, dim=1)), "another number each time.*aten.exponential_"),
    "noise": (lambda: Net(lambda h: h + 1e-3 * torch.randn_like(h)), "another number each time.*aten.randn_like"),
    "numpy-noise": (lambda: Net(_numpy_noise), "another number each time"),
    "always-trains": (lambda: _AlwaysTrains(lambda h, d: d(h), nn.Dropout()), r"each time.*in module parts\.0"),
    "drop-path": (lambda: Net(_drop_path, nn.Conv1d(8, 8, 1)), "another number each time.*aten.rand"),
    "layer-drop": (lambda: Net(_layer_drop, nn.Conv1d(8, 8, 1)), "another number each time"),
    "faint-dropout": (lambda: Net(lambda h: h + 1e-6 * F.dropout(h, 0.01)), "each time.*aten.bernoulli_"),
    "counts": (_Counts, "another number each time.*aten.mul"),
    "remembers": (_Remembers, "another number each time.*aten.sub"),
    "batch-norm": (
        lambda: Net(lambda h, n: n(h), nn.BatchNorm1d(8, track_running_stats=False)),
        r"the others in its batch.*aten.native_batch_norm.*in module parts\.0",
    ),
    "F.batch_norm": (lambda: Net(lambda h: F.batch_norm(h, None, None, training=True)), "batch.*native_batch_norm"),
    "weak-mean-of-batch": (lambda: Net(lambda h: h + 1e-3 * h.mean(0)), "the others in its batch.*aten.add"),
    "softmax-over-batch": (lambda: Net(lambda h: h.softmax(0)), "the others in its batch.*aten._softmax"),
    "scale-of-batch": (lambda: Net(lambda h: h / h.abs().max()), "batch.*aten.div"),
    "first-row-alone": (lambda: _Rows(lambda y: 0 * y + y[:1]), "batch"),
    "first-bases-of-the-first": (lambda: Net(lambda h: 0 * h + h[:1, :, :2].mean(2)[:, :, None]), "batch"),
    "and-of-the-first": (lambda: Net(lambda h: h + h[:1, :, :2].mean(2)[:, :, None]), "batch"),
    "and-of-the-last": (lambda: Net(lambda h: h + h[-1:, :, :2].mean(2)[:, :, None]), "batch"),
    "by-four": (lambda: Net(lambda h: torch.cat([c - c.mean(0) / 2 for c in h.split(4)])), "batch"),
    "first-row": (lambda: Net(lambda h: h - h[:1]), "batch.*aten.sub"),
    "rows-before": (lambda: Net(lambda h: h.cumsum(0)), "batch.*aten.cumsum"),
    "rows-behind": (lambda: Net(lambda h: h.flip(0).cumsum(0).flip(0)), "the others in its batch"),
    "number-of-rows": (lambda: Net(lambda h: h * len(h)), "how many are in its batch.*aten.mul"),
    "even-number-of-rows": (lambda: Net(lambda h: h * (2 - len(h) % 2)), "how many are in its batch.*aten.mul"),
    "place-in-batch": (lambda: Net(lambda h: h + 0.1 * torch.arange(len(h))[:, None, None]), "or on its place"),
    "attention-over-batch": (
        lambda: Net(_wrong_axis, nn.MultiheadAttention(8, 2)),
        r"the others in its batch.*in module parts\.0",
    ),
}


class _CountsInVain(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen += len(x)
        return super().forward(x)


class _KeepsPositions(Net):
    """As rotary embeddings do, for each length once."""

    def __init__(self) -> None:
        super().__init__(self._placed)
        self.kept: dict[int, Tensor] = {}

    def _placed(self, h: Tensor) -> Tensor:
        return h * self.kept.setdefault(h.shape[2], torch.arange(h.shape[2]).mul(0.1).cos())


_OWN = _of_own_numpy()
FUNCTIONS: dict[str, Callable[[], nn.Module]] = {
    "dropout-of-training": lambda: Net(lambda h, d: d(h), nn.Dropout()).train(),
    "instance-norm": lambda: Net(lambda h, n: n(h), nn.InstanceNorm1d(8)),
    "layer-norm": lambda: Net(lambda h: F.layer_norm(h, h.shape[1:])),
    "batch-norm": lambda: Net(lambda h, n: n(h), nn.BatchNorm1d(8)).train(),
    "rrelu": lambda: Net(lambda h, r: r(h - 0.3), nn.RReLU()),
    "attention": lambda: Net(_wrong_axis, nn.MultiheadAttention(8, 2, batch_first=True)),
    "GRU": lambda: Net(
        lambda h, g: g(h.transpose(1, 2))[0].transpose(1, 2), nn.GRU(8, 4, 2, batch_first=True, bidirectional=True)
    ),
    "seeded-noise": lambda: Net(lambda h: h + torch.randn(h.shape[1:], generator=torch.Generator().manual_seed(1))),
    "counts-in-vain": lambda: _CountsInVain(),
    "own-in-vain": lambda: Net(lambda h, body: h + 0 * _OWN(h, 0.5) * body(h), nn.Conv1d(8, 8, 1)),
    "keeps-positions": lambda: _KeepsPositions(),
    "drawn-in-vain": lambda: Net(_drawn_in_vain, nn.Conv1d(8, 8, 1)),
    "of-a-million": lambda: Net(lambda h: h + 1e6),
    "of-1e20": lambda: Net(lambda h: h * 1e20),
    "cancelling": lambda: Net(lambda h: (h * 1e3 + 1e4) - (h + 1e4) - h * 998),
    "double": lambda: Net().double(),
    "constant": lambda: Net(lambda h: 0 * h),
}


def _of_rows(h: Tensor) -> Tensor:
    return torch.stack([h[i] for i in range(len(h))])


def _of_int(h: Tensor) -> Tensor:
    return h.view(int(h.shape[0]), 8, LENGTH)


def _told(h: Tensor) -> Tensor:
    assert len(h) > 0 and h.dim() == 3 and h.shape[1:] == (8, LENGTH), f"{len(h)} rows of {h.shape}"
    assert f"{len(h):d} {h.shape[0]} {h.numel()}"
    return h


def _of_100(h: Tensor) -> Tensor:
    return torch.cat([h[:100], h[100:]]) if len(h) > 100 else h


#: Each is the identity.
LOOKS_AT_BATCH: dict[str, Callable[[Tensor], Tensor]] = {
    "len": lambda h: h.reshape(len(h) * 8, -1).view(len(h), 8, -1),
    "shape": lambda h: h.view(h.shape[0], *h.shape[1:]),
    "size": lambda h: h.reshape(h.size(0) * h.size(1), -1).reshape(h.size()),
    "numel": lambda h: h.view(h.numel() // (8 * LENGTH), 8, -1),
    "zeros-of-len": lambda h: h + torch.zeros(len(h), 8, 1),
    "arithmetic": lambda h: h * math.sqrt(len(h)) / len(h) ** 0.5,
    "told": _told,
    "rows": _of_rows,
    "int": _of_int,
    "more-than-100": _of_100,
    "split": lambda h: torch.cat(h.split(64)),
}


class _Pair(Net):
    """Both strands, one behind the other on the axis of the batch."""

    def __init__(self, join: Callable[[Tensor, Net], Tensor]) -> None:
        super().__init__()
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x, super().forward)


class _Twice(Net):
    """The same in two passes."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        return self.join(super().forward(x), super().forward(x.flip(1, 2)))


def _turned(x: Tensor) -> Tensor:
    return torch.cat([x, x.flip(1, 2)], 0)


def _halves(x: Tensor, net: Net) -> Tensor:
    y = net(_turned(x))
    return (y[: len(x)] + y[len(x) :]) / 2


def _product_of_chunks(x: Tensor, net: Net) -> Tensor:
    one, other = net(_turned(x)).chunk(2)
    return one * other


def _interleaved(x: Tensor, net: Net) -> Tensor:
    y = net(torch.stack([x, x.flip(1, 2)], 1).flatten(0, 1))
    return y[::2] * y[1::2]


BOTH_STRANDS: dict[str, tuple[Callable[[], Net], Callable[[], Net]]] = {
    "halves": (lambda: _Pair(_halves), lambda: _Twice(lambda a, b: (a + b) / 2)),
    "mean": (
        lambda: _Pair(lambda x, net: net(_turned(x)).view(2, -1).mean(0)),
        lambda: _Twice(lambda a, b: a / 2 + b / 2),
    ),
    "maximum": (lambda: _Pair(lambda x, net: net(_turned(x)).view(2, -1).amax(0)), lambda: _Twice(torch.maximum)),
    "product-of-chunks": (lambda: _Pair(_product_of_chunks), lambda: _Twice(torch.mul)),
    "stacked": (
        lambda: _Pair(lambda x, net: net(torch.stack([x, x.flip(1, 2)]).flatten(0, 1)).unflatten(0, (2, -1)).sum(0)),
        lambda: _Twice(torch.add),
    ),
    "interleaved": (lambda: _Pair(_interleaved), lambda: _Twice(torch.mul)),
    "logsumexp": (
        lambda: _Pair(lambda x, net: net(_turned(x)).view(2, len(x)).logsumexp(0)),
        lambda: _Twice(torch.logaddexp),
    ),
}


class _Spread(Net):
    """A spread over positions, of which half of the filters are dead."""

    def __init__(self, spread: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.spread = spread
        with torch.no_grad():
            self.stem.bias[:4] = -10

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.spread(F.relu(self.stem(x))))[:, 0]


FLAT: dict[str, Callable[[], Net]] = {
    "std": lambda: _Spread(lambda h: h.std(2)),
    "root-of-var": lambda: _Spread(lambda h: h.var(2).sqrt()),
    "power-of-var": lambda: _Spread(lambda h: h.var(2) ** 0.5),
    "own": lambda: _Spread(lambda h: (h - h.mean(2, keepdim=True)).square().mean(2).sqrt()),
    "root-of-mean": lambda: _Spread(lambda h: h.mean(2).sqrt()),
}


class _Tokens(nn.Module):
    def __init__(self, places: Callable[[Tensor], Tensor] = lambda x: x.argmax(1)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.places = places
        self.letters, self.head = nn.Embedding(4, 8), nn.Conv1d(8, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.letters(self.places(x)).transpose(1, 2)).mean((1, 2))


class _WithoutGradient(Net):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = self.stem(x)
        return self.head(h.mean(2))[:, 0]


class _Above(Net):
    def forward(self, x: Tensor) -> Tensor:
        return (self.stem(x).mean((1, 2)) > 0).float()


CUT: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "tokens": (_Tokens, "argmax"),
    "places-of-max": (lambda: _Tokens(lambda x: x.max(1)[1]), r"Tensor\.max"),
    "places-of-topk": (lambda: _Tokens(lambda x: x.topk(1, 1).indices[:, 0]), r"Tensor\.topk"),
    "places-of-sort": (lambda: _Tokens(lambda x: torch.sort(x, 1)[1][:, 3]), r"torch\.sort"),
    "no_grad": (_WithoutGradient, "conv1d in module stem"),
    "step": (_Above, "Tensor.gt"),
}
