"""Which windows cannot be used: blacklisted, unmappable, full of N; counts of bases in windows by the million.

Everything is a sum over per-base values, or a touch of merged intervals, chromosome by chromosome, so that the three
million tiles of a human genome take seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.genome.assembly import alias_map
from zoo.genome.encode import LETTERS
from zoo.genome.fasta import Genome
from zoo.genome.intervals import Intervals, RegionFile
from zoo.words import counted_of

__all__ = ["Places", "Runs", "base_counts", "by_chromosome", "mappable", "merged", "read_places", "read_runs", "sums"]

PIECE = 1 << 20  # bp held at once


@dataclass(frozen=True)
class Places:
    """Regions of a file, in its order: (n,) contig numbers, starts and ends (int64, 0-based half-open)."""

    number: np.ndarray
    start: np.ndarray
    end: np.ndarray


class Runs:
    """Merged intervals of one chromosome.

    Args:
        start, end: (n,) int64, 0-based half-open, in any order, may overlap.
    """

    def __init__(self, start: np.ndarray, end: np.ndarray) -> None:
        order = np.argsort(start, kind="stable")
        start, reach = start[order], np.maximum.accumulate(end[order])
        first = np.ones(len(start), dtype=bool)
        first[1:] = start[1:] > reach[:-1]
        self.start = start[first]
        self.end = reach[np.append(first[1:], True)] if len(start) else reach
        self._before = np.concatenate(([0], np.cumsum(self.end - self.start)))

    def _below(self, position: np.ndarray) -> np.ndarray:
        """Covered bases below each position."""
        run = np.searchsorted(self.start, position, side="right")
        whole = self._before[run]
        if not len(self.start):
            return whole
        beyond = np.where(run > 0, self.end[run - 1] - position, 0)
        return whole - np.maximum(beyond, 0)

    def covered(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """(n,) int64 bases of each ``[start, end)`` that the intervals cover."""
        return self._below(end) - self._below(start)

    def touched(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """(n,) bool: whether an interval and ``[start, end)`` share a base."""
        return self.covered(start, end) > 0


def by_chromosome(number: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each contig number with the rows that have it, in rising order of both."""
    if not len(number):
        return
    order = np.argsort(number, kind="stable")
    cuts = np.flatnonzero(np.diff(number[order])) + 1
    for rows in np.split(order, cuts):
        yield int(number[rows[0]]), rows


def merged(number: np.ndarray, start: np.ndarray, end: np.ndarray) -> dict[int, Runs]:
    """Merged intervals by contig number."""
    return {contig: Runs(start[rows], end[rows]) for contig, rows in by_chromosome(number)}


