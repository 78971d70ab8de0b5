"""Call a model's own Python: what it raises is a fault of the model, not of the zoo."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import torch

from zoo.errors import ModelError, SystemStateError, ZooError

__all__ = ["call_module"]

TORCH = Path(torch.__file__).resolve().parent


def call_module(module: torch.nn.Module, batch: torch.Tensor, name: str) -> Any:
    """``module(batch)``.

    Args:
        name: what the user calls the model.

    Raises:
        ModelError: ``forward`` raised; names the line of the model's file.
        SystemStateError: the machine's memory is too small for the batch.
        torch.OutOfMemoryError: the device's memory is; the runner halves the batch.
        OSError: the machine, not the model.
    """
    try:
        return module(batch)
    except (ZooError, OSError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            raise SystemStateError(
                f"{name}: not enough memory for {len(batch):,} windows at a time",
                "",
                "Fix: `zoo predict --batch-size 8`, say",
            ) from error
        raise ModelError(
            f"{_place(error) or name}: the model failed: {type(error).__name__}: {_first_line(error)}",
            f"on an input of shape {tuple(batch.shape)}",
            "Fix: correct the model, or tell its authors; `zoo test` runs it on its example",
        ) from error


def _place(error: Exception) -> str | None:
    """``file:line`` of the innermost frame outside torch and this file."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if TORCH not in Path(frame.filename).parents and frame.filename != __file__ and Path(frame.filename).is_file()
    ]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["(no message)"])[0][:200]
