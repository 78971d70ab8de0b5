"""Layers as models write them in other ways than usual: mutagenesis by windows gives what forward passes give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from interpret.methods.ism import Mutagenesis

LENGTH, WIDTH = 24, 6


class Net(nn.Module):
    """A convolution, an operation on (N, 6, 24), and a linear head on whatever it gives."""

    def __init__(self, operation, part=None):
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.operation, self.part = nn.Conv1d(4, WIDTH, 5, padding=2), operation, part
        self.head = nn.LazyLinear(1)
        with torch.no_grad():
            self.stem.weight.mul_(2)
        self.double().eval()
        self(torch.zeros(2, 4, LENGTH, dtype=torch.float64))
        self.double()

    def forward(self, x):
        x = self.stem(x.double())
        x = self.operation(x) if self.part is None else self.operation(x, self.part)
        return self.head(x.flatten(1)).squeeze(1)


def parameter(*shape, seed=1):
    return nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)))


SQUARE, BOTH = parameter(WIDTH, WIDTH), parameter(1, WIDTH, LENGTH, seed=4)


def convolved(x, width, **options):
    kernel = torch.randn(4, WIDTH, width, generator=torch.Generator().manual_seed(width)).double()
    return F.conv1d(x, kernel, **options)


OPERATIONS = {
    # Convolutions
    "same, dilated": lambda x: convolved(x, 3, padding="same", dilation=4),
    "columns first": lambda x: F.conv2d(x.transpose(1, 2)[:, None], torch.ones(2, 1, 4, 2).double(), stride=(2, 1)),
    # Channels last
    "linear of images": lambda x: F.linear(x.unflatten(1, (3, 2)).permute(0, 3, 1, 2), parameter(5, 2).double()),
    "matrix product": lambda x: torch.relu(x.transpose(1, 2) @ SQUARE.double()).square(),
    # Constants along the sequence
    "weights of both": lambda x: torch.maximum(x, BOTH.double()),
    "scaled difference": lambda x: F.gelu(torch.sub(x, x.flip(1), alpha=2.5)),
    # Parts and joints
    "split and unbound": lambda x: torch.tanh(x.split(2, dim=1)[1]) * x.chunk(3, dim=1)[2] * x.unbind(1)[-1][:, None],
    "chosen and stacked": lambda x: torch.stack([x[:, torch.tensor([3, 0, 0])], x[:, :3].exp()], dim=-1).sum((1, 3)),
    # Sums and shapes
    "reshaped across": lambda x: torch.tanh(x.reshape(x.shape[0], WIDTH * 2, LENGTH // 2)),
    "turned in two steps": lambda x: x.unflatten(1, (2, 3)).permute(0, 2, 3, 1).exp().sum(-1),
    # Pads and pools
    "pads of channels, pools": lambda x: F.max_pool2d(
        F.avg_pool2d(F.pad(x, (0, 0, 1, 2)).exp()[:, None], (1, 3)), (1, 4), (1, 2)
    ),
    "reflected": lambda x: F.pad(x, (2, 2), mode="reflect").exp(),
    # Normalization
    "layer norm of all": lambda x: F.layer_norm(x, (WIDTH, LENGTH)),
    "batch norm of images": (lambda x, part: part(x[:, :, None]).exp(), nn.BatchNorm2d(WIDTH)),
}
#: What mixes positions beyond a window: whole tensors from it on.
WHOLE = {"reshaped across", "reflected", "layer norm of all"}


def by_forward_passes(net, x):
    """Every edit as a sequence of its own."""
    n = len(x)
    edited = np.repeat(x[:, None, None], 4, 1).repeat(LENGTH, 2)
    for base in range(4):
        for place in range(LENGTH):
            edited[:, base, place, :, place] = np.eye(4)[base]
    with torch.no_grad():
        return net(torch.from_numpy(edited.reshape(-1, 4, LENGTH))).numpy().reshape(n, 4, LENGTH)


def sequences_with_unknown():
    letters = np.random.default_rng(8).integers(0, 4, (2, LENGTH))
    x = np.ascontiguousarray(np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1))
    x[1, :, 5] = 0.25
    return x


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_an_operation(name):
    given = OPERATIONS[name]
    net = Net(*given) if isinstance(given, tuple) else Net(given)
    x = sequences_with_unknown()
    runner = Mutagenesis(net, LENGTH, fast=True, check=False)
    found = runner.mutate_all(x)
    assert runner.report.path == ("partly fast" if name in WHOLE else "fast"), runner.report
    full = by_forward_passes(net, x)
    assert np.ptp(full) > 1e-6
    np.testing.assert_allclose(found, full, rtol=0, atol=1e-9 * max(np.abs(full).max(), np.ptp(full)))
