"""The real data that the pitfalls are shown on: yeast ATAC, histone marks of four cells, sequences that bind CTCF."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.yeast_atac.data import GENOME_FILE, encode, load_chromosomes, touches_mask

__all__ = [
    "CELLS",
    "YeastWindows",
    "bound_sequences",
    "genome_sequences",
    "marks",
    "peak_bases",
    "yeast_genome",
    "yeast_windows",
]

#: Roadmap's names of H1 embryonic stem cells, IMR-90 lung fibroblasts, aorta and GM12878 lymphoblastoid cells.
CELLS = ("E003", "E017", "E065", "E116")
#: bp of a value of the histone tracks as they are on disk.
TRACK_BIN = 25


@dataclass(frozen=True)
class YeastWindows:
    """Windows of the yeast genome and how often Tn5 cut in them.

    Attributes:
        chrom: (n,) object. start: (n,) int64, 0-based. codes: (n, length) uint8, A C G T as 0..3.
        cuts: (n,) float64, cuts of all fragments in the window.
    """

    chrom: np.ndarray
    start: np.ndarray
    codes: np.ndarray
    cuts: np.ndarray

    @property
    def gc(self) -> np.ndarray:
        """(n,) share of C and G."""
        return np.isin(self.codes, (1, 2)).mean(1)

    def take(self, rows: np.ndarray) -> YeastWindows:
        """Those of the rows, given by number or as a mask."""
        return YeastWindows(self.chrom[rows], self.start[rows], self.codes[rows], self.cuts[rows])

    def on(self, chroms: tuple[str, ...]) -> np.ndarray:
        """(n,) bool, True on one of the chromosomes."""
        return np.isin(self.chrom, np.array(chroms, dtype=object))


def yeast_windows(data: Path, chroms: tuple[str, ...], length: int, stride: int) -> YeastWindows:
    """Windows of ``length`` bp each ``stride`` bp, without the rDNA repeat (copy number, not accessibility)."""
    parts = []
    for chrom in load_chromosomes(data / "d09_yeast", chroms, "all"):
        start = np.arange(0, chrom.length - length + 1, stride)
        start = start[~touches_mask(chrom, start, length)]
        before = np.concatenate([[0], np.cumsum(chrom.cuts)])
        codes = chrom.codes[start[:, None] + np.arange(length)]
        name = np.full(len(start), chrom.name, dtype=object)
        parts.append((name, start, codes, (before[start + length] - before[start]).astype(float)))
    return YeastWindows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def yeast_genome(data: Path, folder: Path) -> Path:
    """The yeast FASTA, unpacked into a folder of our own, where its index may be written."""
    path = folder / GENOME_FILE.removesuffix(".gz")
    with gzip.open(data / "d09_yeast" / GENOME_FILE, "rb") as packed:
        path.write_bytes(packed.read())
    return path


def marks(data: Path, mark: str, bin_size: int) -> np.ndarray:
    """(4 cells, bins) mean arcsinh of -log10 p of a histone mark in the ENCODE pilot regions.

    The regions lie end to end, without coordinates (Schreiber et al. 2020, Avocado).
    """
    k = bin_size // TRACK_BIN
    tracks = [
        np.load(data / "d07_avocado_pilot" / f"{cell}.{mark}.pilot.arcsinh.npz")["arr_0"].astype(np.float64)
        for cell in CELLS
    ]
    n = min(map(len, tracks)) // k
    return np.stack([track[: n * k].reshape(n, k).mean(1) for track in tracks])


def bound_sequences(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Human sequences that CTCF binds: (n,) chromosomes and (n, 100) uint8 codes."""
    rows = [(name.partition(":")[0], codes) for name, codes in _records(data / "d05_ctcf_pu1_sequences" / "ctcf.fa.gz")]
    rows = [row for row in rows if len(row[1]) == 100 and row[1].max() < 4]
    return np.array([row[0] for row in rows], dtype=object), np.stack([row[1] for row in rows])


def genome_sequences(data: Path, length: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Human sequences laid end to end over 55 windows of 131 kb: (n,) chromosomes and (n, length) uint8 codes."""
    chrom, parts = [], []
    for name, codes in _records(data / "d01_hg38_windows" / "hg38_windows_dev.fa.gz"):
        tiles = codes[: len(codes) // length * length].reshape(-1, length)
        tiles = tiles[tiles.max(1) < 4]
        parts.append(tiles)
        chrom += [name.partition(":")[0]] * len(tiles)
    return np.array(chrom, dtype=object), np.concatenate(parts)


def peak_bases(data: Path) -> int:
    """Bases of all CTCF peaks of K562."""
    with gzip.open(data / "d12_encode_tf_peaks" / "K562.CTCF.narrowPeak.gz", "rt") as rows:
        return sum(int(end) - int(start) for _, start, end, *_ in map(str.split, rows))


def _records(path: Path) -> list[tuple[str, np.ndarray]]:
    with gzip.open(path, "rt") as handle:
        records = handle.read().split(">")[1:]
    return [
        (header.split()[0], encode(body.replace("\n", "")))
        for header, _, body in (record.partition("\n") for record in records)
    ]
