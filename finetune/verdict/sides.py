"""What is judged: each track on each side that was held out, with what doing next to nothing predicts there.

held-out chromosomes    training cells (or tracks of no cell) on test windows
held-out cells          test cells on training windows
both                    test cells on test windows
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from finetune.data.average import average_of
from finetune.data.batches import Batches, CellInputs
from finetune.data.prepare import Prepared, TrackInfo
from finetune.models.base import Base
from finetune.models.heads import Adapted
from finetune.training.feed import moved
from finetune.verdict.baselines import Known, baselines
from finetune.verdict.count_baselines import baselines_of_counts, grouped
from finetune.verdict.loci import bins_of_loci
from finetune.verdict.verdict import SIDES, Judged
from zoo.genome.encode import one_hot
from zoo.models.loaded import full_float32

__all__ = ["BaseTracks", "Predictor", "Rows", "judged_tracks"]

#: Training windows that baselines are fitted on, spread evenly; they have few numbers to find.
FITTED = 2048
#: Bytes of embeddings that are kept while the same windows are predicted for one cell after another.
KEPT = 1 << 30
SIZE = 16

#: (k,) window numbers, cell, cell whose input is given instead -> (k, tracks, bins) predictions.
Rows = Callable[[np.ndarray, str | None, str | None], np.ndarray]


class Predictor:
    """A trained model's predictions of windows, from sequence through its trunk.

    Args:
        model: in eval mode. batches: of its head, without cached embeddings.
        baked: whether a cell's track is left out bin by bin, and only its summary is given.
    """

    def __init__(self, model: Adapted, batches: Batches, device: torch.device, baked: bool = False) -> None:
        self.baked = baked
        self.model, self.batches, self.device = model.to(device).eval(), batches, device
        self._kept: dict[int, torch.Tensor] = {}
        self._bytes = 0

    @torch.inference_mode()
    def __call__(self, rows: np.ndarray, cell: str | None = None, told: str | None = None) -> np.ndarray:
        """(k, tracks, bins) float32.

        Args:
            cell: whose track is predicted. told: another cell whose input is given in its place; ``""`` for none.
        """
        with full_float32():
            return self._predicted(rows, cell, told)

    def _predicted(self, rows: np.ndarray, cell: str | None, told: str | None) -> np.ndarray:
        names = self.batches.cells.names if self.batches.cells is not None else ()
        number = names.index(cell) if cell is not None and names else -1
        parts = []
        for first in range(0, len(rows), SIZE):
            part = rows[first : first + SIZE]
            batch = self.batches.at(np.column_stack([part, np.full(len(part), number)]))
            if told is not None:
                batch = self.batches.told(batch, part, told)
            if self.baked and batch.atac is not None:
                batch = replace(batch, atac=torch.zeros_like(batch.atac))
            batch = moved(batch, self.device)
            embedding = self._embedding(part, batch.inputs)
            batch = replace(batch, inputs=embedding, embedded=True)
            parts.append(self.model.predict(batch).float().cpu().numpy())
        return np.concatenate(parts)

    def _embedding(self, rows: np.ndarray, inputs: torch.Tensor) -> torch.Tensor:
        known = [self._kept.get(int(row)) for row in rows]
        if all(one is not None for one in known):
            return torch.stack(known)
        found = self.model.trunk(inputs)
        if self.batches.cells is not None:
            for row, one in zip(rows, found, strict=True):
                if self._bytes + one.numel() * one.element_size() <= KEPT and int(row) not in self._kept:
                    self._kept[int(row)] = one
                    self._bytes += one.numel() * one.element_size()
        return found


class BaseTracks:
    """The frozen base's own prediction, of that of its tracks which is nearest to a target on training windows.

    Args:
        base: opened anew, with its own weights.
    """

    def __init__(self, base: Base, prepared: Prepared, device: torch.device) -> None:
        self.base, self.prepared, self.device = base, prepared, device
        if base.head is not None:
            base.trunk.to(device).eval()
            base.head.to(device).eval()

    @cached_property
    def applies(self) -> bool:
        """Whether its bins can be laid on those of the targets."""
        base, geometry = self.base, self.prepared.geometry
        if base.head is None or self.prepared.letters is None or base.length != geometry.length:
            return False
        if base.positions > 1 and (base.offset, base.positions * base.bin_size) != (geometry.offset, geometry.span):
            return False
        return self._one(np.array([0])).shape[-1] == self.prepared.geometry.n_bins

    @torch.inference_mode()
    def _one(self, rows: np.ndarray) -> np.ndarray:
        letters = self.prepared.letters(rows, np.zeros(len(rows), np.int64))
        x = torch.from_numpy(one_hot(letters, self.base.n_value)).to(self.device)
        with full_float32():
            found = self.base.predict(x).float().cpu().numpy()
        bins, wanted = found.shape[-1], self.prepared.geometry.n_bins
        if bins != wanted and bins % wanted == 0:
            found = found.reshape(*found.shape[:2], wanted, bins // wanted).mean(-1)
        return found

    def nearest(self, rows: np.ndarray, target: np.ndarray) -> int:
        """Number of the base's track that correlates best with (k, bins) of a target on (k,) windows."""
        rows, target = rows[:: max(1, len(rows) // 128)], target[:: max(1, len(rows) // 128)]
        found = np.concatenate([self._one(rows[i : i + SIZE]) for i in range(0, len(rows), SIZE)])
        known = np.isfinite(target)
        wanted = target[known] - target[known].mean()
        scores = []
        for track in range(found.shape[1]):
            own = found[:, track][known]
            own = own - own.mean()
            scores.append(abs(float(own @ wanted)) / max(float(np.sqrt((own @ own) * (wanted @ wanted))), 1e-12))
        return int(np.argmax(scores))

    def of(self, rows: np.ndarray, track: int) -> np.ndarray:
        """(1, k, bins) of one of its tracks."""
        parts = [self._one(rows[i : i + SIZE])[:, track] for i in range(0, len(rows), SIZE)]
        return np.concatenate(parts)[None]


@dataclass(frozen=True)
class _Place:
    """A side: its name, windows and tracks."""

    side: str
    rows: np.ndarray
    tracks: tuple[int, ...]


def judged_tracks(
    prepared: Prepared,
    predict: Rows,
    *,
    side: str = "test",
    cells: CellInputs | None = None,
    base: BaseTracks | None = None,
    columns: Mapping[int, int] | None = None,
    loci: str | None = None,
    only: Collection[str] = (),
) -> Iterator[Judged]:
    """Every track on every side, one at a time.

    Args:
        predict: see ``Rows``. side: ``test`` or ``validation``.
        cells: what the model is told of cells; None for a model of sequence alone.
        columns: track of ``prepared`` -> track of the prediction; default the same, or its assay.
        loci: BED of specific loci, looked for on the held-out chromosomes.
        only: cells; default all.
    """
    for place in _places(prepared, side, cells):
        for number in place.tracks:
            if only and prepared.tracks[number].cell not in only:
                continue
            yield _judged(prepared, predict, place, number, cells, base, columns, loci)


def _places(prepared: Prepared, side: str, cells: CellInputs | None) -> list[_Place]:
    of = {name: tuple(i for i, t in enumerate(prepared.tracks) if t.side == name) for name in ("train", side)}
    rows, train = prepared.rows(side), prepared.rows("train")
    places = [_Place(SIDES[0], rows, of["train"])]
    if cells is not None and of[side]:
        places += [_Place(SIDES[1], train, of[side]), _Place(SIDES[2], rows, of[side])]
    return [place for place in places if len(place.rows) and place.tracks]


def _judged(
    prepared: Prepared,
    predict: Rows,
    place: _Place,
    number: int,
    cells: CellInputs | None,
    base: BaseTracks | None,
    columns: Mapping[int, int] | None,
    loci: str | None,
) -> Judged:
    info, rows = prepared.tracks[number], place.rows
    column = _column(prepared, number, cells, columns)
    others = [
        i
        for i, track in enumerate(prepared.tracks)
        if i != number
        and track.side in ("train", "reference")
        and track.cell
        and info.cell
        and track.assay == info.assay
    ]
    observed = np.asarray(prepared.targets[number][rows])
    told = cells is not None and cells.difference is not None
    without = predict(rows, info.cell, "")[:, column] if told else None
    known = _known(prepared, number, others, rows, base, without)
    average = average_of(prepared.targets[others][:, rows]) if others else None
    several = np.asarray(prepared.targets[others][:, rows]) if len(others) > 1 else None
    raw = info.transform == ("none",)
    counts = raw and not bool((np.nan_to_num(known.test) < 0).any() or (np.nan_to_num(observed) < 0).any())
    return Judged(
        side=place.side,
        name=info.name,
        cell=info.cell,
        observed=observed,
        predicted=predict(rows, info.cell, None)[:, column],
        baselines=baselines(known),
        chrom=prepared.windows.chrom[rows],
        start=prepared.windows.start[rows] + prepared.geometry.offset,
        bin_size=prepared.geometry.bin_size,
        average=average,
        variance=None if several is None else _variance(several),
        swapped=_Swapped(predict, rows, info, column, cells) if told else None,
        depth=_input_depth(prepared, info, rows),
        specific=None if loci is None or place.side == SIDES[1] else _specific(prepared, rows, loci),
        raw=raw,
        of_counts=(lambda group: baselines_of_counts(grouped(known, group))) if counts else None,
    )


def _input_depth(prepared: Prepared, info: TrackInfo, rows: np.ndarray) -> np.ndarray | None:
    """(n,) sum of the cell's own track in each window, to see whether the model is worse where that is thin."""
    if prepared.atac is None or info.cell is None:
        return None
    return np.nansum(prepared.atac[prepared.cells.index(info.cell)][rows], axis=1)


def _specific(prepared: Prepared, rows: np.ndarray, loci: str) -> np.ndarray:
    geometry = prepared.geometry
    first = prepared.windows.start[rows] + geometry.offset
    return bins_of_loci(loci, prepared.windows.chrom[rows], first, geometry.n_bins, geometry.bin_size)


def _column(prepared: Prepared, number: int, cells: CellInputs | None, columns: Mapping[int, int] | None) -> int:
    if columns is not None:
        return columns[number]
    return number if cells is None else prepared.assays.index(prepared.tracks[number].assay)


def _known(
    prepared: Prepared,
    number: int,
    others: Sequence[int],
    rows: np.ndarray,
    base: BaseTracks | None,
    without: np.ndarray | None,
) -> Known:
    """What may be used without a model."""
    info = prepared.tracks[number]
    train = prepared.rows("train")
    fitted = train[np.unique(np.linspace(0, len(train) - 1, min(FITTED, len(train))).astype(int))]
    own = np.asarray(prepared.targets[number][fitted]) if info.side == "train" else None
    atac = own_atac = None
    if prepared.atac is not None and info.cell is not None and others:
        of = [prepared.cells.index(prepared.tracks[i].cell) for i in others]
        atac = np.asarray(prepared.atac[of][:, fitted])
        own_atac = np.asarray(prepared.atac[prepared.cells.index(info.cell)][fitted])
    base_train = base_test = None
    if base is not None and base.applies:
        target = own if own is not None else average_of(prepared.targets[list(others)][:, fitted])
        track = base.nearest(fitted, target)
        base_train, base_test = base.of(fitted, track), base.of(rows, track)
    shape = (0, len(rows), prepared.geometry.n_bins)
    return Known(
        cells=[prepared.tracks[i].cell for i in others],
        train=np.asarray(prepared.targets[list(others)][:, fitted]) if others else np.empty((0, len(fitted), shape[2])),
        test=np.asarray(prepared.targets[list(others)][:, rows]) if others else np.empty(shape),
        own=own,
        atac=atac,
        own_atac=own_atac,
        base_train=base_train,
        base_test=base_test,
        without=without,
    )


class _Swapped(Mapping[str, np.ndarray]):
    """Predictions from each wrong cell's input, made when they are asked for."""

    def __init__(self, predict: Rows, rows: np.ndarray, info: TrackInfo, column: int, cells: CellInputs) -> None:
        self._predict, self._rows, self._info, self._column = predict, rows, info, column
        self._names = [name for name in cells.names if name != info.cell]

    def __getitem__(self, cell: str) -> np.ndarray:
        return self._predict(self._rows, self._info.cell, cell)[:, self._column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _variance(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    centred = np.where(known, values - average_of(values), 0)
    return (centred**2).sum(0, dtype=np.float64) / np.maximum(known.sum(0), 1)
