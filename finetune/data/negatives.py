"""Windows without a peak that have the peaks' GC content, so that a model cannot tell the two by composition alone.

GC matching of backgrounds as in gkm-SVM's ``genNullSeqs`` (Ghandi et al. 2016, doi:10.1093/bioinformatics/btw203). Each
negative comes from its peak's chromosome, so that a split by chromosome keeps both on one side.
"""

from __future__ import annotations

import numpy as np

from finetune.data.exclude import base_counts, by_chromosome
from zoo.genome.fasta import Genome

__all__ = ["GC_BIN", "candidates", "gc_bins", "match", "wanted_each"]

#: Width of a class of GC share.
GC_BIN = 0.02


def gc_bins(genome: Genome, number: np.ndarray, start: np.ndarray, length: int) -> np.ndarray:
    """Class of each window's GC share, (n,) int64 from 0 to 50; N count as neither.

    Args:
        number: (n,) contig numbers. start: (n,) int64, windows inside their chromosomes. length: bp.
    """
    gc = base_counts(genome, number, start, length, "CG")
    known = gc + base_counts(genome, number, start, length, "AT")
    return _bin(gc, known)


def _bin(gc: np.ndarray, known: np.ndarray) -> np.ndarray:
    # In whole numbers: 0.28 / 0.02 is 14.000000000000002 in one order of operations and 13.99 in another.
    return gc * round(1 / GC_BIN) // np.maximum(known, 1)


def wanted_each(n: int, negatives: float) -> np.ndarray:
    """How many negatives each of n peaks gets: ``negatives`` on average, evenly over the rows: (n,) int64."""
    upto = np.floor(np.arange(n + 1) * negatives + 1e-9).astype(np.int64)
    return np.diff(upto)


def candidates(
    sizes: np.ndarray, contigs: np.ndarray, length: int, span: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Windows from a random place every ``span`` bp, so that no two outputs overlap.

    Args:
        sizes: bp of every contig. contigs: numbers of those that have peaks.

    Returns:
        (n,) contig numbers and (n,) int64 starts.
    """
    phases = rng.integers(0, span, size=len(contigs))
    starts = [
        np.arange(phase, sizes[contig] - length + 1, span, dtype=np.int64)
        for contig, phase in zip(contigs.tolist(), phases.tolist(), strict=True)
    ]
    number = np.repeat(contigs, [len(rows) for rows in starts])
    return number, np.concatenate(starts) if starts else np.empty(0, dtype=np.int64)


def match(
    peak_number: np.ndarray,
    peak_bin: np.ndarray,
    each: np.ndarray,
    number: np.ndarray,
    gc_bin: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, int]:
    """Draw candidates so that each chromosome and class of GC has its share.

    Args:
        peak_number, peak_bin, each: (p,) contig number, GC class and negatives of each peak.
        number, gc_bin: (n,) of the candidates.

    Returns:
        Rows of the candidates, rising, and how many negatives were wanted but not there.
    """
    order = rng.permutation(len(number))
    kind = _key(number, gc_bin)[order]
    wanted: dict[int, int] = {}
    for one, rows in by_chromosome(_key(peak_number, peak_bin)):
        wanted[one] = int(each[rows].sum())
    taken = [order[rows[: wanted[one]]] for one, rows in by_chromosome(kind) if one in wanted]
    rows = np.sort(np.concatenate(taken)) if taken else np.empty(0, dtype=np.int64)
    return rows, sum(wanted.values()) - len(rows)


def _key(number: np.ndarray, gc_bin: np.ndarray) -> np.ndarray:
    return number * 64 + gc_bin
