"""``last.ckpt`` and ``best.ckpt``: whole or not at all, and no larger than what is trained.

A checkpoint holds what may change in training: parameters with a gradient and all buffers. The rest is the base's, and
a hash of it says so when a run is resumed. Files are read without running anything of them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from zoo.errors import SystemStateError
from zoo.results.check_out import DISK_FULL
from zoo.results.whole import replacing

__all__ = ["BEST", "LAST", "frozen_of", "going_on", "hash_of", "moving_of", "put_back", "read", "write"]

LAST = "last.ckpt"
BEST = "best.ckpt"


def moving_of(model: nn.Module) -> dict[str, Tensor]:
    """What training may change, by name: parameters with a gradient, and buffers. Not copied."""
    return {name: tensor.detach() for name, tensor in _all(model) if not _is_frozen(tensor)}


def frozen_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters without a gradient, by name."""
    return {name: tensor.detach() for name, tensor in _all(model) if _is_frozen(tensor)}


def _all(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(k, v) for k, v in model.state_dict(keep_vars=True).items() if isinstance(v, Tensor)]


def _is_frozen(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) and not tensor.requires_grad


@torch.no_grad()
def put_back(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy tensors into the model's of the same names.

    Raises:
        SystemStateError: other names or shapes.
    """
    mine = moving_of(model)
    for name in sorted(mine.keys() | weights.keys()):
        if name not in mine or name not in weights or mine[name].shape != weights[name].shape:
            raise SystemStateError(f"the checkpoint is of another model: {name} is not the same in both", "", _AGAIN)
    for name, tensor in mine.items():
        tensor.copy_(weights[name])


def hash_of(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names and bytes of tensors, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


_AGAIN = "Fix: zoo finetune CONFIG -o RUN --force makes the run again"


def write(path: Path, content: Mapping[str, Any], kept: str) -> None:
    """Write a checkpoint under ``path.partial``, then rename it. Ctrl-C waits until that is done.

    Args:
        kept: what is still whole when it fails, for the error.

    Raises:
        SystemStateError: the disk is full, or the file cannot be written.
    """
    try:
        with _uninterrupted(), replacing(path) as partial, open(partial, "wb") as file:
            sink = _Sink(file)
            torch.save(dict(content), sink)
            if sink.error is not None:
                raise sink.error
    except OSError as error:
        full = error.errno in (*DISK_FULL, errno.EFBIG)
        what = "the disk is full" if full else f"cannot be written: {error.strerror}"
        raise SystemStateError(
            f"{path}: {what}",
            kept,
            f"Fix: {'free space' if full else 'make the folder writable'}, then {going_on(path.parent)}",
        ) from error


def going_on(folder: Path) -> str:
    """What goes on with a run, whatever options it was begun with."""
    return f"zoo finetune {folder / 'config.yaml'} -o {folder} --resume"


class _Sink:
    """A file that keeps its first error to itself: PyTorch's writer ends the process when one comes out of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    def flush(self) -> None:
        if self.error is None:
            try:
                self.file.flush()
            except OSError as error:
                self.error = error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C inside comes after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)
    if came:
        os.kill(os.getpid(), signal.SIGINT)


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Raises:
        SystemStateError: it is missing or broken.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SystemStateError(f"{path}: cannot be read: {error.strerror}", "", _AGAIN) from None
    except Exception as error:  # what PyTorch raises for a broken file is of many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SystemStateError(f"{path}: is no whole checkpoint: {reason}", "", _AGAIN) from None
