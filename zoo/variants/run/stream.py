"""Read, predict, score and write variants at once: the threads of ``zoo.run.pipeline``, by records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.run.pipeline import Prefetch, Sink
from zoo.variants.alleles.allele import Allele, Record
from zoo.variants.run.scorer import Row, Scorer, Task
from zoo.variants.run.sharing import Placing, each_its_own
from zoo.variants.writers.table import ScoredRecord

if TYPE_CHECKING:
    from zoo.variants.windows.aligned import Predicted

__all__ = ["score_records"]

#: Tasks that are handed from thread to thread at once.
TASKS = 64


@dataclass(slots=True)
class _Open:
    """A record some of whose rows are not computed yet."""

    record: Record
    n_tasks: int
    predicted: int = 0
    rows: list[Row] = field(default_factory=list)


def score_records(
    records: Iterable[Record],
    alleles: Callable[[Record], Iterable[Allele]],
    scorer: Scorer,
    consume: Callable[[list[ScoredRecord]], None],
    advance: Callable[[int], None],
    placing: Placing = each_its_own,
) -> None:
    """Score records in order; reading their windows, and scoring and consuming, happen in threads beside the model.

    Args:
        alleles: of a record.
        consume: called in order, in one other thread, with whole records.
        placing: where the windows of records stand.
        advance: called in this thread with the number of records whose predictions were just made.

    Raises:
        Whatever reading, computing or ``consume`` raises, after both threads have ended. On KeyboardInterrupt what is
        computed already is still consumed.
    """
    source = Prefetch(_blocks(placing((record, tuple(alleles(record))) for record in records), scorer))
    sink = Sink(lambda block: _consume(block, scorer, consume))
    try:
        tasks = (task for block in source for task in block)
        block: list[tuple[_Open, Task, Sequence[Predicted]]] = []
        for (of, task), predictions in scorer.passes.stream(tasks, lambda one: one[1].sequences):
            block.append((of, task, predictions))
            if len(block) >= TASKS:
                sink.put((block,))
                advance(_ended(block))
                block = []
        sink.put((block,))
        advance(_ended(block))
    except BaseException:
        source.stop()
        sink.close(raise_error=False)
        raise
    sink.close()


def _blocks(
    placed: Iterable[tuple[Record, Sequence[Allele], int | None]], scorer: Scorer
) -> Iterator[list[tuple[_Open, Task]]]:
    block: list[tuple[_Open, Task]] = []
    for record, alleles, centre in placed:
        tasks = [task for allele in alleles for task in scorer.tasks(allele, centre)]
        of = _Open(record, len(tasks))
        block += [(of, task) for task in tasks]
        if len(block) >= TASKS:
            yield block
            block = []
    yield block


def _ended(block: Sequence[tuple[_Open, Task, Sequence[Predicted]]]) -> int:
    """Records of which nothing is left to be predicted with this block."""
    ended = 0
    for of, _, _ in block:
        of.predicted += 1
        ended += of.predicted == of.n_tasks
    return ended


def _consume(
    block: Sequence[tuple[_Open, Task, Sequence[Predicted]]],
    scorer: Scorer,
    consume: Callable[[list[ScoredRecord]], None],
) -> None:
    whole = []
    for of, task, predictions in block:
        of.rows.append(scorer.row(task, predictions))
        if len(of.rows) == of.n_tasks:
            whole.append(ScoredRecord(of.record, tuple(of.rows)))
    if whole:
        consume(whole)
