"""Whole nets are complete or refused by name; recurrent layers are explained as their gates are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import LENGTH, NETWORKS, make_network
from torch import nn

from interpret.capture import capture
from interpret.methods.deepliftshap import explain_by_deepliftshap
from interpret.methods.ism import Mutagenesis
from interpret.references import References
from zoo.errors import ModelError


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_complete_or_refused_by_name(name, sequences):
    net, x = make_network(name), sequences(2, LENGTH)
    references = References(n=2, seed=2).of(x)
    if NETWORKS[name] is not None:
        with pytest.raises(ModelError, match="--method ism") as caught:
            explain_by_deepliftshap(net, x, references)
        assert NETWORKS[name] in str(caught.value)
        return
    with torch.no_grad():
        y = net(torch.from_numpy(x)).numpy()
        base = net(torch.from_numpy(references.reshape(-1, 4, LENGTH))).numpy().reshape(2, 2).mean(1)
    found = explain_by_deepliftshap(net, x, references)
    assert np.abs(y - base).max() > 1e-4
    total = (found.hypothetical * x).sum((1, 2))
    assert total == pytest.approx(y - base, abs=1e-4 * float(np.abs(y - base).max()) + 1e-6)


# ---------------------------------------------------------------- recurrent layers


class WrittenOut(nn.Module):
    """The layer of another net, gate by gate, from its own weights."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        layer, h = self.net.layer, x.new_zeros(x.shape[0], 5)
        c = h
        for step in range(x.shape[2]):
            of_x = x[:, :, step] @ layer.weight_ih_l0.t() + layer.bias_ih_l0
            of_h = h @ layer.weight_hh_l0.t() + layer.bias_hh_l0
            if isinstance(layer, nn.LSTM):
                i, f, g, o = (of_x + of_h).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
            else:
                (x_r, x_z, x_n), (h_r, h_z, h_n) = of_x.chunk(3, 1), of_h.chunk(3, 1)
                n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
                h = n + torch.sigmoid(x_z + h_z) * (h - n)
        return self.net.head(h)[:, 0]


class Whole(nn.Module):
    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(5)
        self.layer, self.head = kind(4, 5, batch_first=True), nn.Linear(5, 1)
        with torch.no_grad():
            for weight in self.layer.parameters():
                weight.mul_(2)

    def forward(self, x):
        return self.head(self.layer(x.transpose(1, 2))[0][:, -1])[:, 0]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_layer_is_explained_as_its_gates_are(kind, sequences):
    """Each gate's rule has its own tests: the layer's multipliers are what they give, written out."""
    net, x = Whole(kind).eval(), sequences(2, 9)
    references = References(n=3, seed=2).of(x)
    whole = explain_by_deepliftshap(net, x, references)
    written = explain_by_deepliftshap(WrittenOut(net), x, references)
    assert written.prediction == pytest.approx(whole.prediction, abs=1e-6)
    scale = np.abs(written.hypothetical).max()
    assert whole.hypothetical == pytest.approx(written.hypothetical, abs=1e-4 * float(scale))


def test_a_recurrent_layer_is_one_node():
    net = make_network("two bidirectional lstms")
    x = torch.eye(4)[torch.arange(LENGTH) % 4].T.expand(3, -1, -1)
    names = [str(node.target) for node in capture(net.eval(), x).graph_module.graph.nodes]
    assert names.count("seqzoo.lstm.default") == 2 and len(names) < 40


@pytest.mark.parametrize("name", ["two bidirectional lstms", "packed lstm", "loop over a cell"])
def test_mutagenesis_of_recurrent_nets_by_full_passes(name, sequences):
    net, x = make_network(name), sequences(1, LENGTH)
    found = Mutagenesis(net, LENGTH).mutate_all(x)
    with torch.no_grad():
        for place, base in ((0, 1), (20, 3), (47, 2)):
            edited = torch.from_numpy(x.copy())
            edited[0, :, place] = torch.eye(4)[base]
            assert found[0, base, place] == pytest.approx(float(net(torch.cat([edited, edited]))[0]), abs=1e-5)
