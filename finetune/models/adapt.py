"""The model of a run: a base's trunk as ``mode`` has it, a head a head of the config, and the cell's adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from finetune.config import FinetuneConfig
from finetune.data.batches import CellInputs
from finetune.data.cell_track import cell_summary, difference, refuse_itself
from finetune.data.prepare import Prepared
from finetune.models.atac import CellAdapter
from finetune.models.average import AverageAdapter
from finetune.models.base import Base
from finetune.models.freeze import freeze, freeze_all_but_last
from finetune.models.heads import ACTIVATION_OF_LOSS, Adapted, Head, head_for, init_head, warm_start
from finetune.models.lora import add_lora
from zoo.errors import UsageError
from zoo.genome.encode import one_hot
from zoo.words import counted

__all__ = ["adapt", "cell_inputs", "head_loss"]

#: Training windows that the base predicts, to bring its head to the scale of the new track.
STARTING = 128
#: Bytes of embeddings of training windows that the summary of a cell's track is read with.
FEATURES = 1 << 28
#: Largest change of a logarithm by a cell's own track: 20-fold.
LIMIT = 3.0


def head_loss(config: FinetuneConfig, head: str) -> str:
    """The loss of a head: its own, else that of ``train``."""
    own = next((one.loss for one in config.heads if one.name == head), None)
    return own or config.train.loss


def cell_inputs(prepared: Prepared, config: FinetuneConfig, base: Base) -> CellInputs | None:
    """What the model is told of cells, fitted on training cells and training windows; None where it is told nothing.

    Raises:
        UsageError: fewer than two training cells, or a track that is predicted from itself.
    """
    if config.cell.input == "none" and config.cell.average == "none":
        return None
    names = tuple(dict.fromkeys(track.cell for track in prepared.tracks if track.cell))
    if not names:
        raise UsageError("`cell` is given, and no target names its cell", "", "Fix: add `cell:` to the targets")
    if without := [track.name for track in prepared.tracks if track.cell is None]:
        raise UsageError(
            f"`cell` is given, and the target {without[0]!r} names no cell",
            f"{len(without)} of {len(prepared.tracks)} targets",
            "Fix: add `cell:` to it, or give it a run of its own",
        )
    train = np.array([names.index(cell) for cell in prepared.cells_of("train")], dtype=np.int64)
    if len(prepared.averaged) < 2 or (config.cell.input != "none" and len(train) < 2):
        raise UsageError(
            f"an average over cells leaves out the cell that is trained on, and {len(train)} cell trains",
            f"{counted(len(names), 'cell has', 'cells have')} targets",
            "Fix: add targets of other cells, or take cells out of `split.cells`",
        )
    averaged = config.cell.average != "none"
    if config.cell.input == "none":
        return CellInputs(names, train, None, None, averaged)
    order = [prepared.cells.index(name) for name in names]
    atac = np.asarray(prepared.atac[order])
    read = {target.name: [Path(name) for name in target.files] for target in config.targets}
    for track, values in zip(prepared.tracks, prepared.targets, strict=True):
        if track.cell is not None:
            given = atac[names.index(track.cell)]
            told = [Path(name) for name in config.cell.tracks[track.cell]]
            refuse_itself(values, given, track.name, track.cell, read[track.name], told)
    found = difference(atac, train)
    summary = _summary(prepared, config, base, found, train) if config.cell.summary else None
    return CellInputs(names, train, found, summary, averaged)


def _summary(
    prepared: Prepared, config: FinetuneConfig, base: Base, found: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """(cells, k): which of the embedding's features go with what a cell has of its own, over training windows.

    Windows are spread evenly where the embedding of all would not fit.
    """
    rows = prepared.rows("train")
    if not config.cell.dna or prepared.letters is None:
        return cell_summary(found[:, rows], train, config.cell.summary)
    one = base.channels * prepared.geometry.n_bins * 4
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), max(1, FEATURES // one))).astype(int))]
    head = head_for(base, prepared.geometry, 1, "mse")
    parts = []
    with torch.inference_mode():
        for first in range(0, len(rows), 16):
            part = rows[first : first + 16]
            letters = prepared.letters(part, np.zeros(len(part), np.int64))
            parts.append(head.place(base.trunk(torch.from_numpy(one_hot(letters, base.n_value)))).numpy())
    return cell_summary(found[:, rows], train, config.cell.summary, np.concatenate(parts))


def adapt(
    base: Base,
    config: FinetuneConfig,
    sets: Mapping[str, Prepared],
    cells: Mapping[str, CellInputs | None],
    report: Callable[[str], None] | None = None,
) -> Adapted:
    """Put heads on a base. The trunk's weights are those of ``base``, which training changes.

    Raises:
        UsageError: a mode, layer or head that the base has not; several heads where cells are told apart.
    """
    tell = report or (lambda text: None)
    told = {name: found for name, found in cells.items() if found is not None}
    if told and len(sets) > 1:
        raise UsageError("`cell` is for one head", f"{len(sets)} are given", "Fix: a run for each assay")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        heads = {
            name: head_for(
                base,
                prepared.geometry,
                len(prepared.assays) if name in told else len(prepared.tracks),
                head_loss(config, name),
                config.train.seed,
            )
            for name, prepared in sets.items()
        }
        for name, head in heads.items():
            _start(head, base, sets[name], config, name in told)
        _set_mode(base, config, tell)
        adapter = next((_adapter(base, config, sets[name], found) for name, found in told.items()), None)
        return Adapted(base.trunk, heads, adapter, bool(told) and config.cell.average in ("offset", "both"))


def _adapter(base: Base, config: FinetuneConfig, prepared: Prepared, told: CellInputs) -> CellAdapter | AverageAdapter:
    if told.difference is None:
        channels, seen = base.channels if config.cell.dna else None, config.cell.average in ("input", "both")
        return AverageAdapter(len(prepared.assays), channels, seen, config.cell.width)
    activation = ACTIVATION_OF_LOSS[head_loss(config, prepared.head)]
    return CellAdapter(
        len(prepared.assays),
        base.channels if config.cell.dna else None,
        0 if told.summary is None else told.summary.shape[1],
        config.cell.width,
        config.cell.average in ("input", "both"),
        limit=None if activation == "identity" else LIMIT,
    )


def _set_mode(base: Base, config: FinetuneConfig, tell: Callable[[str], None]) -> None:
    mode, trunk = config.mode, base.trunk
    if mode == "head":
        freeze(trunk)
    elif mode == "lora":
        changed = add_lora(trunk, config.lora.rank, config.lora.alpha, config.lora.names, config.train.seed)
        some = ", ".join(changed[:4]) + (", ..." if changed[4:] else "")
        tell(f"low-rank updates of {counted(len(changed), 'layer')}: {some}")
    elif mode.startswith("last-"):
        names = freeze_all_but_last(trunk, int(mode.removeprefix("last-")))
        tell(f"blocks that train: {', '.join(names)}")
    elif mode == "scratch":
        for part in trunk.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()


def _start(head: Head, base: Base, prepared: Prepared, config: FinetuneConfig, told: bool) -> None:
    """Begin at the mean of the training targets; where the trunk trains too, at the base's own head, if it fits.

    A head alone finds its weights sooner from none than from those of another track.
    """
    rows = prepared.rows("train")
    if told:
        train = prepared.cells_of("train")
        means = [float(np.nanmean(prepared.of_cells(assay, train)[:, rows])) for assay in prepared.assays]
    else:
        means = [float(np.nanmean(prepared.targets[i, rows])) for i in range(len(prepared.tracks))]
    mean = torch.tensor(means, dtype=torch.float32)
    if config.mode not in ("head", "scratch") and base.head is not None and prepared.letters is not None:
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), STARTING)).astype(int)]
        if warm_start(head, base, mean, _mean_prediction(base, prepared, some)):
            return
    init_head(head, mean)


def _mean_prediction(base: Base, prepared: Prepared, rows: np.ndarray) -> float:
    """Mean of the base's own prediction over some windows."""
    total = 0.0
    with torch.inference_mode():
        for first in range(0, len(rows), 16):
            part = rows[first : first + 16]
            letters = prepared.letters(part, np.zeros(len(part), np.int64))
            total += float(base.predict(torch.from_numpy(one_hot(letters, base.n_value))).mean()) * len(part)
    return total / len(rows)
