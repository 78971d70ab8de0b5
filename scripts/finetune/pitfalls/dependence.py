"""Dependent examples: windows that overlap lie in training and in test, and a model that learns nothing does best."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from finetune.data.regions import Geometry, Windows
from finetune.data.splits import check_overlap
from finetune.verdict.metrics import pearson
from scripts.finetune.pitfalls.figure import Line, bars, lines
from scripts.finetune.pitfalls.guard import Guard, command_refusal, refusal
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall
from scripts.finetune.pitfalls.real import YeastWindows, yeast_genome, yeast_windows
from scripts.finetune.pitfalls.small import nearest, ridge, words
from scripts.yeast_atac.data import FRAGMENTS_FILE

__all__ = ["show"]

LENGTH, STRIDE = 512, 128
CHROMS = ("chrI", "chrIII", "chrVI", "chrVIII", "chrIX", "chrXI")
TEST = ("chrI", "chrVIII")
STRIDES = (512, 384, 256, 128)


def show(data: Path) -> Pitfall:
    """ATAC cuts of 512-bp windows each 128 bp: drawn at random into training and test, and by chromosome."""
    windows = yeast_windows(data, CHROMS, LENGTH, STRIDE)
    features, target = words(windows.codes, 4), np.log1p(windows.cuts)
    by_chrom = windows.on(TEST)
    at_random = _random(len(target), by_chrom.mean())
    look_up, fitted = _both(nearest, features, target, at_random, by_chrom), _both(
        lambda x, y: ridge(x, y, 100.0), features, target, at_random, by_chrom
    )  # fmt: skip
    curve = _by_stride(windows, features, target)
    names = ("window alike", "ridge")
    return Pitfall(
        "dependence",
        "Dependent examples",
        "Examples that share sequence lie on both sides of a split, so that test asks for what was memorised. "
        "Overlapping windows, copies of a sequence and what the base has trained on are dependent.",
        f"yeast ATAC-seq, cuts in {LENGTH}-bp windows each {STRIDE} bp on {len(CHROMS)} chromosomes",
        f"a {by_chrom.mean():.0%} test set drawn at random from all windows.",
        f"{' and '.join(TEST)} for test, the same windows otherwise.",
        (
            Measure("the most similar training window, which learns nothing", "Pearson", *look_up),
            Measure("ridge regression on words of 4 bp", "Pearson", *fitted),
        ),
        (
            Picture(
                bars(names, {"random split": (look_up[0], fitted[0]), "by chromosome": (look_up[1], fitted[1])},
                     "Pearson"),
                "The model that looks up is far ahead in a random split and behind where no window overlaps.",
            ),
            Picture(
                lines(
                    [Line("random split", 1 - np.array(STRIDES) / LENGTH, curve[0]),
                     Line("by chromosome", 1 - np.array(STRIDES) / LENGTH, curve[1])],
                    "share of a window that overlaps the next one", "Pearson of the look-up", (0, 1),
                ),
                "What a random split adds grows with the overlap; windows that do not overlap gain next to nothing.",
            ),
        ),
        (_overlap_guard(windows, at_random), *_command_guards(data)),
        ("The rDNA repeat of chrXII is not among the chromosomes.",),
    )  # fmt: skip


def _random(n: int, share: float) -> np.ndarray:
    """(n,) bool of a random test set."""
    return np.isin(np.arange(n), np.random.default_rng(0).permutation(n)[: round(n * share)])


def _both(
    fit: Callable[..., Callable[[np.ndarray], np.ndarray]],
    features: np.ndarray,
    target: np.ndarray,
    *tests: np.ndarray,
) -> tuple[float, ...]:
    """Pearson on each test set of a model that is fitted on the rest."""
    return tuple(pearson(fit(features[~test], target[~test])(features[test]), target[test]) for test in tests)


def _by_stride(windows: YeastWindows, features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(2, strides) Pearson of the look-up, split at random and by chromosome."""
    found = []
    for stride in STRIDES:
        kept = windows.start % stride == 0
        by_chrom = windows.on(TEST)[kept]
        found.append(_both(nearest, features[kept], target[kept], _random(kept.sum(), by_chrom.mean()), by_chrom))
    return np.array(found).T


def _overlap_guard(windows: YeastWindows, test: np.ndarray) -> Guard:
    laid = Windows(windows.chrom, windows.start, np.full(len(test), "tile", "<U8"))
    return refusal(
        "check_overlap(windows, split, geometry, shift=0)   # finetune.data.splits, of the random split above",
        "Windows of two sides that share a base after the largest shift are refused; in run.yaml a split is by "
        "chromosome, and this check is for splits of one's own.",
        "`check_overlap` refuses windows of two splits that overlap",
        check_overlap, laid, np.where(test, "test", "train"), Geometry(LENGTH, 0, LENGTH, 1), 0,
    )  # fmt: skip


RUN = """base: yeast-atac
genome: {genome}
targets:
  - {{name: cuts, files: {fragments}, read: cuts, bin: 32, reduce: sum}}
split: {{validation: chrIX, test: {test}}}
"""


def _command_guards(data: Path) -> tuple[Guard, ...]:
    """``zoo finetune`` on the same data: copies of sequences between splits, and test on what the base has seen."""
    said = (
        (
            "[chrI, chrVIII]",
            "Sequences of two chromosomes may be copies: transposons, subtelomeres. Windows whose sequence is nearly "
            "the same on the other side are refused, or left out of validation and test on request.",
            "near-duplicate sequences between splits are refused",
        ),
        (
            "[chrII], duplicates: drop",
            "A base that trained on the test chromosomes has seen the answers; its card says which they are.",
            "so are test chromosomes that the base trained on",
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fragments = folder / FRAGMENTS_FILE
        fragments.symlink_to((data / "d09_yeast" / FRAGMENTS_FILE).resolve())
        genome = yeast_genome(data, folder)
        return tuple(
            command_refusal(RUN.format(genome=genome.name, fragments=fragments.name, test=test), folder, stops, short)
            for test, stops, short in said
        )
