"""Every layer, elementwise function and function along an axis that torch has: complete, or refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import interpret
from interpret.deeplift.rules import HANDLERS
from interpret.methods.deepliftshap import explain_by_deepliftshap
from interpret.methods.registry import open_method
from interpret.references import References, parse_references
from scripts import torch_operations
from scripts.build_operations_table import PAGE, page
from scripts.torch_operations import CHANNELS, LENGTH, Operation, operations
from zoo.errors import ModelError

ALL = operations()


class Around(nn.Module):
    """Convolution, the operation on numbers of order 1, and a linear head."""

    def __init__(self, operation: Operation):
        super().__init__()
        self.operation = operation
        self.stem = nn.Conv1d(4, CHANNELS, 7, padding=3)
        self.part = operation.part() if operation.part else None
        self.head = nn.LazyLinear(1)

    def forward(self, x):
        shape = self.operation.shape
        x = self.stem(x)
        x = x.transpose(1, 2) if shape == (LENGTH, CHANNELS) else self.folded(x, shape)
        x = self.operation.apply(x, self.part) if self.part is not None else self.operation.apply(x)
        return self.head(x.reshape(x.shape[0], -1))[:, 0]

    def folded(self, x, shape):
        return x.reshape(x.shape[0], -1)[:, : math.prod(shape)].reshape(x.shape[0], *shape)


def net_of(operation: Operation) -> nn.Module:
    torch.manual_seed(1)
    net = Around(operation)
    with torch.no_grad():
        net.stem.weight.mul_(3)
        net(torch.zeros(2, 4, LENGTH))  # lazy parts get their sizes
        for part in net.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
    return net.eval()


def differences(net, x, references):
    """Prediction less the references' mean prediction, by torch alone."""
    with torch.no_grad():
        y = net(torch.from_numpy(x)).numpy()
        base = net(torch.from_numpy(references.reshape(-1, *x.shape[1:]))).numpy().reshape(references.shape[:2])
    return y - base.mean(1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operation", ALL, ids=lambda o: f"{o.group}-{o.name}")
def test_complete_or_refused_by_name(operation, sequences):
    net, x = net_of(operation), sequences(2, LENGTH)
    references = References(n=2, seed=1).of(x)
    if operation.refused is not None:
        with pytest.raises(ModelError, match="--method ism") as caught:
            explain_by_deepliftshap(net, x, references)
        assert operation.refused in str(caught.value) and operation.refused
        return
    expected = differences(net, x, references)
    found = explain_by_deepliftshap(net, x, references)
    assert np.abs(expected).max() > 1e-4
    total = (found.hypothetical * x).sum((1, 2))
    assert total == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()) + 1e-6)


def test_every_class_and_function_of_torch_is_decided():
    """The lists are torch's own; what is called wrongly, or new, fails above."""
    names = {(o.group, o.name) for o in ALL}
    assert len(names) == len(ALL) > 280
    assert {"RReLU", "Hardshrink", "Softshrink"} <= set(torch_operations.layers_of("activation"))
    assert {n for n in vars(nn.modules.pooling) if n in nn.modules.pooling.__all__} == {
        o.name for o in ALL if o.group == "pooling"
    }
    known = set(torch_operations.LAYERS) | set(torch_operations.REFUSED_LAYERS)
    assert known <= {o.name for o in ALL}
    along, pointwise = torch_operations.functions_along_an_axis(), torch_operations.pointwise()
    assert {"sum", "prod", "topk", "median", "norm", "softmax", "cumprod"} <= set(along)
    assert set(torch_operations.REFUSED_ALONG) <= set(along)
    assert set(torch_operations.REFUSED_POINTWISE) <= set(pointwise)


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page()


# ---------------------------------------------------------------- what fails inside


def _broken(*given):
    return 1 / 0


def _broken_backwards(pairs, target, args, kwargs, varies):
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return target(x, *args[1:], **kwargs)

        @staticmethod
        def backward(ctx, grad):
            return 1 / 0

    return Broken.apply(args[0])


@pytest.mark.parametrize("rule", [_broken, _broken_backwards])
def test_a_rule_that_fails_is_named_and_what_is_advised_works(monkeypatch, rule, sequences):
    """Before the first sequence, so that a fallback is taken."""
    monkeypatch.setitem(HANDLERS, "softmax", rule)

    class Rooted(nn.Module):
        def forward(self, x):
            return x.cumsum(2)[:, 0].softmax(1).square().sum(1)

    with pytest.raises(
        ModelError, match=r"deepliftshap: aten\.softmax.*test_operations\.py:\d+\) failed: Zero"
    ) as caught:
        interpret.deepliftshap(Rooted(), sequences(2, LENGTH))
    assert caught.value.fix == "Fix: --method integrated_gradients, or --method ism"
    opened = open_method("deepliftshap", Rooted(), LENGTH, parse_references("2"), fallback="integrated_gradients")
    assert opened.name == "integrated_gradients" and "aten.softmax" in opened.note
    assert opened.explain(sequences(2, LENGTH), 0).pair_error.max() < 1e-3


