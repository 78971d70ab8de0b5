"""What every explanation must satisfy, whatever the net: by hand, by symmetry, and by captum's DeepLIFT."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from interpret.methods.ablation import ablation
from interpret.methods.deepliftshap import deepliftshap, explain_by_deepliftshap
from interpret.methods.gradients import inputxgradient, saliency
from interpret.methods.integrated_gradients import integrated_gradients
from interpret.methods.ism import ism
from interpret.methods.marginalize import marginalize, predictions_with_and_without
from zoo.errors import InputError, UsageError

LENGTH = 30


class Net(nn.Module):
    """A small net of all that is common: convolution, normalization, pooling, a residual and a gate."""

    def __init__(self, seed=0, inside=(0, LENGTH)):
        super().__init__()
        torch.manual_seed(seed)
        self.inside = inside
        self.stem, self.norm = nn.Conv1d(4, 6, 5, padding=2), nn.BatchNorm1d(6)
        self.body, self.gate = nn.Conv1d(6, 6, 3, padding=1), nn.Conv1d(6, 6, 1)
        self.head = nn.Linear(6, 1)
        self.eval()

    def forward(self, x):
        x = F.gelu(self.norm(self.stem(x[:, :, self.inside[0] : self.inside[1]])))
        x = x + F.relu(self.body(x)) * torch.sigmoid(self.gate(x))
        return self.head(F.max_pool1d(x, 2).mean(2)).squeeze(1)


class OtherStrand(nn.Module):
    """The net of the reverse complement."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.flip(1, 2))


class Sum(nn.Module):
    def __init__(self, *nets, weights):
        super().__init__()
        self.nets, self.factors = nn.ModuleList(nets), weights

    def forward(self, x):
        return sum(factor * net(x) for factor, net in zip(self.factors, self.nets, strict=True))


def random_sequences(*shape, seed):
    letters = np.random.default_rng(seed).integers(0, 4, (*shape, LENGTH))
    return np.ascontiguousarray(np.moveaxis(np.eye(4, dtype=np.float32)[letters], -1, -2))


@pytest.fixture
def pair():
    """Three sequences and two references of each."""
    return random_sequences(3, seed=0), random_sequences(3, 2, seed=9)


@functools.cache
def usual(name):
    """What a method finds for the usual net and pair: to capture a net takes a third of a second."""
    return METHODS[name](Net(), random_sequences(3, seed=0), random_sequences(3, 2, seed=9))


METHODS = {
    "deepliftshap": deepliftshap,
    "integrated_gradients": lambda net, x, references: integrated_gradients(net, x, references),
    "ism": lambda net, x, references: ism(net, x),
    "inputxgradient": lambda net, x, references: inputxgradient(net, x),
    "saliency": lambda net, x, references: saliency(net, x),
    "ablation": lambda net, x, references: ablation(net, x, references),
}
LINEAR_IN_THE_NET = [name for name in METHODS if name != "saliency"]


@pytest.mark.parametrize("name", METHODS)
def test_positions_that_the_net_does_not_see_contribute_nothing(name, pair):
    found = METHODS[name](Net(inside=(8, 20)), *pair)
    outside = np.abs(np.delete(found, range(8, 20), axis=2)).max()
    assert outside < 1e-7 < 1e-4 < np.abs(found[:, :, 8:20]).max()


@pytest.mark.parametrize("name", METHODS)
def test_the_other_strand_is_explained_by_the_turned_contributions(name, pair):
    x, references = pair
    turned = METHODS[name](OtherStrand(Net()), x[:, ::-1, ::-1].copy(), references[..., ::-1, ::-1].copy())
    np.testing.assert_allclose(turned[:, ::-1, ::-1], usual(name), atol=2e-5)


@pytest.mark.parametrize("name", LINEAR_IN_THE_NET)
def test_contributions_to_a_sum_are_the_sum_of_contributions(name, pair):
    one, other = Net(), Net(2)
    together = METHODS[name](Sum(one, other, weights=(2.0, -0.5)), *pair)
    apart = 2 * usual(name) - 0.5 * METHODS[name](other, *pair)
    tolerance = 1e-2 * np.abs(apart).max() if name == "integrated_gradients" else 2e-5
    np.testing.assert_allclose(together, apart, atol=tolerance)


@pytest.mark.parametrize("name", METHODS)
def test_a_constant_added_to_the_output_changes_nothing(name, pair):
    class Shifted(Net):
        def forward(self, x):
            return super().forward(x) + 3.0

    np.testing.assert_allclose(METHODS[name](Shifted(), *pair), usual(name), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "deepliftshap"])
def test_sequences_are_explained_by_themselves(name, pair):
    x, references = pair
    for i in range(3):
        np.testing.assert_allclose(
            METHODS[name](Net(), x[i : i + 1], references[i : i + 1])[0], usual(name)[i], atol=1e-5
        )


