"""Confounding: GC content tells bound sequences from the genome, and the average tells differences from itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.config import RegionsConfig
from finetune.data.exclude import base_counts
from finetune.data.negatives import GC_BIN, match
from finetune.data.regions import Geometry, choose_windows
from finetune.verdict.baselines import Known, baselines, best_baseline, skill
from finetune.verdict.metrics import auroc, partial_correlation, pearson
from finetune.verdict.verdict import Judged
from scripts.finetune.pitfalls.figure import histogram
from scripts.finetune.pitfalls.guard import Guard, judged_sentence
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall, number
from scripts.finetune.pitfalls.real import (
    CELLS,
    bound_sequences,
    genome_sequences,
    marks,
    peak_bases,
    yeast_genome,
    yeast_windows,
)
from scripts.finetune.pitfalls.small import blocks, ridge, windows_of, words
from scripts.yeast_atac.data import TRAIN_CHROMS
from zoo.genome.fasta import open_genome

__all__ = ["show"]

LETTERS = 100
#: Chromosomes of the sequences that are for test, and how many bound ones are drawn a side.
TEST = ("chr1", "chr4", "chr5", "chr7", "chr9")
MOST = 6000
#: Of the histone track: bp of a bin, bins of a block, each third of which is for test, and of a window.
BIN, BLOCK, EVERY, MARGIN, WINDOW = 1000, 100, 3, 10, 10
NEW = "E065"
#: Of yeast: bp of a window, and the quantile of cuts above which one is a peak.
LENGTH, QUANTILE = 256, 0.98


@dataclass(frozen=True)
class _Side:
    """Sequences of one side, (n, 100) codes each.

    Attributes:
        bound: by CTCF. anywhere: as many of the genome. fit: bound ones for which there is a match. matched: as many
            of the genome, of the same GC.
    """

    bound: np.ndarray
    anywhere: np.ndarray
    fit: np.ndarray
    matched: np.ndarray


def show(data: Path) -> Pitfall:
    """CTCF-bound sequences against the genome, and a constant against the average of cells."""
    train, test = _sides(data)
    fit = ridge(words(np.concatenate([train.bound, train.anywhere]), 3), _labels(train.bound, train.anywhere), 300.0)
    alone = _auroc(_gc, test.bound, test.anywhere), _auroc(_gc, test.fit, test.matched)

    def model(codes: np.ndarray) -> np.ndarray:
        return fit(words(codes, 3))

    constant, average_guard, ahead = _against_average(data)
    return Pitfall(
        "confounding",
        "Confounding",
        "A variable that nobody asked about, such as GC content or the average activity of a place, goes with what is "
        "to be predicted. A model that knows nothing else then looks as if it had learned the biology.",
        f"human sequences of {LETTERS} bp that CTCF binds, and H3K27me3 in the ENCODE pilot regions",
        "bound sequences against as many drawn from the genome.",
        "against as many of the same GC content.",
        (
            Measure("the share of G and C, no model", "AUROC", *alone),
            Measure("ridge regression on words of 3 bp", "AUROC", _auroc(model, test.bound, test.anywhere),
                    _auroc(model, test.fit, test.matched)),
            *constant,
        ),
        (
            Picture(
                histogram(
                    {"bound by CTCF": _gc(test.bound), "the genome": _gc(test.anywhere),
                     "the genome, matched": _gc(test.matched)},
                    "share of G and C", 26,
                ),
                f"Test chromosomes. {len(test.bound) - len(test.fit):,} of {len(test.bound):,} bound sequences have no "
                f"match in {GC_BIN:.0%} of GC among the windows that are here, and are left out of the honest number.",
            ),
        ),
        (_peaks_guard(data), average_guard),
        (
            "Sequences of the genome are drawn from 55 windows of 131 kb (hg38) without asking whether CTCF binds; few "
            f"can be bound, as all CTCF peaks of K562 cover {peak_bases(data) / 1e6:.0f} Mb of 3,100.",
            f"{NEW} is shown because its average is noisiest: the constant is ahead of the average in "
            f"{ahead} of the {len(CELLS)} cells.",
            "A constant has no correlation with anything, given the average: that is the dash in the table.",
        ),
    )  # fmt: skip


def _sides(data: Path) -> list[_Side]:
    """Training and test chromosomes."""
    (bound_at, bound), (genome_at, genome) = bound_sequences(data), genome_sequences(data, LETTERS)
    rng = np.random.default_rng(0)
    sides = []
    for test in (False, True):
        positive, pool = bound[np.isin(bound_at, TEST) == test], genome[np.isin(genome_at, TEST) == test]
        positive = positive[rng.permutation(len(positive))[:MOST]]
        classes = [np.isin(codes, (1, 2)).sum(1) * round(1 / GC_BIN) // LETTERS for codes in (positive, pool)]
        nowhere = [np.zeros(len(one), np.int64) for one in classes]
        rows, _ = match(nowhere[0], classes[0], np.ones(len(positive), np.int64), nowhere[1], classes[1], rng)
        found = np.bincount(classes[1][rows], minlength=64)
        with_match = _first_of_each(classes[0], found)
        sides.append(
            _Side(positive, pool[rng.permutation(len(pool))[: len(positive)]], positive[with_match], pool[rows])
        )
    return sides


def _first_of_each(classes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows so that each class has as many as ``wanted``."""
    return np.concatenate([np.flatnonzero(classes == one)[:n] for one, n in enumerate(wanted)])


