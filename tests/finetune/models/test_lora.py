"""Low-rank updates: nothing changes at the start, the merged layer is the updated one, few weights train."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from finetune.models.base import open_base
from finetune.models.freeze import frozen_hash, set_training
from finetune.models.lora import LoraLayer, add_lora, default_names, merge_lora, trainable_share
from zoo.errors import UsageError


def shaken(module):
    """The updates are no longer zero."""
    generator = torch.Generator().manual_seed(7)
    for part in module.modules():
        if isinstance(part, LoraLayer):
            part.up.data = torch.randn(part.up.shape, generator=generator, dtype=part.up.dtype)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 2, 4]))
    kernel, dilation = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    padding = draw(st.sampled_from(["same", "valid", 0, 3]))
    stride = 1 if padding == "same" else draw(st.integers(1, 3))
    mode = draw(st.sampled_from(["zeros", "circular", "reflect"]))
    return nn.Conv1d(
        4 * draw(st.integers(1, 3)), 4 * draw(st.integers(1, 3)), kernel, stride, padding, dilation, groups,
        bias=draw(st.booleans()), padding_mode=mode,
    )  # fmt: skip


@given(convolutions(), st.integers(1, 9))
def test_convolutions(layer, rank):
    x = torch.randn(2, layer.in_channels, 64, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(layer).double()
    x = x.double()
    with torch.no_grad():
        before = net(x)
        assert add_lora(net, rank) == ["0"]
        assert torch.equal(net(x), before)
        shaken(net)
        updated = net(x)
        # the update as a kernel of its own, made in plain loops
        lora, group_out = net[0], layer.out_channels // layer.groups
        kernel = torch.zeros_like(layer.weight)
        for out in range(layer.out_channels):
            group = out // group_out
            for r in range(lora.rank):
                kernel[out] += lora.scale * lora.up[out, r] * lora.down[group * lora.rank + r]
        torch.testing.assert_close(updated - before, layer._conv_forward(x, kernel, None), rtol=1e-9, atol=1e-9)
        merge_lora(net)
        assert type(net[0]) is nn.Conv1d
        torch.testing.assert_close(net(x), updated, rtol=1e-9, atol=1e-9)


def test_the_start_is_the_base_to_the_bit_and_merging_keeps_predictions():
    base = open_base("yeast-atac")
    letters = torch.randint(4, (4, 1280), generator=torch.Generator().manual_seed(2))
    x = nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    names = set(base.trunk.state_dict())
    with torch.no_grad():
        before = base.predict(x)
        changed = add_lora(base.trunk, rank=4)
        assert len(changed) == 11  # the stem, and two layers in each of five blocks
        assert torch.equal(base.predict(x), before)
        for part in base.trunk.modules():
            if isinstance(part, LoraLayer):
                part.up.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
        updated = base.predict(x)
        assert not torch.allclose(updated, before, rtol=1e-2)
        merge_lora(base.trunk)
        assert set(base.trunk.state_dict()) == names
        torch.testing.assert_close(base.predict(x), updated, rtol=1e-6, atol=1e-6)
        assert torch.equal(base.model.module(x), before)  # the whole model beside it is not changed


def test_only_the_update_trains():
    base = open_base("yeast-atac")
    add_lora(base.trunk, rank=2)
    assert {name.rpartition(".")[2] for name, p in base.trunk.named_parameters() if p.requires_grad} == {"down", "up"}
    before = frozen_hash(base.trunk)
    optimizer = torch.optim.SGD([p for p in base.trunk.parameters() if p.requires_grad], lr=0.01)
    letters = torch.randint(4, (2, 1280), generator=torch.Generator().manual_seed(2))
    for _ in range(2):
        set_training(base.trunk)
        optimizer.zero_grad()
        base.trunk(nn.functional.one_hot(letters, 4).transpose(1, 2).float()).square().mean().backward()
        optimizer.step()
    assert frozen_hash(base.trunk) == before
    assert any(bool(part.up.any()) for part in base.trunk.modules() if isinstance(part, LoraLayer))


def test_queries_and_values_of_enformer_are_a_fifth_of_a_percent():
    from grelu.model.trunks.enformer import EnformerTrunk

    with torch.device("meta"):
        trunk = EnformerTrunk()
    assert default_names(trunk) == ("to_q", "to_v")
    heads_and_values = 11 * 8 * ((1536 + 512) + (1536 + 1536))
    share = heads_and_values / (sum(p.numel() for p in trunk.parameters()) + heads_and_values)
    assert 0.0015 < share < 0.0025
    small = nn.ModuleDict({"to_q": nn.Linear(16, 8), "to_v": nn.Linear(16, 16), "to_k": nn.Linear(16, 8)})
    assert add_lora(small, rank=2) == ["to_q", "to_v"]
    assert trainable_share(small) == (2 * 24 + 2 * 32) / (2 * 24 + 2 * 32 + 136 + 272 + 136)


def test_names_are_ends_or_globs():
    net = nn.ModuleDict(
        {"a": nn.ModuleDict({"conv": nn.Conv1d(4, 4, 3), "out": nn.Linear(4, 4)}), "conv": nn.Linear(4, 4)}
    )
    assert add_lora(net, names=("conv",)) == ["a.conv", "conv"]
    merge_lora(net)
    assert add_lora(net, names=("a.*",)) == ["a.conv", "a.out"]


def test_a_name_that_matches_nothing_is_told_with_near_ones():
    net = nn.ModuleDict({"to_q": nn.Linear(4, 4), "to_v": nn.Linear(4, 4)})
    with pytest.raises(UsageError, match="'to_qq' matches no layer") as raised:
        add_lora(net, names=("to_v", "to_qq"))
    assert "to_q" in raised.value.extent and "'to_q'" in raised.value.fix
    assert not any(isinstance(part, LoraLayer) for part in net.modules())
    add_lora(net)
    with pytest.raises(UsageError, match="already"):
        add_lora(net)


def test_code_that_reads_the_weight_sees_the_update():
    net = nn.Sequential(nn.Linear(6, 5))
    add_lora(net, rank=3)
    shaken(net)
    x = torch.randn(4, 6)
    torch.testing.assert_close(nn.functional.linear(x, net[0].weight, net[0].bias), net(x), rtol=1e-5, atol=1e-5)


def test_a_module_in_two_places_is_updated_in_both():
    layer = nn.Linear(4, 4)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    add_lora(net)
    assert net[0] is net[2] and isinstance(net[0], LoraLayer)
    merge_lora(net)
    assert net[0] is net[2] is layer


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_update_has_the_type_of_its_layer(dtype):
    net = nn.Sequential(nn.Conv1d(4, 6, 3)).to(dtype)
    add_lora(net)
    assert net[0].down.dtype == net[0].up.dtype == dtype and net(torch.zeros(1, 4, 9, dtype=dtype)).dtype == dtype


def test_the_seed_alone_decides():
    def start(seed):
        net = nn.Sequential(nn.Linear(4, 4))
        add_lora(net, seed=seed)
        return net[0].down

    assert torch.equal(start(3), start(3)) and not torch.equal(start(3), start(4))
