"""Leaky preprocessing: an average over cells that holds the cell which is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.data.average import affine, leave_one_out, training_average
from finetune.data.cell_track import refuse_itself
from finetune.data.train_only import TrainOnly
from finetune.verdict.metrics import pearson, r2
from scripts.finetune.pitfalls.figure import bars
from scripts.finetune.pitfalls.guard import Guard, refusal
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall
from scripts.finetune.pitfalls.real import CELLS, marks
from scripts.finetune.pitfalls.small import blocks, neighbours, ridge

__all__ = ["show"]

BIN = 200
#: Bins of a block of 100 kb, each third of which is for test.
BLOCK, EVERY, MARGIN = 500, 3, 10
NEW = "E116"
TRAINED = tuple(i for i, cell in enumerate(CELLS) if cell != NEW)


@dataclass(frozen=True)
class _Found:
    """R² of a model that sees an average: over the regions of training cells held out, and of the new cell."""

    promised: float
    kept: float


def show(data: Path) -> Pitfall:
    """H3K27me3 of a cell from the average over training cells, with and without the cell itself."""
    tracks = marks(data, "H3K27me3", BIN)
    train, test = blocks(tracks.shape[1], BLOCK, EVERY, MARGIN)
    every = [_both(tracks, new, train, test) for new in range(len(CELLS))]
    leaky, honest = every[CELLS.index(NEW)]
    targets = tracks[:, None, :]
    average = training_average(targets, TRAINED)[0]
    apart = [leave_one_out(targets, TRAINED, cell)[0] for cell in TRAINED]
    cells = [CELLS[i] for i in TRAINED]
    with_own = [pearson(average[test], tracks[i][test]) for i in TRAINED]
    without = [pearson(one[test], tracks[i][test]) for one, i in zip(apart, TRAINED, strict=True)]
    return Pitfall(
        "leakage",
        "Leaky preprocessing",
        "What was computed before the split, such as an average, a scale or a choice of features, holds part of what "
        "is to be predicted. An average over cells that includes the cell itself is the commonest of its kind.",
        f"H3K27me3 in the ENCODE pilot regions, {BIN}-bp bins: {', '.join(cells)} train, {NEW} is new",
        "a model that sees the mean of all training cells, judged on regions of these cells that it was not fitted on.",
        "each training cell sees the mean of the others.",
        (
            Measure("promised by held-out regions of training cells", "R²", leaky.promised, honest.promised),
            Measure(f"kept on {NEW}, which is new", "R²", leaky.kept, honest.kept),
            Measure("promised, each cell being new once", "median R²", *_median(every, "promised")),
            Measure("kept, each cell being new once", "median R²", *_median(every, "kept")),
            *(
                Measure(f"the average alone in {cell}", "Pearson", naive, fair)
                for cell, naive, fair in zip(cells, with_own, without, strict=True)
            ),
        ),
        (
            Picture(
                bars(
                    ["promised", f"kept on {NEW}"],
                    {
                        "average with the cell itself": (leaky.promised, leaky.kept),
                        "without it": (honest.promised, honest.kept),
                    },
                    "R²",
                ),
                "The leak does not only flatter: the model learns to copy its input and fails where the input does not "
                "hold the answer. Without the leak what is promised is kept, and it is little.",
            ),
            Picture(
                bars(cells, {"average with the cell itself": with_own, "without it": without}, "Pearson"),
                "The average alone, no model: its correlation with each training cell.",
            ),
        ),
        (_refused(targets), _unmoved(tracks, train), _itself(tracks)),
        ("The pilot regions lie end to end without coordinates; bins within 2 kb of another block are left out.",),
    )


def _median(every: list[tuple[_Found, _Found]], what: str) -> tuple[float, ...]:
    """Of the model with the leak and of that without, over the new cells."""
    return tuple(float(np.median([getattr(pair[i], what) for pair in every])) for i in range(2))


def _both(tracks: np.ndarray, new: int, train: np.ndarray, test: np.ndarray) -> tuple[_Found, _Found]:
    """The model with the leak and without, ``new`` being the cell that does not train."""
    old = [i for i in range(len(tracks)) if i != new]
    targets = tracks[:, None, :]  # one window, so that the functions of a run take it
    average = training_average(targets, old)[0]
    apart = [leave_one_out(targets, old, cell)[0] for cell in old]
    return tuple(_trained(tracks, seen, old, average, train, test) for seen in ([average] * len(old), apart))


def _trained(
    tracks: np.ndarray,
    seen: list[np.ndarray],
    old: list[int],
    average: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
) -> _Found:
    """Ridge regression on what each training cell sees; the new cell sees the average of all that train."""
    fit = ridge(
        np.concatenate([neighbours(one)[train] for one in seen]), np.concatenate([tracks[i][train] for i in old]), 10.0
    )
    promised = np.concatenate([fit(neighbours(one)[test]) for one in seen])
    (new,) = (track for i, track in enumerate(tracks) if i not in old)
    return _Found(
        r2(promised, np.concatenate([tracks[i][test] for i in old])), r2(fit(neighbours(average)[test]), new[test])
    )


def _refused(targets: np.ndarray) -> Guard:
    new = CELLS.index(NEW)
    rows = np.zeros(1, np.int64)
    return refusal(
        f"TrainOnly(targets, rows, cells={list(TRAINED)}).read({new})   # finetune.data.train_only; {new} is {NEW}",
        "All that is fitted in a run (averages, scales, weights, depths) is given the targets through TrainOnly, "
        "which holds nothing but training cells in training windows.",
        "`TrainOnly` lets nothing be fitted on a cell or window that does not train",
        TrainOnly(targets, rows, TRAINED).read,
        new,
    )


def _unmoved(tracks: np.ndarray, train: np.ndarray) -> Guard:
    """The fitted numbers of the average, before and after all that does not train is made another."""
    rows = np.where(train, "train", "test")
    other = tracks.copy()
    other[CELLS.index(NEW)] = 9.0
    other[:, ~train] = 9.0
    before, after = (affine(TrainOnly(each[:, :, None], rows, TRAINED)) for each in (tracks, other))
    if before != after:
        raise RuntimeError("a fitted number moved with data that do not train")
    said = "\n".join(
        f"{name}: slope {slope:.6f}, intercept {intercept:.6f}"
        for name, (slope, intercept) in (("data as they are", before), (f"{NEW} and the test regions set to 9", after))
    )
    return Guard(
        "affine(TrainOnly(targets, split, cells))   # finetune.data.average",
        said,
        "Each training cell is compared with the average of the others, and no fitted number moves when the new cell "
        "and the test regions are made other data.",
        "the average that a training cell sees leaves it out",
    )


def _itself(tracks: np.ndarray) -> Guard:
    """The track that is to be predicted, given as the cell's input: in another unit, so that the file is another."""
    target = tracks[CELLS.index(NEW)][None]
    return refusal(
        f"refuse_itself(target, np.arcsinh(0.9 * np.sinh(target)), 'H3K27me3', '{NEW}')   # finetune.data.cell_track",
        "A cell's own input is refused where it is the target itself: the same file, or a correlation above 0.99.",
        "a track is not predicted from itself",
        refuse_itself,
        target,
        np.arcsinh(np.sinh(target) * 0.9),
        "H3K27me3",
        NEW,
    )
