"""What ends a training run, said so that it can be helped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from finetune.config import TrainConfig
from zoo.errors import InputError, SystemStateError, UsageError, ZooError

__all__ = ["explained", "is_out_of_memory", "not_finite", "nothing_measured", "refused"]

#: What allocators without an exception of their own say.
_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "cannot allocate memory", "alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory of the machine or the GPU has run out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _MEMORY)


@contextmanager
def explained(config: TrainConfig) -> Iterator[None]:
    """Errors of the machine and the trainer inside become ours; Ctrl-C, which the trainer turns into an exit, too.

    Raises:
        SystemStateError: out of memory; no such device; a process of several failed. UsageError: the trainer refuses
            its settings. KeyboardInterrupt: Ctrl-C.
    """
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    try:
        yield
    except ZooError:
        raise
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    except MisconfigurationException as error:
        raise _refusal(config, error) from error
    except Exception as error:
        if is_out_of_memory(error):
            raise _memory(config, error) from error
        if type(error).__name__ in ("ProcessRaisedException", "ProcessExitedException"):
            raise SystemStateError(
                f"one of the training processes failed: {_last_line(error)}",
                f"train.devices: {config.devices}",
                "Fix: train.devices: 1",
            ) from error
        raise


@contextmanager
def refused(config: TrainConfig) -> Iterator[None]:
    """The trainer is made inside: a setting that it refuses is a UsageError."""
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    try:
        yield
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise _refusal(config, error) from error


def _refusal(config: TrainConfig, error: BaseException) -> UsageError:
    return UsageError(
        f"train: {_first_line(error)}",
        f"accelerator {config.accelerator}, devices {config.devices}, nodes {config.nodes}, "
        f"precision {config.precision}",
        "Fix: train.accelerator: cpu, train.devices: 1",
    )


def _memory(config: TrainConfig, error: BaseException) -> SystemStateError:
    half = max(1, config.batch // 2)
    lower = f"train.batch: {half} with train.accumulate: {2 * config.accumulate}, " if config.batch > 1 else ""
    precision = "train.precision: bf16-mixed, " if config.precision.startswith(("32", "64")) else ""
    return SystemStateError(
        f"out of memory in training: {_first_line(error)}",
        f"train.batch is {config.batch}, train.precision {config.precision}",
        f"Fix: {lower}{precision}or mode: head (or lora); from the start with --force",
    )


def not_finite(config: TrainConfig, what: str, epoch: int, step: int | None, kept: str) -> InputError:
    """A loss, or weights, that are no numbers any more.

    Args:
        what: ``the loss``. epoch: from 1. step: of the epoch, from 1, or None at its end. kept: what is whole.
    """
    where = f"epoch {epoch}" + (f", step {step}" if step is not None else "")
    clip = "" if config.clip else " or train.clip: 1"
    warm = "" if config.warmup else " or train.warmup: 0.1"
    half = " or train.precision: 32-true" if config.precision == "16-mixed" else ""
    return InputError(
        f"{what} is not finite any more in {where}",
        kept,
        f"Fix: train.lr: {config.lr / 10:g}{clip}{warm}{half}, from the start with --force",
    )


def nothing_measured() -> InputError:
    """Validation windows whose targets are all masked."""
    return InputError(
        "split.validation: nothing was measured there",
        "every bin of every track is masked",
        "Fix: other chromosomes in split.validation, or missing: zero of targets whose files leave zeros out",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
