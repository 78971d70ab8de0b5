"""Batches of windows, targets and what is known of the cell, in an order that the seed and the epoch alone decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from finetune.config import FinetuneConfig
from finetune.data.augment import moved, reverse_complement
from finetune.data.average import average_without
from finetune.data.prepare import Prepared
from zoo.errors import UsageError
from zoo.genome.encode import one_hot

__all__ = ["Batch", "Batches", "CellInputs", "interleaved"]


@dataclass(frozen=True)
class Batch:
    """What one step sees. One row is a window, or a window in one cell.

    Attributes:
        head: the head that is trained.
        inputs: (n, 4, L) one-hot, or (n, channels, positions) embeddings where these were cached.
        embedded: whether ``inputs`` are embeddings.
        target: (n, tracks, bins) float32, transformed; NaN where nothing was measured.
        weight: (n, tracks) float32 of the loss.
        atac: (n, 1, bins) the cell's track less the training average, or None.
        summary: (n, k) features of the cell's whole track, zero for the average cell, or None.
        average: (n, tracks, bins) the mean track of training cells without this one, or None.
        rows: (n,) int64 numbers of the windows. cells: (n,) int64 numbers of the cells, or None.
    """

    head: str
    inputs: torch.Tensor
    embedded: bool
    target: torch.Tensor
    weight: torch.Tensor
    atac: torch.Tensor | None = None
    summary: torch.Tensor | None = None
    average: torch.Tensor | None = None
    rows: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    cells: torch.Tensor | None = None


@dataclass(frozen=True)
class CellInputs:
    """What a model is told of cells, fitted on training cells and training windows.

    Attributes:
        names: of the cells. train: numbers of those that train.
        difference: (cells, n, bins) of the cell's track from the training average without it, or None.
        summary: (cells, k), or None.
        averaged: whether the average of the target is part of a batch.
    """

    names: tuple[str, ...]
    train: np.ndarray
    difference: np.ndarray | None
    summary: np.ndarray | None
    averaged: bool


class Batches:
    """The batches of one head.

    Args:
        prepared: the set.
        config: batch size, seed, augmentation and weights are taken from it.
        n_value: of the one-hot at an unknown base.
        cells: what is told of cells; None for a model of sequence alone, whose tracks are all predicted at once.
        embeddings: gives (k, channels, positions) for (k,) windows and (k,) strands, in place of sequence.
        position: bp of a position of an embedding; shifts of cached ones are whole bins and whole positions.
        rows: training windows with repeats, in place of each once (``finetune.data.sampling``).
        weights: of the loss, one for each track of the set.
    """

    def __init__(
        self,
        prepared: Prepared,
        config: FinetuneConfig,
        n_value: float,
        *,
        cells: CellInputs | None = None,
        embeddings: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        position: int = 1,
        rows: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> None:
        self.prepared, self.config, self.n_value, self.cells = prepared, config, n_value, cells
        self.embeddings, self.position = embeddings, position
        self.train_rows = prepared.rows("train") if rows is None else rows
        tracks = prepared.tracks if cells is None else prepared.assays
        self.weights = np.ones(len(prepared.tracks), np.float32) if weights is None else weights.astype(np.float32)
        self.partners = _partners(prepared, cells, len(tracks))
        if (config.augment.shift or config.augment.flank) and prepared.read is None and embeddings is None:
            raise UsageError(
                "a set made of arrays cannot be laid anew", "", "Fix: augment.shift: 0 and augment.flank: 0"
            )

    # ------------------------------------------------------------ what is in an epoch

    def items(self, side: str, cells: Sequence[str] | None = None) -> np.ndarray:
        """(k, 2) int64: window and cell (-1 where the model is told of none), in order.

        Args:
            cells: these cells; default those of the side, for training rows those that train.
        """
        rows = self.train_rows if side == "train" else self.prepared.rows(side)
        if self.cells is None:
            return np.column_stack([rows, np.full(len(rows), -1)])
        names = list(cells) if cells is not None else self._cells_of(side)
        numbers = [self.cells.names.index(name) for name in names]
        return np.array([(row, cell) for cell in numbers for row in rows], dtype=np.int64).reshape(-1, 2)

    def _cells_of(self, side: str) -> list[str]:
        """Cells that a side's loss is computed on: validation cells where there are any, else those that train."""
        return self.prepared.cells_of(side) or self.prepared.cells_of("train")

    def __len__(self) -> int:
        """Batches of an epoch."""
        n = len(self.items("train")) * (3 if self.config.augment.flank else 1)
        return max(1, -(-n // self.config.train.batch))

    def train(self, epoch: int) -> Iterator[Batch]:
        """Batches of an epoch: shuffled, augmented; a function of the seed and the epoch."""
        rng = np.random.default_rng([self.config.train.seed, epoch])
        items = self.items("train")
        shifts = np.zeros(len(items), dtype=np.int64)
        if flank := self.config.augment.flank:
            shifts = np.repeat([0, -flank, flank], len(items))
            items = np.tile(items, (3, 1))
        flanked = shifts != 0
        order = rng.permutation(len(items))
        step = 1 if self.embeddings is None else self.prepared.geometry.bin_size
        size, most = self.config.train.batch, self.config.augment.shift // step
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            jitter = step * rng.integers(-most, most + 1, len(chosen)) if most else np.zeros(len(chosen), np.int64)
            turned = rng.random(len(chosen)) < (0.5 if self.config.augment.reverse_complement else 0.0)
            yield self._batch(items[chosen], jitter, turned, np.where(flanked[chosen], shifts[chosen], 0))

    def side(self, side: str, cells: Sequence[str] | None = None, size: int | None = None) -> Iterator[Batch]:
        """Batches of a side as it is: in order, not augmented."""
        items = self.items(side, cells)
        size = size or self.config.train.batch
        for first in range(0, len(items), size):
            yield self.at(items[first : first + size])

    def at(self, items: np.ndarray) -> Batch:
        """One batch of (k, 2) windows and cells, not augmented."""
        still = np.zeros(len(items), np.int64)
        return self._batch(items, still, still.astype(bool), still)

    def told(self, batch: Batch, rows: np.ndarray, cell: str) -> Batch:
        """The same batch with another cell's input; ``""`` is the average cell's, which is no difference."""
        if self.cells is None or batch.atac is None:
            return batch
        if not cell:
            summary = None if batch.summary is None else torch.zeros_like(batch.summary)
            return replace(batch, atac=torch.zeros_like(batch.atac), summary=summary)
        number = self.cells.names.index(cell)
        summary = None
        if batch.summary is not None:
            summary = torch.from_numpy(self.cells.summary[number]).expand(len(rows), -1).clone()
        return replace(batch, atac=torch.from_numpy(self.cells.difference[number, rows][:, None]), summary=summary)

    # ------------------------------------------------------------ one batch

    def _batch(self, items: np.ndarray, jitter: np.ndarray, turned: np.ndarray, flank: np.ndarray) -> Batch:
        """Targets follow ``jitter``; ``flank`` moves the input alone, which keeps the target of its middle window."""
        rows = items[:, 0]
        values, atac = self._measured(rows, jitter)
        target, difference, average = self._of_items(items, values, atac)
        inputs = self._inputs(rows, jitter + flank)
        embedded = self.embeddings is not None or inputs is None
        inputs, target, difference, average = reverse_complement(
            turned, None if embedded else inputs, target, self.partners, difference, average
        )
        told = self.cells
        return Batch(
            head=self.prepared.head,
            inputs=self._embedded(rows, jitter, turned) if embedded else torch.from_numpy(inputs),
            embedded=embedded,
            target=torch.from_numpy(target),
            weight=torch.from_numpy(self._weight(items, target.shape[1])),
            atac=None if difference is None else torch.from_numpy(difference),
            summary=None if told is None or told.summary is None else torch.from_numpy(told.summary[items[:, 1]]),
            average=None if average is None else torch.from_numpy(average),
            rows=torch.from_numpy(np.ascontiguousarray(rows)),
            cells=None if told is None else torch.from_numpy(np.ascontiguousarray(items[:, 1])),
        )

    def _measured(self, rows: np.ndarray, jitter: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(tracks, n, bins) targets and (cells, n, bins) differences of ATAC at the windows, moved by ``jitter``."""
        told = self.cells
        if jitter.any() and self.embeddings is None:
            values, atac = self.prepared.read(rows, jitter)
            if told is None or atac is None or told.difference is None:
                return values, None
            from finetune.data.cell_track import difference

            return values, difference(atac, told.train)
        order = np.argsort(rows, kind="stable")  # a memory map is read in its order
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        values = np.asarray(self.prepared.targets[:, rows[order]])[:, back]
        difference = told.difference[:, rows] if told is not None and told.difference is not None else None
        if jitter.any():  # cached windows stay where they are, and what is seen of them moves
            steps = jitter // self.prepared.geometry.bin_size
            values = np.stack([moved(track, steps) for track in values])
            difference = None if difference is None else np.stack([moved(track, steps) for track in difference])
        return values, difference

    def _of_items(
        self, items: np.ndarray, values: np.ndarray, atac: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Target, difference and average of each item, (n, ..., bins)."""
        if self.cells is None:
            return np.ascontiguousarray(values.transpose(1, 0, 2)), None, None
        n = np.arange(len(items))
        named = [self.cells.names[number] for number in items[:, 1]]
        tracks = [[self.prepared.track_of.get((name, assay), -1) for name in named] for assay in self.prepared.assays]
        target = np.stack([_picked(values, np.array(numbers), n) for numbers in tracks], axis=1)
        difference = None if atac is None else atac[items[:, 1], n][:, None]
        average = None
        if self.cells.averaged:
            average = np.stack([self._average(assay, values, named) for assay in self.prepared.assays], axis=1)
        return target, difference, average

    def _weight(self, items: np.ndarray, tracks: int) -> np.ndarray:
        """(n, tracks): of each track, or of each assay in the item's cell."""
        if self.cells is None:
            return np.broadcast_to(self.weights, (len(items), tracks)).copy()
        number = [
            [self.prepared.track_of.get((self.cells.names[cell], assay), -1) for assay in self.prepared.assays]
            for cell in items[:, 1]
        ]
        return np.where(np.array(number) < 0, 0, self.weights[np.array(number)]).astype(np.float32)

    def _average(self, assay: str, values: np.ndarray, named: Sequence[str]) -> np.ndarray:
        """(n, bins) mean of training and reference cells; a cell is left out of its own."""
        tracks = {cell: self.prepared.track_of.get((cell, assay), -1) for cell in self.prepared.averaged}
        train = [cell for cell, track in tracks.items() if track >= 0]
        own = np.array([train.index(name) if name in train else -1 for name in named])
        return average_without(values[[tracks[cell] for cell in train]], own)

    def _inputs(self, rows: np.ndarray, shift: np.ndarray) -> np.ndarray | None:
        """(n, 4, L) one-hot; None where embeddings were cached, or there is no sequence."""
        if self.embeddings is not None or self.prepared.letters is None:
            return None
        return one_hot(self.prepared.letters(rows, shift), self.n_value)

    def _embedded(self, rows: np.ndarray, jitter: np.ndarray, turned: np.ndarray) -> torch.Tensor:
        if self.embeddings is None:
            return torch.zeros(len(rows), 0, self.prepared.geometry.n_bins)
        found = self.embeddings(rows, turned.astype(np.int64)).astype(np.float32)
        if jitter.any():  # the other strand's embedding runs from the window's end
            found = moved(found, np.where(turned, -1, 1) * (jitter // self.position), 0.0)
        return torch.from_numpy(found)


def _picked(values: np.ndarray, tracks: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(n, bins) of the track of each item; NaN where its number is -1."""
    found = values[np.maximum(tracks, 0), n].astype(np.float32)
    found[tracks < 0] = np.nan
    return found


def _partners(prepared: Prepared, cells: CellInputs | None, n: int) -> np.ndarray:
    """Permutation of tracks on the other strand; assays of cells are unstranded."""
    if cells is not None:
        return np.arange(n)
    return np.array([i if track.partner is None else track.partner for i, track in enumerate(prepared.tracks)])


def interleaved(sets: Mapping[str, Batches], epoch: int, seed: int) -> Iterator[Batch]:
    """The batches of several heads in an order drawn by seed and epoch, each head's own order kept."""
    if len(sets) == 1:
        yield from next(iter(sets.values())).train(epoch)
        return
    names = [name for name, batches in sets.items() for _ in range(len(batches))]
    np.random.default_rng([seed, epoch, 1]).shuffle(names)
    running = {name: batches.train(epoch) for name, batches in sets.items()}
    for name in names:
        if (batch := next(running[name], None)) is not None:
            yield batch
