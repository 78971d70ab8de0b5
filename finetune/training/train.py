"""Train a model on batches: deterministic, resumable, quiet.

The trainer is PyTorch Lightning's; the rate, the checkpoints and the order of batches are ours, so that the same seed
ends at the same hash of weights, also after any number of interruptions. In the folder of a run:

    last.ckpt       after each epoch: what a resumed run needs, and no more
    best.ckpt       the weights of the epoch with the best ``train.monitor``
    history.csv     epoch, train_loss, val_loss, (val_loss of each head,) lr, seconds
    tensorboard/, wandb/    by ``train.log``

What gReLU's ``train_params`` set, and where it is set here:

    task                    train.loss (its activation follows from it)
    lr                      train.lr
    optimizer               train.optimizer (adam, sgd as there; adamw)
    batch_size              train.batch
    num_workers             train.workers: batches that a thread reads ahead
    devices                 train.devices, and train.accelerator for its "cpu"
    logger                  train.log (csv always; tensorboard; wandb)
    save_dir                the folder of the run (-o)
    max_epochs              train.epochs
    checkpoint              always, each epoch
    loss                    train.loss
    clip                    train.clip
    pos_weight              sampling.positive_weight
    class_weights           sampling.class_weights
    total_weight            train.total_weight
    accumulate_grad_batches train.accumulate
    early_stopping          train.early_stopping above 0
    patience                train.early_stopping
    monitor                 train.monitor
    mode                    train.monitor_mode

Not there: ``precision`` (``Trainer``'s own), ``warmup``, ``schedule``, ``weight_decay``, ``layer_decay``, ``average``,
``nodes``, ``seed``, ``threads``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from finetune.config import TrainConfig
from finetune.data.batches import Batch
from finetune.training import checkpoints
from finetune.training.as_found import as_found
from finetune.training.failures import explained, refused
from finetune.training.feed import Feed
from finetune.training.logs import HISTORY, write_history
from finetune.training.losses import Loss
from finetune.training.schedule import check_schedule
from zoo.errors import InputError, SystemStateError, UsageError
from zoo.extras import needs
from zoo.results.whole import remove

__all__ = ["TrainResult", "freeze_aware", "load_best", "notes_on", "train"]

#: Keys that a resumed run may change: they touch no weight.
_FREE = ("log", "workers")


@dataclass(frozen=True)
class TrainResult:
    """How a run ended; the model has the weights of its best epoch.

    Attributes:
        history: a row an epoch, as in ``history.csv``.
        weights_hash: sha256 over all of the model's tensors, sorted by name.
        best_epoch: from 1. stopped: ``epochs``, or ``early_stopping``.
        notes: what the user should know of the settings.
    """

    history: tuple[dict[str, float], ...]
    weights_hash: str
    best_epoch: int
    stopped: str
    notes: tuple[str, ...] = ()


def train(
    model: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    validation: Callable[[], Iterable[Batch]],
    config: TrainConfig,
    losses: Mapping[str, Loss],
    folder: Path,
    steps_per_epoch: int,
    resume: bool = False,
    report: Callable[[dict[str, float]], None] | None = None,
    *,
    parameter_groups: Callable[[nn.Module, TrainConfig], list[dict[str, Any]]] | None = None,
    set_training: Callable[[nn.Module], None] | None = None,
) -> TrainResult:
    """Train parameters that require a gradient; the model ends with the weights of its best epoch, in eval mode.

    Args:
        model: ``model(batch)`` gives logits (n, tracks, bins) of ``batch.head``.
        batches: of an epoch, counted from 0; the same for the same number.
        validation: batches that are judged after each epoch.
        losses: of each head. folder: of the run; it is made.
        steps_per_epoch: how many batches an epoch has, for warm-up and decay.
        resume: go on from ``last.ckpt``, where there is one; without, what an earlier run left is removed.
        report: told each epoch's row.
        parameter_groups: for rates by layer: groups of the optimizer, each with ``params`` and ``lr``.
        set_training: puts the model into training mode but for its frozen parts; default the model's own
            ``set_training``, else ``freeze_aware``.

    Raises:
        UsageError: settings that exclude each other, or are not those of the run that is resumed.
        InputError: nothing to train or validate on; a loss that is not finite (the last good weights are put back).
        SystemStateError: out of memory, the disk is full, a package or device is missing.
        KeyboardInterrupt: Ctrl-C; every finished epoch is safe.
    """
    with needs("pytorch_lightning", "fine-tuning"):
        import pytorch_lightning  # noqa: F401  (sets its loggers up, which are quiet below)
    check_schedule(config, _columns(losses))
    settle = set_training or _settle_of(model)
    groups = _groups(model, config, parameter_groups)
    folder.mkdir(parents=True, exist_ok=True)
    identity = _identity(model, config, steps_per_epoch)
    done = _earlier(folder, identity) if resume else None
    if done is None:
        for name in (checkpoints.LAST, checkpoints.BEST, HISTORY):
            remove(folder / name)
    settle(model)
    notes = notes_on(model, config)
    with as_found(config.threads), explained(config):
        try:
            if done is None or not done["stopped"]:
                _fit(model, batches, validation, config, losses, folder, steps_per_epoch, done, identity, report,
                     groups, settle)  # fmt: skip
        except InputError:
            _best_into(model, folder)
            raise
        finally:
            model.eval()
        return _result(model, config, folder, notes)


def _fit(
    model: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    validation: Callable[[], Iterable[Batch]],
    config: TrainConfig,
    losses: Mapping[str, Loss],
    folder: Path,
    steps_per_epoch: int,
    done: Mapping[str, Any] | None,
    identity: Mapping[str, Any],
    report: Callable[[dict[str, float]], None] | None,
    groups: list[dict[str, Any]],
    settle: Callable[[nn.Module], None],
) -> None:
    from finetune.training.module import Tuning

    module = Tuning(model, losses, groups, config, folder, steps_per_epoch, done, identity, report, settle)
    trainer = _trainer(config, folder, config.epochs - module.first)
    _check_processes(trainer, config, steps_per_epoch)
    feed = Feed(
        batches, lambda: module.epoch, config.workers, lambda: (trainer.global_rank, trainer.world_size), "train"
    )
    judged = Feed(lambda _: validation(), lambda: module.epoch, config.workers, what="validation")
    trainer.fit(module, feed, judged)


def _trainer(config: TrainConfig, folder: Path, epochs: int) -> Any:
    """Lightning's trainer without what it prints and leaves behind; UsageError where it refuses the settings."""
    import pytorch_lightning as pl

    with refused(config):
        return pl.Trainer(
            max_epochs=epochs,
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.nodes,
            strategy=_strategy(config),
            precision=config.precision,
            accumulate_grad_batches=config.accumulate,
            gradient_clip_val=config.clip or None,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=False,  # the running mean is exchanged with the weights around validation
            use_distributed_sampler=False,
        )


