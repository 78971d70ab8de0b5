"""Distributions: a model judged where it was trained is used where values are distributed otherwise."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np

from finetune.verdict.baselines import Known, baselines
from finetune.verdict.metrics import pearson, r2
from finetune.verdict.verdict import Judged
from scripts.finetune.pitfalls.figure import Line, bars, lines
from scripts.finetune.pitfalls.guard import judged_sentence
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall
from scripts.finetune.pitfalls.real import CELLS, marks
from scripts.finetune.pitfalls.small import blocks, neighbours, ridge, windows_of

__all__ = ["show"]

BIN = 1000
#: Bins of a block of 100 kb, each third of which is for test, and of a judged window.
BLOCK, EVERY, MARGIN = 100, 3, 10
WINDOW = 10
REFERENCE, TRAINED, NEW = "E003", "E017", "E065"
#: Quantiles that are drawn.
HIGH = np.linspace(0.8, 0.999, 60)


def show(data: Path) -> Pitfall:
    """H3K4me3 from another cell's H3K4me3: the scale of one cell is not that of the next."""
    tracks = dict(zip(CELLS, marks(data, "H3K4me3", BIN), strict=True))
    train, test = blocks(len(tracks[TRAINED]), BLOCK, EVERY, MARGIN)
    features = neighbours(tracks[REFERENCE])
    predicted = ridge(features[train], tracks[TRAINED][train], 10.0)(features[test])
    others = [cell for cell in CELLS if cell not in (REFERENCE, TRAINED)]
    fits = {cell: r2(predicted, tracks[cell][test]) for cell in (TRAINED, *others)}
    guard = judged_sentence(
        f"judge([Judged(side='held-out chromosomes', cell='{TRAINED}', ...), Judged(side='both', cell='{NEW}', ...)])"
        "   # what zoo finetune and zoo evaluate print",
        "A held-out cell is a side of its own in the verdict, beside held-out chromosomes, and there the model has to "
        "beat the best baseline in squared error, which no difference of scale escapes. The first line says that even "
        "on the trained cell nothing was learned that an average on the right scale does not hold.",
        "held-out cells judged on their own, by squared error against the best baseline",
        _judged(tracks, train, test, predicted),
    )
    return Pitfall(
        "distributions",
        "Distributions",
        "A model is judged on data distributed as its training data are, and used on data that are not. Cells, "
        "laboratories and depths differ in scale, so its figures do not carry over.",
        f"H3K4me3 in the ENCODE pilot regions, {BIN // 1000}-kb bins, Roadmap cells {', '.join(CELLS)}",
        f"trained on {TRAINED} and judged on other regions of {TRAINED}.",
        f"the same regions, in {NEW}, which it has not seen.",
        (
            Measure("ridge regression", "R²", fits[TRAINED], fits[NEW]),
            *(Measure(f"the same, used on {cell}", "R²", fits[TRAINED], fits[cell]) for cell in others[1:]),
            Measure("median over all choices of three cells", "R²", *_all_choices(tracks, train, test)),
            Measure(
                "the same",
                "Pearson, which does not see scale",
                pearson(predicted, tracks[TRAINED][test]),
                pearson(predicted, tracks[NEW][test]),
            ),
        ),
        (
            Picture(
                bars([TRAINED, *others], {"R² on regions that were held out": list(fits.values())}, "R²"),
                f"Trained on {TRAINED} alone; all cells are judged on the same regions.",
            ),
            Picture(
                lines(
                    [Line(cell, 100 * HIGH, np.quantile(tracks[cell], HIGH)) for cell in CELLS],
                    "percentile of bins",
                    "arcsinh of -log10 p",
                ),
                "Why: the same percentile of bins is another value in each cell. p-values grow with depth, so the "
                "peaks of a deeply sequenced cell are higher.",
            ),
        ),
        (guard,),
        (
            f"{REFERENCE}, {TRAINED} and {NEW} are shown because the scales of the last two differ most: the median "
            "over all choices, in the table, is what to expect of any three of these cells.",
            "The pilot regions lie end to end without coordinates; bins within 10 kb of another block are left out.",
        ),
    )


def _all_choices(tracks: dict[str, np.ndarray], train: np.ndarray, test: np.ndarray) -> tuple[float, float]:
    """Median R² on the trained cell and on another, over every reference, trained and new cell."""
    own, other = [], []
    for reference, trained in permutations(CELLS, 2):
        features = neighbours(tracks[reference])
        predicted = ridge(features[train], tracks[trained][train], 10.0)(features[test])
        own.append(r2(predicted, tracks[trained][test]))
        other += [r2(predicted, tracks[cell][test]) for cell in CELLS if cell not in (reference, trained)]
    return float(np.median(own)), float(np.median(other))


def _judged(tracks: dict[str, np.ndarray], train: np.ndarray, test: np.ndarray, predicted: np.ndarray) -> list[Judged]:
    """The model on the cell that it was trained on, and on the new one: both with what may be known there."""

    def shaped(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return windows_of(values[..., rows], WINDOW)

    start = np.flatnonzero(test)[::WINDOW][: test.sum() // WINDOW] * BIN
    made = []
    for cell, known, side in ((TRAINED, [REFERENCE], "held-out chromosomes"), (NEW, [REFERENCE, TRAINED], "both")):
        cells = np.stack([tracks[name] for name in known])
        own = shaped(tracks[cell], train) if side != "both" else None
        held = Known(known, shaped(cells, train), shaped(cells, test), own)
        made.append(
            Judged(
                side,
                "H3K4me3",
                shaped(tracks[cell], test),
                shaped(predicted, np.ones(len(predicted), bool)),
                baselines(held),
                np.full(len(start), "pilot", object),
                start,
                BIN,
                cell=cell,
                raw=False,
            )
        )
    return made
