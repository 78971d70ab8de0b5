"""Heads: bins by hand, starts that are known, the cell's change, and a plain copy that gives the same."""

import numpy as np
import pytest
import torch
from torch import nn

from finetune.data.batches import Batch
from finetune.data.regions import Geometry
from finetune.models.base import open_base
from finetune.models.freeze import freeze, weights_hash
from finetune.models.heads import Adapted, Head, head_for, init_head, to_logit, warm_start
from finetune.models.lora import LoraLayer, add_lora
from zoo.errors import UsageError


def batch(inputs, head="main", embedded=False, **known):
    n = len(inputs)
    given = dict.fromkeys(("atac", "summary", "average", "cells")) | known
    return Batch(head, inputs, embedded, torch.zeros(n, 1, 1), torch.ones(n, 1), rows=torch.arange(n), **given)


def test_bins_by_hand():
    head = Head(2, 1, "identity", pool=2, crop=(1, 3))
    head.load_state_dict({"conv.weight": torch.tensor([[[10.0], [1.0]]]), "conv.bias": torch.tensor([0.5])})
    x = torch.stack([torch.arange(8.0), torch.ones(8)]).unsqueeze(0)
    # positions 1..4 are left: bins are the means of 1, 2 and of 3, 4
    assert head(x).tolist() == [[[10 * 1.5 + 1 + 0.5, 10 * 3.5 + 1 + 0.5]]]


def test_a_head_lies_on_the_geometry():
    base = open_base("yeast-atac")  # 32 positions of 32 bp from 128
    head = head_for(base, Geometry(1280, 192, 64, 13), 2, "bce")
    assert (head.pool, head.crop, head.activation) == (2, (2, 4), "sigmoid")
    assert head(torch.zeros(3, 67, 32)).shape == (3, 2, 13)
    for wrong in (
        Geometry(1280, 128, 48, 8),
        Geometry(1280, 130, 32, 8),
        Geometry(1280, 96, 32, 8),
        Geometry(1280, 128, 32, 33),
    ):
        with pytest.raises(UsageError, match="do not lie on the positions"):
            head_for(base, wrong, 1, "mse")
    assert torch.equal(head_for(base, Geometry(1280, 128, 32, 32), 1, "mse", 3).conv.weight,
                       head_for(base, Geometry(1280, 128, 32, 32), 1, "mse", 3).conv.weight)  # fmt: skip


@pytest.mark.parametrize("activation, mean", [("exp", 2.5), ("sigmoid", 0.2), ("identity", -3.0), ("softplus", 4.0)])
def test_a_head_starts_at_the_mean(activation, mean):
    trunk = nn.Conv1d(4, 6, 1)
    head = Head(6, 2, activation)
    init_head(head, torch.tensor([mean, mean]))
    model = Adapted(trunk, {"main": head})
    np.testing.assert_allclose(model.predict(batch(torch.randn(3, 4, 5))).detach(), mean, rtol=1e-6)


def test_softmax_starts_at_the_frequencies():
    head = Head(6, 3, "softmax")
    init_head(head, torch.tensor([0.5, 0.3, 0.2]))
    found = Adapted(nn.Conv1d(4, 6, 1), {"main": head}).predict(batch(torch.randn(1, 4, 1)))
    np.testing.assert_allclose(found.detach().ravel(), [0.5, 0.3, 0.2], rtol=1e-6)


def test_a_warm_start_is_the_base_times_the_ratio_of_depths():
    base = open_base("yeast-atac")
    head = head_for(base, Geometry(1280, 128, 32, 32), 2, "poisson")
    letters = torch.randint(4, (2, 1280), generator=torch.Generator().manual_seed(1))
    x = nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    model = Adapted(base.trunk, {"main": head})
    with torch.no_grad():
        assert warm_start(head, base)
        torch.testing.assert_close(model.predict(batch(x)), base.predict(x).expand(2, 2, 32))
        assert warm_start(head, base, torch.tensor([3.0, 0.5]), predicted=1.5)
        ratio = torch.tensor([2.0, 1 / 3]).view(1, 2, 1)
        torch.testing.assert_close(model.predict(batch(x)), base.predict(x) * ratio, rtol=1e-5, atol=1e-6)
    assert not warm_start(head_for(base, Geometry(1280, 128, 32, 32), 1, "mse"), base)


def test_embedded_batches_do_not_run_the_trunk():
    base = open_base("yeast-atac")
    model = Adapted(base.trunk, {"main": Head(67, 1)})
    letters = torch.randint(4, (2, 1280), generator=torch.Generator().manual_seed(1))
    x = nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    with torch.no_grad():
        embedding = base.trunk(x)
        assert torch.equal(model(batch(embedding, embedded=True)), model(batch(x)))
        half = model(batch(embedding.half(), embedded=True))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, model(batch(x)), rtol=1e-2, atol=1e-2)


