"""Training wants a quiet, deterministic process; when it ends, the process is as it was."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic

__all__ = ["as_found", "epoch_seed"]

_LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning", "lightning.pytorch", "lightning.fabric")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")
#: cuBLAS adds up in one order only with a workspace of its own.
_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def as_found(threads: int | None) -> Iterator[None]:
    """Deterministic algorithms and silence inside; all that training touches is put back after.

    On the CPU an operation without a deterministic form is an error; on a GPU, where some layers have none, it runs.

    Args:
        threads: of torch, or None for what is set.
    """
    found = _state()
    with warnings.catch_warnings():
        for package in ("pytorch_lightning", "lightning_fabric", "torch"):
            warnings.filterwarnings("ignore", module=rf"{package}(\.|$)")
        try:
            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
            if torch.cuda.is_available():
                os.environ.setdefault(_CUBLAS, ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
            # Memory that nothing was written to is not read here: to fill it costs a tenth of a small net's step.
            torch.utils.deterministic.fill_uninitialized_memory = False
            torch.backends.cudnn.benchmark = False
            if threads is not None:
                torch.set_num_threads(threads)
            yield
        finally:
            _put_back(found)


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """A seed of torch's generator (dropout) that the run's seed, the epoch and the process decide."""
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _state() -> dict[str, Any]:
    return {
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None,
        "numpy": np.random.get_state(),
        "random": random.getstate(),
        "environment": dict(os.environ),
        "loggers": {name: logging.getLogger(name).level for name in _LOGGERS},
        "signals": _handlers(),
    }


def _handlers() -> dict[int, Any]:
    names = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    return {number: signal.getsignal(number) for number in names}


def _put_back(found: dict[str, Any]) -> None:
    torch.use_deterministic_algorithms(found["deterministic"][0], warn_only=found["deterministic"][1])
    torch.utils.deterministic.fill_uninitialized_memory = found["fill"]
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = found["cudnn"]
    if torch.get_float32_matmul_precision() != found["matmul"]:
        torch.set_float32_matmul_precision(found["matmul"])
    if torch.get_num_threads() != found["threads"]:
        torch.set_num_threads(found["threads"])
    torch.set_default_dtype(found["dtype"])
    torch.set_grad_enabled(found["grad"])
    torch.set_rng_state(found["torch"])
    if found["cuda"] is not None:
        torch.cuda.set_rng_state_all(found["cuda"])
    np.random.set_state(found["numpy"])
    random.setstate(found["random"])
    for name in os.environ.keys() - found["environment"].keys():
        del os.environ[name]
    for name, value in found["environment"].items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    for name, level in found["loggers"].items():
        logging.getLogger(name).setLevel(level)
    if threading.current_thread() is threading.main_thread():
        for number, handler in found["signals"].items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
