"""In-silico mutagenesis by windows gives what full forward passes give, whatever the net; and says how it ran."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_nets import ENDS, KINDS, random_net
from torch import nn
from torch.nn import functional as F
from toys_attribution import COMPLETE, LENGTH, REFUSED, make_toy

from interpret.methods.ism import Mutagenesis, ism, mutate_all
from interpret.methods.registry import open_method
from interpret.mutagenesis import trial
from interpret.mutagenesis.edits import MutagenesisGraph
from interpret.mutagenesis.trial import Foreseen, foresee
from interpret.references import parse_references
from scripts.bench import nets

ISM = importlib.import_module("interpret.methods.ism")
TOYS = dict(COMPLETE) | {name: spec[:1] for name, spec in REFUSED.items()}
#: Toys whose operation mixes positions beyond a window: whole tensors from it on.
WHOLE = {
    "max_pool2d",
    "amin",
    "adaptive-max-pool",
    "group-norm",
    "instance-norm",
    "standard-deviation",
    "log-softmax",
    "logsumexp",
    "attention-pool",
    "weighted-pool",
    "plain-attention",
    "sdpa",
    "multi-head-attention",
    "transformer-layer",
    "LSTM",
    "bidirectional-GRU",
    "both-strands",
    "where",
    "argmax",
    "sort",
    "places-of-a-sort",
    "cumprod",
    "where-capped",
    "where-of-functions",
    "where-constant-condition",
    "where-of-another",
    "masked-channels",
    "step",
    "logaddexp",
    "logaddexp-of-two",
}


class Double(nn.Module):
    """A net computed in float64."""

    def __init__(self, net):
        super().__init__()
        self.net = net.double()

    def forward(self, x):
        return self.net(x.double())


def by_full_passes(net, x):
    """Every edit as a sequence of its own; nothing of the code under test."""
    n, _, length = x.shape
    edited = np.repeat(x[:, None, None], 4, 1).repeat(length, 2)  # (n, base, place, 4, length)
    for base in range(4):
        for place in range(length):
            edited[:, base, place, :, place] = np.eye(4)[base]
    with torch.no_grad():
        found = [net(part) for part in torch.from_numpy(edited.reshape(-1, 4, length)).split(500)]
    return torch.cat(found).double().numpy().reshape(n, 4, length)


def difference(found, full):
    """Of the output's scale."""
    return np.abs(found - full).max() / max(np.abs(full).max(), np.ptp(full), 1e-300)


def opened(net, length=LENGTH, **options):
    """The windows, without the check that would repair them, and what predicts by them."""
    x = torch.eye(4)[torch.arange(2 * length) % 4].reshape(2, length, 4).transpose(1, 2).contiguous()
    graph = MutagenesisGraph(net, x, **options)
    return graph, lambda x: graph.predict(torch.from_numpy(x))[1].numpy()


def with_unknown(x):
    x[-1, :, 7] = 0.25
    x[-1, :, 0] = 0
    return x


@pytest.mark.parametrize("name", [name for name in TOYS if name != "value-dependent"])
def test_toys_in_float64(name, sequences):
    net = Double(make_toy(*TOYS[name]))
    graph, predict = opened(net)
    assert (graph.whole_from is not None) == (name in WHOLE)
    x = with_unknown(sequences(2, LENGTH))
    assert difference(predict(x), by_full_passes(net, x)) < 1e-9
    assert difference(predict(x[:1]), by_full_passes(net, x[:1])) < 1e-9


@pytest.mark.parametrize("name", list(TOYS)[:-1:6])
def test_toys_in_float32(name, sequences):
    net = make_toy(*TOYS[name])
    x = with_unknown(sequences(2, LENGTH))
    assert difference(opened(net)[1](x), by_full_passes(net, x)) < 1e-5


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    st.sampled_from(ENDS),
    st.sampled_from((23, 40, 61)),
    st.integers(0, 1000),
    st.sampled_from((7, 64)),
)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_random_nets(kinds, end, length, seed, batch_size):
    net = random_net(kinds, end, length, seed)
    assume(net is not None)
    net = Double(net)
    letters = np.random.default_rng(seed).integers(0, 4, (2, length))
    x = with_unknown(np.ascontiguousarray(np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1)))
    _, predict = opened(net, length, batch_size=batch_size)
    assert difference(predict(x), by_full_passes(net, x)) < 1e-9


