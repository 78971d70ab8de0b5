"""Three stages that overlap: read and encode, compute, write. Bounded queues keep memory flat.

Reading and writing run in threads of their own: numpy, torch, h5py and zlib release the
interpreter lock, so on two cores the model waits for neither.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.genome.encode import one_hot_counted, reverse_complement
from zoo.genome.fasta import Genome
from zoo.genome.intervals import Intervals, RegionFile
from zoo.genome.windows import WindowCounts, WindowPlan, Windows
from zoo.outputs import PredictionBatch, TrackChoice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.models.runner import Runner

__all__ = ["Block", "BlockReader", "ReadCounts", "predict_blocks"]

# Bases a block holds: 4 MB of float32 one-hot, enough to make numpy's per-call cost vanish.
BLOCK_BASES = 256 * 1024
QUEUE_BLOCKS = 2


@dataclass(frozen=True)
class Block:
    """Consecutive windows, encoded.

    Attributes:
        cursor: windows laid over the file up to the end of this block (skipped ones included):
            where a resumed run goes on.
        batch: the windows' regions; its ``values`` are empty until the model ran.
        one_hot: (n, 4, L) float32.
        counts: what the reader had met at the cursor; by the time that a block is written, it is further.
    """

    cursor: int
    batch: PredictionBatch
    one_hot: np.ndarray
    counts: dict[str, Any]


@dataclass
class ReadCounts:
    """What the reader met; stands in the run record."""

    windows: WindowCounts
    iupac_bases: int = 0
    reversed_windows: int = 0

    def as_dict(self) -> dict[str, Any]:
        """A copy as one plain dict."""
        counts = asdict(self)
        return counts.pop("windows") | counts


class BlockReader:
    """Regions -> encoded blocks, in file order.

    Args:
        plan: how windows are laid.
        use_strand: reverse-complement the windows of regions on ``-``.
        n_value: value of the channels at unknown bases.
        batch_size: windows a forward pass; a block holds a multiple of it.
        skip_until: windows already done by an earlier run (a cursor of one of its blocks).
    """

    def __init__(
        self,
        regions: RegionFile,
        genome: Genome,
        plan: WindowPlan,
        *,
        use_strand: bool,
        n_value: float,
        batch_size: int,
        aliases: Mapping[str, str] | None = None,
        limit: int | None = None,
        skip_until: int = 0,
    ) -> None:
        self.regions, self.genome, self.plan = regions, genome, plan
        self.use_strand, self.n_value, self.aliases, self.limit = use_strand, n_value, aliases, limit
        self.skip_until = skip_until
        self.counts = ReadCounts(WindowCounts())
        self.block_size = batch_size * max(1, BLOCK_BASES // (batch_size * plan.length))

    def __iter__(self) -> Iterator[Block]:
        cursor = 0
        for regions in self.regions.chunks(self.limit):
            contigs = self.genome.numbers(regions.chrom, self.aliases)
            self._count_cut(regions, cursor)
            for windows in self.plan.lay(regions, self.block_size):
                cursor += len(windows)
                if cursor <= self.skip_until:
                    continue
                kept = self.plan.apply_edges(
                    windows, self.genome.lengths(contigs[windows.row]), regions, self.counts.windows
                )
                yield self._encode(cursor, regions, kept, contigs[kept.row])

    def _count_cut(self, regions: Intervals, cursor: int) -> None:
        if self.plan.mode == "center" and cursor >= self.skip_until:
            self.counts.windows.cut_regions += int((regions.end - regions.start > self.plan.length).sum())

    def _encode(self, cursor: int, regions: Intervals, windows: Windows, contigs: np.ndarray) -> Block:
        row, length = windows.row, self.plan.length
        letters = self.genome.gather(contigs, windows.start, length)
        reverse = (regions.strand[row] == "-") if self.use_strand else np.zeros(len(row), dtype=bool)
        if reverse.any():
            letters[reverse] = reverse_complement(letters[reverse])
        encoded, iupac_bases = one_hot_counted(letters, self.n_value)
        self.counts.iupac_bases += iupac_bases
        self.counts.reversed_windows += int(reverse.sum())
        batch = PredictionBatch(
            region=regions.first + row,
            chrom=regions.chrom[row],
            start=regions.start[row],
            end=regions.end[row],
            name=regions.name[row],
            score=regions.score[row],
            strand=regions.strand[row],
            window_start=windows.start,
            window_end=windows.start + length,
            reverse=reverse,
            values={},
        )
        return Block(cursor, batch, encoded, self.counts.as_dict())


def predict_blocks(
    blocks: Iterator[Block],
    runner: Runner,
    choice: TrackChoice,
    consume: Callable[[PredictionBatch, int, dict[str, Any]], None],
    advance: Callable[[int], None],
) -> None:
    """Run the model over blocks; reading and consuming happen in threads beside it.

    Args:
        consume: called in order, in one other thread, with each predicted batch, its cursor and counts.
        advance: called in this thread with the number of windows just predicted.

    Raises:
        Whatever reading, the model or ``consume`` raises, after both threads have ended. On
        KeyboardInterrupt the batches already predicted are still consumed.
    """
    source, sink = _Prefetch(blocks), _Sink(consume)
    try:
        for block in source:
            values = choice.apply(_forward(runner, block.one_hot)) if len(block.batch) else {}
            sink.put((replace(block.batch, values=values), block.cursor, block.counts))
            advance(len(block.batch))
    except BaseException:
        source.stop()
        sink.close(raise_error=False)
        raise
    sink.close()


def _forward(runner: Runner, windows: np.ndarray) -> dict[str, np.ndarray]:
    size = runner.batch_size
    parts = [runner.forward(windows[low : low + size]) for low in range(0, len(windows), size)]
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


_END = object()


class _Prefetch:
    """Iterate ``source`` in a thread, a bounded number of items ahead."""

    def __init__(self, source: Iterator[Any]) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(QUEUE_BLOCKS)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(source,), name="zoo-read", daemon=True)
        self._thread.start()

    def _run(self, source: Iterator[Any]) -> None:
        try:
            for item in source:
                if not self._offer(item):
                    return
        except BaseException as error:
            self._error = error
        self._offer(_END)

    def _offer(self, item: Any) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[Any]:
        while (item := self._queue.get()) is not _END:
            yield item
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


class _Sink:
    """Consume items in a thread; the first error stops it and is raised by ``put`` or ``close``."""

    def __init__(self, consume: Callable[..., None]) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(2 * QUEUE_BLOCKS)
        self._consume = consume
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="zoo-write", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._error is None:
                try:
                    self._consume(*item)
                except BaseException as error:
                    self._error = error

    def put(self, item: tuple[Any, ...]) -> None:
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def close(self, raise_error: bool = True) -> None:
        self._queue.put(_END)
        self._thread.join()
        if raise_error and self._error is not None:
            raise self._error
