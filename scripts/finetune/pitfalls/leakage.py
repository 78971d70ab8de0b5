"""Leaky preprocessing: an average over cells that holds the cell which is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.config import FinetuneConfig
from finetune.data.average import leave_one_out, training_average
from finetune.data.batches import Batches, CellInputs
from finetune.data.cell_track import refuse_itself
from finetune.data.prepare import Prepared, TrackInfo
from finetune.data.regions import Geometry, Windows
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
        (_refused(targets), _seen(tracks, train, test), _itself(tracks)),
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
        "Numbers that a run fits on targets, such as weights, are fitted through `TrainOnly`, which gives out nothing "
        "but training cells in training windows.",
        "`TrainOnly` lets nothing be fitted on a cell or window that does not train",
        TrainOnly(targets, rows, TRAINED).read,
        new,
    )


def _seen(tracks: np.ndarray, train: np.ndarray, test: np.ndarray) -> Guard:
    """The averages that a run's batches hold: correlated with their targets, and after all else was made other data."""
    new = CELLS.index(NEW)
    other = tracks.copy()
    other[new], other[:, ~train] = 9.0, 9.0
    before, after = (_training_items(each, train, test) for each in (tracks, other))
    if not all(np.array_equal(one, two) for one, two in zip(before, after, strict=True)):
        raise RuntimeError("what training sees moved with data that do not train")
    cells, average, target = _training_items(tracks, test, train)
    said = [
        f"{CELLS[i]}: Pearson {pearson(average[cells == i], target[cells == i]):.2f} of average and target"
        for i in TRAINED
    ]
    said.append(
        f"{NEW} and the test regions set to 9: {len(average):,} averages and targets of training, all as before"
    )
    return Guard(
        "Batches(prepared, config, n_value=0.25, cells=CellInputs(...)).side('train')   # finetune.data.batches",
        "\n".join(said),
        "The average in a training cell's batch leaves that cell out, and neither the new cell nor the test regions "
        "move anything that training sees. (For comparison with the table the first lines have the test regions in "
        "the place of training ones.)",
        "the average that a training cell sees leaves it out",
    )


def _training_items(tracks: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cell, average and target of every item that trains, (items,) each, as a run's batches have them."""
    split = np.where(train, "train", np.where(test, "test", ""))
    kept = split != ""
    infos = tuple(
        TrackInfo(cell, cell, "H3K27me3", "train" if i in TRAINED else "test") for i, cell in enumerate(CELLS)
    )
    start = np.flatnonzero(kept) * BIN
    laid = Windows(np.full(len(start), "pilot", object), start, np.full(len(start), "region", "<U8"))
    targets = tracks[:, kept, None].astype(np.float32)
    prepared = Prepared("main", Geometry(BIN, 0, BIN, 1), laid, split[kept], infos, targets)
    config = FinetuneConfig.model_validate(
        {
            "base": "none",
            "targets": [{"name": cell, "files": cell, "cell": cell, "assay": "H3K27me3"} for cell in CELLS],
            "split": {"validation": [], "test": [], "cells": {"test": [NEW]}},
            "cell": {"average": "offset"},
        }
    )
    told = CellInputs(CELLS, np.array(TRAINED), None, None, averaged=True)
    parts = [
        (batch.cells.numpy(), batch.average.numpy()[:, 0, 0], batch.target.numpy()[:, 0, 0])
        for batch in Batches(prepared, config, 0.25, cells=told).side("train", size=1 << 16)
    ]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


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
