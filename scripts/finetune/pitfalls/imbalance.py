"""Unbalanced classes: a test set with as many peaks as other windows promises what the genome does not keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from finetune.config import VerdictConfig
from finetune.data.sampling import resample_rows
from finetune.verdict.metrics import auprc, auroc
from finetune.verdict.verdict import Judged, judge
from scripts.finetune.pitfalls.figure import Line, lines
from scripts.finetune.pitfalls.guard import BLOCK, Guard, refusal
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall
from scripts.finetune.pitfalls.real import YeastWindows, yeast_windows
from scripts.finetune.pitfalls.small import ridge, words
from scripts.yeast_atac.data import TEST_CHROMS, TRAIN_CHROMS, VALIDATION_CHROMS

__all__ = ["show"]

LENGTH = 256
#: Windows with more cuts than this share of training windows are peaks.
QUANTILE = 0.98
HELD_OUT = TEST_CHROMS + VALIDATION_CHROMS


def show(data: Path) -> Pitfall:
    """The most accessible windows of yeast, found by their words of 5 bp: on all windows, and on as many of each."""
    windows = yeast_windows(data, TRAIN_CHROMS + HELD_OUT, LENGTH, LENGTH)
    test = windows.on(HELD_OUT)
    label = windows.cuts >= np.quantile(windows.cuts[~test], QUANTILE)
    features = words(windows.codes, 5)
    score = ridge(features[~test], label[~test].astype(float), 3000.0)(features[test])
    peak = label[test]
    balanced = _balanced(peak)
    (even, _), (natural, prevalence) = auprc(score[balanced], peak[balanced]), auprc(score, peak)
    return Pitfall(
        "imbalance",
        "Unbalanced classes",
        "Where one class is rare, accuracy rewards saying no, and a test set that was balanced hides how many false "
        "calls a genome yields. Average precision depends on the share of positives, so it must be judged at the "
        "natural one.",
        f"yeast ATAC-seq, {LENGTH}-bp windows of which the {1 - QUANTILE:.0%} with most cuts are peaks",
        f"judged on the {peak.sum()} peaks of the test chromosomes and as many other windows.",
        f"judged on all {len(peak):,} windows of the test chromosomes, {prevalence:.1%} of them peaks.",
        (
            Measure("ridge regression on words of 5 bp", "AUPRC", even, natural),
            Measure("a score without any knowledge", "AUPRC, the prevalence", 0.5, prevalence),
            Measure("the same model", "AUROC", auroc(score[balanced], peak[balanced]), auroc(score, peak)),
            Measure("a model that never says peak", "accuracy; balanced accuracy", float(1 - peak.mean()), 0.5),
        ),
        (
            Picture(
                lines([_curve("balanced test set", score[balanced], peak[balanced]),
                       _curve("natural ratio", score, peak)], "recall", "precision", (0, 1), (0, 1)),
                f"The same scores of the same model. Of the calls that find half of all peaks, "
                f"{_at_half(score[balanced], peak[balanced]):.0%} are peaks in the balanced test set and "
                f"{_at_half(score, peak):.0%} in the genome.",
            ),
        ),
        (
            _drawn_again(label, test),
            _figures(windows.take(test), label, test, score),
        ),
        (f"A peak has at least {np.quantile(windows.cuts[~test], QUANTILE):.0f} cuts, the "
         f"{QUANTILE:.0%} quantile of training windows; the rDNA repeat is left out.",),
    )  # fmt: skip


def _drawn_again(label: np.ndarray, test: np.ndarray) -> Guard:
    """Balancing all windows at once, before the split, as is often done."""
    split = np.where(test, "test", "train")
    rows = np.arange(len(label))
    return refusal(
        "resample_rows('under', rows, labels, split, seed=0)   # finetune.data.sampling, rows of all windows",
        "Classes are weighted and windows drawn again (`sampling`) among training windows alone; validation and test "
        "keep the natural ratio.",
        "only training windows are drawn again",
        resample_rows, "under", rows, label.astype(np.int64), split, 0,
    )  # fmt: skip


def _figures(windows: YeastWindows, label: np.ndarray, test: np.ndarray, score: np.ndarray) -> Guard:
    """What the verdict writes of the same scores."""
    observed = label[test].astype(float)[:, None]
    constant = {"constant": np.full(observed.shape, label[~test].mean())}
    judged = Judged("held-out chromosomes", "peaks", observed, score[:, None], constant, windows.chrom, windows.start,
                    LENGTH, raw=False)  # fmt: skip
    (track,) = judge([judged], VerdictConfig(block=BLOCK)).sides["held-out chromosomes"]["tracks"]
    said = []
    for name in ("auprc", "auroc"):
        found = track["resolutions"][str(LENGTH)]["metrics"][name]
        low, high = found["ci"]
        said.append(
            f"{name}: {found['value']:.3f}, interval {low:.3f} to {high:.3f}, prevalence {found['prevalence']:.3f}, "
            f"{found['best_baseline']} {found['baselines'][found['best_baseline']]:.3f}, {found['n']:,} windows"
        )
    return Guard(
        "judge([Judged(side='held-out chromosomes', name='peaks', ...)])   # what zoo finetune and zoo evaluate write",
        "\n".join(said),
        "The verdict has no accuracy; AUPRC stands beside the prevalence and the best baseline, with an interval over "
        "blocks of the genome.",
        "AUPRC beside prevalence, on all windows",
    )


def _balanced(label: np.ndarray) -> np.ndarray:
    """Rows of all positives and as many negatives, drawn."""
    negative = np.random.default_rng(0).permutation(np.flatnonzero(~label))[: label.sum()]
    return np.sort(np.concatenate([np.flatnonzero(label), negative]))


def _at_half(score: np.ndarray, label: np.ndarray) -> float:
    """Precision where half of the positives are found."""
    curve = _curve("", score, label)
    return float(curve.y[np.searchsorted(curve.x, 0.5)])


def _curve(name: str, score: np.ndarray, label: np.ndarray) -> Line:
    """Precision at each positive found, from the highest score on."""
    found = np.cumsum(label[np.argsort(-score, kind="stable")])
    at = np.flatnonzero(np.diff(found, prepend=0))
    return Line(name, found[at] / found[-1], found[at] / (at + 1))
