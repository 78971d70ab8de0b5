"""Where the numbers of an epoch go: ``history.csv`` always, TensorBoard and Weights & Biases by ``train.log``."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.training.checkpoints import going_on
from zoo.errors import SystemStateError
from zoo.extras import needs
from zoo.results.whole import replacing

__all__ = ["HISTORY", "Logs", "write_history"]

HISTORY = "history.csv"
_SKIPPED = ("epoch", "seconds")


def write_history(folder: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write ``history.csv``, one line an epoch; floats so that they read back equal.

    Raises:
        SystemStateError: it cannot be written.
    """
    try:
        with replacing(folder / HISTORY) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["epoch"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise SystemStateError(
            f"{folder / HISTORY}: cannot be written: {error.strerror}", "", f"Fix: free space, then {going_on(folder)}"
        ) from error


class Logs:
    """Open loggers of one run.

    Args:
        folder: of the run; they write to ``tensorboard/`` and ``wandb/`` in it.
        kinds: ``train.log``. settings: told to them. done: epochs of an earlier part of the run.

    Raises:
        SystemStateError: a package is missing.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], settings: Mapping[str, Any], done: int = 0) -> None:
        self._board = self._run = None
        if "tensorboard" in kinds:
            with needs("tensorboardX", "train.log: tensorboard", instead="train.log: csv"):
                from tensorboardX import SummaryWriter
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1 if done else None)
        if "wandb" in kinds:
            self._run = _offline_run(folder, settings)

    def add(self, row: Mapping[str, float]) -> None:
        """Take an epoch's numbers."""
        epoch = int(row["epoch"])
        numbers = {name: value for name, value in row.items() if name not in _SKIPPED}
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, epoch)
            self._board.flush()
        if self._run is not None:
            self._run.log(numbers, step=epoch)

    def close(self) -> None:
        """End them; a full disk is told by what else is written, because this runs while errors are handled."""
        if self._board is not None:
            with contextlib.suppress(OSError):
                self._board.close()
        if self._run is not None:
            with contextlib.suppress(OSError):
                self._run.finish()
        self._board = self._run = None


def _offline_run(folder: Path, settings: Mapping[str, Any]) -> Any:
    """A run of Weights & Biases that is only written to disk: ``wandb sync`` sends it."""
    with needs("wandb", "train.log: wandb", instead="train.log: csv"):
        import wandb
    return wandb.init(
        project="zoo-finetune",
        name=folder.name,
        dir=str(folder),
        mode="offline",
        config=dict(settings),
        settings=wandb.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True),
    )
