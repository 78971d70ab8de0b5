"""The part of the data that anything may be fitted on: training cells in training windows.

A mean, a variance, a class weight or a depth that has seen a validation track or a test chromosome tells the model, or
its baselines, what they are to predict. What fits numbers takes a ``TrainOnly`` in place of the array; it holds the
rest out of reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.errors import UsageError
from zoo.words import counted_of

__all__ = ["TrainOnly"]


class TrainOnly:
    """Targets of which only training cells and training windows can be read.

    Args:
        targets: (cells, n, bins) or (tracks, n, bins), may be memory-mapped; NaN where nothing was measured.
        rows: numbers of training windows, or (n,) mask, or the (n,) split.
        cells: numbers of training cells (or tracks) on the first axis.

    Raises:
        UsageError: no row or no cell trains; one is out of range.
    """

    def __init__(self, targets: np.ndarray, rows: np.ndarray, cells: Sequence[int] | np.ndarray) -> None:
        self._targets = targets
        self.rows = _numbers(rows)
        self.cells = np.asarray(cells, dtype=np.int64)
        _check("windows", self.rows, targets.shape[1])
        _check("cells", self.cells, targets.shape[0])
        self._trains = np.zeros(targets.shape[1], dtype=bool)
        self._trains[self.rows] = True

    @property
    def bins(self) -> int:
        """Bins of a window."""
        return int(self._targets.shape[2])

    def read(self, cell: int, rows: np.ndarray | None = None) -> np.ndarray:
        """A training cell in training windows.

        Args:
            cell: its number on the first axis of the whole array.
            rows: numbers of windows in the whole array; default all that train.

        Returns:
            (k, bins).

        Raises:
            UsageError: the cell, or one of the windows, does not train.
        """
        if cell not in self.cells:
            raise UsageError(
                f"cell {cell} is not of the training side: nothing may be fitted on it",
                f"training cells are {', '.join(map(str, self.cells[:10]))}{', ...' if len(self.cells) > 10 else ''}",
                "Fix: fit on TrainOnly.cells alone",
            )
        if rows is None:
            return np.asarray(self._targets[cell, self.rows])
        rows = np.asarray(rows)
        outside = rows[~self._trains[rows]]
        if len(outside):
            raise UsageError(
                f"window {outside[0]} is not of the training side: nothing may be fitted on it",
                f"{counted_of(len(outside), len(rows), 'window')} asked for {'is' if len(outside) == 1 else 'are'} not",
                "Fix: fit on TrainOnly.rows alone",
            )
        return np.asarray(self._targets[cell, rows])

    def blocks(self, size: int = 4096) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (k,) numbers of training windows and (cells, k, bins) of all training cells in them."""
        for at in range(0, len(self.rows), size):
            rows = self.rows[at : at + size]
            yield rows, np.stack([np.asarray(self._targets[cell, rows]) for cell in self.cells])


def _numbers(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.dtype.kind == "U":
        rows = rows == "train"
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)


def _check(word: str, numbers: np.ndarray, n: int) -> None:
    if not len(numbers):
        raise UsageError(f"no {word} train: nothing can be fitted", "", "Fix: leave some for training in `split`")
    if numbers.min() < 0 or numbers.max() >= n:
        raise UsageError(f"{word} {numbers.min()} to {numbers.max()} train, of {n}", "", "Fix: count from 0")