class Weighted(nn.Module):
    """4 x 5 weights, 0 to 19: the sum of those at the bases, squared."""

    def forward(self, x):
        return (x * torch.arange(20.0).reshape(4, 5)).sum((1, 2)) ** 2


def test_a_net_computed_by_hand(sequences):
    """ACGTA scores (0 + 6 + 12 + 18 + 4)^2 = 1600; T for the first A adds 15: 3025; T is at its best at place 3."""
    x = np.zeros((1, 4, 5), np.float32)
    x[0, [0, 1, 2, 3, 0], range(5)] = 1
    scores = mutate_all(Weighted(), x)
    assert scores[0, 0, 0] == 1600 and scores[0, 3, 0] == 3025 and scores[0, 3, 3] == 1600
    assert scores[0, :, 1] == pytest.approx([35**2, 40**2, 45**2, 50**2])
    found = ism(Weighted(), x)
    assert found[0, :, 1] == pytest.approx(scores[0, :, 1] - (35**2 + 40**2 + 45**2 + 50**2) / 4)
    assert Mutagenesis(Weighted(), 5).mutate_all(x) == pytest.approx(scores)


def test_all_four_bases_at_an_unknown_one():
    x = np.zeros((1, 4, 5), np.float32)
    x[0, [0, 1, 2, 3], range(4)] = 1  # the last is unknown: 0 + 6 + 12 + 18
    for fast in (True, False):
        scores = Mutagenesis(Weighted(), 5, fast=fast).mutate_all(x)
        assert scores[0, :, 4] == pytest.approx([40**2, 45**2, 50**2, 55**2])
        assert scores[0, 0, 0] == pytest.approx(36**2)


@pytest.mark.parametrize("name", ["basset_like", "beluga_like", "bpnet_like"])
def test_published_architectures_run_by_windows_to_the_end(name):
    net, length = getattr(nets, name)()
    report = Mutagenesis(net, length, fast=True).report
    assert (report.path, report.whole_from, report.reason) == ("fast", None, None)


def test_the_zoo_s_layouts_of_basset_and_beluga_run_by_windows(sequences):
    """Convolutions of two dimensions on an input with a dummy axis and channels A G C T."""

    class Image(nn.Module):
        def __init__(self, kernel, axis):
            super().__init__()
            self.axis = axis
            self.parts = nn.Sequential(
                nn.Conv2d(4, 6, kernel(5)),
                nn.BatchNorm2d(6),
                nn.ReLU(),
                nn.MaxPool2d(kernel(3)),
                nn.Conv2d(6, 5, kernel(3)),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(5 * 10, 6),
                nn.ReLU(),
                nn.Linear(6, 2),
            )

        def forward(self, x):
            x = x[:, [0, 2, 1, 3]].transpose(1, 2).unsqueeze(2).transpose(3, 1)
            return self.parts(x if self.axis == 3 else x.transpose(2, 3))[:, 1]

    torch.manual_seed(0)
    for kernel, axis in ((lambda k: (1, k), 3), (lambda k: (k, 1), 2)):
        net = Double(Image(kernel, axis)).eval()
        graph, predict = opened(net, 40)
        assert graph.whole_from is None
        x = sequences(3, 40)
        assert difference(predict(x), by_full_passes(net, x)) < 1e-9


class Profile(nn.Module):
    """BPNet's profile as it is explained: bins less their mean, weighted by the observed profile."""

    zoo_explain: ClassVar = {"fixed": "weights"}

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv1d(4, 6, 9, padding=4), nn.Conv1d(6, 2, 5, padding=2)

    def values(self, x):
        return self.head(F.relu(self.stem(x)))[:, :, 10:50]

    def weights(self, x):
        return self.values(x).softmax(2)

    def forward(self, x, weights=None):
        found = self.values(x)
        weights = found.softmax(2) if weights is None else weights
        return ((found - found.mean(2, keepdim=True)) * weights).sum(2).flatten(1).sum(1)


def test_weights_of_the_observed_profile_stay_fixed(sequences):
    torch.manual_seed(0)
    net, x = Profile(), sequences(3, 60)
    method = Mutagenesis(net, 60, fast=True)
    found = method.mutate_all(x)
    assert method.report.path == "fast" and method.report.recomputed == 0
    with torch.no_grad():
        weights = net.weights(torch.from_numpy(x))
        for place, base in ((0, 1), (30, 2), (59, 3)):
            edited = x.copy()
            edited[:, :, place] = np.eye(4)[base]
            expected = net(torch.from_numpy(edited), weights).numpy()
            assert found[:, base, place] == pytest.approx(expected, abs=1e-5 * float(np.abs(expected).max()))


