"""Three stages that overlap: read and encode, compute, write. Bounded queues keep memory flat.

Reading and writing run in threads of their own: numpy, torch, h5py and zlib release the
interpreter lock, so on two cores the model waits for neither.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zoo.genome.encode import one_hot_counted, reverse_complement
from zoo.genome.fasta import Genome
from zoo.genome.intervals import Intervals, RegionFile
from zoo.genome.unknown import Met, UnknownBases
from zoo.genome.windows import WindowCounts, WindowPlan, Windows
from zoo.outputs import PredictionBatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.outputs import OutputSpec

__all__ = ["Block", "BlockReader", "BlockSource", "Compute", "Prefetch", "ReadCounts", "Sink", "compute_blocks"]

QUEUE_BLOCKS = 2


class Compute(Protocol):
    """The seam of a run: windows in, named arrays out. ``zoo.run.predict`` is the model itself, others explain it.

    Attributes:
        outputs: what ``forward`` gives, in order.
        step: windows that are read, computed and written at once; an interrupted run goes on behind a whole step.
    """

    outputs: tuple[OutputSpec, ...]
    step: int

    def forward(self, one_hot: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """Compute consecutive windows.

        Args:
            one_hot: (n, 4, L) float32, at most ``step`` of them.
            first: number of the first of them among all windows of the regions file, whatever part of it is run.

        Returns:
            Output name -> (n, ...) float32.
        """

    def signature(self) -> dict[str, Any]:
        """What of it must be equal for an interrupted run to go on, as JSON takes it."""


@dataclass(frozen=True)
class Block:
    """Consecutive windows, encoded.

    Attributes:
        cursor: windows laid over the file up to the end of this block (skipped ones included):
            where a resumed run goes on.
        first: number of its first window among all of the file that are kept.
        batch: the windows' regions; its ``values`` are empty until the model ran.
        one_hot: (n, 4, L) float32.
        counts: what the reader had met at the cursor; by the time that a block is written, it is further.
    """

    cursor: int
    first: int
    batch: PredictionBatch
    one_hot: np.ndarray
    counts: dict[str, Any]


@dataclass
class ReadCounts:
    """What the reader met; stands in the run record."""

    windows: WindowCounts
    letters: UnknownBases = field(default_factory=UnknownBases)
    reversed_windows: int = 0

    def as_dict(self) -> dict[str, Any]:
        """A copy as one plain dict."""
        counts = asdict(self)
        return counts.pop("windows") | counts.pop("letters") | counts

    def restore(self, counts: dict[str, Any]) -> None:
        """Go on from what ``as_dict`` gave in an earlier run.

        Raises:
            KeyError: an earlier version counted less.
        """
        self.windows = WindowCounts(**{f.name: counts[f.name] for f in fields(WindowCounts)})
        self.letters = UnknownBases(**{f.name: counts[f.name] for f in fields(UnknownBases)})
        self.reversed_windows = counts["reversed_windows"]


class BlockSource(Protocol):
    """Where a run's windows come from, in order.

    Attributes:
        counts: what it met so far; a resumed run restores what the earlier one had met.
    """

    @property
    def counts(self) -> ReadCounts: ...

    def __iter__(self) -> Iterator[Block]:
        """Blocks of at most the computation's ``step`` windows, those behind the cursor it was opened at."""