def test_a_frozen_trunk_keeps_no_graph():
    trunk = nn.Sequential(nn.Conv1d(4, 6, 3), nn.ReLU())
    model = Adapted(trunk, {"main": Head(6, 1)})
    assert model.embed(batch(torch.randn(1, 4, 9))).requires_grad
    freeze(trunk)
    assert not model.embed(batch(torch.randn(1, 4, 9))).requires_grad
    model(batch(torch.randn(1, 4, 9))).sum().backward()
    model.train()
    assert not trunk.training and model.heads.training


def test_heads_are_chosen_by_the_batch():
    model = Adapted(nn.Conv1d(4, 6, 1), {"main": Head(6, 1), "mouse": Head(6, 3, "sigmoid", pool=2)})
    assert model(batch(torch.randn(2, 4, 8))).shape == (2, 1, 8)
    assert model(batch(torch.randn(2, 4, 8), "mouse")).shape == (2, 3, 4)


class Gate(nn.Module):
    """Change of logits: the cell's track times a number, whatever the DNA."""

    def __init__(self, dna=True):
        super().__init__()
        self.dna, self.by = dna, nn.Parameter(torch.tensor(0.5))

    def forward(self, embedding, atac, summary, average):
        assert (embedding is None) != self.dna
        return self.by * atac


@pytest.mark.parametrize("activation", ["exp", "sigmoid", "identity", "softmax"])
def test_with_the_offset_the_average_cell_gets_exactly_the_average(activation):
    model = Adapted(nn.Conv1d(4, 6, 1), {"main": Head(6, 2, activation)}, Gate(), offset=True)
    average = torch.rand(3, 2, 5)
    average[0, 0, 0] = 0
    x = torch.randn(3, 4, 5)
    found = model.predict(batch(x, atac=torch.zeros(3, 1, 5), average=average))
    assert torch.equal(found, average)
    if activation == "exp":
        # above the floor, a change of 2 * 0.5 multiplies the average by e
        moved = model.predict(batch(x, atac=torch.full((3, 1, 5), 2.0), average=average + 0.1))
        torch.testing.assert_close(moved, (average + 0.1) * np.e, rtol=1e-5, atol=0)


def test_without_dna_the_trunk_does_not_run():
    class Never(nn.Module):
        def forward(self, x):
            raise AssertionError

    model = Adapted(Never(), {"main": Head(6, 1)}, Gate(dna=False), offset=True)
    found = model(batch(torch.randn(1, 4, 5), atac=torch.ones(1, 1, 5), average=torch.ones(1, 1, 5)))
    torch.testing.assert_close(found, torch.full((1, 1, 5), 0.5))


def test_an_adapter_without_offset_adds_to_the_head():
    model = Adapted(nn.Conv1d(4, 6, 1), {"main": Head(6, 1)}, Gate())
    x = torch.randn(2, 4, 5)
    plain = model.heads["main"](model.trunk(x))
    torch.testing.assert_close(model(batch(x, atac=torch.ones(2, 1, 5))), plain + 0.5)
    with pytest.raises(UsageError, match="reads tracks"):
        model.to_plain(("a",))


def test_a_plain_copy_gives_the_same_and_leaves_the_model():
    base = open_base("yeast-atac")
    add_lora(base.trunk, rank=2)
    for part in base.trunk.modules():
        if isinstance(part, LoraLayer):
            nn.init.normal_(part.up, std=0.02, generator=torch.Generator().manual_seed(0))
    model = Adapted(base.trunk, {"main": head_for(base, Geometry(1280, 256, 64, 12), 3, "poisson")}).eval()
    before = weights_hash(model)
    plain = model.to_plain(("a", "b", "c"))
    letters = torch.randint(4, (2, 1280), generator=torch.Generator().manual_seed(1))
    x = nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    with torch.no_grad():
        torch.testing.assert_close(plain.logits(x), model(batch(x)), rtol=1e-6, atol=2e-6)
    assert weights_hash(model) == before
    assert plain.weight.shape == (3, 67) and plain.tracks == ("a", "b", "c")
    assert set(plain.trunk.state_dict()) == set(base.grelu_keys)


@pytest.mark.parametrize("activation", ["exp", "sigmoid", "softplus", "identity"])
def test_logits_of_ends_are_finite(activation):
    assert bool(torch.isfinite(to_logit(torch.tensor([0.0, 1.0]), activation, 1e-3)).all())
