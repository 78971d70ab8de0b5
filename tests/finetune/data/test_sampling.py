"""Weights and sampling of training rows: figures by hand, validation and test untouched, no synthetic sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.config import SamplingConfig
from finetune.data.sampling import (
    cell_weights,
    check_sampling,
    class_weights,
    positive_weights,
    resample_rows,
    synthesise,
    window_labels,
)
from finetune.data.train_only import TrainOnly
from zoo.errors import InputError, UsageError


def test_class_weights_by_hand():
    labels = np.array([0] * 6 + [1] * 3 + [2] * 3)
    assert class_weights("balanced", labels, 3).tolist() == pytest.approx([12 / 18, 12 / 9, 12 / 9])
    assert class_weights("none", labels, 3).tolist() == [1, 1, 1]
    assert class_weights((1.0, 2.0, 0.5), labels, 3).tolist() == [1, 2, 0.5]
    with pytest.raises(UsageError, match="has 2 weights for 3 classes"):
        class_weights((1.0, 2.0), labels, 3)
    with pytest.raises(InputError, match="class 3 has no training window"):
        class_weights("balanced", labels, 4)


def test_positive_weights_count_measured_bins_of_training_windows():
    nan = np.nan
    targets = np.array([[[0, 0, 1, 0], [1, 1, 1, 1]], [[nan, 1, 1, 0], [0, 0, 0, 0]]])
    data = TrainOnly(targets, np.array([0]), [0, 1])
    assert positive_weights("balanced", data).tolist() == [3.0, 0.5]
    assert positive_weights(4.0, data).tolist() == [4, 4] and positive_weights("none", data).tolist() == [1, 1]
    with pytest.raises(InputError, match="track 0 has no negative bin"):
        positive_weights("balanced", TrainOnly(targets, np.array([1]), [0]))


def test_cell_weights_are_one_over_the_variance_and_have_mean_one():
    rng = np.random.default_rng(0)
    targets = rng.normal(1000, 1, (3, 9000, 2)) * np.array([1, 10, 3])[:, None, None]
    targets[1, 5] = np.nan
    rows = np.arange(0, 9000, 2)
    weights = cell_weights(TrainOnly(targets, rows, [0, 1, 2]))
    expected = 1 / np.nanvar(targets[:, rows], axis=(1, 2))
    assert weights == pytest.approx(expected / expected.mean(), rel=1e-5)
    assert weights.mean() == pytest.approx(1)
    targets[2, rows] = 7
    with pytest.raises(InputError, match="track 2 is constant in training windows"):
        cell_weights(TrainOnly(targets, rows, [0, 1, 2]))


def test_labels_of_windows():
    nan = np.nan
    targets = np.array([[[0, 0], [0, 1]], [[nan, 0], [0, 0]], [[1, nan], [0, 0]]])
    assert window_labels(targets, "bce").tolist() == [1, 0, 1]
    assert window_labels(np.array([[[0], [1], [0]], [[1], [0], [0]]]), "ce").tolist() == [1, 0]


@given(labels=st.lists(st.integers(0, 2), min_size=4, max_size=40), seed=st.integers(0, 5))
def test_drawn_rows_are_balanced_training_rows(labels, seed):
    labels = np.array(labels)
    rows = np.arange(len(labels)) * 2 + 1
    split = np.where(np.arange(2 * len(labels) + 1) % 2, "train", "test")
    of = dict(zip(rows.tolist(), labels.tolist(), strict=True))
    if len(set(labels.tolist())) < 2:
        with pytest.raises(UsageError, match="are of one class"):
            resample_rows("over", rows, labels, split, seed)
        return
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    over, under = (resample_rows(how, rows, labels, split, seed) for how in ("over", "under"))
    for drawn, n in ((over, counts.max()), (under, counts.min())):
        classes = [of[row] for row in drawn.tolist()]
        assert {classes.count(c) for c in set(classes)} == {n}
    assert set(over.tolist()) == set(rows.tolist())
    assert len(set(under.tolist())) == len(under)
    assert np.array_equal(over, resample_rows("over", rows, labels, split, seed))
    assert resample_rows("none", rows, labels, split, seed).tolist() == rows.tolist()


def test_validation_and_test_rows_cannot_be_drawn_again():
    split = np.array(["train", "test", "train", "validation"])
    with pytest.raises(UsageError, match="window 1 is of the side 'test'") as error:
        resample_rows("over", np.arange(4), np.array([0, 0, 1, 1]), split, 0)
    assert error.value.extent == "2 of 4 windows"


@pytest.mark.parametrize("how", ["smote", "adasyn"])
def test_synthetic_embeddings_lie_between_those_of_their_class(how):
    rng = np.random.default_rng(1)
    common, rare = rng.normal(0, 1, (60, 3, 5)), rng.normal(0.8, 1, (12, 3, 5))
    embeddings, labels = np.concatenate([common, rare]).astype(np.float16), np.array([0] * 60 + [1] * 12)
    made, of = synthesise(how, embeddings, labels, 0)
    assert made.shape[1:] == (3, 5) and len(made) == len(of) > 100
    assert np.array_equal(made[:72], embeddings.astype(np.float32)) and (of[72:] == 1).all()
    low, high = rare.min(axis=0) - 1e-2, rare.max(axis=0) + 1e-2
    assert ((made[72:] >= low) & (made[72:] <= high)).all()
    again, _ = synthesise(how, embeddings, labels, 0)
    assert np.array_equal(made, again)


def test_sequences_are_never_mixed():
    one_hot = np.eye(4, dtype=np.float32)[np.random.default_rng(2).integers(0, 4, (20, 50))].transpose(0, 2, 1)
    one_hot[0, :, :5] = 0.25
    with pytest.raises(UsageError, match="a point between two sequences is no sequence"):
        synthesise("smote", one_hot, np.array([0] * 10 + [1] * 10), 0)


def test_too_few_of_a_class_for_neighbours():
    with pytest.raises(UsageError, match="class 1 has 5") as error:
        synthesise("smote", np.random.default_rng(3).random((15, 7)), np.array([0] * 10 + [1] * 5), 0)
    assert "sampling.resample: over" in error.value.fix


def test_adasyn_without_a_border_says_so():
    apart = np.concatenate([np.random.default_rng(4).random((20, 3)), 100 + np.random.default_rng(5).random((8, 3))])
    with pytest.raises(UsageError, match=r"`sampling\.resample: adasyn` made no example"):
        synthesise("adasyn", apart, np.array([0] * 20 + [1] * 8), 0)


@pytest.mark.parametrize(
    ("key", "value", "loss", "mode", "text"),
    [
        ("resample", "over", "poisson", "head", "windows have no classes"),
        ("class_weights", "balanced", "bce", "head", "there are no classes"),
        ("positive_weight", 2.0, "ce", "head", "there are no positives"),
        ("resample", "smote", "bce", "lora", "a mix of two sequences is no sequence"),
    ],
)
def test_settings_that_mean_nothing(key, value, loss, mode, text):
    with pytest.raises(UsageError, match=text):
        check_sampling(SamplingConfig(**{key: value}), loss, mode)


@pytest.mark.parametrize(("loss", "mode"), [("bce", "head"), ("ce", "head")])
def test_settings_that_fit(loss, mode):
    config = {"bce": {"positive_weight": "balanced"}, "ce": {"class_weights": "balanced"}}[loss]
    assert check_sampling(SamplingConfig(resample="smote", cell_weights="equal", **config), loss, mode) is None
