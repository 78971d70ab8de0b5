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
from torch.overrides import TorchFunctionMode

from interpret.module import own_dtypes, rows_a_pass
from interpret.recurrent import LAYERS

__all__ = ["Foreseen", "Passes", "foresee", "seconds", "takes_steps"]

#: Of what forward passes of all edits take: the planning that nothing may come of, and a trial of windows.
SHARE = 0.04
TRIAL_SHARE = 0.015
#: Seconds to capture a module: the first time in a process, each time, and for each operation (measured: 1.4 to 2.0,
#: 0.1, and 0.004 to 0.011).
FIRST_CAPTURE, CAPTURE, AN_OPERATION = 2.0, 0.15, 0.01
SMALL = 1.5  # seconds of forward passes that are not worth a look
BATCH, BATCH_ON_CPU, LARGEST = 128, 32, 3
#: Bases of a pass of short sequences on a CPU, whose values stay in its caches: quicker by convolutions, attention and
#: wide LSTMs than ``rows_a_pass``, which layers of many small steps keep.
BASES_ON_CPU = 8 * 1024
#: Passes to come for which other sizes are tried, and the share of the time that fewer rows may take at most.
ENOUGH, QUICKER = 24, 0.92
#: Where that many passes do, the first is as large as all; else it is this part of the edits.
FEW_PASSES, A_LOOK = 12, 64

CONVOLUTIONS = frozenset({"conv1d", "conv2d"})
PRODUCTS = frozenset({"linear", "matmul", "__matmul__", "bmm", "mm", "addmm", "baddbmm", "einsum"})