class BlockReader:
    """Regions -> encoded blocks, in file order.

    Args:
        plan: how windows are laid.
        use_strand: reverse-complement the windows of regions on ``-``.
        n_value: value of the channels at unknown bases.
        step: windows a block.
        limit: the regions end before this number. start: and begin at this one.
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
        step: int,
        aliases: Mapping[str, str] | None = None,
        limit: int | None = None,
        start: int = 0,
        skip_until: int = 0,
    ) -> None:
        self.regions, self.genome, self.plan = regions, genome, plan
        self.use_strand, self.n_value, self.aliases = use_strand, n_value, aliases
        self.step, self.limit, self.start, self.skip_until = step, limit, start, skip_until
        self.counts = ReadCounts(WindowCounts())

    def __iter__(self) -> Iterator[Block]:
        cursor, first = 0, self._windows_before()
        for regions in self.regions.chunks(self.limit, self.start):
            contigs = self.genome.numbers(regions.chrom, self.aliases)
            self._count_cut(regions, cursor)
            for windows in self.plan.lay(regions, self.step):
                cursor += len(windows)
                done = cursor <= self.skip_until
                kept = self._keep(windows, regions, contigs, WindowCounts() if done else self.counts.windows)
                if not done:
                    yield self._encode(cursor, first, regions, kept, contigs[kept.row])
                first += len(kept)

    def _windows_before(self) -> int:
        """Windows of the regions before ``start``, so that a window has one number whatever part of a file is read."""
        before = 0
        for regions in self.regions.chunks(self.start) if self.start else ():
            contigs = self.genome.numbers(regions.chrom, self.aliases)
            for windows in self.plan.lay(regions, self.step):
                before += len(self._keep(windows, regions, contigs, WindowCounts()))
        return before

    def _keep(self, windows: Windows, regions: Intervals, contigs: np.ndarray, counts: WindowCounts) -> Windows:
        return self.plan.apply_edges(windows, self.genome.lengths(contigs[windows.row]), regions, counts)

    def _count_cut(self, regions: Intervals, cursor: int) -> None:
        if cursor < self.skip_until:
            return
        counts = self.counts.windows
        if self.plan.mode != "tile":
            counts.cut_regions += int((regions.end - regions.start > self.plan.length).sum())
        counts.add_uncovered(self.plan.uncovered(regions))

    def _encode(self, cursor: int, first: int, regions: Intervals, windows: Windows, contigs: np.ndarray) -> Block:
        row, length = windows.row, self.plan.length
        letters = self.genome.gather(contigs, windows.start, length)
        reverse = (regions.strand[row] == "-") if self.use_strand else np.zeros(len(row), dtype=bool)
        if reverse.any():
            letters[reverse] = reverse_complement(letters[reverse])
        encoded, met = one_hot_counted(letters, self.n_value)
        if met is not None:
            self._count_letters(met, regions, windows, contigs)
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
        return Block(cursor, first, batch, encoded, self.counts.as_dict())

    def _count_letters(self, met: Met, regions: Intervals, windows: Windows, contigs: np.ndarray) -> None:
        length, counts = self.plan.length, self.counts.letters
        beyond = windows.start + length - self.genome.lengths(contigs)
        padded = int(np.minimum(np.maximum(-windows.start, 0) + np.maximum(beyond, 0), length).sum())
        counts.add(met)
        counts.padded_bases += padded
        counts.unknown_bases -= padded
        rows = windows.row[met.whole].tolist()
        counts.name([f"{regions.chrom[row]}:{regions.start[row]}-{regions.end[row]}" for row in rows])


def compute_blocks(
    blocks: Iterable[Block],
    compute: Compute,
    consume: Callable[[PredictionBatch, int, dict[str, Any]], None],
    advance: Callable[[int], None],
) -> None:
    """Compute blocks in order; reading and consuming happen in threads beside it.

    Args:
        consume: called in order, in one other thread, with each computed batch, its cursor and counts.
        advance: called in this thread with the number of windows just computed.

    Raises:
        Whatever reading, computing or ``consume`` raises, after both threads have ended. On
        KeyboardInterrupt the blocks already computed are still consumed.
    """
    source, sink = Prefetch(blocks), Sink(consume)
    try:
        for block in source:
            values = compute.forward(block.one_hot, block.first) if len(block.batch) else {}
            sink.put((replace(block.batch, values=values), block.cursor, block.counts))
            advance(len(block.batch))
    except BaseException:
        source.stop()
        sink.close(raise_error=False)
        raise
    sink.close()


_END = object()


class Prefetch:
    """Iterate ``source`` in a thread, a bounded number of items ahead."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(QUEUE_BLOCKS)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(source,), name="zoo-read", daemon=True)
        self._thread.start()

    def _run(self, source: Iterable[Any]) -> None:
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
        """End the thread; items that wait are dropped."""
        self._stopped.set()
        self._thread.join()


class Sink:
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
        """Hand over the arguments of one call, and raise what an earlier one raised."""
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def close(self, raise_error: bool = True) -> None:
        """Wait until all is consumed."""
        self._queue.put(_END)
        self._thread.join()
        if raise_error and self._error is not None:
            raise self._error
