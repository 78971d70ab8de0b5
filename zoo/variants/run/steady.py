"""A number for a sequence that does not depend on what stands beside it in the batch.

A network on a CPU sums in another order when a batch has another size, and at some sizes also at its end: BPNet gives
the 31st of 31 sequences other last bits than the first. So every batch has one size, a power of two, which the blocks
of matrix products divide; the last batch is filled up; and the size is tried once: the same sequences in another order
must give the same bits. A batch of 1 always does. The size is remembered in the cache, by model and machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch

from zoo.errors import SystemStateError
from zoo.files import cache_folder
from zoo.models.loaded import LoadedModel
from zoo.results.whole import replacing

__all__ = ["Forward", "SteadyRunner", "remembered", "steady_batch_size"]

#: Bases that are predicted for a trial, three times, and how many batches it has at most.
TRIED_BASES = 1 << 16
MOST_TRIALS = 16


class Forward(Protocol):
    """What of ``zoo.models.loaded.Runner`` is used."""

    batch_size: int
    model: LoadedModel

    def forward(self, one_hot: np.ndarray | torch.Tensor) -> dict[str, np.ndarray]: ...


class SteadyRunner:
    """A runner whose batches all have one size, at which a sequence's place and neighbours change no bit.

    Args:
        runner: runs a batch; its ``batch_size`` is the most that is tried.
        batch_size: one that was found before, not tried again.

    Attributes:
        batch_size: of every forward pass; at most that of ``runner``.
    """

    def __init__(self, runner: Forward, batch_size: int | None = None) -> None:
        self.runner, self.model = runner, runner.model
        self.batch_size = batch_size or steady_batch_size(runner)
        runner.batch_size = self.batch_size

    def forward(self, one_hot: np.ndarray | torch.Tensor) -> dict[str, np.ndarray]:
        """(n, 4, L) float32, any n -> output name -> float32 (n, tracks) or (n, tracks, bins).

        Raises:
            SystemStateError: the device had no memory for a batch of this size.
        """
        array = torch.as_tensor(one_hot)
        parts = [self._full(part) for part in array.split(self.batch_size)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _full(self, part: torch.Tensor) -> dict[str, np.ndarray]:
        n = len(part)
        if n < self.batch_size:
            part = torch.cat([part, part[-1:].expand(self.batch_size - n, *part.shape[1:])])
        made = self.runner.forward(part)
        if self.runner.batch_size != self.batch_size:  # it halved the batch, and with it the last bits
            raise SystemStateError(
                f"{self.model.name}: the device has not enough memory for batches of {self.batch_size}",
                "scores of one run come from batches of one size",
                f"Fix: --batch-size {self.runner.batch_size}",
            )
        return {name: value[:n] for name, value in made.items()} if n < self.batch_size else made


def steady_batch_size(runner: Forward) -> int:
    """The largest power of two, at most the runner's own size, that passes the trial; 1 needs none."""
    size = 1 << (max(1, runner.batch_size).bit_length() - 1)
    while size > 1 and not _is_steady(runner, size):
        size //= 2
    return size


def remembered(made_by: Mapping[str, Any], find: Callable[[], int]) -> int:
    """What ``find`` gives, from the cache where it was found before.

    Args:
        made_by: model, machine and settings, as JSON takes them.
    """
    name = hashlib.sha256(json.dumps(made_by, sort_keys=True, default=str).encode()).hexdigest()[:32]
    path = cache_folder() / "batches" / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # none yet, or damaged
        return max(1, int(json.loads(path.read_text(encoding="utf-8"))["batch_size"]))
    found = find()
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, no result
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, shared=True) as partial:
            partial.write_text(json.dumps({"batch_size": found}), encoding="utf-8")
    return found


def _is_steady(runner: Forward, size: int) -> bool:
    """Whether random sequences give the same bits in three orders: as they are, turned round, moved by one."""
    random, length = np.random.default_rng(0), runner.model.length
    # What differs may differ in one row of fifty only: where windows are short, more are tried.
    for _ in range(max(1, min(MOST_TRIALS, TRIED_BASES // (size * length)))):
        bases = random.integers(0, 4, (size, length))
        one_hot = torch.from_numpy((bases[:, None] == np.arange(4)[:, None]).astype(np.float32))
        straight, turned, moved = (runner.forward(batch) for batch in (one_hot, one_hot.flip(0), one_hot.roll(1, 0)))
        if runner.batch_size < size:  # no memory for it
            return False
        for name, value in straight.items():
            for other in (turned[name][::-1], np.roll(moved[name], -1, 0)):
                if not np.array_equal(value, other, equal_nan=True):
                    return False
    return True
