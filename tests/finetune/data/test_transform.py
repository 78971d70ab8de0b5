"""Transforms and their inverses, and depth: hand values, properties, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune.data.transform import background_depth, parse_transform, subsample_reads
from zoo.errors import InputError, UsageError


def test_values_by_hand():
    values = np.array([0.0, 1.0, 3.0, math.nan])
    for names, expected in (
        (("none",), [0, 1, 3]),
        (("log1p",), [0, math.log(2), math.log(4)]),
        (("sqrt",), [0, 1, math.sqrt(3)]),
        (("arcsinh",), [0, math.asinh(1), math.asinh(3)]),
        (("scale:2.5",), [0, 2.5, 7.5]),
        (("clip:0.5:2",), [0.5, 1, 2]),
        (("scale:2", "clip:0:4", "sqrt"), [0, math.sqrt(2), 2]),
    ):
        transform = parse_transform(names, "target t")
        np.testing.assert_allclose(transform.forward(values), [*expected, math.nan])
        found = transform.forward(torch.tensor(values))
        assert isinstance(found, torch.Tensor) and found.dtype == torch.float64
        np.testing.assert_allclose(found.numpy(), [*expected, math.nan])
        assert transform.names == names and transform.is_identity == (names == ("none",))


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=20),
    st.lists(st.sampled_from(["arcsinh", "log1p", "sqrt", "scale:0.25"]), min_size=1, max_size=3),
)
def test_inverse_undoes_forward(values, names):
    transform = parse_transform(names, "t")
    array = np.array(values)
    np.testing.assert_allclose(transform.inverse(transform.forward(array)), array, rtol=1e-6, atol=1e-9)
    tensor = torch.tensor(array)
    np.testing.assert_allclose(transform.inverse(transform.forward(tensor)).numpy(), array, rtol=1e-6, atol=1e-9)


def test_what_lies_below_the_range_comes_back_as_zero():
    below = np.array([-2.0, 0.5])
    np.testing.assert_allclose(parse_transform(["sqrt"], "t").inverse(below), [0, 0.25])
    np.testing.assert_allclose(parse_transform(["log1p"], "t").inverse(below), [0, math.expm1(0.5)])
    np.testing.assert_allclose(parse_transform(["clip:0:1"], "t").inverse(below), below)


@pytest.mark.parametrize("name", ["log1p", "sqrt"])
def test_negative_values_are_refused_by_name(name):
    for values in (np.array([1.0, -0.5, math.nan]), torch.tensor([1.0, -0.5, math.nan])):
        with pytest.raises(InputError, match=f"target dnase: {name} of negative values, the lowest -0.5") as error:
            parse_transform([name], "target dnase").forward(values)
        assert error.value.extent == "1 of 3 values"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["log2"], "no transform"),
        (["none", "sqrt"], "beside others"),
        (["scale"], "form scale:FACTOR"),
        (["scale:x"], "form scale:FACTOR"),
        (["scale:nan"], "form scale:FACTOR"),
        (["scale:0"], "above 0"),
        (["clip:1"], "form clip:LOW:HIGH"),
        (["clip:2:1"], "not below"),
        (["sqrt:2"], "form sqrt"),
    ],
)
def test_transforms_that_are_none(names, told):
    with pytest.raises(UsageError, match=told):
        parse_transform(names, "target t")


def test_background_is_blind_to_peaks():
    random = np.random.default_rng(0)
    values = random.poisson(20, (50, 40)).astype(np.float32)
    values[0, :5] = math.nan
    peaks = values.copy()
    peaks[:, :10] = 500  # a quarter of the bins
    higher = np.where(peaks == 500, 5000, peaks)
    assert background_depth(peaks) == background_depth(higher)
    assert np.nanmean(higher) > 5 * np.nanmean(peaks)
    assert background_depth(3 * values) == pytest.approx(3 * background_depth(values))
    assert background_depth(np.array([[1.0, 2.0, 3.0, 100.0, math.nan]])) == 1.5


def test_background_that_tells_nothing():
    with pytest.raises(InputError, match=r"target t: depth\.background is 0"):
        background_depth(np.array([[0.0, 0.0, 0.0, 9.0]]), "target t")
    with pytest.raises(InputError, match="no measured bin"):
        background_depth(np.array([[math.nan]]))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.floats(0, 1), st.integers(0, 9))
def test_as_many_reads_as_asked_and_none_twice(counts, share, seed):
    reads = int(share * sum(counts))
    drawn = list(subsample_reads(counts, reads, seed, "t"))
    assert sum(map(len, drawn)) == reads
    for kept, count in zip(drawn, counts, strict=True):
        assert len(set(kept.tolist())) == len(kept) and all(0 <= one < count for one in kept)
    again = list(subsample_reads(counts, reads, seed, "t"))
    assert all(map(np.array_equal, drawn, again))


def test_reads_are_drawn_evenly():
    seen = np.zeros(30)
    for seed in range(2000):
        first, second = subsample_reads([10, 20], 6, seed, "t")
        seen[first] += 1
        seen[10 + second] += 1
    np.testing.assert_allclose(seen / 2000, 0.2, atol=0.04)  # four standard errors
