"""Windows to train on: laid over chromosomes, chosen, and those that cannot be used counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from finetune.config import RegionsConfig
from finetune.data.exclude import Places, Runs, base_counts, by_chromosome, mappable, merged, read_places, read_runs
from finetune.data.negatives import candidates, gc_bins, match, wanted_each
from zoo.cards.schema import Card
from zoo.errors import InputError, UsageError
from zoo.genome.fasta import Genome
from zoo.genome.windows import center_starts
from zoo.words import near_names

__all__ = ["Geometry", "Sees", "Windows", "choose_windows"]

LAID, KEPT = "laid", "kept"
OFF, BLACKLISTED, UNMAPPABLE, FULL_OF_N = "off the chromosome", "blacklisted", "unmappable", "full of N"
BELOW, SAME, NOT_DRAWN = "below the threshold", "the same as another", "not drawn"
NEGATIVES, MISSING = "negatives", "negatives not found"


@dataclass(frozen=True)
class Geometry:
    """Where the input of a model and the bins of its target lie.

    Attributes:
        length: bp of the input window.
        offset: bp from the start of the window to its first bin.
        bin_size: bp of a bin of the target.
        n_bins: bins of the target.
    """

    length: int
    offset: int
    bin_size: int
    n_bins: int

    @property
    def span(self) -> int:
        """bp that the bins cover."""
        return self.bin_size * self.n_bins


class Sees(Protocol):
    """What data are laid out for: a base, as far as its windows and positions go.

    Attributes:
        name: of the base. card: of its entry, or None.
        length: bp of a window. positions: of its embedding, of ``bin_size`` bp each, from ``offset`` bp on.
        trained_on: chromosomes that it was trained on; None where its card is silent.
    """

    name: str
    card: Card | None
    length: int
    positions: int
    bin_size: int
    offset: int
    trained_on: tuple[str, ...] | None


@dataclass(frozen=True)
class Windows:
    """Input windows of one length.

    Attributes:
        chrom: (n,) object array of names.
        start: (n,) int64, 0-based start of the input window.
        kind: (n,) ``<U8``: ``tile``, ``peak``, ``negative`` or ``region``.
    """

    chrom: np.ndarray
    start: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: np.ndarray) -> Windows:
        """Those of the rows, given by number or as a mask."""
        return Windows(self.chrom[rows], self.start[rows], self.kind[rows])


def choose_windows(
    config: RegionsConfig,
    geometry: Geometry,
    genome: Genome,
    seed: int,
    mean_target: Callable[[Windows], np.ndarray] | None = None,
    moved: int = 0,
) -> tuple[Windows, dict[str, int]]:
    """Lay windows, leave out those that cannot be used, and count them.

    Tiles begin where the input window first fits, at 0, in the order of the FASTA; the next is ``stride`` bp on. A
    window of a peak or region has its output centred on the middle of the row (the summit of a narrowPeak, its tenth
    column, is not used), in the order of the files; negatives follow the peaks.

    Args:
        seed: of the negatives' places and of ``most``.
        mean_target: windows -> (n,) mean over tracks and bins, NaN where nothing was measured; for ``covered``.
        moved: bp that augmentation moves a window either way; its output must not touch the blacklist there either.

    Returns:
        The windows, and counts in words. A window is counted under the first reason that leaves it out:
        ``laid`` + ``negatives`` = ``kept`` + ``off the chromosome`` + ``the same as another`` + ``blacklisted`` +
        ``unmappable`` + ``full of N`` + ``below the threshold`` + ``not drawn``; ``negatives not found`` stands apart.

    Raises:
        UsageError: a key that the choice needs is missing, or a chromosome is unknown.
        InputError: a file is wrong, a peak is off the genome, or no window is left.
    """
    _check(config, geometry, genome, mean_target)
    rng = np.random.default_rng([seed, 0x7E61])
    use = _Usable(config, geometry, genome, moved)
    if config.choose in ("tiles", "covered"):
        windows, counts = _tiles(config, geometry, genome, use)
        if config.choose == "covered":
            windows = _covered(windows, config.threshold or 0.0, mean_target, counts)
    else:
        windows, counts = _around(config, geometry, genome, use, rng)
    if config.most is not None and len(windows) > config.most:
        counts[NOT_DRAWN] = len(windows) - config.most
        windows = windows.take(np.sort(rng.permutation(len(windows))[: config.most]))
    counts[KEPT] = len(windows)
    if not len(windows):
        raise InputError(
            "`regions`: no window is left",
            ", ".join(f"{n:,} {word}" for word, n in counts.items() if n and word != KEPT) or "none fits a chromosome",
            "Fix: loosen what leaves most out: `regions.blacklist`, `regions.least_mappable`, `regions.most_n`, "
            "`regions.threshold`, `regions.chromosomes`",
        )
    return windows, counts


def _check(config: RegionsConfig, geometry: Geometry, genome: Genome, mean_target: object) -> None:
    for name in config.chromosomes:
        if name not in genome.sizes:
            near = near_names(name, genome.sizes) or list(genome.sizes)[:4]
            raise UsageError(
                f"`regions.chromosomes`: {name!r} is not in {genome.path}", "", f"Fix: write {' or '.join(near)}"
            )
    if config.choose in ("peaks", "file") and not config.files:
        raise UsageError(
            f"`regions.choose: {config.choose}` without `regions.files`", "", "Fix: regions: {files: peaks.bed}"
        )
    if config.choose == "covered" and config.threshold is None:
        raise UsageError("`regions.choose: covered` without `regions.threshold`", "", "Fix: regions: {threshold: 1.0}")
    if config.choose == "covered" and mean_target is None:
        raise UsageError(
            "`regions.choose: covered` without targets to measure", "", "Fix: pass mean_target, or choose tiles"
        )
    longest = max((n for name, n in genome.sizes.items() if not config.chromosomes or name in config.chromosomes))
    if longest < geometry.length:
        raise InputError(
            f"{genome.path}: no chromosome is as long as the model's window of {geometry.length:,} bp",
            f"the longest has {longest:,} bp",
            "Fix: give as `genome` a FASTA of whole chromosomes, or a `base` of a shorter window",
        )


class _Usable:
    """Which windows, all of them inside their chromosomes, can be used."""

    def __init__(self, config: RegionsConfig, geometry: Geometry, genome: Genome, moved: int = 0) -> None:
        self._config, self._geometry, self._genome = config, geometry, genome
        self._reached = replace(geometry, offset=geometry.offset - moved, bin_size=1, n_bins=geometry.span + 2 * moved)
        self._blacklist = read_runs(config.blacklist, genome, "regions.blacklist")

    def __call__(self, number: np.ndarray, start: np.ndarray, counts: dict[str, int]) -> np.ndarray:
        """Rows that can be used, rising; the others are counted."""
        rows = np.arange(len(start))
        rows = _without(rows, touches(self._blacklist, number, start, self._reached), BLACKLISTED, counts)
        if self._config.mappability:
            share = mappable(self._config.mappability, self._genome, number[rows], start[rows], self._geometry.length)
            rows = _without(rows, share < self._config.least_mappable, UNMAPPABLE, counts)
        if self._config.most_n < 1:
            length = self._geometry.length
            known = base_counts(self._genome, number[rows], start[rows], length, "ACGT")
            rows = _without(rows, length - known > self._config.most_n * length, FULL_OF_N, counts)
        return rows


def _without(rows: np.ndarray, bad: np.ndarray, word: str, counts: dict[str, int]) -> np.ndarray:
    counts[word] = counts.get(word, 0) + int(bad.sum())
    return rows[~bad]


def touches(runs: dict[int, Runs], number: np.ndarray, start: np.ndarray, geometry: Geometry) -> np.ndarray:
    """(n,) bool: whether the output of a window shares a base with the runs of its contig."""
    out = np.zeros(len(start), dtype=bool)
    if runs:
        for contig, rows in by_chromosome(number):
            if contig in runs:
                low = start[rows] + geometry.offset
                out[rows] = runs[contig].touched(low, low + geometry.span)
    return out


def _tiles(config: RegionsConfig, geometry: Geometry, genome: Genome, use: _Usable) -> tuple[Windows, dict[str, int]]:
    stride = config.stride or geometry.span
    starts = [
        np.arange(0, size - geometry.length + 1, stride, dtype=np.int64)
        if not config.chromosomes or name in config.chromosomes
        else np.empty(0, dtype=np.int64)
        for name, size in genome.sizes.items()
    ]
    number = np.repeat(np.arange(len(starts)), [len(rows) for rows in starts])
    start = np.concatenate(starts)
    counts = {LAID: len(start)}
    rows = use(number, start, counts)
    return _windows(genome, number[rows], start[rows], "tile"), counts


def _covered(
    windows: Windows, threshold: float, mean_target: Callable[[Windows], np.ndarray], counts: dict[str, int]
) -> Windows:
    mean = np.asarray(mean_target(windows))
    enough = mean >= threshold  # False where nothing was measured
    counts[BELOW] = int((~enough).sum())
    return windows.take(enough)


def _around(
    config: RegionsConfig, geometry: Geometry, genome: Genome, use: _Usable, rng: np.random.Generator
) -> tuple[Windows, dict[str, int]]:
    places = _joined([read_places(path, genome, "regions.files", config.chromosomes) for path in config.files])
    start = center_starts(places.start, places.end, geometry.span) - geometry.offset
    counts = {LAID: len(start)}
    outside = (start < 0) | (start + geometry.length > genome.lengths(places.number))
    rows = _without(np.arange(len(start)), outside, OFF, counts)
    rows = _without(rows, _repeated(places.number[rows], start[rows]), SAME, counts)
    rows = rows[use(places.number[rows], start[rows], counts)]
    number, start = places.number[rows], start[rows]
    if config.choose == "file":
        return _windows(genome, number, start, "region"), counts
    windows = _windows(genome, number, start, "peak")
    if config.negatives == 0 or not len(windows):
        return windows, counts
    negatives = _negatives(config, geometry, genome, places, (number, start), use, rng, counts)
    return _both(windows, negatives), counts


def _joined(places: list[Places]) -> Places:
    return Places(*(np.concatenate([getattr(p, name) for p in places]) for name in ("number", "start", "end")))


def _repeated(number: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(n,) bool: whether an earlier row is the same window."""
    _, first = np.unique(np.stack([number, start]), axis=1, return_index=True)
    again = np.ones(len(start), dtype=bool)
    again[first] = False
    return again


