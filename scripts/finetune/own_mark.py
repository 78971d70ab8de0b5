"""A cell's H3K27me3 from its own H3K4me3 and other cells' H3K27me3, without sequence: what do 50 blocks buy?

    python -m scripts.finetune.own_mark --data ../shared/data [--cells E003 ...] [--seeds 0 1]

Tracks are the Roadmap consortium's (arcsinh of -log10 p over the ENCODE pilot regions, 25-bp bins), here in means of
200 bp, which is a nucleosome and about the length to which reads were extended. Any cell whose two files lie in the
folder is judged, with all others as training cells. Blocks have 100 kb. 50 of the new cell, in even steps over all
regions, are trained on, all others tested; with ``--blocks 0`` (always shown too) a model of the other cells is used as
it is. Ends with 1 where a limit is missed.

What the own mark adds is asked twice, each time with the same model without it. "Own mark alone": both see the other
cells' H3K27me3, and one the own mark: the limit is over this one. "Beside others' marks": both see the other cells'
H3K4me3 too, so that the own mark gains only what those do not tell, and one the own mark twice: as it is, and as its
difference from the others' mean. The latter model is the one that the best baseline is compared with.

The models are boosted trees, which do not extrapolate: few domains hold most of the signal, and nets with the adapter
of ``finetune.models.atac`` went astray in them. Model and settings were chosen by the error of predictions with
the own mark, in cross-validation over the 50 blocks of these four cells (nets against trees, over the affine average of
the left out: +0.07 against +0.19 in E003). But figures of earlier nets and trees on the test blocks had been seen
before that, and the limit stood over the second question before the first was asked: a cell that was not there is the
better judge.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits
from torch import nn

from finetune.verdict.baselines import Known, affine, baselines, best_baseline
from finetune.verdict.intervals import block_bootstrap
from finetune.verdict.score import skill_of

TARGET, MARK = "H3K27me3", "H3K4me3"
ENDING = "pilot.arcsinh.npz"
REDUCE = 8
BLOCK = 100_000 // (25 * REDUCE)
FEW = 50
YES = (True, False)
#: Least skill over the best baseline.
GAIN = 0.10
#: Bins of the running means that are seen: 200 bp to 64 kb.
SCALES = (1, 5, 21, 81, 321)
#: Models that a prediction is the mean of, each without its own share of the blocks, and how the trees of one grow.
MODELS = 5
GROWTH = {
    "max_iter": 150,
    "learning_rate": 0.04,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 200,  # 40 kb, as neighbouring bins are nearly one
    "l2_regularization": 50,
    "max_features": 0.3,
    "early_stopping": False,
}


@dataclass(frozen=True)
class Cells:
    """Tracks of all cells, (cells, blocks, bins) float32 each."""

    names: tuple[str, ...]
    target: np.ndarray
    mark: np.ndarray


def read(folder: Path) -> Cells:
    """All cells of the folder that have both marks; the last, partial block is left out."""
    names = sorted(
        path.name.split(".")[0]
        for path in folder.glob(f"*.{TARGET}.{ENDING}")
        if (folder / f"{path.name.split('.')[0]}.{MARK}.{ENDING}").exists()
    )
    if len(names) < 3:
        raise SystemExit(f"{folder}: {len(names)} cells with {TARGET} and {MARK}; at least 3 are needed")

    def blocks(name: str, mark: str) -> np.ndarray:
        with np.load(folder / f"{name}.{mark}.{ENDING}") as file:
            track = file[file.files[0]]
        n = len(track) // (BLOCK * REDUCE)
        return track[: n * BLOCK * REDUCE].reshape(n, BLOCK, REDUCE).mean(2, dtype=np.float32)

    return Cells(tuple(names), *(np.stack([blocks(name, mark) for name in names]) for mark in (TARGET, MARK)))


def running_means(track: np.ndarray, scales: tuple[int, ...] = SCALES) -> np.ndarray:
    """(blocks, bins) to (blocks, scales, bins), over the ends of blocks, which lie beside each other."""
    flat = torch.from_numpy(track.reshape(1, 1, -1))
    parts = [nn.functional.avg_pool1d(flat, w, 1, w // 2, count_include_pad=False) for w in scales]
    return torch.cat(parts, 1)[0].numpy().reshape(len(scales), *track.shape).transpose(1, 0, 2)


def spaced(n: int, few: int, seed: int) -> np.ndarray:
    """Numbers of ``few`` of n blocks in even steps, from a start that the seed shifts.

    All regions are met alike, whatever lies in them: with blocks drawn at random, figures hang on whether one of the
    few domains that hold most of the signal was drawn.
    """
    start = (0.5 + seed * 0.382) % 1.0  # the golden section: starts of successive seeds lie far apart
    return np.floor((np.arange(few) + start) * n / few).astype(np.int64)


def boosted(tracks: np.ndarray, target: np.ndarray, rows: np.ndarray, seed: int, models: int) -> np.ndarray:
    """(n, bins) mean of some models on the rows' bins, from the running means of tracks (any number, n, bins)."""
    seen = np.concatenate([running_means(track) for track in tracks], 1).transpose(0, 2, 1)
    flat = seen.reshape(-1, seen.shape[2])
    total = np.zeros(target.size)
    with threadpool_limits(1):
        for i in range(models):
            model = HistGradientBoostingRegressor(random_state=seed * 100 + i, **GROWTH)
            kept = rows if models == 1 else rows[np.arange(len(rows)) % models != i]
            total += model.fit(seen[kept].reshape(-1, flat.shape[1]), target[kept].ravel()).predict(flat)
    return (total / models).reshape(target.shape).astype(np.float32)


