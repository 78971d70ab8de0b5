"""A gReLU checkpoint without the trainer's state, that stock gReLU loads with default arguments."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from zoo.models.grelu_layout import GreluCheckpoint

__all__ = ["slim_bytes", "slim_checkpoint"]

# Lightning refuses a checkpoint without its version; of one that gives none, this is the oldest that gReLU 1.0 used.
UNKNOWN_LIGHTNING = "2.0.0"


def slim_checkpoint(checkpoint: GreluCheckpoint) -> dict[str, Any]:
    """What ``LightningModel.load_from_checkpoint`` reads, as tensors, numbers, text, lists and dicts.

    Fine-tunes of Enformer and Borzoi name the class that needs no download; arrays of numpy become
    lists, because torch's default loading refuses them.
    """
    return {
        "state_dict": checkpoint.full_state,
        "hyper_parameters": {
            "model_params": {"model_type": checkpoint.model_type} | _plain(checkpoint.model_params),
            "train_params": {"task": checkpoint.task, "loss": checkpoint.loss} | _plain(checkpoint.train_params),
        },
        "data_params": _plain(checkpoint.data_params),
        "performance": _plain(checkpoint.performance),
        "pytorch-lightning_version": checkpoint.lightning_version or UNKNOWN_LIGHTNING,
    }


def slim_bytes(checkpoint: GreluCheckpoint) -> bytes:
    """The slim checkpoint as a file's content."""
    buffer = io.BytesIO()
    torch.save(slim_checkpoint(checkpoint), buffer)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value
