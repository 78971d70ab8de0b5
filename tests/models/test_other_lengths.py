"""``load_model(...).predict`` on sequences of another length than the model's: what the network gives, or refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from zoo.errors import UsageError
from zoo.model import Model
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec

LENGTH = 32


class Pooled(nn.Module):
    """Mean of A; any length."""

    def forward(self, x):
        return x[:, :1].mean(2)


class Bins(nn.Module):
    """A and C in bins of 4 bp, 4 bp cropped at both ends."""

    def forward(self, x):
        return nn.functional.avg_pool1d(x[:, :2, 4:-4], 4) * 4


class Folded(nn.Module):
    """Rows of 32 bp, whatever the batch: twice as many for 64 bp."""

    def forward(self, x):
        return x[:, 0].reshape(-1, LENGTH).sum(1, keepdim=True)


SCALAR = OutputSpec("a", "scalar", ("A",))
PROFILE = OutputSpec("bins", "profile", ("A", "C"), 6, 4, 4)
LAST = OutputSpec("bins", "profile", ("A", "C"), 6, placed=False, axis=1)
DENSE = nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 1))


class Turned(Bins):
    def forward(self, x):
        return super().forward(x).transpose(1, 2)


def model_of(module, spec):
    return Model("toy", module.eval(), SequenceLoader(LENGTH), (spec,))


@pytest.mark.parametrize("length", [1, 7, LENGTH, 200])
def test_a_network_that_pools_takes_any_length(length):
    found = model_of(Pooled(), SCALAR).predict(["A" * (length - length // 3) + "G" * (length // 3)] * 3)
    np.testing.assert_allclose(found, [[(length - length // 3) / length]] * 3, rtol=1e-6)


@pytest.mark.parametrize("module, spec", [(Bins(), PROFILE), (Turned(), LAST)], ids=["first", "last"])
@pytest.mark.parametrize("length", [12, 16, LENGTH, 64])
def test_a_profile_has_the_bins_that_come_out(module, spec, length):
    text = ("AACC" * length)[:length]
    for sequences in (
        [text] * 2,
        torch.nn.functional.one_hot(torch.tensor([[0, 0, 1, 1]] * 2), 4).mT.repeat(1, 1, length // 4),
    ):
        found = model_of(module, spec).predict(sequences)
        assert found.shape == (2, 2, length // 4 - 2)
        assert (found == 2).all()


def test_batches_of_long_sequences_join(monkeypatch):
    found = model_of(Bins(), PROFILE).predict(["ACGT" * 16] * 5, batch_size=2)
    assert found.shape == (5, 2, 14) and (found == 1).all()


@pytest.mark.parametrize("length", [LENGTH - 1, LENGTH + 4, 2 * LENGTH])
@pytest.mark.parametrize("module", [DENSE, Folded()], ids=["dense", "folded"])
def test_a_length_that_the_network_does_not_take(module, length):
    model = model_of(module, SCALAR)
    assert model.predict(["A" * LENGTH] * 2).shape == (2, 1)
    with pytest.raises(UsageError) as caught:
        model.predict(["A" * length] * 2)
    assert caught.value.what == f"toy: does not take sequences of {length:,} bp; it sees 32 bp"
    assert caught.value.fix == "Fix: give 32 bp: cut them, or pad them with N"


def test_both_strands_where_bins_mirror_and_where_they_do_not():
    model = model_of(Bins(), PROFILE)
    text = "AAAA" * 3 + "CCCC" * 13
    forward = model.predict([text])
    turned = model.predict([text.translate(str.maketrans("ACGT", "TGCA"))[::-1]])[..., ::-1]
    np.testing.assert_allclose(model.predict([text], rc_average=True), (forward + turned) / 2)
    with pytest.raises(UsageError, match="not centred in sequences of 34 bp"):
        model.predict(["A" * 34], rc_average=True)


def test_sequences_of_several_lengths_are_refused():
    with pytest.raises(UsageError, match="letters"):
        model_of(Pooled(), SCALAR).predict(["ACGT", "ACG"])