def _gc(codes: np.ndarray) -> np.ndarray:
    return np.isin(codes, (1, 2)).mean(1)


def _labels(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    return np.repeat([1.0, 0.0], [len(positive), len(negative)])


def _auroc(score: Callable[[np.ndarray], np.ndarray], positive: np.ndarray, negative: np.ndarray) -> float:
    return auroc(np.concatenate([score(positive), score(negative)]), _labels(positive, negative))


def _peaks_guard(data: Path) -> Guard:
    """Peaks and the negatives that a run lays beside them, on yeast: what GC alone tells of them."""
    windows = yeast_windows(data, TRAIN_CHROMS, LENGTH, LENGTH)
    peak = windows.cuts >= np.quantile(windows.cuts, QUANTILE)
    naive = auroc(windows.gc, peak)
    with tempfile.TemporaryDirectory() as folder:
        bed = Path(folder) / "peaks.bed"
        rows = zip(windows.chrom[peak], windows.start[peak], strict=True)
        bed.write_text("".join(f"{chrom}\t{start}\t{start + LENGTH}\n" for chrom, start in rows), encoding="utf-8")
        genome = open_genome(yeast_genome(data, Path(folder)))
        config = RegionsConfig(choose="peaks", files=(str(bed),), negatives=1, chromosomes=TRAIN_CHROMS)
        laid, counts = choose_windows(config, Geometry(LENGTH, 0, LENGTH, 1), genome, 0)
        gc = base_counts(genome, genome.numbers(laid.chrom), laid.start, LENGTH, "CG")
    said = [f"{word}: {n:,}" for word, n in counts.items() if n]
    said += [
        f"AUROC of GC content alone, peaks against all other windows: {number(naive)}",
        f"AUROC of GC content alone, peaks against these negatives: {number(auroc(gc, laid.kind == 'peak'))}",
    ]
    return Guard(
        "choose_windows(RegionsConfig(choose='peaks', files=('peaks.bed',)), ...)   # finetune.data.regions",
        "\n".join(said),
        "`regions: {choose: peaks}` draws each peak's negatives from its own chromosome and class of GC, here for "
        "the most accessible windows of yeast, which are richer in G and C than the rest.",
        "negatives have their peaks' GC content",
    )


def _against_average(data: Path) -> tuple[tuple[Measure, ...], Guard, int]:
    """A constant, judged as a prediction of a new cell; and in how many cells it is ahead of the average."""
    tracks = marks(data, "H3K27me3", BIN)
    train, test = blocks(tracks.shape[1], BLOCK, EVERY, MARGIN)
    new = CELLS.index(NEW)
    judged = [_constant(tracks, i, train, test) for i in range(len(CELLS))]
    over = [skill(one.predicted, one.observed, one.average) for one in judged]
    one, best = judged[new], judged[new].baselines[best_baseline(judged[new].baselines, judged[new].observed)]
    guard = judged_sentence(
        f"judge([Judged(side='both', name='H3K27me3', cell='{NEW}', predicted=<a constant>, ...)])"
        "   # what zoo finetune and zoo evaluate print",
        "Skill is against the best of all baselines, the constant among them, and differences between cells are "
        "judged by partial correlation, given the average.",
        "skill is against the best baseline; differences are judged given the average",
        [one],
    )
    measures = (
        Measure(
            f"a constant, as a prediction of {NEW}",
            "skill over the average; over the best baseline",
            over[new],
            skill(one.predicted, one.observed, best),
        ),
        Measure(
            "the same constant",
            "correlation of differences from the average; given the average",
            pearson(one.predicted - one.average, one.observed - one.average),
            partial_correlation(one.predicted, one.observed, one.average),
        ),
    )
    return measures, guard, sum(value > 0 for value in over)


def _constant(tracks: np.ndarray, new: int, train: np.ndarray, test: np.ndarray) -> Judged:
    """The mean of the other cells' training regions, as a prediction of the new cell's test regions."""
    known, held = (windows_of(np.delete(tracks, new, 0)[:, rows], WINDOW) for rows in (train, test))
    observed = windows_of(tracks[new][test], WINDOW)
    made = baselines(Known([cell for i, cell in enumerate(CELLS) if i != new], known, held))
    start = np.flatnonzero(test)[::WINDOW][: len(observed)] * BIN
    chrom = np.full(len(start), "pilot", object)
    # In the precision of the baselines, so that it is one of them.
    predicted = np.full(observed.shape, known.mean(), np.float32)
    return Judged("both", "H3K27me3", observed, predicted, made, chrom, start, BIN, CELLS[new], held.mean(0), raw=False)
