"""The cell adapter: nothing changes for the average cell, to the bit; summaries and differences as numpy says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.models.atac import (
    FLOOR,
    CellAdapter,
    bake,
    cell_summary,
    difference,
    fit_summary,
    offset_logits,
    offset_prediction,
    refuse_itself,
    to_bins,
    track_features,
)
from zoo.errors import InputError, ModelError, UsageError


def trained(adapter: CellAdapter, seed: int = 0) -> CellAdapter:
    """As after training: no weight is zero, and biases of the gate neither."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in adapter.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 3
    return adapter


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    dna=st.booleans(),
    average=st.booleans(),
    k=st.sampled_from([0, 1, 8]),
    bins=st.integers(1, 40),
)
def test_the_average_cell_is_not_changed_at_all(seed: int, dna: bool, average: bool, k: int, bins: int) -> None:
    adapter = trained(CellAdapter(3, 5 if dna else None, summary=k, width=4, average=average, pool=2), seed)
    embedding = torch.randn(2, 5, bins * 2) * 100
    change = adapter(embedding, torch.zeros(2, 1, bins), torch.zeros(2, k), torch.rand(2, 3, bins) * 1000)
    assert change.shape == (2, 3, bins)
    assert (change == 0).all()


def test_no_layer_that_the_track_passes_has_a_bias() -> None:
    adapter = CellAdapter(1, 4)
    names = {name for name, _ in adapter.named_parameters() if name.endswith("bias")}
    assert names == {"gate.0.bias", "gate.2.bias"}


def test_before_training_every_cell_gets_the_average() -> None:
    change = CellAdapter(2, 4)(torch.randn(3, 4, 10), torch.randn(3, 1, 10), torch.randn(3, 8))
    assert (change == 0).all()


def test_track_summary_sequence_and_average_each_change_the_prediction() -> None:
    adapter = trained(CellAdapter(1, 4, summary=2, average=True))
    embedding, atac = torch.randn(1, 4, 30), torch.randn(1, 1, 30)
    summary, average = torch.randn(1, 2), torch.rand(1, 1, 30)
    first = adapter(embedding, atac, summary, average)
    for other in (
        (embedding + 1, atac, summary, average),
        (embedding, atac + 1, summary, average),
        (embedding, atac, summary + 1, average),
        (embedding, atac, summary, average + 1),
    ):
        assert not torch.allclose(adapter(*other), first)


def test_a_limit_bounds_the_change_and_keeps_small_ones_and_zero() -> None:
    free, bound = (trained(CellAdapter(1, None, summary=0, limit=limit)) for limit in (None, 3.0))
    atac = torch.randn(4, 1, 20)
    assert free(None, 100 * atac).abs().max() > 100 and bound(None, 100 * atac).abs().max() <= 3.0
    torch.testing.assert_close(bound(None, atac), 3 * torch.tanh(free(None, atac) / 3))
    assert (bound(None, 0 * atac) == 0).all()


def test_wider_means_reach_farther_and_are_zero_for_the_average_cell() -> None:
    adapter = trained(CellAdapter(1, None, summary=0, kernel=1, scales=(1, 9)))
    atac = torch.zeros(1, 1, 41)
    assert (adapter(None, atac) == 0).all()
    atac[0, 0, 20] = 1.0
    change = adapter(None, atac)[0, 0]
    assert (change[16:25] != 0).all() and (change[:16] == 0).all() and (change[25:] == 0).all()


def test_a_far_bin_of_the_track_is_not_seen() -> None:
    adapter = trained(CellAdapter(1, None, summary=0, kernel=5))
    atac = torch.zeros(1, 1, 41)
    atac[0, 0, 20] = 1.0
    change = adapter(None, atac)[0, 0]
    assert (change[14:27] != 0).all()  # three layers of 5 bins: 6 to either side
    assert (change[:14] == 0).all() and (change[27:] == 0).all()


def test_bins_that_were_not_measured_are_no_difference() -> None:
    adapter = trained(CellAdapter(1, None, summary=0))
    atac = torch.randn(1, 1, 12)
    masked, zero = atac.clone(), atac.clone()
    masked[0, 0, 5], zero[0, 0, 5] = float("nan"), 0.0
    assert torch.equal(adapter(None, masked), adapter(None, zero))