def few_blocks(
    cells: Cells, cell: int, rows: np.ndarray, own: bool, seed: int, models: int, others_marks: bool = True
) -> np.ndarray:
    """(blocks, bins) prediction of a cell that ``rows`` of its blocks were trained on.

    The affine average of other cells is an offset: where nothing else is known it stays, however high it is.
    """
    others = [i for i in range(len(cells.names)) if i != cell]
    average, target = cells.target[others].mean(0), cells.target[cell]
    tracks = [*cells.target[others], average]
    if own:
        tracks.append(cells.mark[cell])
    if others_marks:
        tracks += [*cells.mark[others], cells.mark[others].mean(0)]
    if own and others_marks:
        scaled = cells.mark / cells.mark[:, rows].std((1, 2), keepdims=True)
        tracks.append(scaled[cell] - scaled[others].mean(0))
    a, b = affine(average[rows], target[rows])
    offset = (a + b * average).astype(np.float32)
    return offset + boosted(np.stack(tracks), target - offset, rows, seed, models)


def no_block(cells: Cells, cell: int, own: bool, seed: int, models: int) -> np.ndarray:
    """(blocks, bins) prediction of a cell that nothing was trained on: each other cell from the rest, then this one.

    What is seen of the rest is their mean and their highest, for their number differs. Marks are over their spread.
    """
    others = [i for i in range(len(cells.names)) if i != cell]
    scaled = cells.mark / cells.mark.std((1, 2), keepdims=True)

    def seen_of(one: int) -> np.ndarray:
        rest = [i for i in others if i != one]
        marks = [scaled[one], scaled[one] - scaled[rest].mean(0)] if own else []
        return np.stack([cells.target[rest].mean(0), cells.target[rest].max(0), scaled[rest].mean(0), *marks])

    n = cells.target.shape[1]
    tracks = np.concatenate([seen_of(one) for one in (*others, cell)], 1)
    target = np.concatenate([*cells.target[others], np.zeros_like(cells.target[cell])])  # the new cell's: not looked at
    rows = spaced(len(others) * n, len(others) * FEW, seed)
    return boosted(tracks, target, rows, seed, models)[-n:]


@dataclass(frozen=True)
class Row:
    """Figures of one cell and seed: value, low, high each.

    Attributes:
        blocks: of the cell that were trained on. best: the best baseline's name, and gain: skill over it.
        alone: skill of the model that sees the own mark and no other's, over the same without it; None without blocks.
        beside: of the one that sees others' marks too, over the same without the own mark.
    """

    cell: str
    seed: int
    blocks: int
    best: str
    gain: tuple[float, float, float]
    alone: tuple[float, float, float] | None
    beside: tuple[float, float, float]


def judge(cells: Cells, cell: int, seed: int, blocks: int, models: int = MODELS) -> Row:
    """Train with and without the own mark, and compare on all blocks that were not trained on."""
    torch.set_num_threads(1)
    n = cells.target.shape[1]
    rows = spaced(n, FEW, seed)
    test = np.setdiff1d(np.arange(n), rows)
    others = [i for i in range(len(cells.names)) if i != cell]
    if blocks:
        made = {
            (own, others): few_blocks(cells, cell, rows, own, seed, models, others) for own in YES for others in YES
        }
    else:
        made = {(own, True): no_block(cells, cell, own, seed, models) for own in YES}
    known = Known(
        [cells.names[i] for i in others],
        cells.target[others][:, rows],
        cells.target[others][:, test],
        cells.target[cell][rows] if blocks else None,
        cells.mark[others][:, rows],
        cells.mark[cell][rows],
    )
    known_alone = baselines(known)
    truth = cells.target[cell][test]
    best = best_baseline(known_alone, truth)

    def over(model: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
        sums = np.stack([((p - truth) ** 2).sum(1, dtype=np.float64) for p in (model, other)], axis=1)
        interval = block_bootstrap(skill_of, sums, seed=seed)
        return float(skill_of(sums.sum(0))), *(interval or (np.nan, np.nan))

    def gained(others: bool) -> tuple[float, float, float]:
        return over(made[True, others][test], made[False, others][test])

    gain = over(made[True, True][test], known_alone[best])
    return Row(cells.names[cell], seed, blocks, best, gain, gained(False) if blocks else None, gained(True))


def reached(row: Row) -> tuple[bool, bool]:
    """Whether the limits hold: 0.10 over the best baseline, and an interval above 0 over the same without the mark.

    Without blocks there is none to hold.
    """
    return (row.gain[0] >= GAIN, row.alone[1] > 0) if row.alone else (True, True)


def table(rows: list[Row]) -> str:
    """Markdown; a figure that misses its limit has an exclamation mark."""
    heads = ["cell", "seed", "blocks", "best baseline", "over it", "own mark alone", "own mark beside others' marks"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        figures = [
            "" if one is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*one) + ("" if holds else " !")
            for one, holds in zip((row.gain, row.alone, row.beside), (*reached(row), True), strict=True)
        ]
        lines.append(f"| {row.cell} | {row.seed} | {row.blocks} | {row.best} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> int:
    """The command; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with d07_avocado_pilot, or that folder")
    parser.add_argument("--cells", nargs="+", help="default all that lie there")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--blocks", type=int, nargs="+", default=[FEW, 0], choices=[FEW, 0])
    parser.add_argument("--jobs", type=int, default=2, help="cells at once, a core each")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = args.data / "d07_avocado_pilot"
    cells = read(folder if folder.is_dir() else args.data)
    chosen = args.cells or cells.names
    asked = [(cells, cells.names.index(name), seed, n) for n in args.blocks for name in chosen for seed in args.seeds]
    with ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn")) as pool:
        rows = list(pool.map(judge, *zip(*asked, strict=True)))
    sys.stdout.write(table(rows) + "\n")
    return 0 if all(all(reached(row)) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
