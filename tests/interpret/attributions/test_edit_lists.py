"""Lists of edits followed to all outputs give what forward passes of the edited sequences give, whatever the net."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from random_nets import ENDS, KINDS, random_net
from torch import nn

from interpret.mutagenesis.engine import Engine
from interpret.mutagenesis.tracks import TracksGraph
from interpret.mutagenesis.window import Block
from scripts.bench import nets
from zoo.model import Model
from zoo.models.loaded import Runner
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec, choose_tracks

LENGTH = 96


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(4, 8, 7), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(3), nn.Conv1d(8, 6, 5), nn.GELU()
        )
        self.dense = nn.Sequential(nn.AvgPool1d(2), nn.Flatten(), nn.Linear(78, 16), nn.ReLU(), nn.Linear(16, 5))

    def forward(self, x):
        return (self.dense(self.net(x)),)


class Dilated(nn.Module):
    """Residual, cropped, a wide last kernel to two channels; and counts of the middle."""

    def __init__(self):
        super().__init__()
        self.stem, self.last = nn.Conv1d(4, 8, 5, padding=2), nn.Conv1d(8, 2, 13, padding=6)
        self.convs = nn.ModuleList(nn.Conv1d(8, 8, 3, padding=2**i, dilation=2**i) for i in range(4))
        self.counts = nn.Linear(8, 1)

    def forward(self, x):
        x = self.stem(x).relu()
        for conv in self.convs:
            x = x + conv(x).relu()
        return self.last(x)[:, :, 20:-20], self.counts(x[:, :, 10:-10].mean(2))


class Bins(nn.Module):
    """Bins of 8 bp, of which the last activation is a softplus."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(4, 8, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool1d(4),
            nn.Conv1d(8, 8, 3, padding=1, stride=2),
            nn.ELU(),
            nn.Conv1d(8, 3, 1),
            nn.Softplus(),
        )

    def forward(self, x):
        return (self.net(x),)


class Classes(nn.Module):
    """Probabilities of three classes at each base."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(4, 8, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 8, 5, padding=2 * d, dilation=d)) for d in (1, 3)
        )
        self.skip, self.last = nn.Conv1d(8, 8, 1), nn.Conv1d(8, 3, 1)

    def forward(self, x):
        x = self.first(x)
        total = self.skip(x)
        for block in self.blocks:
            x = x + block(x)
            total = total + self.skip(x)
        return (self.last(total[:, :, 12:-12]).softmax(1),)


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(4, 8, 5, padding=2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.last = nn.Linear(8, 2)

    def forward(self, x):
        x = self.stem(x).relu().transpose(1, 2)
        return (self.last(x + self.attention(x, x, x, need_weights=False)[0]).transpose(1, 2),)


class OverBins(nn.Module):
    """A softmax over bins, and the largest of a channel."""

    def __init__(self):
        super().__init__()
        self.stem, self.last = nn.Conv1d(4, 8, 9, padding=4), nn.Linear(8, 3)

    def forward(self, x):
        x = self.stem(x).tanh()
        return x[:, :2].softmax(2), self.last(x.amax(2))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.last = nn.LSTM(4, 6, batch_first=True, bidirectional=True), nn.Linear(12, 2)

    def forward(self, x):
        return (self.last(self.lstm(x.transpose(1, 2))[0]).transpose(1, 2),)


class Upwards(nn.Module):
    """Down and up again; one output twice, and one that no base changes."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv1d(4, 8, 4, stride=2, padding=1), nn.ConvTranspose1d(8, 2, 4, stride=2, padding=1)

    def forward(self, x):
        profile = self.up(self.down(x).relu())
        return profile, profile, torch.zeros_like(x[:, 0, :1]) + 3.0


NETS = {
    "dense": Dense,
    "dilated": Dilated,
    "bins": Bins,
    "classes": Classes,
    "attends": Attends,
    "over-bins": OverBins,
    "recurrent": Recurrent,
    "upwards": Upwards,
}


def make(name):
    torch.manual_seed(7)
    net = NETS[name]()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.3, 2)
    return net.eval()


def windows(n, seed=0, length=LENGTH):
    draw = np.random.default_rng(seed)
    return torch.eye(4)[torch.from_numpy(draw.integers(0, 4, (n, length)))].transpose(1, 2).contiguous()


def passed(net, x, positions, bases):
    """Every edit as a sequence of its own; nothing of the code under test."""
    edited = x.repeat(len(positions), 1, 1)
    for row, (place, base) in enumerate(zip(positions, bases, strict=True)):
        edited[row, :, place] = 0
        edited[row, base, place] = 1
    with torch.no_grad():
        return net(edited)