def test_positions_are_averaged_from_the_middle() -> None:
    embedding = torch.arange(8.0).reshape(1, 1, 8)
    assert to_bins(embedding, 3, 2).tolist() == [[[1.5, 3.5, 5.5]]]
    for bins, pool in ((5, 2), (7, 1)):
        with pytest.raises(ModelError, match="8 positions"):
            to_bins(embedding, bins, pool)


def test_inputs_that_are_missing_are_named() -> None:
    adapter = CellAdapter(1, 4, average=True)
    with pytest.raises(ModelError, match="no embedding"):
        adapter(None, torch.zeros(1, 1, 5))
    with pytest.raises(ModelError, match="average"):
        adapter(torch.zeros(1, 4, 5), torch.zeros(1, 1, 5))


@pytest.mark.parametrize(
    ("activation", "forward"),
    [
        ("exp", torch.exp),
        ("softplus", torch.nn.functional.softplus),
        ("sigmoid", torch.sigmoid),
        ("identity", lambda x: x),
        ("softmax", lambda x: torch.softmax(x, dim=1)),
    ],
)
def test_offsets_are_inverses(activation: str, forward) -> None:
    average = torch.rand(4, 3, 50, dtype=torch.float64) * 0.9 + 0.05
    if activation == "softmax":
        average = average / average.sum(1, keepdim=True)
    torch.testing.assert_close(forward(offset_logits(average, activation)), average)
    change = torch.zeros_like(average)
    awkward = torch.tensor([0.0, 1e-9, 1.0]).reshape(1, 3, 1).double()  # below the floor, and without a logit
    for given_average in (average, awkward.expand(4, 3, 50)):
        assert torch.equal(offset_prediction(given_average, change, activation), given_average)
    change[0, 0, 0] = 0.5
    moved = offset_prediction(average, change, activation)
    assert moved[0, 0, 0] > average[0, 0, 0]
    assert torch.equal(moved[1:], average[1:]) and torch.equal(moved[0, :, 1:], average[0, :, 1:])


def test_a_bin_without_reads_in_any_training_cell_can_rise() -> None:
    raised = offset_prediction(torch.zeros(1, 1, 1), torch.ones(1, 1, 1), "exp")
    assert raised.item() == pytest.approx(FLOOR * np.e)


def test_an_activation_without_inverse_is_refused() -> None:
    with pytest.raises(ModelError, match="relu"):
        offset_logits(torch.zeros(1), "relu")


def test_a_training_cell_is_left_out_of_its_own_average() -> None:
    atac = np.array([[[1.0, np.nan]], [[3.0, 2.0]], [[8.0, 4.0]], [[10.0, 10.0]]])
    found = difference(atac, [0, 1, 2])
    expected = [[1 - 5.5, np.nan], [3 - 4.5, 2 - 4.0], [8 - 2.0, 4 - 2.0], [10 - 4.0, 10 - 3.0]]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)
    with pytest.raises(UsageError, match="1 trains"):
        difference(atac, [2])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), k=st.integers(1, 4))