def seconds(device: torch.device) -> float:
    """CPU-seconds of this process, or the clock's of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


class Passes:
    """Forward passes of edits: how long they take, and how many rows a pass are best.

    Args:
        size: rows a pass; None tries twice as many and half as many, where enough are to come.
        steps: whether the module ``takes_steps``.

    Attributes:
        size: rows a pass; ``most``: rows that a pass may have.
        spent: seconds so far.
        rate: seconds an edit, at best; None before the first.
        settled: a pass of ``size`` rows or more was timed.
    """

    def __init__(self, length: int, device: torch.device, size: int | None = None, steps: bool = False) -> None:
        self.device = device
        on_cpu = device.type == "cpu"
        rows = BASES_ON_CPU // max(1, length) if on_cpu and not steps else rows_a_pass(length, device)
        least = max(BATCH_ON_CPU if on_cpu else BATCH, rows)
        self.size, self.most = size or least, size or LARGEST * least
        self._untried, self._to_come = [] if size else [least // 2, 2 * least], math.inf
        self.spent, self.rate, self.settled = 0.0, None, False
        self._rates: dict[int, float] = {}
        self._timed: dict[int, int] = {}

    def next_rows(self, of_sequence: int, edits: int) -> int:
        """Rows of the next pass.

        Args:
            of_sequence: edits of this sequence that are still to come; ``edits``: of all sequences.
        """
        self._to_come = edits
        if self.rate is None and edits > FEW_PASSES * self.size:
            return min(self.size, max(2, edits // A_LOOK))  # so few that windows, where they pay, are begun with soon
        passes = max(1, round(of_sequence / self.size))
        return min(math.ceil(of_sequence / passes), self.most)

    def run(self, predict: Callable[[], torch.Tensor], rows: int) -> torch.Tensor:
        """A pass of some rows, timed."""
        begin = seconds(self.device)
        found = predict()
        took = seconds(self.device) - begin
        self.spent += took
        rate = took / rows
        self.rate = rate if self.rate is None else min(self.rate, rate)
        if rows >= 0.75 * self.size:
            self.settled = True
            self._learn(rate)
        return found

    def _learn(self, rate: float) -> None:
        """Try the sizes, each twice, the first four times, as what runs first takes longer; then keep the best.

        Fewer rows are better where they are quicker by more than times scatter: each pass costs something of its own.
        Where the half is quicker, the double is not tried but the quarter: attention is, by its caches.
        """
        self._rates[self.size] = min(rate, self._rates.get(self.size, rate))
        self._timed[self.size] = self._timed.get(self.size, 0) + 1
        if self._timed[self.size] < (4 if len(self._timed) == 1 else 2) or self._to_come < ENOUGH * self.size:
            return
        best = max(self._rates)
        for size in sorted(self._rates, reverse=True):
            best = size if self._rates[size] < QUICKER * self._rates[best] else best
        if self._untried and best < max(self._rates):
            self._untried = [best // 2] if len(self._rates) == 2 and best > 1 else []
        self.size = self._untried.pop(0) if self._untried else best


def takes_steps(module: torch.nn.Module) -> bool:
    """Whether a recurrent layer runs operation by operation on a CPU, so that few rows take nearly as long as many.

    torch's LSTM in float32 is one call of oneDNN there, unless it projects its states.
    """
    nn = torch.nn
    whole = own_dtypes(module) <= {torch.float32}
    return any(
        isinstance(part, nn.GRU | nn.RNN | nn.RNNCellBase)
        or (isinstance(part, nn.LSTM) and bool(part.proj_size or not whole))
        for part in module.modules()
    )


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

    def worth(self, total: float, settled: bool) -> bool:
        """Whether planning is, where forward passes of all edits take ``total`` seconds, by a rate that may be settled.

        Where most of the work is in convolutions that windows would spare, planning may take half of what is spared;
        else no more than what is not missed.
        """
        share = 0.5 * (1 - self.left) if self.left < 0.5 else SHARE * settled
        return self.planning <= total * share


def foresee(predict: Callable[[], Any]) -> Foreseen:
    """Look at a forward pass of some rows; no gradient is needed."""
    counter = _Counter()
    with counter:
        predict()
    return Foreseen(counter.operations, counter.left)


class _Counter(TorchFunctionMode):
    """Operations, about how many multiplications they are, and how wide an edit's window is in each convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.whole, self.windowed, self._of_windows = 0, 0.0, 0.0, 0.0
        self.width, self.length = 1.0, 0

    @property
    def left(self) -> float:
        """The share of multiplications that windows leave."""
        done = self.whole + self.windowed
        return 1.0 if not done else (self.whole + self._of_windows) / done

    def __torch_function__(self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if name in CONVOLUTIONS:
            self._convolution(found, args, kwargs or {})
        elif name in LAYERS:
            weights = next(a for a in args[2:] if isinstance(a, list | tuple) and len(a) > 1)
            self.whole += args[0].shape[:-1].numel() * sum(w.numel() for w in weights if w.ndim == 2)
        elif name == "scaled_dot_product_attention":
            self.whole += 2 * args[0].numel() * args[1].shape[-2]
        elif name in PRODUCTS and isinstance(found, torch.Tensor):
            self.whole += found.numel() * next(a for a in args if isinstance(a, torch.Tensor)).shape[-1]
        self.operations += name != "__get__"
        return found

    def _convolution(self, found: torch.Tensor, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        names = ("input", "weight", "bias", "stride", "padding", "dilation")
        given = dict(zip(names, args, strict=False)) | kwargs
        weight, along = given["weight"], max(range(2, found.ndim), key=lambda axis: found.shape[axis])
        stride, dilation = (_of_axis(given.get(key, 1), along - 2) for key in ("stride", "dilation"))
        if self.length:  # pooled since the last
            self.width *= min(1.0, given["input"].shape[along] / self.length)
        self.width = (self.width + (weight.shape[along] - 1) * dilation) / stride + 1
        self.length = found.shape[along]
        work = found.numel() * math.prod(weight.shape[1:])
        self.windowed += work
        self._of_windows += work * min(1.0, self.width / self.length)


def _of_axis(value: int | Sequence[int], axis: int) -> int:
    return value if isinstance(value, int) else value[min(axis, len(value) - 1)]
