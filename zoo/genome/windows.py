"""From regions to the windows a model sees: centred or tiled, with a counted edge policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.genome.intervals import Intervals
from zoo.words import counted_of

__all__ = ["WindowCounts", "WindowPlan", "Windows", "center_starts", "summit_starts", "tile_counts"]


@dataclass(frozen=True)
class Windows:
    """Consecutive windows, in the order of their regions.

    Attributes:
        row: (n,) int64, position of the window's region in the intervals they came from.
        start: (n,) int64, 0-based start; may be negative or run past the chromosome's end.
    """

    row: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


@dataclass
class WindowCounts:
    """What happened to windows so far; stands in the run record.

    ``cut_regions`` are longer than the window in their middle; ``uncovered_bp`` are bases of regions of which nothing
    is predicted: they lie outside what the model predicts of its window, or between tiles.
    """

    windows: int = 0
    padded: int = 0
    skipped: int = 0
    cut_regions: int = 0
    uncovered_regions: int = 0
    uncovered_bp: int = 0
    first_skipped: list[str] = field(default_factory=list)

    def add_uncovered(self, uncovered: np.ndarray) -> None:
        """Count what ``WindowPlan.uncovered`` gave."""
        self.uncovered_regions += int((uncovered > 0).sum())
        self.uncovered_bp += int(uncovered.sum())


@dataclass(frozen=True)
class WindowPlan:
    """How windows are laid over regions.

    Attributes:
        length: bp the model sees.
        mode: ``"center"``: one window centred on each region; ``"summit"``: on the summit of each, as a narrowPeak
            has it; or ``"tile"``: enough windows for their outputs to cover the region.
        out_offset, out_length: which part of the window the model predicts, in bp.
        stride: bp between tiles; default ``out_length``. A longer one leaves gaps, see ``uncovered``.
        edges: ``"pad"`` (N outside the chromosome), ``"skip"`` or ``"error"``.
        centring: ``"kipoiseq"`` or ``"grelu"``, see ``center_starts``.
        use_strand: whether windows of regions on ``-`` are reversed, and what is predicted lies in their mirror image.
    """

    length: int
    mode: str = "center"
    out_offset: int = 0
    out_length: int = 0
    stride: int | None = None
    edges: str = "pad"
    centring: str = "kipoiseq"
    use_strand: bool = False

    def __post_init__(self) -> None:
        if self.stride is not None and self.stride <= 0:
            raise UsageError(f"--stride {self.stride}: must be at least 1", "", "Fix: --stride 512, say")
        if self.stride is not None and self.mode != "tile":
            raise UsageError("--stride is for tiled windows", "", "Fix: add --window tile or leave out --stride")

    def lay(self, regions: Intervals, at_most: int) -> Iterator[Windows]:
        """Yield the windows of ``regions``, at most ``at_most`` at a time."""
        if self.mode != "tile":
            starts = self._alone(regions)
            for low in range(0, len(starts), at_most):
                high = min(low + at_most, len(starts))
                yield Windows(np.arange(low, high), starts[low:high])
            return
        stride, offset = self.stride or self.span, self._offsets(regions)
        counts = self._tiles(regions)
        first = np.where(
            regions.end - regions.start <= self.span,  # centred on a short region, as without tiling
            center_starts(regions.start, regions.end, self.span, self.centring) - offset,
            regions.start - offset,
        )
        ends = np.cumsum(counts)
        for low in range(0, int(ends[-1]) if len(ends) else 0, at_most):
            number = np.arange(low, min(low + at_most, int(ends[-1])))
            row = np.searchsorted(ends, number, side="right")
            tile = number - (ends[row] - counts[row])
            yield Windows(row, first[row] + tile * stride)

    @property
    def span(self) -> int:
        """bp that the model predicts of a window."""
        return self.out_length or self.length

    def count(self, regions: Intervals) -> int:
        """How many windows ``lay`` will give."""
        return int(self._tiles(regions).sum()) if self.mode == "tile" else len(regions)

    def uncovered(self, regions: Intervals) -> np.ndarray:
        """(n,) int64 bp of each region that no window of it predicts, whatever becomes of windows at the edges."""
        length = regions.end - regions.start
        if self.mode == "tile":
            stride = self.stride or self.span
            before = self._tiles(regions) - 1  # all but the last are whole, where a stride leaves gaps
            last = np.minimum(length - before * stride, self.span)
            return length - before * self.span - last if stride > self.span else np.zeros_like(length)
        first = self._alone(regions) + self._offsets(regions)
        inside = np.minimum(regions.end, first + self.span) - np.maximum(regions.start, first)
        return length - np.maximum(inside, 0)

    def _alone(self, regions: Intervals) -> np.ndarray:
        """(n,) int64 starts of windows where each region has one."""
        starts = center_starts(regions.start, regions.end, self.length, self.centring)
        return summit_starts(regions, starts, self.length) if self.mode == "summit" else starts

    def _tiles(self, regions: Intervals) -> np.ndarray:
        return tile_counts(regions.start, regions.end, self.span, self.stride or self.span)

    def _offsets(self, regions: Intervals) -> np.ndarray | int:
        """bp from a window's start to what is predicted, on the genome."""
        mirrored = self.length - self.out_offset - self.span
        if not self.use_strand or mirrored == self.out_offset:
            return self.out_offset
        return np.where(regions.strand == "-", mirrored, self.out_offset)

    def apply_edges(
        self, windows: Windows, chrom_length: np.ndarray, regions: Intervals, counts: WindowCounts
    ) -> Windows:
        """Count windows that leave their chromosome and treat them by the policy.

        Args:
            chrom_length: (n,) bp, length of each window's chromosome.

        Raises:
            InputError: the policy is ``error`` and a window leaves its chromosome.
        """
        outside = (windows.start < 0) | (windows.start + self.length > chrom_length)
        n_outside = int(outside.sum())
        counts.windows += len(windows)
        if not n_outside:
            return windows
        if self.edges == "pad":
            counts.padded += n_outside
            return windows
        at = int(windows.row[np.argmax(outside)])
        place = f"{regions.chrom[at]}:{regions.start[at]}-{regions.end[at]}"
        if self.edges == "error":
            some = counted_of(n_outside, len(windows), "window")
            raise InputError(
                f"the {self.length:,} bp window of region {regions.first + at + 1} ({place}) leaves its chromosome",
                f"{some} looked at so far {'does' if n_outside == 1 else 'do'}",
                "Fix: --edges pad (N outside the chromosome) or --edges skip",
            )
        counts.skipped += n_outside
        counts.windows -= n_outside
        if len(counts.first_skipped) < 10:
            counts.first_skipped.append(place)
        return Windows(windows.row[~outside], windows.start[~outside])