def _negatives(
    config: RegionsConfig,
    geometry: Geometry,
    genome: Genome,
    places: Places,
    peaks: tuple[np.ndarray, np.ndarray],
    use: _Usable,
    rng: np.random.Generator,
    counts: dict[str, int],
) -> Windows:
    """Windows whose output touches no peak of the files, no peak's output and no blacklisted base."""
    sizes = np.array(list(genome.sizes.values()), dtype=np.int64)
    number, start = candidates(sizes, np.unique(peaks[0]), geometry.length, geometry.span, rng)
    low = peaks[1] + geometry.offset
    taken = merged(
        np.concatenate([places.number, peaks[0]]),
        np.concatenate([places.start, low]),
        np.concatenate([places.end, low + geometry.span]),
    )
    free = np.flatnonzero(~touches(taken, number, start, geometry))
    free = free[use(number[free], start[free], {})]
    number, start = number[free], start[free]
    found, missing = match(
        peaks[0],
        gc_bins(genome, *peaks, geometry.length),
        wanted_each(len(peaks[0]), config.negatives),
        number,
        gc_bins(genome, number, start, geometry.length),
        rng,
    )
    counts[NEGATIVES], counts[MISSING] = len(found), missing
    return _windows(genome, number[found], start[found], "negative")


def _windows(genome: Genome, number: np.ndarray, start: np.ndarray, kind: str) -> Windows:
    names = np.array(list(genome.sizes), dtype=object)
    return Windows(names[number], start, np.full(len(start), kind, dtype="<U8"))


def _both(first: Windows, second: Windows) -> Windows:
    return Windows(
        *(np.concatenate([getattr(w, name) for w in (first, second)]) for name in ("chrom", "start", "kind"))
    )