def test_what_torch_has_no_derivative_of_is_named(sequences):
    class Shape(nn.Module):
        def forward(self, x):
            return torch.igamma(x.cumsum(2)[:, 0] + 0.5, torch.tensor(1.5)).sum(1)

    for method in ("saliency", "inputxgradient", "integrated_gradients", "deepliftshap"):
        with pytest.raises(ModelError, match=r"igamma.*test_operations\.py:\d+.*not implemented") as caught:
            getattr(interpret, method)(Shape(), sequences(2, LENGTH))
        assert caught.value.fix == "Fix: --method ism needs none"
    assert np.isfinite(interpret.ism(Shape(), sequences(2, LENGTH))).all()


@pytest.mark.parametrize("cast", [torch.Tensor.long, torch.Tensor.int, lambda v: v.to(torch.int64)])
def test_tokens_that_are_counted_are_named(cast, sequences):
    """Rows of numbers that are no bases have no tokens: their places are found by bases."""

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.table = nn.Embedding(4, 3)

        def forward(self, x):
            return self.table(cast((x * torch.arange(4.0)[:, None]).sum(1))).square().mean((1, 2))

    with pytest.raises(ModelError, match=r"no rule for aten\.to.*it leaves whole numbers; aten\.embedding") as caught:
        interpret.deepliftshap(Tokens(), sequences(2, LENGTH))
    assert caught.value.fix == "Fix: --method ism, which needs none"


# ---------------------------------------------------------------- what a rule gives, by hand


def explained(function, x, reference):
    """The explanation of a function of the A of each position."""

    class Bare(nn.Module):
        def forward(self, x):
            return function(x[:, 0])

    return explain_by_deepliftshap(Bare(), x[None], reference[None, None])


def one_hot(letters):
    return np.eye(4, dtype=np.float32)[["ACGT".index(base) for base in letters]].T


def test_a_product_of_two_shares_its_change_by_halves():
    """A at both places against C at both: 1 x 1 less 0 x 0, half to each."""
    found = explained(lambda a: a.prod(1), one_hot("AA"), one_hot("CC"))
    assert found.hypothetical[0, 0] == pytest.approx([0.5, 0.5])


def test_a_norm_of_three_and_four():
    """sqrt(9 a^2 + 16 b^2) from 0 to 5: the squares are 9/25 and 16/25 of what is rooted."""
    found = explained(lambda a: (a * torch.tensor([3.0, 4.0])).norm(dim=1), one_hot("AA"), one_hot("CC"))
    assert found.hypothetical[0, 0] == pytest.approx([5 * 9 / 25, 5 * 16 / 25])


def test_the_median_goes_to_what_takes_its_place():
    """Ranks of (1, 2, 3) a + (0, 0, 0): A A A against C C C: the median rises from 0 to 2, by the second alone."""
    found = explained(lambda a: (a * torch.tensor([1.0, 2.0, 3.0])).median(1).values, one_hot("AAA"), one_hot("CCC"))
    assert found.hypothetical[0, 0].sum() == pytest.approx(2)
    assert (found.hypothetical[0, 0] >= 0).all()


def test_a_kink_among_numbers_that_hardly_differ_is_no_error():
    """(max(a - b, 0) x 1e-7)^(1/2) from -1e-7 to 1e-7: the root's change, whatever the slope at either end."""
    found = explained(
        lambda a: (2e-7 * a[:, 0] - 1e-7).relu().sqrt() + (1e-7 - 2e-7 * a[:, 1]).relu().sqrt(),
        one_hot("AA"),
        one_hot("CC"),
    )
    assert found.hypothetical[0, 0] == pytest.approx([1e-7**0.5, -(1e-7**0.5)])


def test_a_norm_of_order_0_counts():
    """Of (a, 0, 3 b): from none to two, one each."""
    found = explained(
        lambda a: torch.linalg.vector_norm(a * torch.tensor([1.0, 0.0, 3.0]), 0, dim=1), one_hot("AAA"), one_hot("CCC")
    )
    assert found.hypothetical[0, 0] == pytest.approx([1, 0, 1])


@pytest.mark.parametrize(
    ("function", "slope"),
    [(lambda p: torch.xlogy(p, p), math.log(2) + 1), (lambda p: p**p, 4 * (math.log(2) + 1))],
    ids=["xlogy", "pow"],
)
def test_what_is_given_twice_is_one_argument(function, slope):
    """p log p and p^p where p = 1 + a is 2 at both ends: another base there would take the whole slope."""
    found = explained(lambda a: function(1 + a).sum(1), one_hot("AA"), one_hot("AC"))
    assert found.hypothetical[0, :, 0] == pytest.approx([0, -slope, -slope, -slope], rel=1e-5)


def test_what_is_given_thrice_is_more_than_two_operands():
    with pytest.raises(ModelError, match=r"no rule for aten\.einsum.*more than two operands"):
        explained(lambda a: torch.einsum("ni,ni,ni->n", a, a, a), one_hot("AA"), one_hot("CC"))
    with pytest.raises(ModelError, match=r"no rule for aten\.conv1d.*more than its first argument varies"):
        explained(
            lambda a: nn.functional.conv1d(a[None], a[:, None], groups=len(a))[0].sum(1), one_hot("AA"), one_hot("CC")
        )


def test_a_step_as_a_factor():
    """heaviside(a - 1/2) x 3: from 0 to 3."""
    found = explained(lambda a: 3 * torch.heaviside(a[:, 0] - 0.5, torch.tensor(0.0)), one_hot("A"), one_hot("C"))
    assert found.hypothetical[0, 0] == pytest.approx([3])