@pytest.mark.parametrize("name", ["deepliftshap", "integrated_gradients", "ablation"])
def test_the_order_of_references_does_not_matter_and_their_mean_is_taken(name, pair):
    """In one call: both references, both turned round, and each of them twice."""
    x, references = pair
    given = np.concatenate([references[:, order] for order in ([0, 1], [1, 0], [0, 0], [1, 1])])
    found, turned, first, second = np.split(METHODS[name](Net(), np.concatenate([x] * 4), given), 4)
    np.testing.assert_allclose(turned, found, atol=1e-5)
    np.testing.assert_allclose((first + second) / 2, found, atol=1e-4)
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("name", ["deepliftshap", "integrated_gradients", "ablation"])
def test_a_sequence_that_is_its_own_reference_has_no_contributions(name, sequences):
    x = sequences(2, LENGTH)
    found = METHODS[name](Net(), x, x[:, None])
    np.testing.assert_allclose((found * x).sum(1), 0, atol=1e-6)


@pytest.mark.parametrize("name", ["ism", "inputxgradient"])
def test_the_four_bases_of_a_position_sum_to_nothing(name):
    """Both are relative to the mean over the bases."""
    np.testing.assert_allclose(usual(name).sum(1), 0, atol=1e-5)


def test_hypothetical_contributions_weighted_by_the_reference_are_nothing(pair):
    """To put in what the reference has changes nothing, for each reference by itself."""
    x, references = pair
    each = np.concatenate([references[:, 0], references[:, 1]])
    found = deepliftshap(Net(), np.concatenate([x, x]), each[:, None])
    np.testing.assert_allclose((found * each).sum(1), 0, atol=1e-6)


def test_mutagenesis_by_hand(pair):
    """Each of 3 x 30 x 4 edits by a forward pass of its own."""
    x, _ = pair
    net, scores = Net(), np.zeros((3, 4, LENGTH))
    with torch.no_grad():
        for place in range(LENGTH):
            for base in range(4):
                edited = torch.from_numpy(x.copy())
                edited[:, :, place] = 0
                edited[:, base, place] = 1
                scores[:, base, place] = net(edited).numpy()
    for fast in (True, False):
        found = ism(net, x, fast=fast, batch_size=7)
        np.testing.assert_allclose(found, scores - scores.mean(1, keepdims=True), atol=1e-5)


def test_gradients_by_small_steps(pair):
    """inputxgradient without its correction is the gradient: by differences of the prediction."""
    x, _ = pair
    net, double = Net(), Net().double()
    gradient = inputxgradient(net, x, corrected=False)
    rng = np.random.default_rng(1)
    for _ in range(10):
        row, base, place = rng.integers(3), rng.integers(4), rng.integers(LENGTH)
        step = torch.zeros(1, 4, LENGTH, dtype=torch.float64)
        step[0, base, place] = 1e-5
        here = torch.from_numpy(x[row : row + 1]).double()
        with torch.no_grad():
            slope = float((double(here + step) - double(here - step)) / 2e-5)
        assert gradient[row, base, place] == pytest.approx(slope, abs=1e-4)


def test_one_rectifier_by_hand():
    """y = relu(2 a - 1) of the A at one position: 1 with an A, 0 with a T. The multiplier of a is 1 / (1 - 0)."""

    class OneUnit(nn.Module):
        def forward(self, x):
            return F.relu(2 * x[:, 0, 0] - 1)

    x = np.zeros((1, 4, 1), np.float32)
    x[0, 0, 0] = 1
    reference = np.zeros((1, 1, 4, 1), np.float32)
    reference[0, 0, 3, 0] = 1
    found = explain_by_deepliftshap(OneUnit(), x, reference)
    assert (found.prediction[0], found.reference_prediction[0]) == (1, 0)
    # Rescale: the unit's input moves by 2 and its output by 1, so the slope 1/2 times the weight 2.
    np.testing.assert_allclose(found.hypothetical[0, :, 0], [1, 0, 0, 0], atol=1e-6)


def test_a_maximum_gives_the_contribution_to_what_is_taken():
    """max over three positions of the number of A: reference all C, the sequence C A C."""

    class Largest(nn.Module):
        def forward(self, x):
            return x[:, 0].amax(1)

    x, reference = np.zeros((1, 4, 3), np.float32), np.zeros((1, 1, 4, 3), np.float32)
    x[0, 1], reference[0, 0, 1] = 1, 1
    x[0, :, 1] = [1, 0, 0, 0]
    found = deepliftshap(Largest(), x, reference)
    assert (found * x).sum(1)[0] == pytest.approx([0, 1, 0])


