"""Every architecture of gReLU, its exponential output included, is explained completely."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interpret.methods.ablation import ablation
from interpret.methods.deepliftshap import explain_by_deepliftshap
from interpret.methods.gradients import inputxgradient, saliency
from interpret.methods.integrated_gradients import integrated_gradients
from interpret.methods.ism import mutate_all
from interpret.references import References

architectures = pytest.importorskip("grelu.model.models")

CONV = {"stem_channels": 8, "n_conv": 2, "channel_init": 8}
MODELS = {
    "ConvModel": (64, CONV | {"pool_func": "max", "pool_size": 2, "crop_len": 2, "norm": True, "residual": True}),
    "ConvMLPModel": (80, {"seq_len": 80, "stem_channels": 8, "channel_init": 8, "mlp_hidden_size": [8]}),
    "DilatedConvModel": (200, {"channels": 6, "n_conv": 3, "stem_kernel_size": 5}),
    "ConvGRUModel": (32, CONV | {"pool_func": "avg", "pool_size": 4, "n_gru": 1, "gru_norm": True, "conv_norm": True}),
    "ConvTransformerModel": (
        96,
        {
            "stem_channels": 8,
            "n_conv": 3,
            "channel_init": 8,
            "pool_func": "max",
            "pool_size": 2,
            "n_heads": 2,
            "n_pos_features": 4,
            "crop_len": 1,
        },
    ),
    "BorzoiModel": (
        2048,
        {
            "stem_channels": 32,
            "init_channels": 32,
            "channels": 64,
            "n_conv": 7,
            "n_transformers": 1,
            "key_len": 8,
            "value_len": 8,
            "n_heads": 2,
            "n_pos_features": 4,
            "crop_len": 3,
        },
    ),
    "EnformerModel": (
        512,
        {"n_conv": 3, "channels": 384, "n_transformers": 1, "n_heads": 2, "key_len": 36, "crop_len": 5},
    ),
}


class FirstTask(torch.nn.Module):
    """exp of the first of three tasks, summed over bins."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return torch.exp(self.model(x)[:, 0]).flatten(1).sum(1)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_architectures_are_complete(name, sequences):
    length, params = MODELS[name]
    torch.manual_seed(0)
    model = getattr(architectures, name)(n_tasks=3, **params).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    x = sequences(2, length)
    references = References(n=2).of(x)
    found = explain_by_deepliftshap(FirstTask(model), x, references)
    with torch.no_grad():
        y = FirstTask(model)(torch.from_numpy(x)).numpy()
        base = FirstTask(model)(torch.from_numpy(references.reshape(-1, 4, length))).numpy().reshape(2, 2).mean(1)
    total = (found.hypothetical * x).sum((1, 2))
    assert total == pytest.approx(y - base, abs=1e-3 * float(np.abs(y - base).max()) + 1e-6 * float(np.abs(y).max()))
    assert np.median(found.pair_error) < 1e-3


@pytest.mark.parametrize("name", ["ConvGRUModel", "ConvTransformerModel"])
@pytest.mark.filterwarnings("ignore")
def test_every_method_explains_nets_that_mix_all_positions(name, sequences):
    length, params = MODELS[name]
    torch.manual_seed(0)
    net = FirstTask(getattr(architectures, name)(n_tasks=3, **params).eval())
    x = sequences(1, length)
    references = References(n=2).of(x)
    given = torch.from_numpy(x)
    with torch.no_grad():
        y = float(net(given))
        base = float(net(torch.from_numpy(references[0])).mean())
        scores = mutate_all(net, x)
        for place, letter in ((0, 1), (length // 2, 3), (length - 1, 2)):
            edited = given.clone()
            edited[0, :, place] = torch.eye(4)[letter]
            assert scores[0, letter, place] == pytest.approx(float(net(edited)), abs=1e-5 * abs(y))
    (slope,) = torch.autograd.grad(net(given.requires_grad_()).sum(), given)
    slope = slope.numpy()
    found = inputxgradient(net, x, corrected=False)
    assert found == pytest.approx(slope, abs=1e-4 * float(np.abs(slope).max()))
    assert saliency(net, x, corrected=False) == pytest.approx(np.abs(found), abs=1e-6)
    complete = integrated_gradients(net, x, references, allow_incomplete=True)
    assert (complete * x).sum() == pytest.approx(y - base, rel=0.05)
    ablated = ablation(net, x, references)
    assert ablated.shape == x.shape and np.isfinite(ablated).all() and np.abs(ablated).max() > 0
