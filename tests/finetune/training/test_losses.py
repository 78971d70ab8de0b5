"""Losses by hand, by torch and gReLU, and with holes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.training.losses import COUNT_LOSSES, check_targets, loss_of
from zoo.errors import InputError, UsageError

NAMES = ["poisson", "poisson_multinomial", "multinomial_counts", "mse", "weighted_mse", "bce", "ce"]


def drawn(name, shape=(3, 2, 5), seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=random, dtype=torch.float64)
    if name == "bce":
        target = (torch.rand(shape, generator=random) < 0.3).double()
    elif name == "ce":
        target = F.one_hot(torch.randint(0, shape[1], (shape[0], shape[2]), generator=random), shape[1])
        target = target.transpose(1, 2).double()
    else:
        target = torch.poisson(torch.full(shape, 3.0), generator=random).double()
    return logits, target


def value(x):
    return torch.tensor([[x]], dtype=torch.float64)


def test_poisson_by_hand():
    # exp(0) - 3 * 0 = 1 and exp(log 2) - 1 * log 2 = 2 - log 2.
    loss = loss_of("poisson")(value([0.0, math.log(2)]), value([3.0, 1.0]))
    assert loss.item() == pytest.approx((1 + 2 - math.log(2)) / 2)


def test_poisson_is_torchs():
    logits, target = drawn("poisson")
    assert loss_of("poisson")(logits, target).item() == pytest.approx(F.poisson_nll_loss(logits, target).item())


@pytest.mark.parametrize("total_weight", [0.2, 1.0, 3.0])
def test_poisson_multinomial_is_grelus(total_weight):
    losses = pytest.importorskip("grelu.lightning.losses")
    logits, target = (array.float() for array in drawn("poisson_multinomial", (4, 3, 64)))
    theirs = losses.PoissonMultinomialLoss(total_weight=total_weight)(logits, target)
    ours = loss_of("poisson_multinomial", total_weight=total_weight)(logits, target)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6, rel=1e-6)


def test_multinomial_counts_by_hand():
    # Profile (1/4, 3/4) of 4 counts in all, against 2 and 6: -(2 log 1/4 + 6 log 3/4), and log(1+4) against log(1+8).
    logits, target = value([0.0, math.log(3)]), value([2.0, 6.0])
    expected = -(2 * math.log(0.25) + 6 * math.log(0.75)) + 10 * (math.log(5) - math.log(9)) ** 2
    assert loss_of("multinomial_counts", total_weight=10)(logits, target).item() == pytest.approx(expected)


def test_the_multinomial_is_torchs_up_to_its_constant():
    logits, target = drawn("multinomial_counts")
    constant = torch.lgamma(target.sum(-1) + 1) - torch.lgamma(target + 1).sum(-1)
    expected = 0.0
    for i in range(3):
        for j in range(2):
            law = torch.distributions.Multinomial(int(target[i, j].sum()), logits=logits[i, j])
            expected += (constant[i, j] - law.log_prob(target[i, j])).item() / 6
    counts = torch.log1p(logits.exp().sum(-1)) - torch.log1p(target.sum(-1))
    ours = loss_of("multinomial_counts", total_weight=0.5)(logits, target).item()
    assert ours == pytest.approx(expected + 0.5 * counts.square().mean().item())


def test_mse_and_weighted_mse_by_hand():
    logits, target = value([1.0, 2.0]), value([0.0, 4.0])
    assert loss_of("mse")(logits, target).item() == (1 + 4) / 2
    assert loss_of("weighted_mse")(logits, target).item() == (1 * 1 + 5 * 4) / 2


def test_bce_is_torchs():
    logits, target = drawn("bce")
    assert loss_of("bce")(logits, target).item() == pytest.approx(
        F.binary_cross_entropy_with_logits(logits, target).item()
    )
    weight = torch.tensor([2.0, 7.0], dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight[:, None])
    assert loss_of("bce", positive_weight=[2, 7])(logits, target).item() == pytest.approx(expected.item())
    same = loss_of("bce", positive_weight=3.0)(logits, target).item()
    assert same == pytest.approx(loss_of("bce", positive_weight=[3.0, 3.0])(logits, target).item())


def test_ce_is_torchs_over_tracks():
    logits, target = drawn("ce", (4, 3, 6))
    assert loss_of("ce")(logits, target).item() == pytest.approx(F.cross_entropy(logits, target).item())
    weight = torch.tensor([1.0, 5.0, 0.5], dtype=torch.float64)
    expected = F.cross_entropy(logits, target, weight=weight).item()
    assert loss_of("ce", class_weights=[1, 5, 0.5])(logits, target).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_masked_window_is_one_that_is_not_there(name):
    logits, target = drawn(name)
    holes = target.clone()
    holes[1] = math.nan
    assert loss_of(name)(logits, holes).item() == pytest.approx(loss_of(name)(logits[[0, 2]], target[[0, 2]]).item())


@pytest.mark.parametrize("name", NAMES)
def test_masked_bins_are_bins_that_are_not_there(name):
    logits, target = drawn(name)
    holes = target.clone()
    holes[..., [0, 3]] = math.nan
    kept = [1, 2, 4]
    assert loss_of(name)(logits, holes).item() == pytest.approx(
        loss_of(name)(logits[..., kept], target[..., kept]).item()
    )


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_the_gradient_is_finite_and_zero_at_holes(name, seed, share):
    logits, target = drawn(name, seed=seed)
    holes = torch.rand(target.shape, generator=torch.Generator().manual_seed(seed)) < share
    if name == "ce":
        holes = holes[:, :1].expand_as(holes)
    logits = torch.where(holes, torch.tensor([math.inf, -math.inf, math.nan, 700.0, 0.0]).double(), logits)
    logits.requires_grad_()
    loss = loss_of(name)(logits, torch.where(holes, math.nan, target))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[holes] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name):
    logits, target = drawn(name)
    target[0, :, 2] = math.nan
    weight = torch.tensor([[1.0, 2.0], [0.5, 1.0], [1.0, 0.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss_of(name)(x, target, weight), logits.requires_grad_())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_measured_is_nothing_learnt(name):
    logits = torch.randn(2, 2, 3, requires_grad=True)
    loss = loss_of(name)(logits, torch.full((2, 2, 3), math.nan))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ce"])
def test_a_weight_multiplies_its_track_and_window(name):
    logits, target = drawn(name)
    weight = torch.ones(3, 2, dtype=torch.float64)
    weight[0, 1] = 4
    alone = loss_of(name)(logits[:1, 1:], target[:1, 1:]).item()
    expected = loss_of(name)(logits, target).item() + 3 * alone / 6
    assert loss_of(name)(logits, target, weight).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_sums_of_parts_are_the_sum_of_the_whole(name):
    logits, target = drawn(name)
    target[0, :, 1:] = math.nan
    parts = [loss_of(name).sums(logits[[i]], target[[i]]) for i in range(3)]
    total, count = loss_of(name).sums(logits, target)
    assert sum(part[0].item() for part in parts) == pytest.approx(total.item())
    assert sum(part[1].item() for part in parts) == count.item()


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_computed_in_float32(name):
    logits, target = drawn(name)
    half = logits.bfloat16()
    loss = loss_of(name)(half, target.float())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(loss_of(name)(half.double(), target).item(), rel=1e-5)


def test_multinomials_stand_large_logits():
    logits = value([800.0, 790.0])
    logits.requires_grad_()
    loss = loss_of("multinomial_counts")(logits, value([1.0, 2.0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", COUNT_LOSSES)
def test_negative_targets_under_a_loss_of_counts(loss):
    with pytest.raises(InputError) as error:
        check_targets(loss, np.array([[1.0, -2.0, np.nan, -0.5]]), "K4me3")
    assert "K4me3" in error.value.what
    assert "-2" in error.value.what
    assert error.value.extent == "2 of 3 values"


@pytest.mark.parametrize("transform", ["arcsinh", "log1p", "sqrt"])
def test_transformed_targets_under_a_loss_of_counts(transform):
    with pytest.raises(InputError, match=transform):
        check_targets("poisson", np.ones(3), "t", ("scale:2", transform))
    check_targets("mse", np.ones(3), "t", (transform,))


def test_scaled_and_fractional_coverage_is_no_error():
    check_targets("poisson", np.array([0.5, 0.25, np.nan]), "t", ("scale:0.5", "clip:0:10"))


def test_labels_lie_between_0_and_1():
    check_targets("bce", np.array([0, 1, np.nan]), "t")
    with pytest.raises(InputError, match="from 0 to 3"):
        check_targets("bce", np.array([0.0, 1.0, 3.0]), "t")


def test_infinite_targets():
    with pytest.raises(InputError, match="infinite"):
        check_targets("mse", np.array([0.0, np.inf]), "t")


def test_weights_of_a_loss_that_has_none():
    with pytest.raises(UsageError, match="no classes"):
        loss_of("mse", class_weights=[1, 2])
    with pytest.raises(UsageError, match="no positives"):
        loss_of("ce", positive_weight=2)
    with pytest.raises(UsageError, match="no loss"):
        loss_of("mae")
