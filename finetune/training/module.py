"""The trainer's module: a step, the rate, the running mean of weights, and what is kept at the end of an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from finetune.config import TrainConfig
from finetune.training import checkpoints
from finetune.training.as_found import epoch_seed
from finetune.training.failures import not_finite, nothing_measured
from finetune.training.feed import Carried, moved
from finetune.training.logs import Logs, write_history
from finetune.training.losses import Loss
from finetune.training.schedule import Watch, rate_factor, steps_in_all
from zoo.extras import needs

with needs("pytorch_lightning", "fine-tuning"):
    import pytorch_lightning as pl

__all__ = ["Average", "Tuning"]


class Average:
    """Running mean of what is trained; whole numbers (counts of batches) are not averaged.

    Args:
        share: that the mean keeps each step.
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        self._share = share
        self._live = {k: v for k, v in checkpoints.moving_of(model).items() if v.is_floating_point()}
        self.mean = {name: tensor.clone() for name, tensor in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the mean towards the weights."""
        torch._foreach_lerp_(list(self.mean.values()), list(self._live.values()), 1 - self._share)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the mean and the weights."""
        for name, live in self._live.items():
            kept = live.clone()
            live.copy_(self.mean[name])
            self.mean[name].copy_(kept)


class Tuning(pl.LightningModule):
    """What ``Trainer.fit`` runs; ``finetune.training.train.train`` makes it.

    Args:
        model: called with a ``Batch``, gives logits (n, tracks, bins). losses: of its heads.
        groups: of the optimizer, each with ``params`` and ``lr``. steps_per_epoch: batches of an epoch.
        done: the content of ``last.ckpt`` that the run goes on from, or None.
        settle: puts the model into training mode, its frozen parts into eval.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Mapping[str, Loss],
        groups: list[dict[str, Any]],
        config: TrainConfig,
        folder: Path,
        steps_per_epoch: int,
        done: Mapping[str, Any] | None,
        identity: Mapping[str, Any],
        report: Callable[[dict[str, float]], None] | None,
        settle: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        self.model = model
        self.losses, self.groups, self.config, self.folder = dict(losses), groups, config, folder
        self.rates = [float(group["lr"]) for group in groups]
        self.steps = steps_in_all(config, steps_per_epoch)
        self.report, self.settle, self.identity, self.done = report, settle, dict(identity), done
        self.first = 0 if done is None else int(done["epoch"])
        self.step = 0 if done is None else int(done["step"])
        self.history: list[dict[str, float]] = [] if done is None else list(done["history"])
        self.watch = Watch() if done is None else Watch(**done["watch"])
        self.average: Average | None = None
        self.logs: Logs | None = None
        self._seen: dict[str, list[Tensor]] = {}
        self._judged: dict[str, list[Tensor]] = {}
        self._started = 0.0
        self._kept: dict[str, Tensor] | None = None

    @property
    def epoch(self) -> int:
        """Of the whole run, from 0."""
        return self.first + self.trainer.current_epoch

    # ------------------------------------------------------------ a run

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam (Kingma and Ba 2015), AdamW, or SGD with momentum 0.9 as gReLU has it."""
        if self.config.optimizer == "sgd":
            return torch.optim.SGD(self.groups, lr=self.config.lr, momentum=0.9)
        if self.config.optimizer == "adam":
            return torch.optim.Adam(self.groups, lr=self.config.lr)
        return torch.optim.AdamW(self.groups, lr=self.config.lr, weight_decay=self.config.weight_decay)

    def on_train_start(self) -> None:
        """Everything is on its device now: take up what an earlier part of the run left."""
        if self.config.average:
            self.average = Average(self.model, self.config.average)
        if self.done is not None:
            self._resume(self.done)
            self.done = None
        if self.trainer.is_global_zero:
            self.logs = Logs(self.folder, self.config.log, self.config.model_dump(mode="json"), self.first)

    def _resume(self, done: Mapping[str, Any]) -> None:
        checkpoints.put_back(self.model, done["weights"])
        self.optimizers().optimizer.load_state_dict(done["optimizer"])
        self.trainer.precision_plugin.load_state_dict(done["precision"])
        if self.average is not None:
            for name, mean in self.average.mean.items():
                mean.copy_(done["average"][name])

    def teardown(self, stage: str) -> None:
        """Close the logs, however the run ended."""
        if self.logs is not None:
            self.logs.close()
            self.logs = None

    # ------------------------------------------------------------ a step

    def transfer_batch_to_device(self, batch: Carried, device: torch.device, dataloader_idx: int) -> Carried:
        """Ours to do: the trainer does not look into a batch."""
        return Carried(moved(batch.batch, device, torch.float64 if self.config.precision == "64-true" else None))

    def on_train_epoch_start(self) -> None:
        """An epoch follows from the seed and its number alone."""
        self.settle(self.model)
        torch.manual_seed(epoch_seed(self.config.seed, self.epoch, self.global_rank))
        self._seen = {}
        self._started = time.monotonic()

    def training_step(self, batch: Carried, batch_idx: int) -> Tensor:
        """The loss of a batch; InputError where it is not finite."""
        total, count = self._sums(batch, self._seen)
        loss = total / count.clamp(min=1)
        if not torch.isfinite(loss):
            raise not_finite(self.config, "the loss", self.epoch + 1, batch_idx + 1, self._whole())
        return loss

    def _sums(self, carried: Carried, into: dict[str, list[Tensor]]) -> tuple[Tensor, Tensor]:
        batch = carried.batch
        total, count = self.losses[batch.head].sums(self.model(batch), batch.target, batch.weight)
        sums = into.setdefault(batch.head, [total.new_zeros((), dtype=torch.float64), count.new_zeros(())])
        sums[0] += total.detach()
        sums[1] += count
        return total, count

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """A step at its rate, then the mean moves."""
        factor = rate_factor(self.config, self.step, self.steps) * self.watch.factor
        for group, rate in zip(optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.step += 1
        if self.average is not None:
            self.average.update()

    # ------------------------------------------------------------ the end of an epoch

    def on_validation_start(self) -> None:
        """What is judged is what would be kept: the mean, where there is one."""
        self._judged = {}
        if self.average is not None:
            self.average.swap()

    def validation_step(self, batch: Carried, batch_idx: int) -> None:
        """Sums over all batches, not means of their means. Every process sees all of validation."""
        self._sums(batch, self._judged)

    def on_validation_end(self) -> None:
        """Look at the epoch; keep its weights where they are the best; put the trained ones back."""
        row = self._row()
        if self.watch.see(self.config, self.epoch + 1, row[self.config.monitor]):
            self._kept = {k: v.cpu().clone() for k, v in checkpoints.moving_of(self.model).items()}
        if self.average is not None:
            self.average.swap()
        self.history.append(row)

    def _row(self) -> dict[str, float]:
        train = {head: self._together(*sums) for head, sums in sorted(self._seen.items())}
        judged = {head: (float(total), int(count)) for head, (total, count) in sorted(self._judged.items())}
        if not any(count for _, count in judged.values()):
            raise nothing_measured()
        row = {"epoch": self.epoch + 1, "train_loss": _mean(train), "val_loss": _mean(judged)}
        if len(self.losses) > 1:
            for head in self.losses:
                row[f"val_loss_{head}"] = _mean({head: judged.get(head, (0.0, 0))})
        row["lr"] = max(group["lr"] for group in self.optimizers().param_groups)
        if not torch.isfinite(torch.tensor([row["train_loss"], row["val_loss"]])).all() or not self._is_finite():
            raise not_finite(self.config, "the validation loss or a weight", self.epoch + 1, None, self._whole())
        return row | {"seconds": round(time.monotonic() - self._started, 3)}

    def _together(self, total: Tensor, count: Tensor) -> tuple[float, int]:
        if self.trainer.world_size > 1:
            both = torch.stack([total.double(), count.double()])
            total, count = self.trainer.strategy.reduce(both, reduce_op="sum")
        return float(total), int(count)

    def _is_finite(self) -> bool:
        return all(bool(torch.isfinite(v).all()) for v in checkpoints.moving_of(self.model).values())

    def on_train_epoch_end(self) -> None:
        """Write checkpoints and the history, tell, and stop where it is time."""
        epoch = int(self.history[-1]["epoch"])
        stop = self.watch.is_enough(self.config)
        if self.trainer.is_global_zero:
            self._save(epoch, stop)
            write_history(self.folder, self.history)
            if self.logs is not None:
                self.logs.add(self.history[-1])
        if self.report is not None and self.trainer.is_global_zero:
            self.report(dict(self.history[-1]))
        self.trainer.should_stop = stop

    def _save(self, epoch: int, stop: bool) -> None:
        if self._kept is not None:
            best = {"weights": self._kept, "epoch": self.watch.best_epoch, "value": self.watch.best}
            checkpoints.write(self.folder / checkpoints.BEST, best, self._whole())
            self._kept = None
        content = {
            "epoch": epoch,
            "step": self.step,
            "weights": checkpoints.moving_of(self.model),
            "optimizer": self.optimizers().optimizer.state_dict(),
            "precision": self.trainer.precision_plugin.state_dict(),
            "average": None if self.average is None else self.average.mean,
            "watch": self.watch.as_dict(),
            "history": self.history,
            "stopped": "early_stopping" if stop else "epochs" if epoch >= self.config.epochs else "",
            "identity": self.identity,
        }
        checkpoints.write(self.folder / checkpoints.LAST, content, self._whole())

    def _whole(self) -> str:
        """What is on disk, for an error."""
        path = self.folder / checkpoints.LAST
        return f"{path} holds the last good epoch" if path.is_file() else "no epoch was finished before"


def _mean(sums: Mapping[str, tuple[float, int]]) -> float:
    """Sum of the heads' means."""
    return sum(total / max(1, count) for total, count in sums.values())