def apart(found, full):
    """Largest difference of any output, of its scale."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, full, strict=True))


LISTS = {
    "all": lambda draw: (np.repeat(np.arange(LENGTH), 4), np.tile(np.arange(4), LENGTH)),
    "one": lambda draw: (np.array([50]), np.array([2])),
    "the-ends": lambda draw: (np.array([0, LENGTH - 1, 0]), np.array([1, 3, 2])),
    "some-in-any-order": lambda draw: (draw.integers(0, LENGTH, 40), draw.integers(0, 4, 40)),
    "one-twice": lambda draw: (np.array([30, 30, 31]), np.array([1, 1, 0])),
    "far-apart": lambda draw: (np.array([3, 4, 60, 90, 91]), np.array([0, 1, 2, 3, 0])),
}


@pytest.mark.parametrize("edits", LISTS)
@pytest.mark.parametrize("name", NETS)
def test_a_list_of_edits_is_what_passes_give(name, edits):
    net, x = make(name), windows(2)
    x[0, :, 40] = 0.25  # an unknown base, which edits make known
    positions, bases = LISTS[edits](np.random.default_rng(3))
    observed = TracksGraph(net, windows(2, 5)).observe(x)
    for row in (1, 0):
        with torch.no_grad():
            assert apart([o[None] for o in observed[row].outputs], net(x[row : row + 1])) < 1e-6
        assert apart(observed[row].follow(positions, bases), passed(net, x[row : row + 1], positions, bases)) < 1e-5


class Wide(nn.Module):
    """One wide convolution to few channels, behind what makes windows of several widths."""

    def __init__(self, taps, outputs, padding, dilation):
        super().__init__()
        self.stem = nn.Conv1d(4, 6, 3, padding=1)
        self.last = nn.Conv1d(6, outputs, taps, padding=padding, dilation=dilation)

    def forward(self, x):
        return (self.last(self.stem(x).relu()),)


@pytest.mark.parametrize("read", [1, 1 << 20], ids=["block-by-block", "at-once"])
@pytest.mark.parametrize(
    ("taps", "outputs", "padding", "dilation"),
    [(8, 1, 0, 1), (9, 8, 4, 1), (15, 3, 20, 1), (16, 2, 1, 1), (17, 5, 8, 1), (40, 2, 20, 1), (9, 2, 8, 2)],
)
def test_wide_convolutions_to_few_channels(monkeypatch, taps, outputs, padding, dilation, read):
    monkeypatch.setattr("interpret.mutagenesis.layers.PRODUCT_BYTES", read)
    torch.manual_seed(taps)
    net, x = Wide(taps, outputs, padding, dilation).eval(), windows(1)
    observed = TracksGraph(net, windows(2, 5)).observe(x)[0]
    for edits in LISTS.values():
        positions, bases = edits(np.random.default_rng(3))
        assert apart(observed.follow(positions, bases), passed(net, x, positions, bases)) < 1e-5


class Readers(nn.Module):
    """A tensor with several readers, some of which are views of it, in the order that is given."""

    def __init__(self, order):
        super().__init__()
        self.order = order
        self.stem, self.last = nn.Conv1d(4, 8, 5, padding=2), nn.Conv1d(8, 2, 9, padding=4)

    def forward(self, x):
        x = self.stem(x).relu()
        made = {}
        for reader in self.order:
            if reader == "crop":
                made[reader] = x[:, :, 30:-30]
            elif reader == "mean":
                made[reader] = x[:, :, 25:-20].mean(2)
            elif reader == "edge":
                made[reader] = (x[:, :, :-45] * 2).relu().mean(2)
            else:
                made[reader] = self.last(x)
        if "crop" in made:  # read when all others have run
            made["crop"] = made["crop"].exp().sum(2)
        return tuple(made[reader] for reader in sorted(made))


@pytest.mark.parametrize("order", list(itertools.permutations(["crop", "mean", "edge", "last"]))[::2])
def test_what_several_operations_read_is_overwritten_by_none_before_the_last(order):
    net, x = Readers(order).eval(), windows(1)
    observed = TracksGraph(net, windows(2, 5)).observe(x)[0]
    positions, bases = LISTS["all"](None)
    assert apart(observed.follow(positions, bases), passed(net, x, positions, bases)) < 1e-5


@pytest.mark.parametrize("name", ["dilated", "dense"])
def test_lists_that_follow_each_other_do_not_change_what_they_are_compared_with(name):
    """A list of one edit has the shape of the observed sequence itself, which must stay as it is."""
    net, x = make(name), windows(1)
    observed = TracksGraph(net, windows(2, 5)).observe(x)[0]
    for positions in ([10, 11, 80], [48], [47, 48, 48], [48]):
        bases = list(range(len(positions)))
        assert apart(observed.follow(positions, bases), passed(net, x, positions, bases)) < 1e-5


def test_bins_beyond_the_reach_of_an_edit_are_those_of_the_sequence_to_the_last_bit():
    net, x = make("classes"), windows(1)  # 12 bins are cropped; reach of 2 and of 6 bp
    observed = TracksGraph(net, windows(2, 5)).observe(x)[0]
    (found,) = observed.follow([50], [int(x[0, :, 50].argmax() + 1) % 4])
    changed = (found[0] != observed.outputs[0]).any(0).nonzero().flatten() + 12
    assert changed.min() >= 42 and changed.max() <= 58 and len(changed) > 10


@pytest.mark.parametrize("seed", range(12))
def test_random_nets(seed):
    draw = np.random.default_rng(seed)
    kinds = [str(kind) for kind in draw.choice(KINDS, 3)]
    net = random_net(kinds, str(draw.choice(ENDS)), 48, seed)
    if net is None:
        net = random_net(["conv"], ENDS[0], 48, seed)
    assert net is not None

    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return (self.net(x).reshape(len(x), -1),)

    several, x = Several().eval(), windows(1, seed, 48)
    graph = TracksGraph(several, windows(2, seed + 1, 48))
    if graph.chooses:  # what the engine asks before it follows anything
        return
    positions, bases = draw.integers(0, 48, 30), draw.integers(0, 4, 30)
    found = graph.observe(x)[0].follow(positions, bases)
    full = passed(several, x, positions, bases)
    scale = max(float(full[0].abs().max()), 1e-3)
    assert float((found[0] - full[0]).abs().max()) < 2e-5 * scale


def test_positions_of_a_block():
    """By hand: distances 4 and 8, in periods of 2; a single one; equal distances are a longer period."""
    block = Block.of([3, 7, 15], 3, 2)
    assert block.steps == (0, 2, 6) and list(block.shifts(1)) == [0, 4, 12] and list(block.shifts(2)) == [0, 2, 6]
    assert Block.of([5], 1, 2).steps is None and list(Block.of([5], 1, 2).shifts(1)) == [0]
    regular = Block.of([3, 9, 15], 3, 2)
    assert regular.steps is None and regular.period == 6 and list(regular.shifts(2)) == [0, 3, 6]


# ---------------------------------------------------------------- the engine: letters in, named predictions out


SPECS = {
    "dense": (OutputSpec("access", "scalar", tuple("abcde")),),
    "dilated": (OutputSpec("profile", "profile", ("plus", "minus"), 56, 1, 20), OutputSpec("counts", "scalar", ("n",))),
    "classes": (OutputSpec("splice", "profile", ("no", "acceptor", "donor"), 72, 1, 12),),
    "attends": (OutputSpec("p", "profile", ("a", "b"), 96, 1, 0),),
}


def loaded(name, **more):
    return Model(name, make(name), SequenceLoader(LENGTH), SPECS[name], **more)


def letters(seed=0):
    return np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", np.uint8), LENGTH)


def edited(base, positions):
    found = []
    for place in positions:
        for letter in b"ACGT":
            if letter != base[place]:
                other = base.copy()
                other[place] = letter
                found.append(other.tobytes())
    return found


def full(runner, choice, sequences):
    """Predictions by the model alone."""
    array = runner.model.predict([one.decode() for one in sequences], rc_average=runner.rc_average)
    named = array if isinstance(array, dict) else {runner.model.outputs[0].name: array}
    return choice.apply(named)


def same(found, expected):
    for name, values in expected.items():
        for row, one in enumerate(found):
            assert np.abs(one[name] - values[row]).max() <= 1e-5 * np.abs(values).max(), (name, row)


@pytest.mark.parametrize("tracks", [(), ("1",)])
@pytest.mark.parametrize("name", SPECS)
def test_the_engine_gives_named_predictions_in_order(name, tracks):
    if name == "dilated" and tracks:
        tracks = ("profile/1",)
    runner = Runner(loaded(name), "cpu")
    choice = choose_tracks(runner.model.outputs, tracks)
    one, two = letters(1), letters(2)
    sequences = [*edited(one, [3, 40, 90]), one.tobytes(), *edited(two, [0, 50]), letters(3).tobytes(), two.tobytes()]
    sequences.append(sequences[0])
    sequences.append(one.tobytes().lower())
    many = one.copy()
    many[10:13] = list(b"TTT")
    sequences += [many.tobytes(), one.tobytes().replace(b"A", b"N", 1)]
    engine = Engine(runner, choice, fast=True)
    found = list(engine.predict(sequences, [one.tobytes(), two.tobytes()]))
    assert len(found) == len(sequences)
    same(found, full(runner, choice, sequences))
    report = engine.report
    # 5 positions are followed, and both bases; the third sequence, three bases at once and the N are passed.
    assert (report.path, report.followed, report.passed) == ("windows", 17, 3)
    assert report.checked >= 4 and report.largest_difference < 1e-5


def test_both_strands_are_averaged():
    model = loaded("dilated", strand_pairs={"profile": np.array([1, 0]), "counts": np.array([0])})
    runner = Runner(model, "cpu", rc_average=True)
    choice = choose_tracks(model.outputs, ("profile/0", "counts"))
    base = letters(4)
    sequences = [base.tobytes(), *edited(base, range(30, 60, 7))]
    engine = Engine(runner, choice, fast=True)
    same(list(engine.predict(sequences, sequences[:1])), full(runner, choice, sequences))
    assert engine.report.followed == len(sequences)


class Forgetful(nn.Module):
    """Its graph, once captured, is another function than the module: a global that changes behind its back."""

    added = 0.0

    def forward(self, x):
        return x.sum(2)[:, :1] * 2 + torch.tensor(Forgetful.added)


def test_what_differs_from_passes_comes_from_passes(monkeypatch):
    spec = (OutputSpec("n", "scalar", ("a",)),)
    runner = Runner(Model("forgetful", Forgetful().eval(), SequenceLoader(LENGTH), spec), "cpu")
    choice = choose_tracks(spec, ())
    engine = Engine(runner, choice, fast=True)
    monkeypatch.setattr(Forgetful, "added", 5.0)
    base = letters(5)
    sequences = edited(base, [10, 20])
    found = list(engine.predict(sequences, [base.tobytes()]))
    same(found, full(runner, choice, sequences))
    assert engine.report.recomputed == len(sequences) and engine.report.largest_difference > 1e-3


class Counted(nn.Module):
    """Depends on a value of the input, which no graph holds."""

    def forward(self, x):
        return x[:, 0].sum(1, keepdim=True) * (2.0 if float(x.sum()) > 0 else 1.0)


def test_a_model_without_a_graph_has_passes_and_says_why():
    spec = (OutputSpec("n", "scalar", ("a",)),)
    runner = Runner(Model("counted", Counted().eval(), SequenceLoader(LENGTH), spec), "cpu")
    engine = Engine(runner, choose_tracks(spec, ()), fast=True)
    base = letters(6)
    sequences = edited(base, [1, 2])
    same(list(engine.predict(sequences, [base.tobytes()])), full(runner, choose_tracks(spec, ()), sequences))
    assert engine.report.path == "passes" and "cannot be captured" in engine.report.reason
    assert engine.details()["passed"] == 6


def test_few_edits_are_not_worth_a_graph():
    runner = Runner(loaded("dense"), "cpu")
    engine = Engine(runner, choose_tracks(runner.model.outputs, ()))
    base = letters(7)
    list(engine.predict(edited(base, [1, 2]), [base.tobytes()]))
    assert engine.report.path == "undecided" and engine.report.passed == 6


def test_reduced_precision_has_passes():
    runner = Runner(loaded("dense"), "cpu", precision="bfloat16")
    engine = Engine(runner, choose_tracks(runner.model.outputs, ()), fast=True)
    assert engine.report.path == "passes" and "less than float32" in engine.report.reason


@pytest.mark.parametrize("net", [nets.basset_like, nets.bpnet_like])
def test_published_architectures_run_by_windows_to_the_end(net):
    module, length = net()
    tracks = nets.tracks_of(module)
    torch.manual_seed(0)
    x = windows(2, 1, length)

    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.tracks = tracks

        def forward(self, x):
            found = self.tracks(x)
            return found if isinstance(found, tuple) else (found,)

    listed = Listed().eval()
    graph = TracksGraph(listed, x)
    assert graph.whole_from is None
    positions, bases = [length // 2 - 40, length // 2, length // 2 + 1], [0, 1, 2]
    assert apart(graph.observe(x)[0].follow(positions, bases), passed(listed, x[:1], positions, bases)) < 1e-5
