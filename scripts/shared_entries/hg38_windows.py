"""The windows of hg38 in the data folder (``d01_hg38_windows``): sequence and annotated splice sites."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = [
    "Gene",
    "SpliceRegion",
    "deepbind_windows",
    "fasta_text",
    "genes",
    "one_hot",
    "oracle_sequence",
    "read_windows",
    "splice_regions",
]

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


@dataclass(frozen=True)
class Gene:
    """A gene's main transcript in a window.

    Attributes:
        window: name of the window, ``chrom:start-end``. length: of the window.
        start, end: of the transcript, 0-based half-open, in the window; outside of it where it goes on.
        first, last: first base of each exon but the lowest, last base of each but the highest, in the window.
    """

    name: str
    window: str
    length: int
    strand: str
    start: int
    end: int
    first: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True)
class SpliceRegion:
    """A stretch of a window, on the strand of a gene, and the gene's splice sites in it.

    Attributes:
        window: name of the window, ``chrom:start-end``.
        start, end: 0-based half-open, in the window.
        strand: of the gene.
        acceptors, donors: first and last base of exons, counted from the start of the stretch in reading direction.
    """

    window: str
    start: int
    end: int
    strand: str
    acceptors: tuple[int, ...]
    donors: tuple[int, ...]


def read_windows(data: Path) -> dict[str, str]:
    """Name (``chrom:start-end``, 0-based) and sequence of each window."""
    with gzip.open(data / "d01_hg38_windows" / "hg38_windows_dev.fa.gz", "rt") as handle:
        records = handle.read().split(">")[1:]
    return {name: "".join(lines) for name, *lines in (record.split("\n") for record in records)}


def fasta_text(name: str, sequence: str) -> str:
    """A FASTA record with lines of 60 letters."""
    return f">{name}\n" + "".join(f"{sequence[i : i + 60]}\n" for i in range(0, len(sequence), 60))


def one_hot(sequence: str) -> np.ndarray:
    """(4, length) float32, channels A C G T; unknown bases are zero."""
    letters = np.frombuffer(sequence.encode(), np.uint8)
    return (letters == np.frombuffer(b"ACGT", np.uint8)[:, None]).astype(np.float32)


def deepbind_windows(data: Path) -> np.ndarray:
    """(4, 4, 101) one-hot: the windows on which DeepBind's oracles were made."""
    sequence = next(iter(read_windows(data).values()))[60_000:61_000]
    return np.stack([one_hot(sequence[start : start + 101]) for start in range(100, 900, 200)])


def oracle_sequence(data: Path) -> str:
    """15,000 bp around the stretch with most splice sites, read on its gene's strand, with 40 unknown bases."""
    region = splice_regions(data, 1)[0]
    sequence = read_windows(data)[region.window][region.start - 5000 : region.end + 5000]
    if region.strand == "-":
        sequence = sequence.translate(COMPLEMENT)[::-1]
    return sequence[:7000] + "N" * 40 + sequence[7040:]


def genes(data: Path) -> Iterator[Gene]:
    """The genes of the windows."""
    for line in (data / "d01_hg38_windows" / "genes_exons_dev.tsv").read_text().splitlines()[1:]:
        name, _, strand, start, end, starts, ends, _, window = line.split("\t")
        origin, window_end = map(int, window.split(":")[1].split("-"))
        first = tuple(int(one) - origin for one in starts.strip(",").split(",")[1:])
        last = tuple(int(one) - 1 - origin for one in ends.strip(",").split(",")[:-1])
        yield Gene(name, window, window_end - origin, strand, int(start) - origin, int(end) - origin, first, last)


def splice_regions(data: Path, n: int | None, length: int = 5000, margin: int = 5000) -> list[SpliceRegion]:
    """The ``n`` (all if None) stretches with most annotated splice sites, one a gene, ``margin`` bp from an end."""
    found = []
    for gene in genes(data):
        room = range(margin, gene.length - margin - length)
        if best := _best_stretch([*gene.first, *gene.last], room, length):
            found.append(_region(gene, best, best + length))
    return sorted(found, key=lambda region: -len(region.acceptors) - len(region.donors))[:n]


def _best_stretch(sites: list[int], room: range, length: int) -> int | None:
    """The start in ``room`` whose stretch holds most sites, from those that start 100 bp before a site."""
    starts = [site - 100 for site in sorted(sites) if site - 100 in room]
    return max(starts, key=lambda start: sum(start <= site < start + length for site in sites), default=None)


def _region(gene: Gene, start: int, end: int) -> SpliceRegion:
    acceptors, donors = (gene.first, gene.last) if gene.strand == "+" else (gene.last, gene.first)

    def inside(sites: tuple[int, ...]) -> tuple[int, ...]:
        from_start = (site - start if gene.strand == "+" else end - 1 - site for site in sites)
        return tuple(sorted(site for site in from_start if 0 <= site < end - start))

    return SpliceRegion(gene.window, start, end, gene.strand, inside(acceptors), inside(donors))