def sums(start: np.ndarray, end: np.ndarray, read: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """Sums of per-base values in windows of one chromosome; no more than 1 Mb of it is held at once.

    Args:
        start, end: (n,) int64 inside the chromosome.
        read: ``(low, high)`` -> (high - low,) values; called only for pieces that a window touches.

    Returns:
        (n,) int64 or float64, as the values are.
    """
    wanted = Runs(start, end)
    points, place = np.unique(np.concatenate([start, end]), return_inverse=True)
    below: np.ndarray | None = None
    total = 0
    for low in range(0, int(points[-1]) + 1 if len(points) else 0, PIECE):
        high = min(low + PIECE, int(points[-1]))
        first, last = np.searchsorted(points, [low, low + PIECE])
        # A piece that no window touches adds the same to the sums below a window's start and end: leave it out.
        if low == high or not wanted.touched(np.array([low]), np.array([high]))[0]:
            if below is not None:
                below[first:last] = total
            continue
        values = read(low, high)
        at = points[first:last] - low
        if values.dtype == bool and values.all():  # nearly every piece, where known bases are counted
            inside, whole = at, len(values)
        else:
            prefix = np.cumsum(values, dtype=np.float64 if values.dtype.kind == "f" else np.int64)
            inside, whole = np.where(at > 0, prefix[at - 1], 0), prefix[-1]
        if below is None:
            below = np.zeros(len(points), dtype=inside.dtype)
        below[first:last] = total + inside
        total += whole
    if below is None:
        return np.zeros(len(start), dtype=np.int64)
    return below[place[len(start) :]] - below[place[: len(start)]]


def base_counts(genome: Genome, number: np.ndarray, start: np.ndarray, length: int, bases: str) -> np.ndarray:
    """How many letters of windows inside their chromosomes are among ``bases``, either case: (n,) int64.

    Args:
        number: (n,) contig numbers. start: (n,) int64. length: bp.
        bases: some of ``ACGT``.
    """
    table = np.zeros(256, dtype=bool)
    table[[ord(letter) for base in bases for letter in LETTERS[base]]] = True
    out = np.zeros(len(start), dtype=np.int64)
    for contig, rows in by_chromosome(number):
        one = np.array([contig])

        def read(low: int, high: int, one: np.ndarray = one) -> np.ndarray:
            return table[genome.gather(one, np.array([low], dtype=np.int64), high - low)[0]]

        out[rows] = sums(start[rows], start[rows] + length, read)
    return out


def read_places(path: str | Path, genome: Genome, key: str, only: Collection[str] = (), partly: bool = False) -> Places:
    """Regions of a BED or narrowPeak whose chromosomes are the FASTA's.

    Args:
        key: of the configuration, for messages.
        only: chromosomes; regions elsewhere are left out.
        partly: regions on chromosomes that the FASTA lacks are left out, if it has some of the file's. For lists of a
            whole assembly, such as a blacklist.

    Raises:
        InputError: a row is malformed or past its chromosome's end; a chromosome is unknown.
    """
    with RegionFile(path) as file:
        summary = file.scan(genome.sizes)
        unknown = [name for name in summary.chrom_counts if name not in genome.sizes]
        if unknown and not (partly and len(unknown) < len(summary.chrom_counts)):
            _refuse_names(unknown, file.label, key, genome, summary.chrom_counts, summary.first_line)
        blocks = [_known(block, genome, only) for block in file.chunks()]
    return Places(*(np.concatenate(columns) for columns in zip(*blocks, strict=True)))


def _known(block: Intervals, genome: Genome, only: Collection[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kept = {name: number for number, name in enumerate(genome.sizes) if not only or name in only}
    number = np.fromiter((kept.get(name, -1) for name in block.chrom), dtype=np.int64, count=len(block))
    known = number >= 0
    return number[known], block.start[known], block.end[known]


def _refuse_names(
    unknown: list[str], label: str, key: str, genome: Genome, counts: Mapping[str, int], lines: Mapping[str, int]
) -> None:
    first = min(unknown, key=lines.__getitem__)
    n = sum(counts[name] for name in unknown)
    joined = alias_map([first], genome.sizes).get(first)
    known = ", ".join(list(genome.sizes)[:4]) + (", ..." if len(genome.sizes) > 4 else "")
    raise InputError(
        f"{label}:{lines[first]}: chromosome {first!r} is not in {genome.path}"
        + (f", which writes {joined!r}: the names are of another style" if joined else f", which has {known}"),
        f"of `{key}` {counted_of(n, sum(counts.values()), 'region', 'are')} on chromosomes that the FASTA lacks",
        "Fix: rename the chromosomes in one of the files"
        if joined
        else "Fix: give as `genome` the FASTA of the regions' assembly, or remove these rows",
    )


def read_runs(paths: Sequence[str | Path], genome: Genome, key: str) -> dict[int, Runs]:
    """Merged intervals of BED files by contig number; errors as in ``read_places``."""
    read = [read_places(path, genome, key, partly=True) for path in paths]
    if not read:
        return {}
    return merged(*(np.concatenate([getattr(p, field) for p in read]) for field in ("number", "start", "end")))


def mappable(path: str | Path, genome: Genome, number: np.ndarray, start: np.ndarray, length: int) -> np.ndarray:
    """Share of each window's bases that are mappable, (n,) float64.

    Args:
        path: BED of unique positions; or bigWig, whose mean is taken (1 a unique base, or the share of reads over a
            base that are unique, as Umap has both), bases without a value being 0.
        number: (n,) contig numbers. start: (n,) int64, windows inside their chromosomes. length: bp.

    Raises:
        InputError: the file cannot be read, or is of another assembly.
    """
    if not _is_bigwig(Path(path)):
        runs = read_runs([path], genome, "regions.mappability")
        out = np.zeros(len(start))
        for contig, rows in by_chromosome(number):
            if contig in runs:
                out[rows] = runs[contig].covered(start[rows], start[rows] + length)
        return out / length
    return _mappable_bigwig(path, genome, number, start, length)


def _is_bigwig(path: Path) -> bool:
    """By its first four bytes, in either byte order (Kent et al. 2010, doi:10.1093/bioinformatics/btq351)."""
    try:
        with path.open("rb") as handle:
            return handle.read(4) in (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
    except OSError:
        return False  # RegionFile says what is wrong


def _mappable_bigwig(
    path: str | Path, genome: Genome, number: np.ndarray, start: np.ndarray, length: int
) -> np.ndarray:
    import pyBigWig

    out = np.zeros(len(start))
    file = pyBigWig.open(str(path))
    try:
        sizes = file.chroms()
        names = list(genome.sizes)
        if not any(names[contig] in sizes for contig in np.unique(number)) and len(number):
            raise InputError(
                f"{path}: has none of the chromosomes of {genome.path}",
                f"it has {', '.join(list(sizes)[:4])}; the FASTA {', '.join(names[:4])}",
                "Fix: give as `regions.mappability` the bigWig of the genome's assembly",
            )
        for contig, rows in by_chromosome(number):
            name = names[contig]
            if name not in sizes:
                continue
            if sizes[name] != genome.sizes[name]:
                raise InputError(
                    f"{path}: {name} has {sizes[name]:,} bp; in {genome.path} it has {genome.sizes[name]:,}",
                    "it is of another assembly",
                    "Fix: give as `regions.mappability` the bigWig of the genome's assembly",
                )

            def read(low: int, high: int, name: str = name) -> np.ndarray:
                return np.nan_to_num(file.values(name, low, high, numpy=True).astype(np.float64))

            out[rows] = sums(start[rows], start[rows] + length, read)
    finally:
        file.close()
    return out / length
