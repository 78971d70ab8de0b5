"""The learning rate of a step, and when to stop: numbers that follow from the step and from what was monitored."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from finetune.config import TrainConfig
from zoo.errors import UsageError

__all__ = ["PLATEAU_FACTOR", "PLATEAU_PATIENCE", "Watch", "check_schedule", "rate_factor", "steps_in_all"]

#: On a plateau the rate is multiplied by this after so many epochs without a better monitor.
PLATEAU_FACTOR = 0.5
PLATEAU_PATIENCE = 2


def steps_in_all(config: TrainConfig, batches_per_epoch: int) -> int:
    """Steps of the optimizer: accumulation ends with the epoch."""
    return config.epochs * math.ceil(batches_per_epoch / config.accumulate)


def rate_factor(config: TrainConfig, step: int, steps: int) -> float:
    """What the rates are multiplied by at a step, counted from 0, of ``steps``; a plateau's share is not in it.

    Rises in a line over ``warmup`` of the steps, then stays, or falls as half a cosine (Loshchilov and Hutter 2017,
    arXiv:1608.03983) to 0 just after the last step.
    """
    rising = round(config.warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if config.schedule != "cosine":
        return 1.0
    done = min(1.0, (step - rising) / max(1, steps - rising))
    return 0.5 * (1 + math.cos(math.pi * done))


@dataclass
class Watch:
    """What was seen of the monitored number.

    Attributes:
        best: the best so far, and best_epoch, its epoch counted from 1; 0 before the first.
        stale: epochs since. plateau: epochs since it, or since the rate last fell.
        factor: what plateaus made of the rate.
    """

    best: float = math.nan
    best_epoch: int = 0
    stale: int = 0
    plateau: int = 0
    factor: float = 1.0

    def see(self, config: TrainConfig, epoch: int, value: float) -> bool:
        """Take an epoch's number; whether it is the best so far."""
        better = self.best_epoch == 0 or (value < self.best if config.monitor_mode == "min" else value > self.best)
        if better:
            self.best, self.best_epoch, self.stale, self.plateau = value, epoch, 0, 0
            return True
        self.stale += 1
        self.plateau += 1
        if config.schedule == "plateau" and self.plateau >= PLATEAU_PATIENCE:
            self.plateau, self.factor = 0, self.factor * PLATEAU_FACTOR
        return False

    def is_enough(self, config: TrainConfig) -> bool:
        """Whether early stopping ends the run."""
        return 0 < config.early_stopping <= self.stale

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)


def check_schedule(config: TrainConfig, columns: tuple[str, ...]) -> None:
    """Refuse what cannot be monitored, and a decay that no part of the optimizer applies.

    Args:
        columns: names of the numbers that an epoch has.

    Raises:
        UsageError: ``train.monitor`` is none of them; ``train.weight_decay`` without AdamW.
    """
    if config.monitor not in columns:
        raise UsageError(
            f"train.monitor: {config.monitor} is nothing that is measured",
            f"an epoch has {', '.join(columns)}",
            "Fix: train.monitor: val_loss",
        )
    if config.weight_decay and config.optimizer != "adamw":
        raise UsageError(
            f"train.weight_decay: {config.weight_decay:g} is AdamW's, and train.optimizer is {config.optimizer}",
            "",
            "Fix: train.optimizer: adamw, or train.weight_decay: 0",
        )
