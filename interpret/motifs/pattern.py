"""What a pattern is: matrices, the core that carries it, its seqlets and their places, what the model says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from interpret.contribs.central import Regions

__all__ = [
    "ALIKE",
    "Alignment",
    "Effect",
    "Pattern",
    "Places",
    "PredictedTrack",
    "Seqlets",
    "alignment",
    "core_of",
    "information",
    "likeness",
    "places_of",
]

CORE_THRESHOLD, CORE_WIDTH = 0.2, 6
MATCH_FLANK = 2
PSEUDOCOUNT = 0.001
ALIKE = 0.9  # cosine of two cores' contributions from which they are called the same motif


@dataclass(frozen=True)
class Seqlets:
    """Instances that TF-MoDISco aligned into a pattern, in the positions of the sequences in the file.

    Attributes:
        sequence: (n,) int64, index of the sequence.
        start, end: (n,) int64, half-open, in the sequence as the model saw it.
        reverse: (n,) bool, whether the pattern lies on the other strand.
        contribution: (n,) float32, sum over the seqlet of the contribution of the base that is there.
        core_contribution: (n,) float32, the same over the pattern's core.
        letters: (n, W) uint8, 0-3 for A C G T in the pattern's orientation, 4 for N.
    """

    sequence: np.ndarray
    start: np.ndarray
    end: np.ndarray
    reverse: np.ndarray
    contribution: np.ndarray
    core_contribution: np.ndarray
    letters: np.ndarray

    def __len__(self) -> int:
        return len(self.sequence)

    def core(self, core: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Start and end of each seqlet's core: on the other strand it is counted from the end."""
        start = np.where(self.reverse, self.end - core[1], self.start + core[0])
        return start, start + (core[1] - core[0])


@dataclass(frozen=True)
class Pattern:
    """A pattern of TF-MoDISco.

    Attributes:
        name: as in the file, ``pos_patterns.pattern_0``.
        probability: (W, 4), frequencies of A C G T over the seqlets.
        contribution: (W, 4), mean contribution of the bases that are there (CWM).
        hypothetical: (W, 4), mean hypothetical contribution (hCWM).
        core: (start, end) of the columns that carry the contribution.
        seqlets: where it was found.
        subpatterns: its subclusters.
        turned: whether the core contributes in the other sign than the seqlets around it: TF-MoDISco files a seqlet by
            its whole window, so that a site that lowers the prediction, beside one that raises it more, is among the
            positive patterns.
        number: counted from 1 in its sign, as in ``short_name``; None is that of the name.
    """

    name: str
    probability: np.ndarray
    contribution: np.ndarray
    hypothetical: np.ndarray
    core: tuple[int, int]
    seqlets: Seqlets
    subpatterns: tuple[Pattern, ...] = field(default=())
    turned: bool = False
    number: int | None = None

    @property
    def positive(self) -> bool:
        """Whether its core raises the prediction: the sign of a pattern is that of its contributions."""
        return self.name.startswith("pos") != self.turned

    @property
    def short_name(self) -> str:
        """``+1``, ``-3``, ``+1.2`` for a subpattern: sign and numbers, counted from 1; turned ones after the others."""
        sign = "+" if self.positive else "-"
        numbers = [int(part.split("_")[1]) + 1 for part in self.name.split(".")[1:]]
        return sign + ".".join(map(str, [self.number or numbers[0], *numbers[1:]]))

    @property
    def query(self) -> tuple[int, int]:
        """The columns that are compared with known motifs: the core and ``MATCH_FLANK`` on each side.

        On yeast promoters REB1's q is 0.2 with the core alone, 0.01, 0.001, 0.002 with one to three more.
        """
        return max(self.core[0] - MATCH_FLANK, 0), min(self.core[1] + MATCH_FLANK, len(self.contribution))

    @property
    def strongest(self) -> np.ndarray:
        """Indices of the seqlets, those whose core contributes most in the pattern's sign first."""
        sign = -1 if self.positive else 1
        return np.argsort(sign * self.seqlets.core_contribution, kind="stable")

    @property
    def consensus(self) -> str:
        """Most frequent base of each core column, in lower case where it is below one half."""
        core = self.probability[slice(*self.core)]
        letters = [("ACGT"[column.argmax()], column.max()) for column in core]
        return "".join(base if share >= 0.5 else base.lower() for base, share in letters)


