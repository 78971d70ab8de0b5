"""The mean track of training cells: a baseline, an input and an offset that must not know what is predicted.

Two leaks are closed here. A training cell's average leaves that cell out, or the model learns to subtract it from
itself. And an average of training cells is read anywhere, but no number is fitted on it outside training windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finetune.data.train_only import TrainOnly
from zoo.errors import InputError, UsageError
from zoo.words import counted

__all__ = ["affine", "average_of", "average_without", "leave_one_out", "training_average"]

_BLOCK = 4096  # windows at once, so that a memory-mapped set is not read whole


def training_average(targets: np.ndarray, train_cells: Sequence[int] | np.ndarray) -> np.ndarray:
    """Mean over training cells, where measured.

    Args:
        targets: (cells, n, bins), NaN where nothing was measured.
        train_cells: (k,) numbers of training cells.

    Returns:
        (n, bins) float32; NaN where no training cell was measured.

    Raises:
        UsageError: no or one training cell.
    """
    cells = np.asarray(train_cells, dtype=np.int64)
    _refuse_few(cells)
    return _mean(targets, cells)


def leave_one_out(targets: np.ndarray, train_cells: Sequence[int] | np.ndarray, cell: int) -> np.ndarray:
    """The average that a cell may see: of training cells without itself.

    Args:
        targets, train_cells: as in ``training_average``.
        cell: number of the cell that is predicted; of any side.

    Returns:
        (n, bins) float32; NaN where no other training cell was measured.

    Raises:
        UsageError: no or one training cell.
    """
    cells = np.asarray(train_cells, dtype=np.int64)
    _refuse_few(cells)
    return _mean(targets, cells[cells != cell])


def _refuse_few(cells: np.ndarray) -> None:
    if len(np.unique(cells)) != len(cells):
        raise UsageError("a cell is named twice among the training cells", "", "Fix: name each once")
    if len(cells) < 2:
        raise UsageError(
            f"`cell.average` with {counted(len(cells), 'training cell')}: "
            "without the cell that is trained on, no average is left",
            "",
            "Fix: add targets of further cells that train, or `cell.average: none`",
        )


def _mean(targets: np.ndarray, cells: np.ndarray) -> np.ndarray:
    out = np.empty(targets.shape[1:], dtype=np.float32)
    for at in range(0, targets.shape[1], _BLOCK):
        rows = slice(at, at + _BLOCK)
        total = np.zeros(out[rows].shape, dtype=np.float64)
        count = np.zeros(out[rows].shape, dtype=np.int64)
        for cell in cells:
            values = np.asarray(targets[cell, rows])
            measured = ~np.isnan(values)
            total += np.where(measured, values, 0)
            count += measured
        out[rows] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out


def average_of(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what was measured: (cells, ...) to (...) float32; NaN where nothing was."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(known, values, 0).sum(0, dtype=np.float64)
        return (total / known.sum(0)).astype(np.float32)


def average_without(values: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The mean of training cells at each of some windows, without the cell that the window is seen in.

    Args:
        values: (cells, n, bins) of training cells alone. own: (n,) number among them; -1 for a cell that trains not.

    Returns:
        (n, bins) float32; NaN where no other training cell was measured.
    """
    known = np.isfinite(values)
    total, count = np.where(known, values, 0).sum(0, dtype=np.float64), known.sum(0)
    place = np.maximum(own, 0), np.arange(values.shape[1])
    mine, measured = values[place], known[place] & (own >= 0)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((total - np.where(measured, mine, 0)) / (count - measured)).astype(np.float32)


def affine(data: TrainOnly, average: np.ndarray | None = None) -> tuple[float, float]:
    """Slope and intercept by which the average fits the training cells best, by least squares.

    Args:
        data: training cells x training windows.
        average: (n, bins) that each cell is compared with; default, each cell's average without itself.

    Returns:
        ``(slope, intercept)`` of ``target ~ slope * average + intercept``.

    Raises:
        UsageError: one training cell and no ``average``.
        InputError: the average is constant or nothing was measured.
    """
    n = x_sum = y_sum = xx = xy = 0.0
    for rows, values in data.blocks():
        if average is None:
            _refuse_few(data.cells)
            expected = np.stack([_mean(values, np.delete(np.arange(len(values)), i)) for i in range(len(values))])
        else:
            expected = np.broadcast_to(np.asarray(average[rows]), values.shape)
        both = ~(np.isnan(values) | np.isnan(expected))
        x, y = expected[both].astype(np.float64), values[both].astype(np.float64)
        n, x_sum, y_sum = n + len(x), x_sum + x.sum(), y_sum + y.sum()
        xx, xy = xx + (x * x).sum(), xy + (x * y).sum()
    spread = xx - x_sum * x_sum / n if n else 0.0
    if spread <= 1e-12 * max(xx, 1e-300):
        raise InputError(
            "the average of the training cells is constant over the training windows",
            f"{counted(int(n), 'bin was', 'bins were')} measured",
            "Fix: check the files of `targets`",
        )
    slope = (xy - x_sum * y_sum / n) / spread
    return float(slope), float((y_sum - slope * x_sum) / n)