def test_tangermeme_gives_the_same(sequences):
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(4, 8, 9),
        nn.ReLU(),
        nn.MaxPool1d(3),
        nn.Conv1d(8, 8, 5),
        nn.GELU(),
        nn.AvgPool1d(2),
        nn.Flatten(),
        nn.Linear(8 * 13, 5),
        nn.ReLU(),
        nn.Linear(5, 1),
    )
    x = sequences(2, 100)
    theirs = saturation_mutagenesis(net.eval(), torch.from_numpy(x), raw_outputs=True, device="cpu").y_hat
    assert difference(opened(net, 100)[1](x), theirs.double().numpy().reshape(x.shape)) < 1e-5


def test_a_module_that_cannot_be_captured_takes_full_passes(sequences):
    net = make_toy(*TOYS["value-dependent"])
    method = Mutagenesis(net, LENGTH, fast=True)
    assert method.report.path == "full" and "cannot be captured" in method.report.reason
    x = with_unknown(sequences(2, LENGTH))
    assert difference(method.mutate_all(x)[0], mutate_all(net, x[:1], fast=False)[0]) == 0
    place = np.zeros((1, 4, LENGTH), np.float32)  # one edit by hand: the module is linear where its sum is positive
    place[0] = x[0]
    place[0, :, 5] = np.eye(4)[2]
    with torch.no_grad():
        alone = float(net(torch.from_numpy(place)))
    assert abs(method.mutate_all(x)[0, 2, 5]) == pytest.approx(abs(alone), rel=1e-5)


def test_the_check_finds_what_windows_get_wrong(sequences):
    """Weights changed behind the method's back: every sequence is computed again, and the report says so."""
    net = make_toy(*TOYS["batch-norm"])
    method = Mutagenesis(net, LENGTH, fast=True)
    x = sequences(3, LENGTH)
    method.mutate_all(x)
    assert method.report.recomputed == 0 and method.report.largest_difference < 1e-5
    assert method.report.sequences == 3 and method.report.checked == 3 * 2  # 1% of 120 edits, rounded up
    with torch.no_grad():
        net.stem.weight.mul_(1.5)
    found = method.mutate_all(x)
    assert method.report.recomputed == 3 and method.report.largest_difference > 1e-2
    assert difference(found, by_full_passes(net, x)) < 1e-5


class Attends(nn.Module):
    """Two wide convolutions, then attention over pooled positions."""

    def __init__(self, width):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(4, width, 9, padding=4), nn.GELU(), nn.Conv1d(width, width, 9, padding=4), nn.MaxPool1d(4)
        )
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        x = self.stem(x).transpose(1, 2)
        return self.head(F.scaled_dot_product_attention(x, x, x).mean(1))[:, 0]


def test_the_method_says_how_it_ran(sequences, monkeypatch):
    torch.manual_seed(0)
    net = Attends(32)
    x = sequences(2, 96)
    monkeypatch.setattr(ISM, "Mutagenesis", functools.partial(Mutagenesis, fast=True))
    monkeypatch.setattr(importlib.import_module("interpret.methods.registry"), "Mutagenesis", ISM.Mutagenesis)
    method = open_method("ism", net, 96, parse_references("zeros"))
    found = method.explain(x, 0)
    full = ism(net, x, fast=False)
    assert found.hypothetical == pytest.approx(full, abs=1e-5 * float(np.abs(found.prediction).max()))
    details = method.details()
    assert details["path"] == "partly fast" and "scaled_dot_product_attention" in details["whole_from"]
    assert details["sequences"] == 2 and details["recomputed"] == 0 and details["checked"] == 6


# ---------------------------------------------------------------- which way is taken


