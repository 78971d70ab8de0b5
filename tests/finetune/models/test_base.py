"""Bases are taken apart so that trunk, head and activation give what the model gives; what cannot be, is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from toys import make_toy_entry

from finetune.models.base import open_base
from finetune.models.cut import ACTIVATIONS, activate, cut_module
from zoo.errors import ModelError, UsageError
from zoo.models.entry import open_entry
from zoo.models.load import load_entry
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec


def windows(n, length):
    letters = torch.randint(4, (n, length), generator=torch.Generator().manual_seed(5))
    return nn.functional.one_hot(letters, 4).transpose(1, 2).float()


def loaded(module, shape, loader=None):
    kind = "profile" if len(shape) > 1 else "scalar"
    tracks = tuple(f"t{i}" for i in range(shape[0]))
    spec = OutputSpec("out", kind, tracks, shape[1] if len(shape) > 1 else 1, 8, 0)
    return LoadedModel("toy", module.eval(), loader or SequenceLoader(64), (spec,))


class Net(nn.Module):
    """Convolution, pooling by 8, a layer of 1x1, and what a test puts behind it."""

    def __init__(self, behind, tracks=3):
        super().__init__()
        self.first, self.last, self.behind = nn.Conv1d(4, 6, 5, padding=2), nn.Conv1d(6, tracks, 1), behind

    def forward(self, x):
        return self.behind(self.last(torch.relu(nn.functional.max_pool1d(self.first(x), 8))))


def test_yeast_atac_is_its_trunk_its_head_and_exp():
    base = open_base("yeast-atac")
    assert (base.channels, base.positions, base.bin_size, base.offset) == (67, 32, 32, 128)
    assert (base.length, base.n_value, base.activation, base.tracks) == (1280, 0.25, "exp", ("atac_cuts",))
    assert "chrIV" in base.trained_on and "chrI" not in base.trained_on and "chrIX" not in base.trained_on
    x = windows(4, 1280)
    with torch.no_grad():
        assert torch.equal(base.predict(x), load_entry(open_entry("yeast-atac")).module(x))
        assert torch.equal(base.predict(x), base.model.module(x))
    assert not any("head" in name for name, _ in base.trunk.named_parameters())


def test_yeast_atac_names_each_tensor_of_its_grelu_form():
    base = open_base("yeast-atac")
    form = open_base(str(base.model.folder / "grelu.ckpt"))
    theirs = {f"model.embedding.{key}": value for key, value in form.trunk.state_dict().items()}
    assert base.grelu.model_type == "ConvModel"
    assert set(base.grelu_keys.values()) == set(theirs)
    for ours, key in base.grelu_keys.items():
        assert torch.equal(base.trunk.state_dict()[ours], theirs[key])


def test_a_grelu_checkpoint_is_its_embedding_and_its_head():
    entry = open_base("yeast-atac")
    base = open_base(str(entry.model.folder / "grelu.ckpt"))
    assert (base.channels, base.positions, base.bin_size, base.offset, base.n_value) == (67, 32, 32, 128, 0.0)
    assert base.trained_on == entry.trained_on and base.own_bin == 32
    x = windows(2, 1280)
    with torch.no_grad():
        torch.testing.assert_close(base.predict(x), entry.predict(x), rtol=1e-6, atol=1e-6)


def test_a_grelu_trunk_takes_other_lengths():
    path = str(open_base("yeast-atac").model.folder / "grelu.ckpt")
    base = open_base(path, length=2560)
    assert (base.positions, base.offset) == (72, 128)
    with torch.no_grad():
        assert base.trunk(windows(1, 2560)).shape == (1, 67, 72)
    with pytest.raises(UsageError):
        open_base(path, length=4)


def test_an_entry_has_one_length():
    with pytest.raises(UsageError, match="1,280 bp"):
        open_base("yeast-atac", length=2560)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_each_activation_is_told_by_its_numbers(name):
    class Behind(nn.Module):
        def forward(self, x):
            return activate(x, name)

    model = loaded(Net(Behind()), (3, 8))
    cut = cut_module(model)
    assert (cut.activation, cut.place, cut.embedding) == (name, "last", (6, 8))
    x = windows(3, 64)
    with torch.no_grad():
        torch.testing.assert_close(activate(cut.head(cut.trunk(x)), name), model.module(x), rtol=1e-6, atol=0)


def test_layers_that_keras_would_have_are_on_the_last_axis():
    class Keras(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x):  # (n, L, 4)
            x = torch.tanh(self.first(x)).unflatten(1, (8, 8)).mean(2)
            return torch.sigmoid(self.last(x)).transpose(1, 2)

    cut = cut_module(loaded(Keras(), (2, 8), SequenceLoader(64, alphabet="AGCT", alphabet_axis=1)))
    assert (cut.activation, cut.embedding) == ("sigmoid", (5, 8))


def test_a_scalar_has_one_position():
    model = loaded(nn.Sequential(nn.Flatten(), nn.Linear(256, 7), nn.ReLU(), nn.Linear(7, 3), nn.Softplus()), (3,))
    cut = cut_module(model)
    assert (cut.activation, cut.embedding) == ("softplus", (7, 1))
    x = windows(2, 64)
    with torch.no_grad():
        assert cut.trunk(x).shape == (2, 7, 1)
        torch.testing.assert_close(activate(cut.head(cut.trunk(x)), "softplus")[..., 0], model.module(x))


def test_one_layer_for_all_bins_has_one_position():
    class Bins(nn.Sequential):
        def forward(self, x):
            return super().forward(x).unflatten(1, (2, 4))

    cut = cut_module(loaded(Bins(nn.Flatten(), nn.Linear(256, 5), nn.ReLU(), nn.Linear(5, 8)), (2, 4)))
    with torch.no_grad():
        assert cut.embedding == (5, 1) and cut.head(cut.trunk(windows(2, 64))).shape == (2, 2, 4)


def test_bins_that_are_averaged_after_the_layer():
    class Mean(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x.mean(2))

    cut = cut_module(loaded(Net(Mean()), (3,)))
    assert (cut.head.order, cut.embedding, cut.activation) == ("mean", (6, 8), "sigmoid")


class Around(nn.Module):
    """Something of the sequence goes around the last layer."""

    def __init__(self):
        super().__init__()
        self.net = Net(nn.Identity())

    def forward(self, x):
        return self.net(x) + x[:, :3].unflatten(2, (8, 8)).mean(3)


@pytest.mark.parametrize(
    "module",
    [
        Around(),
        Net(nn.Tanh()),
        Net(nn.BatchNorm1d(3, affine=False)),
        Net(nn.Conv1d(3, 3, 5, stride=1, padding=2, bias=False).requires_grad_(False)),
    ],
    ids=["around", "unknown", "norm", "conv"],
)
def test_what_lies_behind_or_beside_the_layer_is_found_out(module):
    if isinstance(module, Net) and isinstance(module.behind, nn.BatchNorm1d):
        module.behind.running_mean += 1
    cut = cut_module(loaded(module, (3, 8)))
    # a wide convolution that keeps its positions is itself the last layer
    assert cut is None if not isinstance(getattr(module, "behind", None), nn.Conv1d) else cut.place == "behind"


def test_a_layer_that_runs_twice_is_no_head():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net(nn.Identity())

        def forward(self, x):
            return (self.net(x) + self.net(x.flip(1, 2)).flip(2)) / 2

    assert cut_module(loaded(Both(), (3, 8))) is None


def test_a_base_without_linear_layers_is_an_error_with_a_fix(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "profile")
    with pytest.raises(ModelError, match="base without embeddings") as raised:
        open_base(str(toy.folder), trust=True)
    assert "Conv1d" in raised.value.fix


def test_the_trunk_shares_its_weights_and_trains():
    base = open_base("yeast-atac")
    ours = dict(base.trunk.module.named_parameters())
    theirs = dict(base.model.module.named_parameters())
    assert all(ours[name] is theirs[name] for name in ours) and set(theirs) - set(ours) == {"head.weight", "head.bias"}
    base.trunk(windows(1, 1280)).sum().backward()
    assert all(p.grad is not None and np.isfinite(p.grad.abs().sum().item()) for p in ours.values())


GRELU_MODELS = {
    "ConvModel": dict(n_conv=2, stem_channels=8, channel_init=8, pool_func="max", pool_size=2, crop_len=1),
    "DilatedConvModel": dict(n_conv=2, channels=6, crop_len="auto"),
    "ConvMLPModel": dict(seq_len=64, n_conv=1, stem_channels=5, channel_init=5, mlp_hidden_size=[7, 6], mlp_norm=True),
    "ConvGRUModel": dict(n_conv=1, stem_channels=6, channel_init=6, n_gru=1),
}


@pytest.mark.parametrize("kind", sorted(GRELU_MODELS))
def test_models_of_grelu(kind, tmp_path):
    import grelu.model.models as architectures

    torch.manual_seed(0)
    params = {"n_tasks": 3} | GRELU_MODELS[kind]
    module = getattr(architectures, kind)(**params).eval()
    path = tmp_path / "model.ckpt"
    state = {f"model.{key}": value for key, value in module.state_dict().items()}
    hyper = {"model_params": {"model_type": kind} | params, "train_params": {"task": "binary", "loss": "bce"}}
    data = {"train": {"seq_len": 64, "chroms": ["chr1", "chr2"]}, "tasks": {"name": ["a", "b", "c"]}}
    torch.save({"state_dict": state, "hyper_parameters": hyper, "data_params": data}, path)
    base = open_base(str(path))
    x = windows(2, 64)
    with torch.no_grad():
        embedding = base.trunk(x)
        torch.testing.assert_close(base.predict(x), torch.sigmoid(module(x)), rtol=1e-6, atol=1e-7)
    assert embedding.shape == (2, base.channels, base.positions)
    assert (base.tracks, base.trained_on, base.activation) == (("a", "b", "c"), ("chr1", "chr2"), "sigmoid")
    assert set(base.grelu_keys.values()) <= set(state)
    for ours, theirs in base.grelu_keys.items():
        assert torch.equal(base.trunk.state_dict()[ours], state[theirs])
    assert base.offset * 2 + base.bin_size * base.positions == 64
