"""Every layer, elementwise function and function along an axis that torch has: complete, or refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from interpret.methods.deepliftshap import explain_by_deepliftshap
from interpret.references import References
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


def test_a_step_as_a_factor():
    """heaviside(a - 1/2) x 3: from 0 to 3."""
    found = explained(lambda a: 3 * torch.heaviside(a[:, 0] - 0.5, torch.tensor(0.0)), one_hot("A"), one_hot("C"))
    assert found.hypothetical[0, 0] == pytest.approx([3])