@pytest.mark.filterwarnings("ignore:Input Tensor 0", "ignore:Setting forward, backward hooks")
def test_rectified_nets_equal_captums_deeplift(sequences):
    from captum.attr import DeepLift

    torch.manual_seed(4)
    net = nn.Sequential(
        nn.Conv1d(4, 6, 5),
        nn.ReLU(),
        nn.Conv1d(6, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 24, 8),
        nn.ReLU(),
        nn.Linear(8, 1),
    ).eval()
    x, references = sequences(3, LENGTH), sequences(3, LENGTH, seed=2)[:, None]
    theirs = DeepLift(net).attribute(torch.from_numpy(x), torch.from_numpy(references[:, 0]), target=0)
    ours = deepliftshap(net, x, references)
    # captum gives multiplier x (x - reference) at each base: summed over the bases, the projected contribution.
    np.testing.assert_allclose((ours * x).sum(1), theirs.sum(1).detach().numpy(), atol=1e-5)
    assert float(theirs.detach().abs().max()) > 1e-3


# Wrong input


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(4, LENGTH), (2, LENGTH, 4), (2, 5, LENGTH)])
def test_arrays_of_another_shape_are_refused_by_every_method(name, shape):
    with pytest.raises(UsageError) as caught:
        METHODS[name](Net(), np.zeros(shape, np.float32), np.zeros((2, 1, 4, LENGTH), np.float32))
    assert caught.value.what == f"one_hot has shape {shape}"
    assert caught.value.extent == "the method takes (N, 4, L)" and caught.value.exit_code == 2


@pytest.mark.parametrize("name", METHODS)
def test_numbers_that_are_not_finite_are_counted_by_every_method(name, sequences):
    x = sequences(3, LENGTH)
    x[1, 0, 0], x[2, 3, 5] = np.nan, np.inf
    with pytest.raises(InputError, match="one_hot holds NaN or infinity") as caught:
        METHODS[name](Net(), x, x[:, None])
    assert caught.value.extent == "2 of 3 sequences"


@pytest.mark.parametrize("name", METHODS)
def test_a_net_with_two_numbers_a_sequence_is_refused_by_every_method(name, pair):
    class Two(Net):
        def forward(self, x):
            y = super().forward(x)
            return torch.stack([y, y], 1)

    with pytest.raises(UsageError, match="one number a sequence"):
        METHODS[name](Two(), *pair)


@pytest.mark.parametrize("name", METHODS)
def test_a_net_may_give_a_column(name, pair):
    class Column(Net):
        def forward(self, x):
            return super().forward(x)[:, None]

    np.testing.assert_allclose(METHODS[name](Column(), *pair), usual(name), atol=1e-6)


# Marginalization


def test_what_is_inserted_is_where_it_is_said_to_be(sequences):
    """A net that reads four positions: only a motif put there in these bases is seen."""

    class Reads(nn.Module):
        def forward(self, x):
            return x[:, 2, 10] + x[:, 0, 11] + x[:, 3, 12] + x[:, 3, 13]

    backgrounds = sequences(5, LENGTH)
    with_motif, without = predictions_with_and_without(Reads(), backgrounds, "GATT", start=10)
    assert with_motif.tolist() == [4] * 5
    assert without.tolist() == (backgrounds[:, [2, 0, 3, 3], [10, 11, 12, 13]].sum(1)).tolist()
    assert (
        marginalize(Reads(), backgrounds, "GNTT", start=10).tolist()
        == (3 - backgrounds[:, [2, 3, 3], [10, 12, 13]].sum(1)).tolist()
    ), "N leaves the background"
    assert (marginalize(Reads(), backgrounds, "GATT", start=14) == 0).all()


def test_the_centre_is_the_default_place(sequences):
    backgrounds = sequences(3, LENGTH)
    net = Net()
    np.testing.assert_array_equal(
        marginalize(net, backgrounds, "TGACTCA"), marginalize(net, backgrounds, "TGACTCA", start=(LENGTH - 7) // 2)
    )
    as_array = np.eye(4, dtype=np.float32)[["ACGT".index(base) for base in "TGACTCA"]].T
    np.testing.assert_array_equal(marginalize(net, backgrounds, as_array), marginalize(net, backgrounds, "tgactca"))


@pytest.mark.parametrize(("motif", "start"), [("A" * (LENGTH + 1), None), ("ACGT", LENGTH - 3), ("ACGT", -1)])
def test_a_motif_that_does_not_fit(sequences, motif, start):
    with pytest.raises(UsageError, match="does not fit") as caught:
        marginalize(Net(), sequences(1, LENGTH), motif, start=start)
    assert caught.value.extent == f"the sequences are {LENGTH} bp"


@pytest.mark.parametrize("motif", ["", "NNN", "ACGU", "TGA TCA", "ACGR"])
def test_a_motif_of_other_letters(sequences, motif):
    with pytest.raises(UsageError, match="other letters than A, C, G, T and N"):
        marginalize(Net(), sequences(1, LENGTH), motif)


def test_the_backgrounds_are_left_as_they_were(sequences):
    backgrounds = sequences(3, LENGTH)
    before = backgrounds.copy()
    marginalize(Net(), backgrounds, "TGACTCA")
    np.testing.assert_array_equal(backgrounds, before)
