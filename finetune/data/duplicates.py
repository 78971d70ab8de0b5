"""Sequences of validation and test that training has seen nearly the same elsewhere: segmental duplications, copies.

Windows are compared by a sketch: those of their canonical 24-mers (the lesser of both strands) whose hash falls below a
bound, as in FracMinHash (Irber et al. 2022, doi:10.1101/2022.01.11.475838). k-mers are counted once however often they
occur, so that poly-A or a short tandem repeat, with a handful of distinct k-mers, makes no two windows alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from finetune.config import SplitConfig
from finetune.data.exclude import Runs, by_chromosome
from finetune.data.regions import Geometry, Windows
from zoo.errors import UsageError
from zoo.genome.fasta import Genome

__all__ = ["CONTAINED", "K", "Twin", "canonical_kmers", "check_duplicates", "find_twins"]

K = 24
#: Share of a window's distinct k-mers that one training window must have.
CONTAINED = 0.5
#: A window of fewer distinct k-mers than this share of its length is a repeat that no share of them makes a copy.
DISTINCT = 0.5
#: k-mers of a window that are enough to tell a share of 0.4 from 0.6, and of a genome that fit in memory.
SKETCH, MOST = 256, 1 << 25
#: Training windows that are looked at for one k-mer: satellites lie in thousands, any of which will do.
WINDOWS_A_KMER = 256
PIECE = 1 << 20
_UNKNOWN = 4


@dataclass(frozen=True)
class Twin:
    """A window of validation or test and the training window that has most of its k-mers.

    Attributes:
        row, train: numbers of the two windows.
        contained: share of the first's distinct k-mers that the second has, between 0 and 1.
    """

    row: int
    train: int
    contained: float


def check_duplicates(
    genome: Genome, windows: Windows, split: np.ndarray, geometry: Geometry, config: SplitConfig
) -> tuple[np.ndarray, int]:
    """Refuse, or leave out, windows of validation and test that are near-duplicates of training windows.

    Args:
        split: (n,) ``train``, ``validation``, ``test`` or ``""``.

    Returns:
        The split, ``""`` for windows left out under ``split.duplicates: drop``, and how many these are.

    Raises:
        UsageError: there are some, under ``split.duplicates: error``; rows named.
    """
    twins = find_twins(genome, windows, split, geometry.length)
    if not twins:
        return split, 0
    if config.duplicates == "drop":
        kept = split.copy()
        kept[[twin.row for twin in twins]] = ""
        return kept, len(twins)
    held_out = int(np.isin(split, ["validation", "test"]).sum())
    named = "; ".join(_tell(twin, windows, split, geometry.length) for twin in twins[:3])
    raise UsageError(
        f"the sequences of two splits are nearly the same: {named}",
        f"{len(twins):,} of {held_out:,} validation and test windows have such a twin in training",
        "Fix: `split.duplicates: drop` leaves them out of validation and test, or put both chromosomes on one side",
    )


def _tell(twin: Twin, windows: Windows, split: np.ndarray, length: int) -> str:
    def place(row: int) -> str:
        return f"{windows.chrom[row]}:{windows.start[row]}-{windows.start[row] + length}"

    return (
        f"window {twin.row} ({split[twin.row]}, {place(twin.row)}) and window {twin.train} "
        f"(train, {place(twin.train)}) share {twin.contained:.0%}"
    )


def find_twins(genome: Genome, windows: Windows, split: np.ndarray, length: int) -> list[Twin]:
    """Windows of validation and test most of whose k-mers one training window has, in the order of rows.

    Args:
        split: (n,) as in ``check_duplicates``. length: bp of the windows.
    """
    number = genome.numbers(windows.chrom)
    train, held = np.flatnonzero(split == "train"), np.flatnonzero(np.isin(split, ["validation", "test"]))
    if not len(train) or not len(held) or length < K:
        return []
    keep_one_in = _one_in(number, windows.start, length)
    seen = _Sketches(genome, number[train], windows.start[train], length, keep_one_in)
    asked = _Sketches(genome, number[held], windows.start[held], length, keep_one_in)
    return _twins(seen, asked, train, held, (length - K + 1) / keep_one_in)


def _one_in(number: np.ndarray, start: np.ndarray, length: int) -> int:
    covered = 0
    for _, rows in by_chromosome(number):
        runs = Runs(start[rows], start[rows] + length)
        covered += int((runs.end - runs.start).sum())
    return max(1, length // SKETCH, covered // MOST)


class _Sketches:
    """Sampled k-mers of the genome under windows, in order of place; a window's are a slice of them.

    Windows that overlap share their k-mers' computation, which tiles of a long input need.
    """

    def __init__(self, genome: Genome, number: np.ndarray, start: np.ndarray, length: int, keep_one_in: int) -> None:
        self.low = np.zeros(len(start), dtype=np.int64)
        self.high = np.zeros(len(start), dtype=np.int64)
        parts: list[np.ndarray] = []
        base = 0
        for contig, rows in by_chromosome(number):
            places, hashes = _sampled(genome, contig, Runs(start[rows], start[rows] + length), keep_one_in)
            self.low[rows] = base + np.searchsorted(places, start[rows])
            self.high[rows] = base + np.searchsorted(places, start[rows] + length - K + 1)
            parts.append(hashes)
            base += len(hashes)
        self.hashes = np.concatenate(parts)

    def __len__(self) -> int:
        return len(self.low)

    def distinct(self, window: int) -> np.ndarray:
        return np.unique(self.hashes[self.low[window] : self.high[window]])


def _sampled(genome: Genome, contig: int, runs: Runs, keep_one_in: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (rising) and hashes of the sampled k-mers that begin and end inside the runs of a contig."""
    bound = np.uint64((1 << 64) // keep_one_in - 1)
    places, hashes = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
    for low, high in _pieces(runs):
        letters = genome.gather(np.array([contig]), np.array([low], dtype=np.int64), high - low)[0]
        kmers, known = canonical_kmers(letters)
        hashed = _mixed(kmers)
        at = np.flatnonzero(known & (hashed <= bound))
        places.append(at + low)
        hashes.append(hashed[at])
    return np.concatenate(places), np.concatenate(hashes)


def _pieces(runs: Runs) -> Iterator[tuple[int, int]]:
    """Pieces of the runs that overlap by K - 1 bp, so that each k-mer lies in one of them."""
    for start, end in zip(runs.start.tolist(), runs.end.tolist(), strict=True):
        for low in range(start, end - K + 1, PIECE):
            yield low, min(low + PIECE + K - 1, end)


def canonical_kmers(letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The k-mers of a sequence or of its other strand, whichever number is less.

    Args:
        letters: (L,) uint8 ASCII, either case.

    Returns:
        (L - K + 1,) uint64, two bits a base, A C G T as 0 to 3; and whether all its bases are known.
    """
    codes = _CODES[letters]
    n = len(codes) - K + 1
    if n < 1:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=bool)
    unknown = np.concatenate(([0], np.cumsum(codes == _UNKNOWN)))
    base = (codes & 3).astype(np.uint64)
    forward = _joined(base)
    # The other strand's k-mers, reversed: complement is 3 - code, and the last base comes first.
    backward = _joined(np.uint64(3) - base[::-1])[::-1]
    return np.minimum(forward, backward), unknown[K:] == unknown[:n]


def _joined(base: np.ndarray) -> np.ndarray:
    """(L - 23,) 24-mers of two bits a base, by doubling: 2, 4, 8, 16, then 16 + 8."""
    width, by_width, word = 1, {}, base
    while width < 16:
        word = (word[:-width] << np.uint64(2 * width)) | word[width:]
        width *= 2
        by_width[width] = word
    return (by_width[16][:-8] << np.uint64(16)) | by_width[8][16:]


def _mixed(keys: np.ndarray) -> np.ndarray:
    """Finaliser of splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195), which loses no bit."""
    with np.errstate(over="ignore"):
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return keys ^ (keys >> np.uint64(31))


def _code_table() -> np.ndarray:
    table = np.full(256, _UNKNOWN, dtype=np.uint8)
    for code, base in enumerate("ACGT"):
        table[[ord(base), ord(base.lower())]] = code
    return table


_CODES = _code_table()


def _twins(seen: _Sketches, asked: _Sketches, train: np.ndarray, held: np.ndarray, whole: float) -> list[Twin]:
    """First who has half of its k-mers anywhere in training, which few have; then in which window."""
    known = np.sort(seen.hashes)
    needed = CONTAINED * DISTINCT * whole
    common = _is_in(known, asked.hashes)
    before = np.concatenate(([0], np.cumsum(common)))
    # Repeats are counted more than once here, so that this bound leaves out no twin.
    likely = np.flatnonzero((before[asked.high] - before[asked.low]) >= max(needed, 1))
    likely = [window for window in likely.tolist() if _half_in(known, asked.distinct(window), whole)]
    if not likely:
        return []
    index = _Index(seen, np.unique(np.concatenate([asked.distinct(window) for window in likely])))
    twins = []
    for window in likely:
        mine = asked.distinct(window)
        best, shared = index.best(mine)
        if shared and shared >= CONTAINED * max(len(mine), DISTINCT * whole):
            twins.append(Twin(int(held[window]), int(train[best]), shared / len(mine)))
    return twins


def _is_in(known: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    at = np.searchsorted(known, hashes)
    at[at == len(known)] = 0
    return known[at] == hashes if len(known) else np.zeros(len(hashes), dtype=bool)


def _half_in(known: np.ndarray, mine: np.ndarray, whole: float) -> bool:
    return _is_in(known, mine).sum() >= CONTAINED * max(len(mine), DISTINCT * whole)


class _Index:
    """Which training windows have which of the k-mers that are asked for."""

    def __init__(self, seen: _Sketches, asked: np.ndarray) -> None:
        at = np.searchsorted(asked, seen.hashes)
        at[at == len(asked)] = 0
        hit = np.flatnonzero(asked[at] == seen.hashes)
        window, place = _windows_over(seen, hit)
        pair = np.unique(np.searchsorted(asked, seen.hashes[place]) * np.int64(len(seen)) + window)
        self._asked, self._window = asked, pair % len(seen)
        self._low = np.searchsorted(pair // len(seen), np.arange(len(asked) + 1))

    def best(self, mine: np.ndarray) -> tuple[int, int]:
        """The training window with most of these k-mers, the first of equals, and how many it has."""
        rows = np.searchsorted(self._asked, mine)
        windows = [
            self._window[low : min(high, low + WINDOWS_A_KMER)]
            for low, high in zip(self._low[rows].tolist(), self._low[rows + 1].tolist(), strict=True)
        ]
        found, counts = np.unique(np.concatenate(windows), return_counts=True)
        return (int(found[np.argmax(counts)]), int(counts.max())) if len(found) else (0, 0)


def _windows_over(seen: _Sketches, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every (window, place) where a hit lies in a window's slice of sampled k-mers."""
    low, high = np.searchsorted(hit, seen.low), np.searchsorted(hit, seen.high)
    n = high - low
    window = np.repeat(np.arange(len(seen)), n)
    offset = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    return window, hit[np.repeat(low, n) + offset]
