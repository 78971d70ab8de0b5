"""What a module's author declares is called; nothing is for its name."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import interpret
from interpret.target import choose_target, explained_module
from zoo.errors import ModelError
from zoo.genome.encode import random_windows
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec

LENGTH = 12
X = random_windows(2, LENGTH, seed=3)
SLOPES = torch.arange(4.0)[:, None] * torch.linspace(-1, 1, LENGTH)


class Linear(nn.Module):
    """The sigmoid of a linear function whose weights are known."""

    def linear(self, x):
        return (x * SLOPES).sum((1, 2))[:, None]

    def forward(self, x):
        return torch.sigmoid(self.linear(x))


class NamedByAccident(Linear):
    """Callables of all names that could be taken for a protocol; calling any of them is an error of the test."""

    def called(self, *given):
        raise AssertionError("called for its name")

    logits = weights = predict = embed = loss = tasks = tracks = head = trunk = explain = predict_on_batch = called


class WithLogits(Linear):
    """Gives something else by this name, in the same shape."""

    def logits(self, x):
        return 100 * x.sum((1, 2))[:, None]


class WithWeights(Linear):
    def weights(self, x):
        return 100 * x.sum((1, 2))[:, None]

    def forward(self, x, mask=None):
        return super().forward(x) if mask is None else mask


class Declared(Linear):
    zoo_explain: ClassVar = {"logits": "twice"}

    def twice(self, x):
        return 2 * self.linear(x)


class TakesLess(Linear):
    """Ends in no activation that is known."""

    def logits(self, x):
        return self.linear(x)

    def forward(self, x):
        return torch.sigmoid(self.linear(x)) * 2 - 1


def loaded(module, *outputs):
    specs = outputs or (OutputSpec("y", "scalar", ("y",)),)
    return LoadedModel("net", module.eval(), SequenceLoader(LENGTH), specs)


def gradient(module, **choice):
    return interpret.inputxgradient(loaded(module), X, corrected=False, **choice)


def by_hand(factor=1.0):
    return np.broadcast_to(factor * SLOPES.numpy(), X.shape)


@pytest.mark.parametrize("cls", [Linear, NamedByAccident, WithLogits, WithWeights])
def test_the_last_activation_is_found_whatever_methods_are_called(cls):
    np.testing.assert_allclose(gradient(cls()), by_hand(), atol=1e-5)


@pytest.mark.parametrize("cls", [NamedByAccident, WithLogits, WithWeights])
@pytest.mark.parametrize("name", ["saliency", "ism", "ablation", "deepliftshap", "integrated_gradients", "marginalize"])
def test_no_method_calls_what_is_not_declared(cls, name):
    more = {"motif": "TGAC"} if name == "marginalize" else {}
    if name in ("ablation", "deepliftshap", "integrated_gradients"):
        more["references"] = np.zeros((2, 1, 4, LENGTH), np.float32)

    class Number(cls):
        def forward(self, x):
            return super().forward(x)[:, 0]

    class Plain(Linear):
        def forward(self, x):
            return super().forward(x)[:, 0]

    found, expected = (getattr(interpret, name)(net.eval(), X, **more) for net in (Number(), Plain()))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_is_declared_is_explained():
    np.testing.assert_allclose(gradient(Declared()), by_hand(2), atol=1e-5)
    one = torch.from_numpy(X).requires_grad_()
    (slope,) = torch.autograd.grad(Declared()(one).sum(), one)
    np.testing.assert_allclose(gradient(Declared(), explain="predictions"), slope.numpy(), atol=1e-6)


def test_a_method_called_logits_is_mentioned_where_nothing_else_is_found():
    model = loaded(TakesLess())
    module, notes = explained_module(model, choose_target(model.outputs))
    assert module.explained == "predictions"
    assert notes[0].startswith("no last activation was found: predictions are explained as they are; if its method")
    assert notes[0].endswith('declare it: zoo_explain = {"logits": "logits"}')
    one = torch.from_numpy(X).requires_grad_()
    (slope,) = torch.autograd.grad(model.module(one).sum(), one)
    np.testing.assert_allclose(gradient(TakesLess()), slope.numpy(), atol=1e-6)
    TakesLess.zoo_explain = {"logits": "logits"}
    try:
        assert explained_module(model, choose_target(model.outputs))[1] == []
        np.testing.assert_allclose(gradient(TakesLess()), by_hand(), atol=1e-5)
    finally:
        del TakesLess.zoo_explain


@pytest.mark.parametrize(
    ("declared", "what"),
    [
        ("logits", "zoo_explain of Wrong is 'logits'"),
        ({"logit": "linear"}, "zoo_explain of Wrong is {'logit': 'linear'}"),
        ({"logits": "lineal"}, "zoo_explain of Wrong: 'logits' is 'lineal', no method of it"),
        ({"logits": 3}, "zoo_explain of Wrong: 'logits' is 3, no method of it"),
        ({"fixed": "linear"}, "net: zoo_explain declares a second argument of forward"),
    ],
    ids=str,
)
def test_a_declaration_that_cannot_be_meant_is_refused(declared, what):
    class Wrong(Linear):
        zoo_explain = declared

    with pytest.raises(ModelError) as caught:
        gradient(Wrong())
    assert caught.value.what == what and caught.value.fix


def test_logits_of_another_shape_are_refused():
    class Short(Linear):
        zoo_explain: ClassVar = {"logits": "bases"}

        def bases(self, x):
            return x.sum(2)

    with pytest.raises(ModelError, match=r"output 'y' has shape \(4,\) a window") as caught:
        gradient(Short())
    assert caught.value.what.startswith("net: bases, which zoo_explain names, gives something else than forward")
    assert "card" not in caught.value.fix


def test_what_a_declared_method_raises_is_its_own():
    class Raises(Linear):
        zoo_explain: ClassVar = {"logits": "broken"}

        def broken(self, x):
            return x @ x

    with pytest.raises(ModelError, match="net: broken, which zoo_explain names, failed: RuntimeError") as caught:
        gradient(Raises())
    assert "zoo test" not in str(caught.value)


def test_a_declared_part_of_the_module_is_called():
    class Head(Linear):
        def __init__(self):
            super().__init__()
            self.zoo_explain = {"logits": "head"}
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 1))

        def forward(self, x):
            return self.head(x).exp()

    model = Head()
    weight = model.head[1].weight.detach().numpy().reshape(4, LENGTH)
    np.testing.assert_allclose(gradient(model), np.broadcast_to(weight, X.shape), atol=1e-6)


def test_what_is_fixed_is_declared_too():
    class Fixed(nn.Module):
        zoo_explain: ClassVar = {"fixed": "observed"}

        def observed(self, x):
            return x[:, 0].sum(1)

        def forward(self, x, count=None):
            return (x * SLOPES).sum((1, 2)) * (x[:, 0].sum(1) if count is None else count)

    found = interpret.inputxgradient(Fixed(), X, corrected=False)
    np.testing.assert_allclose(found, X[:, 0].sum(1)[:, None, None] * SLOPES.numpy(), atol=1e-5)


# ---------------------------------------------------------------- several outputs


class TwoOutputs(Linear):
    def forward(self, x):
        return {"raw": self.linear(x), "share": torch.sigmoid(self.linear(x))}


class OneOfTheOther(Linear):
    """What a head gives goes on into another: its activation has two users."""

    def forward(self, x):
        share = torch.sigmoid(self.linear(x))
        return share, torch.cat([share, 1 - share], 1)


def test_the_note_speaks_of_the_output_that_is_explained():
    outputs = (OutputSpec("raw", "scalar", ("y",)), OutputSpec("share", "scalar", ("y",)))
    model = loaded(TwoOutputs(), *outputs)
    for name, note, kind in (
        ("raw", "no last activation was found: predictions are explained as they are", "predictions"),
        ("share", "the values before the model's last sigmoid are explained", "logits"),
    ):
        module, notes = explained_module(model, choose_target(model.outputs, name))
        assert (notes, module.explained) == ([note], kind)
        found = interpret.inputxgradient(model, X, corrected=False, output=name)
        np.testing.assert_allclose(found, by_hand(), atol=1e-5)


def test_an_activation_that_another_output_takes_is_left_out_of_one():
    outputs = (OutputSpec("share", "scalar", ("y",)), OutputSpec("both", "scalar", ("y", "n")))
    model = loaded(OneOfTheOther(), *outputs)
    found = interpret.inputxgradient(model, X, corrected=False, output="share")
    np.testing.assert_allclose(found, by_hand(), atol=1e-5)


def test_more_outputs_than_are_described_are_refused():
    with pytest.raises(ModelError, match=r"the module returns 2 outputs"):
        gradient(TwoOutputs())


def test_a_model_of_float64_has_logits():
    class Double(Linear):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(1, dtype=torch.float64))

        def linear(self, x):
            assert x.dtype == torch.float64
            return self.factor * super().linear(x)

    model = LoadedModel(
        "net", Double().eval(), SequenceLoader(LENGTH, dtype="float64"), (OutputSpec("y", "scalar", ("y",)),)
    )
    module, notes = explained_module(model, choose_target(model.outputs))
    assert module.explained == "logits", notes
    np.testing.assert_allclose(interpret.inputxgradient(model, X, corrected=False), by_hand(), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda x: (x, x), "returns tuple for 2 sequences"),
        (lambda x: 2.0, "returns float for 2 sequences"),
        (lambda x: torch.tensor(2.0), r"returns \(\) for 2 sequences"),
        (lambda x: torch.ones(7), r"returns \(7,\) for 2 sequences"),
        (lambda x: 1 / 0, "failed: ZeroDivisionError"),
    ],
    ids=["tuple", "float", "no-axis", "other-rows", "fails"],
)
@pytest.mark.parametrize("method", ["saliency", "ism", "deepliftshap", "integrated_gradients"])
def test_a_second_argument_that_is_no_row_a_sequence_is_refused(method, given, words):
    class Fixed(Linear):
        zoo_explain: ClassVar = {"fixed": "weighting"}

        def weighting(self, x):
            return given(x)

        def forward(self, x, weights):
            return super().forward(x)

    with pytest.raises(ModelError, match=f"weighting, which zoo_explain names as 'fixed', {words}"):
        getattr(interpret, method)(Fixed(), X)
