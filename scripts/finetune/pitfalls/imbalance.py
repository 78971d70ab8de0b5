"""Unbalanced classes: a test set with as many peaks as other windows promises what the genome does not keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from finetune.verdict.metrics import auprc, auroc
from scripts.finetune.pitfalls.figure import Line, lines
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall
from scripts.finetune.pitfalls.real import yeast_windows
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
            Measure("a model that never says peak", "accuracy", 1 - peak.mean(), 0.5),
        ),
        (
            Picture(
                lines([_curve("balanced test set", score[balanced], peak[balanced]),
                       _curve("natural ratio", score, peak)], "recall", "precision", (0, 1)),
                "The same scores of the same model. At half of all peaks found, precision is what a user would meet.",
            ),
        ),
        (),
    )  # fmt: skip


def _balanced(label: np.ndarray) -> np.ndarray:
    """Rows of all positives and as many negatives, drawn."""
    negative = np.random.default_rng(0).permutation(np.flatnonzero(~label))[: label.sum()]
    return np.sort(np.concatenate([np.flatnonzero(label), negative]))


def _curve(name: str, score: np.ndarray, label: np.ndarray) -> Line:
    """Precision at each positive found, from the highest score on."""
    found = np.cumsum(label[np.argsort(-score, kind="stable")])
    at = np.flatnonzero(np.diff(found, prepend=0))
    return Line(name, found[at] / found[-1], found[at] / (at + 1))
