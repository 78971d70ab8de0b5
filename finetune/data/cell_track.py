"""What the adapter is told of a cell: the difference of its track from the training average, and a summary of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError, UsageError

__all__ = ["LIMIT", "Summary", "cell_summary", "difference", "fit_summary", "refuse_itself"]

#: Correlation above which an input is taken for the target itself.
LIMIT = 0.99
CHUNK = 1 << 22  # values of all cells in memory at once, times 8 bytes


def difference(atac: np.ndarray, train_cells: Sequence[int]) -> np.ndarray:
    """Each cell's track less the mean of training cells, which leaves out the cell itself where it trains.

    So a training cell differs from the others as a new cell will differ from all of them.

    Args:
        atac: (cells, n, bins), transformed; NaN is not measured. train_cells: (k,) numbers of the training cells.

    Returns:
        (cells, n, bins) float32, NaN where the cell or all others were not measured.

    Raises:
        UsageError: fewer than two training cells.
    """
    train = np.asarray(train_cells, dtype=np.int64)
    if len(train) < 2:
        raise UsageError(
            f"`cell.input: atac` takes differences between cells, and {len(train)} trains",
            "",
            "Fix: add cells to `cell.tracks`, or take them out of `split.cells`",
        )
    measured = np.isfinite(atac[train])
    total = np.where(measured, atac[train], 0).sum(0, dtype=np.float64)
    count = measured.sum(0)
    out = np.empty(atac.shape, dtype=np.float32)
    training = set(train.tolist())
    with np.errstate(invalid="ignore", divide="ignore"):
        for cell, track in enumerate(atac):
            own = np.isfinite(track) if cell in training else np.zeros(track.shape, bool)
            others = (total - np.where(own, track, 0)) / (count - own)
            out[cell] = track - others
    return out


@dataclass(frozen=True)
class Summary:
    """Directions of the whole track along which training cells differ (principal components).

    Attributes:
        directions: (k, n * bins) float32 orthonormal rows. scale: one number, so that the first coordinate of the
            training cells has variance 1; all directions share it, for the weak ones are mostly noise.
    """

    directions: np.ndarray
    scale: float

    def of(self, differences: np.ndarray) -> np.ndarray:
        """(cells, k) float32 coordinates of (cells, n, bins) differences on the training windows; NaN counts as 0."""
        flat = differences.reshape(len(differences), -1)
        out = np.zeros((len(flat), len(self.directions)))
        step = max(1, CHUNK // len(flat))
        for at in range(0, flat.shape[1], step):
            out += np.nan_to_num(flat[:, at : at + step]).astype(np.float64) @ self.directions[:, at : at + step].T
        return (out / self.scale).astype(np.float32)


def fit_summary(differences: np.ndarray, train_cells: Sequence[int], k: int) -> Summary:
    """Learn the summary from training cells on training windows, and nothing else.

    Args:
        differences: (cells, n, bins) of training windows only (see ``difference``). train_cells: those that are used.
        k: numbers of a summary; fewer come out where there are fewer training cells.

    Not centred: the average cell is 0 in each direction.
    """
    train = np.asarray(train_cells, dtype=np.int64)
    flat = differences.reshape(len(differences), -1)
    gram = np.zeros((len(train), len(train)))
    step = max(1, CHUNK // len(flat))
    for at in range(0, flat.shape[1], step):
        part = np.nan_to_num(flat[train, at : at + step]).astype(np.float64)
        gram += part @ part.T
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][:k]
    order = order[values[order] > values.max() * 1e-9]
    loads = vectors[:, order] * np.where(vectors[np.abs(vectors[:, order]).argmax(0), order] < 0, -1, 1)
    directions = np.empty((len(order), flat.shape[1]), dtype=np.float32)
    for at in range(0, flat.shape[1], step):
        part = np.nan_to_num(flat[train, at : at + step]).astype(np.float64)
        directions[:, at : at + step] = (loads / np.sqrt(values[order])).T @ part
    scale = float(np.sqrt(values[order[0]] / len(train))) if len(order) else 1.0
    return Summary(directions, scale)


def cell_summary(differences: np.ndarray, train_cells: Sequence[int], k: int) -> np.ndarray:
    """(cells, k) features of each cell's whole track, 0 for the average cell; see ``fit_summary``.

    Fewer than ``k`` directions (few training cells) are filled up with zeros.
    """
    found = fit_summary(differences, train_cells, k).of(differences)
    return np.pad(found, ((0, 0), (0, k - found.shape[1])))


def refuse_itself(
    target: np.ndarray,
    given: np.ndarray,
    target_name: str,
    given_name: str,
    target_files: Sequence[Path] = (),
    given_files: Sequence[Path] = (),
    limit: float = LIMIT,
) -> None:
    """Stop where a track would be predicted from itself.

    Args:
        target, given: (n, bins) of the same windows, NaN not measured.
        target_name, given_name: as the configuration calls them. target_files, given_files: what they were read from.

    Raises:
        UsageError: a file is shared. InputError: the correlation is above the limit.
    """
    shared = {path.resolve() for path in target_files} & {path.resolve() for path in given_files}
    if shared:
        raise UsageError(
            f"`cell.tracks.{given_name}` and the target {target_name!r} are read from the same file, "
            f"{sorted(shared)[0]}",
            f"{len(shared)} file(s); a track is not predicted from itself",
            f"Fix: give the cell's other assay in `cell.tracks.{given_name}`",
        )
    both = np.isfinite(target) & np.isfinite(given)
    x, y = target[both].astype(np.float64), given[both].astype(np.float64)
    if len(x) < 2 or x.std() == 0 or y.std() == 0:
        return
    r = float(np.corrcoef(x, y)[0, 1])
    if r > limit:
        raise InputError(
            f"the input of cell {given_name!r} and the target {target_name!r} correlate at {r:.4f} (limit {limit})",
            f"over {len(x):,} bins; a track is not predicted from itself",
            f"Fix: give the cell's other assay in `cell.tracks.{given_name}`",
        )
