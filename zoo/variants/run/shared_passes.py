"""Predictions for variants that share windows: what differs from REF in one base is followed by the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from zoo.variants.run.engine import EditEngine
    from zoo.variants.windows.aligned import Predicted

__all__ = ["SharedPasses"]

#: Items that are predicted together, and letters of their sequences.
ITEMS, LETTERS = 1024, 1 << 26

T = TypeVar("T")


class SharedPasses:
    """As ``Passes``, by an engine that follows edits.

    Args:
        engine: ``open_engine``.
        to_come: alleles of the whole run, as far as is known.

    Attributes:
        n_predicted: sequences that were predicted.
    """

    def __init__(self, engine: EditEngine, to_come: int = 0) -> None:
        self._engine, self._to_come = engine, to_come
        self.n_predicted = 0

    def details(self) -> dict[str, Any]:
        """How, for the run record."""
        return dict(self._engine.details())

    def stream(
        self, items: Iterable[T], sequences: Callable[[T], Sequence[bytes]]
    ) -> Iterator[tuple[T, list[Predicted]]]:
        """Each item with the predictions of its sequences, in order; see ``Passes.stream``."""
        waiting: list[tuple[T, Sequence[bytes]]] = []
        letters = 0
        for item in items:
            needed = sequences(item)
            waiting.append((item, needed))
            letters += sum(map(len, needed))
            if len(waiting) >= ITEMS or letters >= LETTERS:
                yield from self._predicted(waiting)
                waiting, letters = [], 0
        yield from self._predicted(waiting)

    def _predicted(self, waiting: list[tuple[T, Sequence[bytes]]]) -> Iterator[tuple[T, list[Predicted]]]:
        uses = Counter(one for _, needed in waiting for one in needed)
        # Those of REF: the first that an item is read of, and what several items are.
        bases = dict.fromkeys(needed[0] for _, needed in waiting if needed)
        bases |= dict.fromkeys(one for one, count in uses.items() if count > 1)
        self._to_come = max(0, self._to_come - len(waiting))
        found = dict(zip(uses, self._engine.predict(list(uses), bases, to_come=self._to_come), strict=True))
        self.n_predicted += len(uses)
        for item, needed in waiting:
            yield item, [found[one] for one in needed]
