"""The average that leaks nothing, and numbers that are fitted on training cells in training windows alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.data.average import affine, leave_one_out, training_average
from finetune.data.sampling import cell_weights, class_weights, positive_weights
from finetune.data.train_only import TrainOnly
from zoo.errors import InputError, UsageError


def test_mean_of_training_cells_where_measured():
    nan = np.nan
    targets = np.array([[[1, 2, nan]], [[3, nan, nan]], [[100, 100, 100]], [[5, 4, nan]]], dtype=np.float32)
    assert np.array_equal(training_average(targets, [0, 1, 3]), [[3, 3, nan]], equal_nan=True)
    assert np.array_equal(leave_one_out(targets, [0, 1, 3], 0), [[4, 4, nan]], equal_nan=True)
    assert np.array_equal(leave_one_out(targets, [0, 1, 3], 1), [[3, 3, nan]], equal_nan=True)
    assert np.array_equal(leave_one_out(targets, [0, 1, 3], 2), [[3, 3, nan]], equal_nan=True)


@given(st.data())
def test_leaving_out_against_plain_python(data):
    cells, n, bins = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    value = st.one_of(st.just(math.nan), st.integers(-9, 9).map(float))
    flat = data.draw(st.lists(value, min_size=cells * n * bins, max_size=cells * n * bins))
    targets = np.array(flat, dtype=np.float32).reshape(cells, n, bins)
    train = data.draw(st.lists(st.integers(0, cells - 1), min_size=2, max_size=cells, unique=True))
    cell = data.draw(st.integers(0, cells - 1))
    found = leave_one_out(targets, train, cell)
    for i in range(n):
        for b in range(bins):
            seen = [float(targets[c, i, b]) for c in train if c != cell and not math.isnan(targets[c, i, b])]
            if seen:
                assert found[i, b] == pytest.approx(sum(seen) / len(seen), rel=1e-6)
            else:
                assert math.isnan(found[i, b])


def test_what_a_training_cell_measures_never_enters_its_own_average():
    targets = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    before = leave_one_out(targets, [0, 1, 2], 1)
    targets[1] = 1e6
    assert np.array_equal(leave_one_out(targets, [0, 1, 2], 1), before)
    assert not np.array_equal(leave_one_out(targets, [0, 1, 2], 0), before)


@pytest.mark.parametrize("train", [[], [2]])
def test_one_training_cell_has_no_average(train):
    targets = np.zeros((3, 2, 2), dtype=np.float32)
    for call in (lambda: training_average(targets, train), lambda: leave_one_out(targets, train, 0)):
        with pytest.raises(UsageError, match=r"`cell\.average` with [01] training cell") as error:
            call()
        assert "cell.average: none" in error.value.fix


def test_affine_finds_a_planted_line():
    rng = np.random.default_rng(1)
    average = rng.random((30, 4))
    targets = np.stack([2.5 * average - 0.75, np.full((30, 4), 9.0), 2.5 * average - 0.75])
    targets[0, 3, 1] = np.nan
    data = TrainOnly(targets, np.arange(20), [0, 2])
    slope, intercept = affine(data, average)
    assert (slope, intercept) == (pytest.approx(2.5), pytest.approx(-0.75))
    assert np.allclose(slope * average + intercept, targets[2])
    with pytest.raises(InputError, match="is constant"):
        affine(data, np.ones((30, 4)))


def test_affine_of_cells_and_their_own_averages_is_numpys_fit():
    rng = np.random.default_rng(2)
    targets = (rng.random((3, 50, 2)) + np.linspace(0, 3, 50)[None, :, None]).astype(np.float32)
    x = np.concatenate([leave_one_out(targets, [0, 1, 2], c).ravel() for c in range(3)])
    assert affine(TrainOnly(targets, np.arange(50), [0, 1, 2])) == pytest.approx(np.polyfit(x, targets.ravel(), 1))


def test_other_cells_and_windows_are_out_of_reach():
    targets = np.arange(24.0).reshape(3, 4, 2)
    split = np.array(["train", "test", "train", ""])
    data = TrainOnly(targets, split, [0, 2])
    assert data.rows.tolist() == [0, 2] and np.array_equal(data.read(2, [2]), targets[2, [2]])
    assert np.array_equal(data.read(0), targets[0, [0, 2]])
    with pytest.raises(UsageError, match="cell 1 is not of the training side"):
        data.read(1)
    with pytest.raises(UsageError, match="window 1 is not of the training side") as error:
        data.read(0, [0, 1, 3])
    assert error.value.extent == "2 of 3 windows asked for are not"
    with pytest.raises(UsageError, match="no cells train"):
        TrainOnly(targets, split, [])
    with pytest.raises(UsageError, match="windows 0 to 4 train, of 4"):
        TrainOnly(targets, np.array([0, 4]), [0])


def fitted(targets, split, cells):
    data = TrainOnly(targets, split, cells)
    binary = TrainOnly((targets > 0.5).astype(np.float32), split, cells)
    rows = data.rows
    return {
        "average": training_average(targets[:, rows], cells),
        "left out": np.stack([leave_one_out(targets[:, rows], cells, cell) for cell in cells]),
        "affine": affine(data),
        "affine to an average": affine(data, training_average(targets, cells)),
        "cell weights": cell_weights(data),
        "positive weights": positive_weights("balanced", binary),
        "class weights": class_weights("balanced", (targets[0, rows, 0] > 0.5).astype(int), 2),
    }


def test_a_changed_validation_track_and_test_chromosome_leave_every_fitted_number_unchanged():
    rng = np.random.default_rng(3)
    targets = rng.random((6, 40, 3)).astype(np.float32)
    split = np.array(["train"] * 20 + ["validation"] * 8 + ["test"] * 8 + [""] * 4, dtype="<U10")
    cells = [0, 2, 3]
    before = fitted(targets, split, cells)
    changed = targets.copy()
    changed[[1, 4, 5]] = rng.random((3, 40, 3)) * 50  # tracks of validation and test cells
    changed[:, 20:] = np.nan  # windows of validation and test chromosomes
    after = fitted(changed, split, cells)
    for name, value in before.items():
        assert np.array_equal(value, after[name]), name
    changed[0, 0, 0] += 1  # and each number does follow the training side
    moved = fitted(changed, split, cells)
    assert not np.array_equal(before["cell weights"], moved["cell weights"])
    assert not np.array_equal(before["affine"], moved["affine"])