class Recurrent(nn.Module):
    """Two layers in both directions, whose every step an edit changes."""

    def __init__(self, kind=nn.LSTM):
        super().__init__()
        torch.manual_seed(0)
        self.layers, self.head = kind(4, 8, 2, bidirectional=True, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.layers(x.transpose(1, 2))[0].mean(1))[:, 0]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_nets_take_forward_passes_and_are_not_captured(kind, sequences, monkeypatch):
    monkeypatch.setattr(ISM, "MutagenesisGraph", None)
    net, x = Recurrent(kind), with_unknown(sequences(2, LENGTH))
    method = Mutagenesis(net, LENGTH)
    assert difference(method.mutate_all(x), by_full_passes(net, x)) < 1e-5
    assert method.report.path == "full" and method.report.sequences == 2


def slow(net, each):
    """The net, of which a row is said to take some seconds more: on a clock that it moves itself."""

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            clock[0] += each * len(x) if not torch.compiler.is_exporting() else 0
            return self.net(x)

    clock = [0.0]
    return Slow(), lambda device: clock[0]


def clocked(monkeypatch, clock):
    for module in ("interpret.methods.ism", "interpret.mutagenesis.trial", "interpret.mutagenesis.edits"):
        monkeypatch.setattr(importlib.import_module(module), "seconds", clock)


def test_windows_are_followed_where_forward_passes_take_long(sequences, monkeypatch):
    """A convolution of which a row takes a second: 3 x 400 of them are worth what planning takes."""
    net, clock = slow(nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 396, 1)), 1.0)
    clocked(monkeypatch, clock)
    x = sequences(1, 400)
    method = Mutagenesis(net.eval(), 400)
    found = method.mutate_all(x)
    assert (method.report.path, method.report.reason, method.report.before) == ("fast", None, 0)
    assert method.report.sequences == 1 and method.report.checked == 12
    assert clock(None) < 0.1 * 1200  # the look at few edits, what is foreseen from two, the check of 1%
    assert difference(found, by_full_passes(net, x)) < 1e-5


def test_a_trial_that_is_slow_gives_way_to_forward_passes(sequences, monkeypatch):
    net, clock = slow(nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 116, 1)), 1.0)
    clocked(monkeypatch, clock)
    monkeypatch.setattr(MutagenesisGraph, "trial", lambda self, *inputs, positions: (0.0, 2.0))
    x = sequences(1, 120)
    method = Mutagenesis(net.eval(), 120)
    found = method.mutate_all(x)
    assert method.report.path == "full" and "in a trial windows took 7.2e+02 s a sequence" in method.report.reason
    assert clock(None) < 1.1 * 361
    assert difference(found, by_full_passes(net, x)) < 1e-5


def test_few_edits_are_not_worth_a_look(sequences, monkeypatch):
    monkeypatch.setattr(ISM, "foresee", None)
    method = Mutagenesis(make_toy(*TOYS["F.relu"]), LENGTH)
    method.mutate_all(sequences(3, LENGTH))
    assert method.report.path == "full" and "the edits are few" in method.report.reason


def test_what_is_foreseen_of_a_net():
    """A 9-wide convolution of 4 x 16 on 96 positions leaves 10 of 96 of itself, a dense layer all."""
    net = nn.Sequential(nn.Conv1d(4, 16, 9, padding=4), nn.Flatten(), nn.Linear(16 * 96, 1))
    found = foresee(lambda: net(torch.zeros(2, 4, 96)))
    windowed, whole = 2 * 96 * 16 * 4 * 9, 2 * 16 * 96
    assert found.left == pytest.approx((windowed * 10 / 96 + whole) / (windowed + whole), rel=1e-6)
    assert foresee(lambda: Recurrent()(torch.zeros(2, 4, 96))).left == 1.0
    assert not Foreseen(1000, 1.0).worth(100.0, True) and Foreseen(1000, 1.0).worth(1000.0, True)


def test_whole_numbers_take_full_passes(sequences):
    class Counts(nn.Module):
        def forward(self, x):
            return x[:, 0].to(torch.int64).sum(1)

    assert Mutagenesis(Counts(), 12, fast=True).report.reason == "the module computes in torch.int64"
    x = sequences(2, 12)
    expected = np.broadcast_to(np.array([0.75, -0.25, -0.25, -0.25])[:, None], (2, 4, 12))
    np.testing.assert_allclose(ism(Counts(), x), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(40,), (8, 40), (1, 8, 40), (1, 1, 40), (8, 1), (1,)])
def test_constants_along_the_sequence(shape, sequences):
    torch.manual_seed(0)
    constant = torch.rand(shape, dtype=torch.float64)
    net = Double(make_toy(lambda x: torch.exp(x * constant.to(x.dtype)) + constant.to(x.dtype)))
    x = sequences(2, LENGTH)
    assert difference(opened(net)[1](x), by_full_passes(net, x)) < 1e-9