def test_the_summary_is_the_svd_of_products_with_features(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    tracks, features = rng.normal(size=(7, 3, 11)), rng.normal(size=(3, 5, 11)) * 4 + 2
    train = [0, 2, 3, 5, 6]
    summary = fit_summary(tracks, train, k, features)
    flat = features.transpose(0, 2, 1).reshape(33, 5)
    products = tracks.reshape(7, 33) @ ((flat - flat.mean(0)) / flat.std(0)) / 33
    _, values, vt = np.linalg.svd(products[train])
    np.testing.assert_allclose(np.abs((summary.directions @ vt[:k].T).diagonal()), 1, atol=1e-4)
    found = summary.of(tracks, features)
    np.testing.assert_allclose(np.abs(found), np.abs(products @ vt[:k].T) * np.sqrt(5) / values[0], atol=1e-4)
    assert np.array_equal(summary.of(np.zeros((1, 3, 11)), features), np.zeros((1, k)))


def test_the_summary_says_which_factor_is_active() -> None:
    rng = np.random.default_rng(0)
    features = (rng.random((200, 3, 20)) < 0.05).astype(float)
    activity = rng.gamma(1.0, size=(30, 3))
    track = np.einsum("yc,ncb->ynb", activity, features) + 0.5 * rng.normal(size=(30, 200, 20))
    train = np.arange(24)
    found = np.c_[cell_summary(difference(track, train), train, 3, features), np.ones(30)]
    fitted = np.linalg.lstsq(found[:24], activity[:24], rcond=None)[0]
    np.testing.assert_allclose(found[24:] @ fitted, activity[24:], atol=0.35)


def test_held_out_cells_change_nothing_of_the_summary() -> None:
    rng = np.random.default_rng(0)
    tracks, features = rng.normal(size=(6, 2, 9)), rng.normal(size=(2, 4, 9))
    train = [0, 1, 2, 3]
    before = fit_summary(tracks, train, 3, features)
    tracks[4:] = 100.0
    after = fit_summary(tracks, train, 3, features)
    assert np.array_equal(before.directions, after.directions) and before.scale == after.scale


def test_few_cells_fill_the_summary_with_zeros() -> None:
    rng = np.random.default_rng(1)
    found = cell_summary(rng.normal(size=(4, 2, 9)), [0, 1], 5, rng.normal(size=(2, 6, 9)))
    assert found.shape == (4, 5) and (found[:, 2:] == 0).all() and (found[:, :2] != 0).all()


def test_steps_of_the_average_have_equal_numbers_of_bins() -> None:
    level = np.random.default_rng(2).permutation(40).reshape(4, 10).astype(float)
    steps = track_features(level, 4)
    assert steps.shape == (4, 4, 10) and (steps.sum(1) == 1).all() and steps.sum((0, 2)).tolist() == [10] * 4
    assert (level[steps[:, 3] == 1].min() > level[steps[:, 2] == 1].max()).all()


def test_a_baked_head_is_the_adapter_with_the_average_track() -> None:
    adapter, head = (
        trained(CellAdapter(2, 4, summary=3, pool=2)),
        torch.nn.Sequential(torch.nn.AvgPool1d(2), torch.nn.Conv1d(4, 2, 1)),
    )
    summary, embedding = torch.tensor([0.3, -1.0, 2.0]), torch.randn(5, 4, 20)
    change = adapter(embedding, torch.zeros(5, 1, 10), summary.expand(5, -1))
    baked = bake(adapter, summary, head)
    assert torch.equal(baked(embedding), head(embedding) + change)
    assert torch.equal(bake(adapter, summary)(embedding), change)
    assert "summary" in baked.state_dict()
    assert torch.equal(bake(adapter, torch.zeros(3), head)(embedding), head(embedding))


def test_what_cannot_be_baked_is_refused() -> None:
    with pytest.raises(ModelError, match="8 summary"):
        bake(CellAdapter(1, 4), torch.zeros(3))
    with pytest.raises(ModelError, match="cell's head needs"):
        bake(CellAdapter(1, 4, summary=0), torch.zeros(0))
    with pytest.raises(ModelError, match="without sequence"):
        bake(CellAdapter(1, None), torch.zeros(8))


def test_a_track_is_not_predicted_from_itself(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=(10, 50))
    file = tmp_path / "a.bw"
    file.touch()
    (tmp_path / "b.bw").symlink_to(file)
    with pytest.raises(UsageError, match="same file"):
        refuse_itself(target, rng.normal(size=(10, 50)), "t", "A", [file], [tmp_path / "b.bw"])
    near = 3 * target + 1 + 0.1 * rng.normal(size=(10, 50))
    near[0] = np.nan
    with pytest.raises(InputError, match=r"correlate at 0\.99"):
        refuse_itself(target, near, "t", "A")
    far = target + 0.2 * rng.normal(size=(10, 50))
    assert np.corrcoef(far.ravel(), target.ravel())[0, 1] < 0.99
    refuse_itself(target, far, "t", "A")
    refuse_itself(target, np.full((10, 50), np.nan), "t", "A")
