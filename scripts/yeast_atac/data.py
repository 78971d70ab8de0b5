"""Yeast ATAC-seq data: fragments to binned Tn5 cuts, the genome, and the split.

Coordinates are 0-based and half-open throughout, on sacCer3 with UCSC chromosome names.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BIN_SIZE = 32
#: Fragments shorter than this span no nucleosome ("nucleosome-free").
NFR_MAX_LENGTH = 130

FRAGMENTS_FILE = "atac_fragments_SRR1822137.bedpe.gz"
GENOME_FILE = "sacCer3.fa.gz"

TEST_CHROMS = ("chrI", "chrVIII")
VALIDATION_CHROMS = ("chrIX",)
TRAIN_CHROMS = (
    "chrII", "chrIII", "chrIV", "chrVI", "chrVII", "chrXI",
    "chrXII", "chrXIII", "chrXIV", "chrXV", "chrXVI",
)  # fmt: skip
#: chrV and chrX have no fragments in the file; chrM is not nuclear.
EXCLUDED_CHROMS = ("chrV", "chrX", "chrM")

#: The rDNA repeat of chrXII. About 150 copies in the cell collapse onto the two of the
#: assembly (measured: over 140 times the chromosome's median in every kilobase of 451-469 kb)
#: and onto the stray 5S and spacer copies up to 491 kb (over 100 times at 489-491 kb). Counts
#: there tell the copy number, not accessibility.
MASKED: dict[str, tuple[tuple[int, int], ...]] = {"chrXII": ((450_000, 491_000),)}

#: A C G T -> 0..3, everything else -> 4.
_CODES = np.full(256, 4, dtype=np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "Tt")):
    for _letter in _letters:
        _CODES[ord(_letter)] = _code

#: Row per code. An unknown base is 0.25 in all channels, as in kipoiseq's loader.
ONE_HOT = np.vstack([np.eye(4), np.full((1, 4), 0.25)]).astype(np.float32)


@dataclass(frozen=True)
class Chromosome:
    """Sequence and cuts of one chromosome.

    Attributes:
        codes: (length,) uint8, A C G T as 0..3 and anything else as 4.
        cuts: (length,) int32, Tn5 cuts at each base.
        masked: (length,) bool, True where counts must not be used.
    """

    name: str
    codes: np.ndarray
    cuts: np.ndarray
    masked: np.ndarray

    @property
    def length(self) -> int:
        """Length in bp."""
        return len(self.codes)


def read_fragments(path: Path) -> dict[str, np.ndarray]:
    """Read `chrom start end` rows into {chrom: (n, 2) int64}."""
    rows: dict[str, list[tuple[int, int]]] = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            chrom, start, end = line.split()[:3]
            rows.setdefault(chrom, []).append((int(start), int(end)))
    return {chrom: np.array(pairs, dtype=np.int64) for chrom, pairs in rows.items()}


def select_fragments(fragments: np.ndarray, kind: str) -> np.ndarray:
    """Keep `nfr` (shorter than 130 bp) or `all` of (n, 2) fragments."""
    if kind == "all":
        return fragments
    if kind == "nfr":
        return fragments[fragments[:, 1] - fragments[:, 0] < NFR_MAX_LENGTH]
    raise ValueError(f"fragments must be 'nfr' or 'all', not {kind!r}")


def cut_positions(fragments: np.ndarray) -> np.ndarray:
    """Bases at which Tn5 cut, two for each (n, 2) fragment, starts first: (2n,) int64.

    Tn5 duplicates 9 bp at its site, so the fragment on the right starts at the first of
    these 9 bases and the fragment on the left ends with the last. For a half-open fragment
    the site's central base is `start + 4` on the one side and `end - 5` on the other (which
    is 4 left of the last base, `end - 1`): both ends of one site name the same base.
    """
    return np.concatenate([fragments[:, 0] + 4, fragments[:, 1] - 5])


def count_cuts(positions: np.ndarray, length: int) -> np.ndarray:
    """Cuts at each base of a chromosome, (length,) int32; positions outside are dropped."""
    inside = positions[(positions >= 0) & (positions < length)]
    return np.bincount(inside, minlength=length).astype(np.int32)


def bin_cuts(cuts: np.ndarray, start: int, n_bins: int, bin_size: int = BIN_SIZE) -> np.ndarray:
    """Sum base-resolution cuts into (n_bins,) float32 bins from base `start` on."""
    stop = start + n_bins * bin_size
    if start < 0 or stop > len(cuts):
        raise ValueError(f"bins {start}-{stop} reach past the chromosome (0-{len(cuts)})")
    return cuts[start:stop].reshape(n_bins, bin_size).sum(axis=1).astype(np.float32)


def encode(sequence: str) -> np.ndarray:
    """Letters to (length,) uint8 codes."""
    return _CODES[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]


def one_hot(codes: np.ndarray) -> np.ndarray:
    """(..., length) codes to (..., 4, length) float32, channels A C G T."""
    return np.ascontiguousarray(np.swapaxes(ONE_HOT[codes], -1, -2))


def read_fasta(path: Path) -> dict[str, str]:
    """Read a FASTA (plain or gzip) into {name: sequence}; the name ends at a blank."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as handle:
        records = handle.read().split(">")[1:]
    return {
        header.split()[0]: body.replace("\n", "") for header, _, body in (record.partition("\n") for record in records)
    }