def test_within_inference_mode(sequences):
    x, net = sequences(2, 60), Profile()
    with torch.inference_mode():
        method = Mutagenesis(net, 60, fast=True)
        method.mutate_all(x)
    assert method.report.path == "fast" and method.report.recomputed == 0


def test_windows_that_fail_give_way_to_full_passes(sequences, monkeypatch):
    net = make_toy(*TOYS["F.relu"])
    method = Mutagenesis(net, LENGTH, fast=True)

    def fail(*inputs):
        raise RuntimeError("no memory")

    monkeypatch.setattr(method.graph, "predict", fail)
    x = sequences(2, LENGTH)
    assert difference(method.mutate_all(x), by_full_passes(net, x)) < 1e-5
    assert method.report.path == "full" and "no memory" in method.report.reason and method.report.sequences == 2


def test_no_sequences():
    method = Mutagenesis(make_toy(*TOYS["F.relu"]), LENGTH)
    assert method.mutate_all(np.zeros((0, 4, LENGTH), np.float32)).shape == (0, 4, LENGTH)
    assert dataclasses.asdict(method.report)["checked"] == 0


def test_unchecked_mutagenesis_is_the_same_and_says_that_nothing_was_checked(sequences):
    net, x = make_toy(*COMPLETE["F.relu"]), sequences(2, LENGTH)
    checked, unchecked = Mutagenesis(net, LENGTH, fast=True), Mutagenesis(net, LENGTH, fast=True, check=False)
    np.testing.assert_array_equal(checked(x), unchecked(x))
    assert (checked.report.checked, unchecked.report.checked) == (2 * 2, 0)  # 1% of 3 x 40 edits, rounded up
    assert checked.report.sequences == unchecked.report.sequences == 2


@pytest.mark.parametrize(("rate", "tried", "best"), [(abs, [54, 27, 13], 13), (lambda n: 1 / n, [54, 27, 108], 108)])
def test_more_rows_a_pass_are_not_tried_where_fewer_are_quicker(rate, tried, best, monkeypatch):
    """A clock that a pass of n rows moves by n * rate(n)."""
    clock = [0.0]
    monkeypatch.setattr(trial, "seconds", lambda device: clock[0])
    passes = trial.Passes(150, torch.device("cpu"))
    sizes = [passes.size]
    for _ in range(9):
        rows = passes.size

        def predict(rows=rows):
            clock[0] += rows * rate(rows)
            return torch.zeros(rows)

        passes.run(predict, rows)
        sizes.append(passes.size)
    assert list(dict.fromkeys(sizes)) == tried and passes.size == best


def test_short_sequences_take_two_passes_but_by_layers_of_many_steps():
    """3 x 70 edits, the sequence and a stranger: 212 rows, of which the caches hold half."""
    cpu = torch.device("cpu")
    assert trial.Passes(70, cpu).next_rows(212, 212) == 106
    assert trial.Passes(70, cpu, steps=True).next_rows(212, 212) == 212
    assert trial.Passes(70, torch.device("mps")).size == 2**20 // 70, "a GPU of another maker is one, too"
    assert trial.Passes(70, cpu, size=50).next_rows(212, 212) == 50
    layers = [nn.GRU(4, 2), nn.RNN(4, 2), nn.LSTM(4, 2, proj_size=1), nn.LSTM(4, 2).double()]
    for layer in [*layers, nn.GRUCell(4, 2), nn.LSTMCell(4, 2)]:
        assert trial.takes_steps(nn.Sequential(nn.ReLU(), layer))
    assert not trial.takes_steps(nn.Sequential(nn.Conv1d(4, 4, 3), nn.LSTM(4, 2)))
    assert not trial.takes_steps(nn.Conv1d(4, 4, 3))


def test_other_sizes_are_not_tried_for_few_passes(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(trial, "seconds", lambda device: float(next(clock)))
    passes = trial.Passes(70, torch.device("cpu"))
    for to_come in (4 * 211, 3 * 211, 2 * 211, 211):  # of four sequences
        rows = passes.next_rows(min(to_come, 211), to_come)
        passes.run(lambda rows=rows: torch.zeros(rows), rows)
        assert rows == 106