def core_of(contribution: np.ndarray, probability: np.ndarray, threshold: float = CORE_THRESHOLD) -> tuple[int, int]:
    """First and last column (half-open) whose weight reaches a share of the largest; at least ``CORE_WIDTH`` columns.

    The weight is the summed absolute contribution times the information. Contribution alone, as in
    TF-MoDISco's report, keeps the noise of small patterns: on yeast promoters 45 of 50 columns, with
    which TOMTOM then finds GAL4 everywhere.

    Args:
        contribution, probability: (W, 4).
        threshold: share of the largest weight.
    """
    weight = np.abs(contribution).sum(axis=1) * np.maximum(information(probability), 0)
    kept = np.flatnonzero(weight >= weight.max() * threshold)
    start, end = int(kept[0]), int(kept[-1]) + 1
    while end - start < min(CORE_WIDTH, len(weight)):
        left = weight[start - 1] if start else -1.0
        right = weight[end] if end < len(weight) else -1.0
        start, end = (start - 1, end) if left > right else (start, end + 1)
    return start, end


@dataclass(frozen=True)
class Alignment:
    """How two matrices lie on each other: cosine, whether the second is turned, where it then begins in the first."""

    similarity: float
    turned: bool
    shift: int


def alignment(a: np.ndarray, b: np.ndarray) -> Alignment:
    """Largest cosine of two matrices (W, 4) over all shifts that overlap by half or more, either way round."""
    best = Alignment(0.0, False, 0)
    least = max(4, min(len(a), len(b)) // 2)
    norm = max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-30)
    for turned, other in ((False, b), (True, b[::-1, ::-1])):
        for shift in range(least - len(b), len(a) - least + 1):
            left, right = max(0, shift), min(len(a), shift + len(b))
            cosine = float((a[left:right] * other[left - shift : right - shift]).sum() / norm)
            if cosine > best.similarity:
                best = Alignment(cosine, turned, shift)
    return best


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of ``alignment``."""
    return alignment(a, b).similarity


def information(probability: np.ndarray) -> np.ndarray:
    """(W,) bits of each column against equal frequencies, with TF-MoDISco's pseudocount of 0.001."""
    p = (probability + PSEUDOCOUNT) / (1 + 4 * PSEUDOCOUNT)
    return 2 + (p * np.log2(p)).sum(axis=1)


# ---------------------------------------------------------------- positions in sequences to positions in the genome


@dataclass(frozen=True)
class Places:
    """Intervals in the genome: (n,) chrom (text), start and end (int64, 0-based half-open), strand (text)."""

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray


def places_of(
    regions: Regions, sequence: np.ndarray, start: np.ndarray, end: np.ndarray, reverse: np.ndarray
) -> Places:
    """Place intervals of the sequences that the model saw into the genome.

    Args:
        regions: the windows; a reversed window is read from its end.
        sequence: (n,) index of the sequence of each interval.
        start, end: (n,) half-open positions in the sequence.
        reverse: (n,) whether what was found there lies on the other strand of the sequence.
    """
    turned = regions.reverse[sequence]
    left = np.where(turned, regions.window_end[sequence] - end, regions.window_start[sequence] + start)
    strand = np.where(turned ^ reverse, "-", "+")
    return Places(regions.chrom[sequence], left, left + (end - start), strand)


# ---------------------------------------------------------------- what the model says of patterns and regions


@dataclass(frozen=True)
class Effect:
    """What inserting a pattern's consensus does to the explained output.

    Attributes:
        consensus: the letters inserted, those of the pattern's core.
        values: (n,) float32, output with them less output without, one a background.
    """

    consensus: str
    values: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """The standard error of the mean effect; nan for a single background."""
        n = len(self.values)
        return float(self.values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


@dataclass(frozen=True)
class PredictedTrack:
    """Predicted profile of some windows, in the model's orientation.

    Attributes:
        values: (K, bins) float32, mean over the explained tracks.
        bin_size, offset: bp of a bin, and from a window's start to the first bin.
        name: output and tracks.
    """

    values: np.ndarray
    bin_size: int
    offset: int
    name: str