def mask_of(chrom: str, length: int) -> np.ndarray:
    """(length,) bool, True in the masked regions of `chrom`."""
    masked = np.zeros(length, dtype=bool)
    for start, end in MASKED.get(chrom, ()):
        masked[start:end] = True
    return masked


def load_chromosomes(data: Path, chroms: tuple[str, ...], fragments: str) -> list[Chromosome]:
    """Load sequence, cuts and mask of `chroms`; `fragments` is `nfr` or `all`."""
    unusable = set(chroms) & set(EXCLUDED_CHROMS)
    if unusable:
        raise ValueError(f"no usable data on {', '.join(sorted(unusable))}")
    sequences = read_fasta(data / GENOME_FILE)
    pairs = read_fragments(data / FRAGMENTS_FILE)
    loaded = []
    for chrom in chroms:
        codes = encode(sequences[chrom])
        positions = cut_positions(select_fragments(pairs[chrom], fragments))
        cuts = count_cuts(positions, len(codes))
        loaded.append(Chromosome(chrom, codes, cuts, mask_of(chrom, len(codes))))
    return loaded


def tile_starts(chrom: Chromosome, input_length: int, output_length: int) -> np.ndarray:
    """Starts of input windows whose outputs tile the chromosome without overlap.

    The output lies in the middle of the input. Windows lie wholly on the chromosome, so the
    last partial window is left out (and, where the output is shorter than the input, the
    margin before the first); windows that touch a masked base are left out too.
    """
    starts = np.arange(0, chrom.length - input_length + 1, output_length)
    return starts[~touches_mask(chrom, starts, input_length)]


def touches_mask(chrom: Chromosome, starts: np.ndarray, length: int) -> np.ndarray:
    """(n,) bool: which windows [start, start + length) hold a masked base."""
    before = np.concatenate([[0], np.cumsum(chrom.masked)])
    return before[starts + length] > before[starts]


def window_arrays(
    chrom: Chromosome, starts: np.ndarray, input_length: int, output_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n, input_length) uint8 and binned cuts (n, output_length / 32) float32."""
    codes = chrom.codes[starts[:, None] + np.arange(input_length)]
    crop = (input_length - output_length) // 2
    before = np.concatenate([[0], np.cumsum(chrom.cuts)])
    edges = (starts + crop)[:, None] + np.arange(0, output_length + 1, BIN_SIZE)
    return codes, np.diff(before[edges], axis=1).astype(np.float32)


def log_pearson(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Pearson correlation of log1p of two arrays of counts of the same shape."""
    return float(np.corrcoef(np.log1p(predicted).ravel(), np.log1p(observed).ravel())[0, 1])
