"""Which way of predicting edits is cheaper, found out for a small part of what plain forward passes would take.

Forward passes are timed on edits that are needed anyway. To capture a module's graph costs time that nothing gives back
where windows do not pay, so that what it would cost is foreseen from one forward pass, with the share of the work that
windows would leave, and it is not begun for more than that is worth. Then a few edits are followed, and timed.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from interpret.module import rows_a_pass
from interpret.recurrent import LAYERS, Unfollowed, whole_recurrent_layers

__all__ = ["Foreseen", "Passes", "foresee", "seconds"]

#: Of what forward passes of all edits take: the planning that nothing may come of, and a trial of windows.
SHARE = 0.04
TRIAL_SHARE = 0.015
#: Seconds to capture a module: the first time in a process, each time, and for each operation (measured: 1.4 to 2.0,
#: 0.1, and 0.004 to 0.011).
FIRST_CAPTURE, CAPTURE, AN_OPERATION = 2.0, 0.15, 0.01
SMALL = 1.0  # seconds of forward passes that are not worth a look
BATCH, BATCH_ON_CPU, LARGEST = 128, 32, 4


def seconds(device: torch.device) -> float:
    """CPU-seconds of this process, or the clock's of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


class Passes:
    """Forward passes of edits: how long they take, and how many rows a pass are best.

    Args:
        size: rows a pass; None tries twice as many as long as that is faster.

    Attributes:
        spent: seconds so far.
        rate: seconds an edit, at best; None before the first.
    """

    def __init__(self, length: int, device: torch.device, size: int | None = None) -> None:
        self.device = device
        least = max(BATCH if device.type == "cuda" else BATCH_ON_CPU, rows_a_pass(length, device))
        self.size, self._growing, self._most = size or least, size is None, LARGEST * least
        self.spent, self.rate = 0.0, None
        self._best: tuple[int, float] | None = None

    def run(self, predict: Callable[[], torch.Tensor], rows: int) -> torch.Tensor:
        """A pass of some rows, timed."""
        begin = seconds(self.device)
        found = predict()
        took = seconds(self.device) - begin
        self.spent += took
        rate = took / rows
        self.rate = rate if self.rate is None else min(self.rate, rate)
        if self._growing and rows == self.size:
            self._grow(rate)
        return found

    def _grow(self, rate: float) -> None:
        if self._best is None or rate < 0.95 * self._best[1]:
            self._best = (self.size, rate)
            self._growing = self.size < self._most
            self.size = min(2 * self.size, self._most)
        else:
            self.size, self._growing = self._best[0], False


class Foreseen:
    """What one forward pass shows of a module.

    Attributes:
        operations: how many it runs.
        left: the share of its multiplications that windows of an edit would leave.
    """

    def __init__(self, operations: int, left: float) -> None:
        self.operations, self.left = operations, left

    @property
    def planning(self) -> float:
        """Seconds to capture the module."""
        first = 0.0 if "torch._export.non_strict_utils" in sys.modules else FIRST_CAPTURE
        return first + CAPTURE + AN_OPERATION * self.operations

    def worth(self, total: float) -> bool:
        """Whether planning is, where forward passes of all edits take ``total`` seconds.

        Where most of the work is in convolutions that windows would spare, planning may take half of what is spared;
        else no more than what is not missed.
        """
        return self.planning <= total * max(SHARE, 0.5 * (1 - self.left) if self.left < 0.5 else 0.0)


def foresee(predict: Callable[[], Any]) -> Foreseen:
    """Look at a forward pass of some rows; no gradient is needed."""
    counter = _Counter()
    try:
        with counter, whole_recurrent_layers():
            predict()
    except Unfollowed:
        return Foreseen(counter.operations, 1.0)
    return Foreseen(counter.operations, counter.left)


class _Counter(TorchDispatchMode):
    """Operations, their multiplications, and how wide an edit's window is in one convolution after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.whole, self.windowed, self.width = 0, 0.0, 0.0, 1.0

    @property
    def left(self) -> float:
        done = self.whole + self.windowed
        return 1.0 if not done else (self.whole + self._of_windows) / done

    _of_windows = 0.0

    def __torch_dispatch__(self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = function(*args, **kwargs)
        self.operations += 1
        name = function._schema.name.rpartition("::")[2]
        if name in ("convolution", "mkldnn_convolution", "cudnn_convolution", "_convolution"):
            self._convolution(args, found)
        elif name in LAYERS:
            x, weights = args[0], args[2]
            self.whole += x.shape[0] * x.shape[1] * sum(w.numel() for w in weights if w.ndim == 2)
        elif function._overloadpacket in flop_registry:
            self.whole += flop_registry[function._overloadpacket](*args, **kwargs, out_val=found) / 2
        return found

    def _convolution(self, args: Sequence[Any], found: torch.Tensor) -> None:
        weight, stride, dilation = args[1], args[3], args[5]
        work = found.numel() * math.prod(weight.shape[1:])
        longest = max(range(found.ndim - 2), key=lambda axis: found.shape[2 + axis])
        reach = (weight.shape[2 + longest] - 1) * dilation[min(longest, len(dilation) - 1)]
        self.width = (self.width + reach) / stride[min(longest, len(stride) - 1)] + 1
        self.windowed += work
        self._of_windows += work * min(1.0, self.width / found.shape[2 + longest])