def center_starts(start: np.ndarray, end: np.ndarray, length: int, centring: str = "kipoiseq") -> np.ndarray:
    """(n,) int64 starts of windows centred on regions.

    The two libraries differ where a window of even length meets a region of odd length and no base
    is in the middle of both: kipoiseq's ``resize_interval`` starts at ``(start + end) // 2 - length // 2``,
    gReLU's ``resize`` one base later, at ``ceil((start + end - length) / 2)``.
    """
    if centring == "grelu":
        return -((length - start - end) // 2)
    return (start + end) // 2 - length // 2


def summit_starts(regions: Intervals, otherwise: np.ndarray, length: int) -> np.ndarray:
    """(n,) int64 starts of windows centred on summits, ``start + summit - length // 2`` as ChromBPNet lays them.

    Args:
        otherwise: (n,) int64 starts where no summit was called (-1).
    """
    return np.where(regions.summit < 0, otherwise, regions.start + regions.summit - length // 2)


def tile_counts(start: np.ndarray, end: np.ndarray, span: int, stride: int) -> np.ndarray:
    """(n,) int64 tiles for outputs of ``span`` bp every ``stride`` bp, from the start of each region.

    As many as cover it; where a longer stride leaves gaps, all that touch it: none lies outside.
    """
    beyond = np.maximum(end - start - max(span, stride), 0)
    return 1 + -(-beyond // stride)
