"""Sequences of validation and test that training has seen nearly the same elsewhere: segmental duplications, copies.

Windows are compared by a sketch: those of their canonical 24-mers (the lesser of both strands) whose hash falls below a
bound, as in FracMinHash (Irber et al. 2022, doi:10.1101/2022.01.11.475838). k-mers are counted once however often they
occur, so that poly-A or a short tandem repeat, with a handful of distinct k-mers, makes no two windows alike.

What is looked for is a stretch of training sequence as long as a window, wherever windows begin: a copy that two tiles
hold half each was seen as well as one that lies in a single tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from finetune.config import SplitConfig
from finetune.data.exclude import Runs, by_chromosome
from finetune.data.regions import Geometry, Windows
from zoo.errors import UsageError
from zoo.genome.encode import LETTERS
from zoo.genome.fasta import Genome
from zoo.words import counted_of

__all__ = ["CONTAINED", "K", "Twin", "canonical_kmers", "check_duplicates", "find_twins"]

K = 24
#: Share of a window's distinct k-mers that one training window must have.
CONTAINED = 0.5
#: A window of fewer distinct k-mers than this share of its length is a repeat that no share of them makes a copy.
DISTINCT = 0.5
#: k-mers of a window that are enough to tell a share of 0.4 from 0.6, and of a genome that fit in memory.
SKETCH, MOST = 256, 1 << 25
#: Stretches of training sequence that are compared begin every window's length / STEPS.
STEPS = 4
#: Stretches that are looked at for one k-mer: satellites lie in thousands, any of which will do.
STRETCHES_A_KMER = 1024
CONTIG = 1 << 40  # between the coordinates of two contigs
PIECE = 1 << 20
_UNKNOWN = 4


@dataclass(frozen=True)
class Twin:
    """A window of validation or test, and where in training most of its k-mers are.

    Attributes:
        row: number of the window. train: number of the training window that begins nearest to the stretch.
        contained: share of the window's distinct k-mers in that stretch, between 0 and 1.
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
        f"{counted_of(len(twins), held_out, 'validation or test window', 'have')} such a twin in training",
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
    """Windows of validation and test most of whose k-mers one stretch of training has, in the order of rows.

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
        self.start = number * CONTIG + start
        self.length = length
        at, parts = [], []
        base = 0
        for contig, rows in by_chromosome(number):
            places, hashes = _sampled(genome, contig, Runs(start[rows], start[rows] + length), keep_one_in)
            self.low[rows] = base + np.searchsorted(places, start[rows])
            self.high[rows] = base + np.searchsorted(places, start[rows] + length - K + 1)
            at.append(places + contig * CONTIG)
            parts.append(hashes)
            base += len(hashes)
        self.at = np.concatenate(at)
        self.hashes = np.concatenate(parts)

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
        table[[ord(letter) for letter in LETTERS[base]]] = code
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
    """Which stretches of training have which of the k-mers that are asked for."""

    def __init__(self, seen: _Sketches, asked: np.ndarray) -> None:
        place = np.searchsorted(asked, seen.hashes)
        place[place == len(asked)] = 0
        hit = np.flatnonzero(asked[place] == seen.hashes)
        step = max(1, seen.length // STEPS)
        covering = (seen.at[hit, None] // step - np.arange(STEPS)).ravel()
        stretches, number = np.unique(covering, return_inverse=True)
        pair = np.unique(np.repeat(place[hit], STEPS) * np.int64(max(len(stretches), 1)) + number)
        self._asked, self._stretch = asked, pair % max(len(stretches), 1)
        self._low = np.searchsorted(pair // max(len(stretches), 1), np.arange(len(asked) + 1))
        self._nearest = _nearest(seen.start, stretches * step)

    def best(self, mine: np.ndarray) -> tuple[int, int]:
        """The training window at the stretch with most of these k-mers, the first of equals, and how many it has."""
        rows = np.searchsorted(self._asked, mine)
        stretches = [
            self._stretch[low : min(high, low + STRETCHES_A_KMER)]
            for low, high in zip(self._low[rows].tolist(), self._low[rows + 1].tolist(), strict=True)
        ]
        found, counts = np.unique(np.concatenate(stretches), return_counts=True)
        return (int(self._nearest[found[np.argmax(counts)]]), int(counts.max())) if len(found) else (0, 0)


def _nearest(start: np.ndarray, at: np.ndarray) -> np.ndarray:
    """For each place the number of the window that begins nearest to it."""
    order = np.argsort(start, kind="stable")
    below = np.clip(np.searchsorted(start[order], at, side="right") - 1, 0, len(start) - 1)
    above = np.minimum(below + 1, len(start) - 1)
    left, right = order[below], order[above]
    return np.where(np.abs(start[right] - at) < np.abs(start[left] - at), right, left)
