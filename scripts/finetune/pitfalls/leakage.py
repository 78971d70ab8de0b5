"""Leaky preprocessing: an average over cells that holds the cell which is to be predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from finetune.verdict.metrics import pearson, r2
from scripts.finetune.pitfalls.figure import bars
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall
from scripts.finetune.pitfalls.real import CELLS, marks
from scripts.finetune.pitfalls.small import blocks, neighbours, ridge

__all__ = ["show"]

BIN = 200
BLOCK, EVERY, MARGIN = 500, 3, 10
NEW = "E116"


def show(data: Path) -> Pitfall:
    """H3K27me3 of a cell from the average over cells, with and without the cell itself."""
    tracks = marks(data, "H3K27me3", BIN)
    train, test = blocks(tracks.shape[1], BLOCK, EVERY, MARGIN)
    every = tracks.mean(0)
    apart = [np.delete(tracks, i, 0).mean(0) for i in range(len(CELLS))]
    leaky = [pearson(every[test], track[test]) for track in tracks]
    honest = [pearson(average[test], track[test]) for average, track in zip(apart, tracks, strict=True)]
    return Pitfall(
        "leakage",
        "Leaky preprocessing",
        "",
        "",
        "",
        "",
        (Measure("the average alone, mean over four cells", "Pearson", float(np.mean(leaky)), float(np.mean(honest))),
         *_trained(tracks, train, test)),
        (Picture(bars(CELLS, {"average with the cell": leaky, "average of the others": honest}, "Pearson"), ""),),
        (),
    )


def _trained(tracks: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[Measure, ...]:
    """A model that sees the average of training cells: on their other regions, and on a new cell."""
    new = CELLS.index(NEW)
    old = [i for i in range(len(CELLS)) if i != new]
    average = tracks[old].mean(0)
    found = {}
    for name in ("naive", "honest"):
        seen = [average if name == "naive" else tracks[[j for j in old if j != i]].mean(0) for i in old]
        fit = ridge(
            np.concatenate([neighbours(one)[train] for one in seen]),
            np.concatenate([tracks[i][train] for i in old]), 10.0,
        )
        own = np.mean([r2(fit(neighbours(one)[test]), tracks[i][test]) for one, i in zip(seen, old, strict=True)])
        found[name] = float(own), r2(fit(neighbours(average)[test]), tracks[new][test])
    return (
        Measure("ridge regression that sees the average, on training cells", "R²", found["naive"][0], found["honest"][0]),
        Measure(f"the same on {NEW}, which is new", "R²", found["naive"][1], found["honest"][1]),
    )
