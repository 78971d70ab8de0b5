"""What the adapter is told of a cell: the difference of its track from the training average, and a summary of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.words import counted

__all__ = ["LIMIT", "Summary", "cell_summary", "difference", "fit_summary", "refuse_itself", "track_features"]

#: Correlation above which an input is taken for the target itself.
LIMIT = 0.99
CHUNK = 1024  # windows in memory at once


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
    """What is read off a whole track: products with features of the windows, along few directions.

    Attributes:
        directions: (k, channels) float32 orthonormal rows, those along which training cells differ most.
        centre, spread: (channels,) of the features over training windows.
        scale: one number, so that the first coordinate of the training cells has mean square 1. All directions share
            it, for the weak ones are mostly noise.
    """

    directions: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    scale: float

    def of(self, differences: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Summaries of cells.

        Args:
            differences: (cells, n, bins) on the training windows, NaN counts as 0. features: (n, channels, bins).

        Returns:
            (cells, k) float32, exactly 0 for a cell without differences.
        """
        moments = _moments(differences, features, self.centre, self.spread)
        return (moments @ self.directions.T.astype(np.float64) / self.scale).astype(np.float32)


def _moments(differences: np.ndarray, features: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(cells, channels) mean over bins of the difference times each standardised feature."""
    total = np.zeros((len(differences), features.shape[1]))
    for at in range(0, features.shape[0], CHUNK):
        seen = (features[at : at + CHUNK] - centre[:, None]) / spread[:, None]
        part = np.nan_to_num(differences[:, at : at + CHUNK])
        total += np.einsum("ynb,ncb->yc", part, seen, optimize=True)
    return total / (features.shape[0] * features.shape[2])


def track_features(average: np.ndarray, n: int = 8) -> np.ndarray:
    """Features of windows for a summary without sequence: how high the average track is, in steps.

    Args:
        average: (windows, bins) mean of the training cells, NaN counts as 0. n: steps, each with as many bins.

    Returns:
        (windows, n, bins) float32, 1 where the bin's average lies in the step. A track with few values fills fewer.
    """
    level = np.nan_to_num(average)
    steps = np.searchsorted(np.quantile(level, np.arange(1, n) / n), level, side="right")
    return np.stack([steps == step for step in range(n)], axis=1).astype(np.float32)


def fit_summary(differences: np.ndarray, train_cells: Sequence[int], k: int, features: np.ndarray) -> Summary:
    """Learn the summary from training cells on training windows, and nothing else.

    The principal components of tracks themselves will not do: with some dozen cells and 100,000 noisy bins each
    training cell lies far out along its own noise, where no new cell ever comes. A product with few features that all
    cells share, such as the DNA's embedding (which factor's motif lies at the bins that are open?), averages the noise
    away and reads training and new cells alike.

    Args:
        differences: (cells, n, bins) of training windows only (see ``difference``).
        train_cells: those that are used.
        k: numbers of a summary; fewer come out where there are fewer training cells or channels.
        features: (n, channels, bins) of these windows: the embedding of the base before training, or
            ``track_features``.

    Not centred over cells: the average cell is 0 in each direction.
    """
    centre = features.mean((0, 2), dtype=np.float64)
    spread = features.std((0, 2), dtype=np.float64)
    spread[spread < 1e-9] = 1.0
    moments = _moments(differences[np.asarray(train_cells)], features, centre, spread)
    _, values, directions = np.linalg.svd(moments, full_matrices=False)
    keep = np.flatnonzero(values > values[0] * 1e-9)[:k]
    signs = np.sign(directions[keep, np.abs(directions[keep]).argmax(1)])  # the sign of an SVD is any machine's own
    scale = float(values[0] / np.sqrt(len(moments))) if len(keep) else 1.0
    return Summary((directions[keep] * signs[:, None]).astype(np.float32), centre, spread, scale)


def cell_summary(
    differences: np.ndarray, train_cells: Sequence[int], k: int, features: np.ndarray | None = None
) -> np.ndarray:
    """(cells, k) features of each cell's whole track, 0 for the average cell; see ``fit_summary``.

    Fewer than ``k`` directions (few training cells) are filled up with zeros.

    Args:
        features: (n, channels, bins); default steps of how much training cells differ at a bin, which tell little:
            give the embedding where there is a sequence.
    """
    if features is None:
        features = track_features(np.nan_to_num(differences[np.asarray(train_cells)]).std(0))
    found = fit_summary(differences, train_cells, k, features).of(differences, features)
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
            f"{counted(len(shared), 'file')}; a track is not predicted from itself",
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
            f"over {counted(len(x), 'bin')}; a track is not predicted from itself",
            f"Fix: give the cell's other assay in `cell.tracks.{given_name}`",
        )