def _check_processes(trainer: Any, config: TrainConfig, steps_per_epoch: int) -> None:
    """Refuse what would wait for ever, or start processes that have nothing to do.

    Raises:
        UsageError: more processes than batches; several nodes, and nothing says where the first is.
    """
    if trainer.world_size > steps_per_epoch:
        raise UsageError(
            f"train.devices: {config.devices} on {config.nodes} nodes are {trainer.world_size} processes, and an epoch "
            f"has {steps_per_epoch} batches",
            "each takes a batch of its own at a time",
            f"Fix: train.devices: 1, or train.batch: {max(1, config.batch // trainer.world_size)}",
        )
    alone = type(getattr(trainer.strategy, "cluster_environment", None)).__name__ == "LightningEnvironment"
    if config.nodes > 1 and alone and "MASTER_ADDR" not in os.environ:
        raise UsageError(
            f"train.nodes: {config.nodes}, and nothing says where the first node is",
            "neither a scheduler (SLURM, LSF, MPI) nor MASTER_ADDR and NODE_RANK",
            "Fix: train.nodes: 1, or start it by `srun`, or by `torchrun` on each node",
        )


def _strategy(config: TrainConfig) -> str:
    """One process, or one a device: forked on one machine, started by its scheduler on several.

    Heads that a batch does not train have no gradient in it, which several processes must be told.
    """
    if config.nodes > 1:
        return "ddp_find_unused_parameters_true"
    if config.devices in (1, "1", "auto", [0]) and not (config.devices == "auto" and torch.cuda.device_count() > 1):
        return "auto"
    return "ddp_fork_find_unused_parameters_true"


# ---------------------------------------------------------------- before


def _columns(losses: Mapping[str, Loss]) -> tuple[str, ...]:
    heads = tuple(f"val_loss_{head}" for head in losses) if len(losses) > 1 else ()
    return ("val_loss", "train_loss", *heads)


