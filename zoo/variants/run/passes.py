"""Sequences to predictions: equal ones once, in batches that are always full, in the order in which they are asked for.

Batches are those of ``SteadyRunner``, so that a sequence's numbers do not depend on what else stands in its file.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from zoo.genome.encode import one_hot

if TYPE_CHECKING:
    from zoo.outputs import TrackChoice
    from zoo.variants.run.steady import SteadyRunner
    from zoo.variants.windows.aligned import Predicted

__all__ = ["Passes"]

#: Bytes of predictions that are kept after their last use: the next row may be another ALT of the same REF.
KEPT_BYTES = 16 << 20
#: Items that wait for a batch to become full; more are no use where all of them read the same few sequences.
WAITING = 4096

T = TypeVar("T")


class Passes:
    """Forward passes over a stream.

    Args:
        runner: of the model; it reads the strand that it is given.
        choice: the tracks that are kept.

    Attributes:
        n_predicted: sequences that were predicted.
    """

    def __init__(self, runner: SteadyRunner, choice: TrackChoice) -> None:
        self._runner, self._choice = runner, choice
        self._n_value = runner.model.loader.n_value
        self._done: dict[bytes, Predicted] = {}
        self._uses: Counter[bytes] = Counter()
        self._unused: OrderedDict[bytes, int] = OrderedDict()
        self._unused_bytes = 0
        self.n_predicted = 0

    def stream(
        self, items: Iterable[T], sequences: Callable[[T], Sequence[bytes]]
    ) -> Iterator[tuple[T, list[Predicted]]]:
        """Each item with the predictions of its sequences.

        Args:
            sequences: of an item: ASCII letters each, all of the model's length; it may have none.

        Yields:
            In the order of the items; what waits is bounded.
        """
        waiting: deque[tuple[T, Sequence[bytes]]] = deque()
        asked: OrderedDict[bytes, None] = OrderedDict()
        for item in items:
            needed = sequences(item)
            waiting.append((item, needed))
            for one in needed:
                self._use(one)
                if one not in self._done:
                    asked[one] = None
            while len(asked) >= self._runner.batch_size:
                self._predict([asked.popitem(last=False)[0] for _ in range(self._runner.batch_size)])
            if len(waiting) >= WAITING and asked:
                self._predict_all(asked)
            yield from self._ready(waiting)
        self._predict_all(asked)
        yield from self._ready(waiting)

    def _ready(self, waiting: deque[tuple[T, Sequence[bytes]]]) -> Iterator[tuple[T, list[Predicted]]]:
        while waiting and all(one in self._done for one in waiting[0][1]):
            item, needed = waiting.popleft()
            found = [self._done[one] for one in needed]
            for one in needed:
                self._release(one)
            yield item, found

    def _use(self, sequence: bytes) -> None:
        self._uses[sequence] += 1
        if (size := self._unused.pop(sequence, None)) is not None:
            self._unused_bytes -= size

    def _release(self, sequence: bytes) -> None:
        self._uses[sequence] -= 1
        if self._uses[sequence]:
            return
        del self._uses[sequence]
        size = len(sequence) + sum(values.nbytes for values in self._done[sequence].values())
        self._unused[sequence] = size
        self._unused_bytes += size
        while self._unused_bytes > KEPT_BYTES:
            oldest, size = self._unused.popitem(last=False)
            self._unused_bytes -= size
            del self._done[oldest]

    def _predict_all(self, asked: OrderedDict[bytes, None]) -> None:
        while asked:
            n = min(len(asked), self._runner.batch_size)
            self._predict([asked.popitem(last=False)[0] for _ in range(n)])

    def _predict(self, batch: list[bytes]) -> None:
        letters = np.frombuffer(b"".join(batch), np.uint8).reshape(len(batch), -1)
        values = self._choice.apply(self._runner.forward(one_hot(letters, self._n_value)))
        self.n_predicted += len(batch)
        for row, sequence in enumerate(batch):
            # A copy: a view would keep the whole batch as long as one of its rows waits.
            self._done[sequence] = {name: array[row].copy() for name, array in values.items()}
