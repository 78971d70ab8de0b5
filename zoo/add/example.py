"""The example of a drafted entry: windows cut from a genome, or seeded random sequence."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.genome.fasta import open_genome
from zoo.genome.intervals import RegionFile

__all__ = ["Example", "cut_example", "random_example"]

WINDOWS = 6
MAX_BASES = 200_000  # so that the example of a long model stays small
LINE = 80


@dataclass(frozen=True)
class Example:
    """Text of a FASTA with one contig a window, of a BED6, and where they came from."""

    fasta: str
    bed: str
    origin: str


def random_example(length: int) -> Example:
    """Random sequence of equal base frequencies, the same at every call."""
    rng = random.Random(0)
    letters = ["".join(rng.choices("ACGT", k=length)) for _ in range(_count(length))]
    rows = [(f"chrRandom{i}", 0, length, f"window_{i}", "+-"[i % 2]) for i in range(len(letters))]
    return _example(rows, letters, "random sequence (seeded, equal base frequencies), not of a genome")


def cut_example(genome: Path, regions: Path, length: int) -> Example:
    """The windows of the first regions that lie inside their chromosomes.

    A window becomes a contig of its own, named ``chrom_start_end`` after its place in the genome, and
    with ``chr`` before it: Kipoi's dataloader puts it there where it is missing.

    Raises:
        InputError: a row is malformed, or no window lies inside a chromosome of the FASTA.
    """
    fasta = open_genome(genome)
    try:
        with RegionFile(regions) as file:
            file.scan(fasta.sizes)
            rows, letters = [], []
            for chunk in file.chunks():
                for i in range(len(chunk)):
                    chrom, start, end = str(chunk.chrom[i]), int(chunk.start[i]), int(chunk.end[i])
                    first = (start + end) // 2 - length // 2
                    if chrom not in fasta.sizes or first < 0 or first + length > fasta.sizes[chrom]:
                        continue
                    low, high = max(0, start - first), min(length, end - first)
                    if (low + high) // 2 != length // 2:  # a region that is longer than the window
                        low, high = 0, length
                    codes = fasta.gather(fasta.numbers(np.array([chrom], dtype=object)), np.array([first]), length)
                    letters.append(codes[0].tobytes().decode("ascii"))
                    name = f"region_{i}" if chunk.name[i] == "." else str(chunk.name[i])
                    contig = f"chr{chrom.removeprefix('chr')}_{first}_{first + length}"
                    rows.append((contig, low, high, name, _strand(str(chunk.strand[i]))))
                    if len(rows) == _count(length):
                        return _example(rows, letters, _origin(genome, regions))
    finally:
        fasta.close()
    if not rows:
        raise InputError(
            f"{regions}: no region leaves room for a window of {length:,} bp in {genome}",
            "",
            "Fix: give regions further from the ends of chromosomes, of the genome's names",
        )
    return _example(rows, letters, _origin(genome, regions))


def _count(length: int) -> int:
    return max(1, min(WINDOWS, MAX_BASES // length))


def _strand(strand: str) -> str:
    return strand if strand in "+-" else "."


def _origin(genome: Path, regions: Path) -> str:
    return f"windows of {Path(genome).name} on the first regions of {Path(regions).name}"


def _example(rows: list[tuple[str, int, int, str, str]], letters: list[str], origin: str) -> Example:
    fasta = []
    placed = {}
    for (contig, *_), sequence in zip(rows, letters, strict=True):
        if placed.setdefault(contig, sequence) is sequence:
            lines = [sequence[i : i + LINE] for i in range(0, len(sequence), LINE)]
            fasta.append(f">{contig}\n" + "\n".join(lines) + "\n")
    bed = [f"{contig}\t{start}\t{end}\t{name}\t0\t{strand}\n" for contig, start, end, name, strand in rows]
    return Example("".join(fasta), "".join(bed), origin)