def _groups(
    model: nn.Module, config: TrainConfig, given: Callable[[nn.Module, TrainConfig], list[dict[str, Any]]] | None
) -> list[dict[str, Any]]:
    if given is not None:
        groups = [{"lr": config.lr} | group for group in given(model, config)]
    elif config.layer_decay < 1:
        raise UsageError(
            f"train.layer_decay: {config.layer_decay:g}, and this model's layers have no order",
            "",
            "Fix: train.layer_decay: 1",
        )
    else:
        groups = [{"params": [p for p in model.parameters() if p.requires_grad], "lr": config.lr}]
    groups = [group | {"params": list(group["params"])} for group in groups]
    if not any(group["params"] for group in groups):
        raise UsageError("mode: nothing of the model is trained", "every parameter is frozen", "Fix: mode: head")
    return [group for group in groups if group["params"]]


def _settle_of(model: nn.Module) -> Callable[[nn.Module], None]:
    own = getattr(model, "set_training", None)
    return (lambda _: own()) if callable(own) else freeze_aware


def freeze_aware(model: nn.Module) -> None:
    """Training mode, but for parts all of whose parameters are frozen: their dropout is off, their buffers stand."""
    model.train()
    _rest(model)


def _rest(module: nn.Module) -> None:
    own = list(module.parameters())
    if own and not any(parameter.requires_grad for parameter in own):
        module.eval()
        return
    for child in module.children():
        _rest(child)


def notes_on(model: nn.Module, config: TrainConfig) -> tuple[str, ...]:
    """What accumulation does not do; the model is in the mode that it is trained in."""
    if config.accumulate == 1:
        return ()
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
    if not norms:
        return ()
    return (
        f"train.accumulate: {config.accumulate} adds up gradients, but {len(norms)} batch norms are trained and see "
        f"{config.batch} windows at a time: this is not a batch of {config.accumulate * config.batch}",
    )


def _identity(model: nn.Module, config: TrainConfig, steps_per_epoch: int) -> dict[str, Any]:
    """What must be the same in all parts of a run."""
    keys = {f"train.{k}": v for k, v in config.model_dump(mode="json").items() if k not in _FREE}
    return keys | {
        "batches of an epoch": steps_per_epoch,
        "frozen weights": checkpoints.hash_of(checkpoints.frozen_of(model)),
    }


def _earlier(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """``last.ckpt`` of the same run, or None where no epoch was finished."""
    if not (folder / checkpoints.LAST).is_file():
        return None
    done = checkpoints.read(folder / checkpoints.LAST)
    was = done["identity"]
    other = [key for key in identity if identity[key] != was.get(key)]
    if other:
        key = other[0]
        fix = f"Fix: {key}: {was.get(key)} as it was, or" if key.startswith("train.") else "Fix:"
        raise UsageError(
            f"cannot resume {folder}: {key} was {was.get(key)} and is {identity[key]}",
            f"{len(other)} settings differ: {', '.join(other)}" if len(other) > 1 else "",
            f"{fix} run without --resume",
        )
    if not (folder / checkpoints.BEST).is_file():
        raise SystemStateError(
            f"cannot resume {folder}: {checkpoints.BEST} is gone", "", "Fix: run again without --resume"
        )
    return done


# ---------------------------------------------------------------- after


def _best_into(model: nn.Module, folder: Path) -> dict[str, Any] | None:
    if not (folder / checkpoints.BEST).is_file():
        return None
    best = checkpoints.read(folder / checkpoints.BEST)
    checkpoints.put_back(model, best["weights"])
    return best


def load_best(model: nn.Module, folder: Path) -> TrainResult:
    """The weights of a finished run's best epoch, into a model that was built as it was.

    Raises:
        InputError: no epoch was finished. SystemStateError: the checkpoint is of another model.
    """
    if not (folder / checkpoints.LAST).is_file() or not (folder / checkpoints.BEST).is_file():
        raise InputError(f"{folder}: the run has no finished epoch", "", "Fix: zoo finetune CONFIG --resume")
    last = checkpoints.read(folder / checkpoints.LAST)
    _best_into(model, folder)
    return _described(model.eval(), last, ())


def _result(model: nn.Module, config: TrainConfig, folder: Path, notes: tuple[str, ...]) -> TrainResult:
    """Read what the run wrote: it may have run in other processes."""
    last = checkpoints.read(folder / checkpoints.LAST)
    _best_into(model, folder)
    if config.precision == "64-true":
        model.float()
    found = _described(model, last, notes)
    write_history(folder, found.history)
    return found


def _described(model: nn.Module, last: Mapping[str, Any], notes: tuple[str, ...]) -> TrainResult:
    history = tuple(dict(row) for row in last["history"])
    everything = checkpoints.frozen_of(model) | checkpoints.moving_of(model)
    return TrainResult(history, checkpoints.hash_of(everything), last["watch"]["best_epoch"], last["stopped"], notes)
