"""Networks that write into parts of tensors, choose places, or do what no graph holds: right, or a ZooError."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import interpret
from interpret.methods.deepliftshap import explain_by_deepliftshap
from interpret.methods.ism import Mutagenesis
from zoo.errors import MismatchError, ModelError
from zoo.genome.encode import random_windows

LENGTH, WIDTH = 30, 6
X = random_windows(2, LENGTH, seed=5)
REFERENCES = np.stack([random_windows(2, LENGTH, seed=seed) for seed in (6, 7)], 1)


class Net(nn.Module):
    def __init__(self, middle):
        super().__init__()
        torch.manual_seed(11)
        self.stem, self.middle, self.head = nn.Conv1d(4, WIDTH, 5, padding=2), middle, nn.LazyLinear(1)
        with torch.no_grad():
            self.stem.weight.mul_(3)
            self(torch.zeros(2, 4, LENGTH))
        self.eval()

    def forward(self, x):
        return self.head(self.middle(self.stem(x)).reshape(x.shape[0], -1))[:, 0]


def predict(net, x):
    with torch.no_grad():
        return net(torch.from_numpy(x)).double().numpy()


def naive_ism(net, x):
    """Every base at every position, a forward pass each."""
    found = np.empty(x.shape)
    for row, base, place in np.ndindex(*x.shape):
        edited = x[row : row + 1].copy()
        edited[0, :, place] = np.eye(4)[base]
        found[row, base, place] = predict(net, edited)[0]
    return found - found.mean(1, keepdims=True)


def _part(h):
    y = h.relu()
    y[:, :, :5] = h[:, :, 5:10].exp()
    return y


def _places(h):
    y = h.relu()
    y[:, [1, 2]] = h[:, [3, 4]].square()
    return y


def _broadcast(h):
    y = h.clone()
    y[:, :, :3].copy_(h[:, :1, :3].relu())
    return y


def _masked(h):
    y = h.clone()
    y[y < 0] = 0.1
    return y


def _binned(h):
    rows = torch.arange(h.shape[0])[:, None]
    return torch.zeros_like(h).index_put((rows, torch.tensor([0]), torch.arange(LENGTH) % 5), h[:, 0].tanh(), True)


WRITING = {
    "part": _part,
    "places": _places,
    "broadcast": _broadcast,
    "binned": _binned,
    "copy_": lambda h: torch.empty_like(h).copy_(h.relu()),
    "new_empty": lambda h: h.new_empty(h.shape).copy_(h.relu()),
    "select_scatter": lambda h: torch.select_scatter(h.relu(), h[:, :, 0].sigmoid(), 2, 3),
    "slice_scatter": lambda h: torch.slice_scatter(h.relu(), h[:, :, :4].tanh(), 2, 10, 14),
    "constant mask": lambda h: h[:, :, torch.arange(LENGTH) % 3 > 0].relu(),
    "expanded bias": lambda h: F.relu(h + torch.linspace(-1, 1, WIDTH)[None, :, None].expand(h.shape[0], -1, LENGTH)),
}


@pytest.mark.parametrize("name", WRITING)
def test_what_is_written_into_parts_is_followed(name):
    net = Net(WRITING[name])
    found = explain_by_deepliftshap(net, X, REFERENCES)
    difference = predict(net, X) - np.mean([predict(net, REFERENCES[:, i].copy()) for i in range(2)], 0)
    np.testing.assert_allclose((found.hypothetical * X).sum((1, 2)), difference, atol=1e-4)
    np.testing.assert_allclose(interpret.ism(net, X, fast=True), naive_ism(net, X), atol=1e-4)


def _without_gradients(h):
    with torch.no_grad():
        y = F.relu_(h.cumsum(2))
        y[:, 0] += 1
    return y.tanh()


def _nested(h):
    with torch.no_grad():
        y = h.relu()
        with torch.autocast("cpu", enabled=False):
            a, b = y.float().chunk(2, 1)
            with torch.enable_grad():
                y = torch.cat([a * b, b.exp()], 1)
    return y + h


@torch.no_grad()
def _decorated(h):
    return h.softmax(2) * torch.arange(LENGTH)


def _both_strands(h):
    with torch.no_grad():
        y = torch.cat([h, h.flip(1, 2)]).relu()
    return y.view(2, -1, *h.shape[1:]).amax(0)


def _full_precision(h):
    with torch.autocast("cpu", enabled=False):
        return h.square() + h


BLOCKS = {f.__name__.strip("_"): f for f in (_without_gradients, _nested, _decorated, _both_strands, _full_precision)}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_without_gradients_or_autocast_are_followed(name):
    net = Net(BLOCKS[name])
    found = explain_by_deepliftshap(net, X, REFERENCES)
    difference = predict(net, X) - np.mean([predict(net, REFERENCES[:, i].copy()) for i in range(2)], 0)
    assert np.abs(difference).min() > 1e-3
    np.testing.assert_allclose((found.hypothetical * X).sum((1, 2)), difference, atol=1e-4)
    np.testing.assert_allclose(interpret.ism(net, X, fast=True), naive_ism(net, X), atol=1e-4)


def test_an_expanded_constant_is_foreseen(monkeypatch):
    """A look at the operations of a forward pass, which small nets are spared."""
    monkeypatch.setattr("interpret.methods.ism.SMALL", 0.0)
    net = Net(WRITING["expanded bias"])
    mutagenesis = Mutagenesis(net, LENGTH)
    np.testing.assert_allclose(mutagenesis(X), naive_ism(net, X), atol=1e-4)
    assert mutagenesis._foreseen.operations > 3


def _unpooled(h):
    values, places = F.max_pool1d(h, 2, return_indices=True)
    return F.max_unpool1d(values, places, 2)


CHOOSING = {
    "max_unpool": _unpooled,
    "places of a top": lambda h: h.gather(2, h.topk(4, 2).indices),
    "the largest alone": lambda h: h * (h == h.amax(2, keepdim=True)),
}


@pytest.mark.parametrize("name", CHOOSING)
def test_ties_of_repeats_are_broken_as_the_module_does(name):
    """In a run of one base all values are equal, and rounding must not choose."""
    net, x = Net(CHOOSING[name]), X.copy()
    x[0] = np.eye(4)[[0]].T
    mutagenesis = Mutagenesis(net, LENGTH, fast=True)
    np.testing.assert_allclose(mutagenesis(x), naive_ism(net, x), atol=1e-4)
    assert mutagenesis.report.path == "full" and "among equal values" in mutagenesis.report.reason


def test_tokens_are_chosen_without_rounding():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.letters, self.conv = nn.Embedding(4, 8), nn.Conv1d(8, 1, 3)

        def forward(self, x):
            return self.conv(self.letters(x.argmax(1)).transpose(1, 2)).relu().sum((1, 2))

    net = Tokens().eval()
    mutagenesis = Mutagenesis(net, LENGTH, fast=True)
    np.testing.assert_allclose(mutagenesis(X), naive_ism(net, X), atol=1e-4)
    assert mutagenesis.report.path != "full"


def _cubes(h):
    return torch.func.grad(lambda z: z.pow(3).sum())(h)


def _few_bits(h):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return (h[:, :, :, None] @ torch.ones(1, 3)).float().relu().mean(3)


REFUSED = {
    "few bits": (_few_bits, "it computes in few bits"),
    "vmap": (lambda h: torch.vmap(lambda z: torch.tanh(z.T[:, :3]))(h), "torch.func"),
    "gradient inside": (_cubes, "torch.func"),
    "unique": (lambda h: h * (h[:, 0].relu().unique().numel() > 0), "depends on values at aten._unique2"),
    "masked_select": (lambda h: h + h.masked_select(h > 0).numel() * 0, "depends on values at aten.masked_select"),
    "masked assignment": (_masked, "the places that it writes to vary"),
    "whole numbers": (lambda h: (5 * h).long().float(), "it leaves whole numbers"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_no_graph_holds_is_refused_and_mutagenesis_is_right(name):
    forward, words = REFUSED[name]
    net = Net(forward)
    with pytest.raises(ModelError, match="--method ism") as caught:
        interpret.deepliftshap(net, X, REFERENCES)
    assert words in str(caught.value)
    np.testing.assert_allclose(interpret.ism(net, X, fast=True), naive_ism(net, X), atol=1e-4)


def test_whole_numbers_as_an_output_have_no_gradient():
    class Counts(nn.Module):
        def forward(self, x):
            return x[:, 1:3].sum((1, 2)).long()

    with pytest.raises(ModelError, match="it leaves whole numbers") as caught:
        interpret.deepliftshap(Counts(), X, REFERENCES)
    assert caught.value.fix == "Fix: --method ism, which needs none"
    np.testing.assert_allclose(interpret.ism(Counts(), X)[:, 1], 0.5)


def test_an_overflow_is_no_lack_of_a_gradient():
    net = Net(lambda h: torch.exp(100 * h))
    for method in (interpret.ism, interpret.ablation):
        with pytest.raises(ModelError, match="not finite") as caught:
            method(net, X)
        assert "gradient" not in str(caught.value) and "--method" not in str(caught.value)
    for method in (interpret.deepliftshap, interpret.integrated_gradients):
        with pytest.raises(MismatchError, match="are not finite") as caught:
            method(net, X, REFERENCES)
        assert "inf%" not in str(caught.value)
