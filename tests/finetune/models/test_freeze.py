"""Frozen means frozen: weights, buffers of batch norm, dropout; blocks, and rates by block."""

import copy

import pytest
import torch
from torch import nn

from finetune.models.base import open_base
from finetune.models.freeze import (
    blocks_of,
    freeze,
    freeze_all_but_last,
    frozen_hash,
    is_frozen,
    layer_groups,
    set_training,
    unfreeze,
    weights_hash,
)
from zoo.errors import UsageError


def conv_model():
    """gReLU's ConvModel with batch norm and dropout, and its embedding as a trunk."""
    from grelu.model.models import ConvModel

    torch.manual_seed(0)
    return ConvModel(n_tasks=2, n_conv=3, stem_channels=8, channel_init=8, norm=True, dropout=0.3, residual=True)


def small_enformer():
    from finetune.models.enformer import Sizes, random_enformer

    return random_enformer(1024, Sizes(n_conv=3, channels=384, n_transformers=2, n_heads=8, key_len=8)).trunk


class Model(nn.Module):
    def __init__(self, trunk, channels):
        super().__init__()
        self.trunk, self.head = trunk, nn.Conv1d(channels, 1, 1)

    def forward(self, x):
        return self.head(self.trunk(x))


def steps(model, train, n=3):
    """Steps of SGD on noise, with ``train`` called before each."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(n):
        train()
        letters = torch.randint(4, (2, 256), generator=generator)
        x = nn.functional.one_hot(letters, 4).transpose(1, 2).float()
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("make, channels", [(lambda: conv_model().embedding, 8), (small_enformer, 768)])
@pytest.mark.parametrize("by", ["set_training", "train"])
def test_training_steps_leave_a_frozen_trunk_as_it_is(make, channels, by):
    model = Model(make(), channels)
    freeze(model.trunk)
    before, all_before = frozen_hash(model), weights_hash(model.trunk)
    steps(model, (lambda: set_training(model)) if by == "set_training" else model.train)
    assert frozen_hash(model) == before and weights_hash(model.trunk) == all_before
    x = torch.randn(1, 4, 256)
    model.train()
    with torch.no_grad():  # dropout of a frozen trunk is off, whoever called train()
        assert torch.equal(model.trunk(x), model.trunk(x))


def test_without_gradients_alone_buffers_drift_and_dropout_is_on():
    model = Model(conv_model().embedding, 8)
    model.trunk.requires_grad_(False)
    before = weights_hash(model.trunk)
    steps(model, model.train)
    assert weights_hash(model.trunk) != before
    x = torch.randn(1, 4, 256)
    assert not torch.equal(model.trunk(x), model.trunk(x))


def moving(module):
    """What behaves otherwise in training; lists of modules are never called."""
    return [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.Dropout)]


def test_a_copy_stays_frozen_and_can_be_thawed():
    trunk = conv_model().embedding
    freeze(trunk)
    other = copy.deepcopy(trunk)
    other.train()
    other(torch.randn(1, 4, 256))
    assert not any(part.training for part in moving(other))
    unfreeze(other)
    assert not any(is_frozen(part) for part in other.modules()) and all(is_frozen(part) for part in trunk.modules())
    other.train()
    other(torch.randn(1, 4, 256))
    assert all(part.training for part in moving(other))


def test_the_last_blocks_train_and_no_others():
    trunk = open_base("yeast-atac").trunk
    names = freeze_all_but_last(trunk, 2)
    assert names == ["module.blocks.3", "module.blocks.4"]
    trains = {name for name, p in trunk.named_parameters() if p.requires_grad}
    assert trains == {name for name, _ in trunk.named_parameters() if name.startswith(tuple(names))}
    model = Model(trunk, 67)
    before = frozen_hash(model)
    buffers = {name: b.clone() for name, b in trunk.named_buffers()}
    letters = torch.randint(4, (4, 1280), generator=torch.Generator().manual_seed(3))
    set_training(model)
    model(nn.functional.one_hot(letters, 4).transpose(1, 2).float())
    moved = {name for name, b in trunk.named_buffers() if not torch.equal(b, buffers[name])}
    assert {name.rpartition(".norm.")[0] for name in moved} == set(names)
    assert frozen_hash(model) == before


@pytest.mark.parametrize("n", [0, 7])
def test_more_blocks_than_there_are(n):
    with pytest.raises(UsageError, match="has 6 blocks"):
        freeze_all_but_last(open_base("yeast-atac").trunk, n)


def test_enformer_has_its_convolutions_transformers_and_the_pointwise_one():
    names = [name for name, _ in blocks_of(small_enformer())]
    towers = [f"conv_tower.blocks.{i}" for i in range(3)] + [f"transformer_tower.blocks.{i}" for i in range(2)]
    assert names == [*towers, "pointwise_conv"]


def test_blocks_come_in_the_order_in_which_they_run():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Conv1d(6, 6, 1), nn.Conv1d(4, 6, 1)

        def forward(self, x):
            return self.last(self.first(x))

    assert [name for name, _ in blocks_of(Backwards(), torch.zeros(1, 4, 8))] == ["first", "last"]


def test_rates_fall_from_the_heads_back():
    trunk = open_base("yeast-atac").trunk
    model = Model(trunk, 67)
    groups = {group["name"]: group for group in layer_groups(model, 1.0, 0.5)}
    assert groups["heads"]["lr"] == 1.0 and groups["module.blocks.4"]["lr"] == 0.5
    assert groups["module.stem"]["lr"] == 0.5**6
    listed = [id(p) for group in groups.values() for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    freeze(trunk)
    assert [group["name"] for group in layer_groups(model, 1.0, 0.5)] == ["heads"]


def test_the_hash_sees_a_bit():
    trunk = conv_model().embedding
    freeze(trunk)
    before = frozen_hash(trunk)
    buffer = next(b for name, b in trunk.named_buffers() if name.endswith("running_var"))
    buffer[0] = torch.nextafter(buffer[0], torch.tensor(9.0))
    assert frozen_hash(trunk) != before
