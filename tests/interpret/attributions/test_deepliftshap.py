"""DeepLIFT/SHAP on the graph: complete on every operation, equal to tangermeme where that is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from toys_attribution import COMPLETE, LENGTH, REFUSED, make_toy

from interpret.explanation import check_complete, explain_pairs
from interpret.methods.deepliftshap import deepliftshap, explain_by_deepliftshap
from interpret.references import References
from zoo.errors import MismatchError, ModelError, UsageError


@pytest.mark.parametrize("name", COMPLETE)
def test_contributions_add_up_whatever_the_operation(name, sequences):
    toy = make_toy(*COMPLETE[name])
    x = sequences(3, LENGTH)
    references = References(n=2, seed=3).of(x)
    found = deepliftshap(toy, x, references)
    with torch.no_grad():
        y = toy(torch.from_numpy(x)).numpy()
        base = toy(torch.from_numpy(references.reshape(-1, 4, LENGTH))).numpy().reshape(3, 2).mean(1)
    assert (found * x).sum((1, 2)) == pytest.approx(y - base, abs=1e-3 * float(np.abs(y - base).max()))
    assert np.abs(y - base).max() > 1e-3


@pytest.mark.parametrize("name", REFUSED)
def test_an_operation_without_a_rule_is_named_and_nothing_returned(name, sequences):
    operation, words = REFUSED[name]
    with pytest.raises(
        ModelError, match=r"Fix: --(fallback integrated_gradients|method ism, which needs none)"
    ) as caught:
        deepliftshap(make_toy(operation), sequences(2, LENGTH))
    assert words in str(caught.value)
    if words != "cannot be captured":
        assert "toys_attribution.py:" in str(caught.value)


@pytest.mark.parametrize("asked", [torch.is_grad_enabled, torch.compiler.is_compiling], ids=lambda f: f.__name__)
def test_a_graph_that_gives_another_number_than_the_module_is_refused(asked, sequences):
    class Other(nn.Module):
        def forward(self, x):
            return x[:, 0].cumsum(1).tanh().sum(1) * (2 if asked() else 1)

    with pytest.raises(ModelError, match="graph gives another number than the module") as caught:
        deepliftshap(Other(), sequences(2, LENGTH))
    assert caught.value.fix == "Fix: --fallback integrated_gradients, or --method ism"


def test_numbers_that_are_rounding_are_no_other_graph(sequences):
    """The mean of what a layer normalization gives is 0, and 1e-8 in floating point: incomplete, at most."""

    class Nothing(nn.Module):
        def forward(self, x):
            return nn.functional.layer_norm(x[:, 0].cumsum(1).tanh(), (x.shape[2],)).mean(1)

    with pytest.raises(MismatchError, match=r"by 10,000% or more \(median; at most 10,000% or more\)"):
        check_complete(np.array([1e20]), "deepliftshap")
    found = deepliftshap(Nothing(), sequences(2, LENGTH), allow_incomplete=True)
    assert np.abs(found).max() < 1e-5


def relu_net():
    torch.manual_seed(0)
    relu = nn.ReLU()
    return nn.Sequential(
        nn.Conv1d(4, 8, 9),
        nn.BatchNorm1d(8),
        relu,
        nn.MaxPool1d(4),
        nn.Conv1d(8, 8, 5),
        relu,
        nn.MaxPool1d(3, 2),
        nn.Flatten(),
        nn.Linear(64, 16),
        nn.GELU(),
        nn.Linear(16, 1),
    ).eval()


def test_equals_tangermeme_on_nets_of_modules(sequences):
    from tangermeme.deep_lift_shap import deep_lift_shap

    net, x = relu_net(), sequences(4, 92)
    references = References(n=5).of(x)
    theirs = deep_lift_shap(
        net, torch.from_numpy(x), references=torch.from_numpy(references), hypothetical=True, device="cpu"
    ).numpy()
    ours = deepliftshap(net, x, references)
    assert np.abs(ours - theirs).max() < 1e-6
    assert np.abs(theirs).max() > 1e-3


def test_batch_size_and_neighbours_do_not_matter(sequences):
    net, x = relu_net(), sequences(5, 92)
    references = References(n=3).of(x)
    whole = deepliftshap(net, x, references, batch_size=5)
    single = np.concatenate([deepliftshap(net, x[i : i + 1], references[i : i + 1]) for i in range(5)])
    assert whole == pytest.approx(single, abs=1e-7)


def test_of_a_linear_model_they_are_weights_less_their_mean_over_the_reference(sequences):
    net = nn.Sequential(nn.Flatten(), nn.Linear(80, 1))
    weight = net[1].weight.detach().numpy().reshape(4, 20)
    found = deepliftshap(net, sequences(3, 20), np.full((3, 1, 4, 20), 0.25, np.float32))
    assert found == pytest.approx(np.repeat((weight - weight.mean(0))[None], 3, 0), abs=1e-6)


def test_the_module_is_left_as_it_was(sequences):
    net = relu_net().train()
    net[1].eval()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        deepliftshap(net, sequences(2, 92), References(n=2))
    assert net.training and not net[1].training and net[2].training
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())


def test_two_outputs_are_not_explained_by_their_first(sequences):
    net = nn.Sequential(nn.Flatten(), nn.Linear(80, 2))
    with pytest.raises(UsageError, match="one number a sequence"):
        deepliftshap(net, sequences(2, 20), References(n=2))


def test_incomplete_contributions_are_refused():
    check_complete(np.array([1e-5, 9e-4, 5e-3]), "m")
    with pytest.raises(MismatchError, match=r"by 0\.20% \(median; at most 20\.0%\)") as caught:
        check_complete(np.array([1e-5, 2e-3, 0.2]), "m")
    assert caught.value.exit_code == 6
    with pytest.raises(MismatchError, match="1 of 100"):
        check_complete(np.array([0.0] * 99 + [0.011]), "m")
    with pytest.raises(MismatchError, match="contributions of m are not finite") as caught:
        check_complete(np.array([np.nan, 1e-5]), "m")
    assert caught.value.extent.startswith("1 of 2 sequences")


def test_rounding_of_a_large_prediction_is_no_incompleteness():
    """Predictions of 1,000 that differ by 0.01: an error of 1e-4 is below 2e-6 of them, which counts as 0.1%."""
    x, reference = torch.zeros(1, 4, 1), torch.zeros(1, 1, 4, 1)
    x[0, 0], reference[0, 0, 1] = 1, 1
    multipliers = torch.zeros(1, 1, 4, 1)
    multipliers[0, 0, 0] = 0.0101
    found = explain_pairs(x, reference, multipliers, torch.tensor([1000.0]), torch.tensor([[999.99]]))
    assert found.pair_error[0] == pytest.approx(1e-4 / 2e-3 * 1e-3, rel=0.2)
    found = explain_pairs(x, reference, multipliers, torch.tensor([1.0]), torch.tensor([[0.98]]))
    assert found.pair_error[0] == pytest.approx(0.0099 / 0.02, rel=1e-3)


def test_no_sequences_give_no_contributions():
    found = explain_by_deepliftshap(relu_net(), np.empty((0, 4, 92), np.float32), np.empty((0, 2, 4, 92), np.float32))
    assert found.hypothetical.shape == (0, 4, 92)
    assert found.prediction.shape == (0,)
