"""What a run holds: its configuration, base, prepared sets, what is told of cells; the same to train and to judge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from finetune.config import FinetuneConfig
from finetune.config_file import check_files
from finetune.data.augment import check_augment
from finetune.data.batches import Batches, CellInputs
from finetune.data.prepare import Prepared, head_names, prepare
from finetune.data.regions import Windows
from finetune.data.sampling import (
    cell_weights,
    check_sampling,
    class_weights,
    positive_weights,
    resample_rows,
    synthesise,
    window_labels,
)
from finetune.data.splits import check_overlap
from finetune.data.train_only import TrainOnly
from finetune.models.adapt import adapt, cell_inputs, head_loss
from finetune.models.base import Base, open_base
from finetune.models.embed import embed
from finetune.models.heads import Adapted
from finetune.training.losses import Loss, check_targets, loss_of
from finetune.verdict.loci import bins_of_loci
from finetune.verdict.sides import BaseTracks, Predictor, judged_tracks
from finetune.verdict.verdict import Judged, Verdict, judge
from zoo.errors import SystemStateError, UsageError
from zoo.files import cache_folder
from zoo.models.loaded import pick_device
from zoo.progress import Notes
from zoo.words import counted

__all__ = ["SIDES", "Run"]

SIDES = ("train", "validation", "test")
#: Training windows without which no run starts.
LEAST = 2
SYNTHETIC = ("smote", "adasyn")


class Run:
    """A configuration with all that it names opened and checked.

    Args:
        trust: Python of a base that is not bundled may run.
        base: in the place of the one that the configuration names.

    Attributes:
        base: taken apart; training changes its trunk. sets: prepared, by head. cells: what is told of them, by head.
        device: where it trains.

    Raises:
        ZooError: whatever is wrong with the configuration or the files that it names.
    """

    def __init__(self, config: FinetuneConfig, trust: bool, notes: Notes, base: Base | None = None) -> None:
        self.config, self.trust, self.notes = config, trust, notes
        check_files(config)
        for name in head_names(config):
            check_sampling(config.sampling, head_loss(config, name), config.mode)
        _check_bake(config)
        self.device = _device(config)
        self.base: Base = base or open_base(config.base, trust=trust, length=config.length)
        self.sets: dict[str, Prepared] = {
            name: prepare(config, self.base, head=name, report=notes.add) for name in head_names(config)
        }
        for name, prepared in self.sets.items():
            _check_sides(prepared)
            _check_loci(prepared, config)
            _check_coarse(prepared, config)
            _check_classes(prepared, head_loss(config, name))
            check_augment(
                config.augment,
                prepared.geometry,
                cached=config.mode == "head",
                targets=[target for target in config.targets if target.head == name],
                position=self.base.bin_size,
            )
            for track, values in zip(prepared.tracks, prepared.targets, strict=True):
                check_targets(head_loss(config, name), values, track.name, track.transform)
        self._check_heads_apart()
        self.cells: dict[str, CellInputs | None] = {
            name: cell_inputs(prepared, config, self.base) for name, prepared in self.sets.items()
        }

    def _check_heads_apart(self) -> None:
        """Refuse that one head tests where another of the same genome trains: they share the trunk.

        Raises:
            UsageError: windows of two heads overlap on different sides.
        """
        genomes = {head.name: head.genome or self.config.genome for head in self.config.heads}
        moved = self.config.augment.shift + self.config.augment.flank
        for genome in dict.fromkeys(genomes.values()):
            sets = [self.sets[name] for name, one in genomes.items() if one == genome]
            if len(sets) < 2:
                continue
            parts = [one.windows for one in sets]
            together = Windows(
                *(np.concatenate([getattr(w, key) for w in parts]) for key in ("chrom", "start", "kind"))
            )
            check_overlap(together, np.concatenate([one.split for one in sets]), sets[0].geometry, moved)

    def identity(self) -> dict[str, Any]:
        """What must be the same for an interrupted run to go on."""
        plain = json.loads(self.config.model_dump_json())
        train = {key: value for key, value in plain["train"].items() if key not in ("log", "workers", "threads")}
        rest = {key: plain[key] for key in ("mode", "lora", "augment", "sampling", "heads", "cell")}
        data = {name: prepared.facts.get("hash") for name, prepared in self.sets.items()}
        return {"the base": self.base.hashes, "the data": data, "train": train} | rest

    def adapted(self) -> Adapted:
        """The model before its first step."""
        return adapt(self.base, self.config, self.sets, self.cells, self.notes.add)

    # ------------------------------------------------------------ batches and losses

    def embeddings(self) -> dict[str, np.ndarray]:
        """Of training and validation windows, in that order, of both strands: (k, 2, channels, positions) float16.

        The test side is judged from sequence, in full precision.
        """
        made = {}
        for name, prepared in self.sets.items():
            rows = _embedded_rows(prepared)

            def windows(part: slice, rows: np.ndarray = rows, prepared: Prepared = prepared) -> np.ndarray:
                return prepared.letters(rows[part], np.zeros(len(rows[part]), np.int64))

            made[name] = embed(
                self.base,
                windows,
                len(rows),
                cache_folder() / "embeddings",
                key=str(prepared.facts.get("hash")),
                device=str(self.device),
                report=self.notes.add,
            )
        return made

    def batches(self, embeddings: Mapping[str, np.ndarray] | None = None) -> dict[str, Batches]:
        """Of each head.

        Args:
            embeddings: of ``embeddings()``, in place of sequence.
        """
        return {
            name: self._batches(name, prepared, None if embeddings is None else embeddings[name])
            for name, prepared in self.sets.items()
        }

    def _batches(self, name: str, prepared: Prepared, embeddings: np.ndarray | None) -> Batches:
        sampling, rows = self.config.sampling, prepared.rows("train")
        loss = head_loss(self.config, name)
        place = None
        if embeddings is not None:
            place = np.full(len(prepared), -1)
            place[_embedded_rows(prepared)] = np.arange(len(embeddings))
        if sampling.resample in SYNTHETIC and embeddings is not None:
            prepared, embeddings, place = _with_synthetic(prepared, embeddings, place, loss, self.config)
            rows = prepared.rows("train")
        elif sampling.resample in ("over", "under"):
            labels = window_labels(prepared.targets[:, rows].transpose(1, 0, 2), loss)
            rows = resample_rows(sampling.resample, rows, labels, prepared.split, self.config.train.seed)
        weight = next((head.weight for head in self.config.heads if head.name == name), 1.0)
        return Batches(
            prepared,
            self.config,
            self.base.n_value,
            cells=self.cells[name],
            embeddings=None if embeddings is None else lambda rows, strands: embeddings[place[rows], strands],
            position=self.base.bin_size,
            rows=rows,
            weights=weight * self._weights(name, prepared),
        )

    def _weights(self, name: str, prepared: Prepared) -> np.ndarray:
        """(tracks,) of the loss: those of the targets, and such that no strong track drowns the rest."""
        weights = np.array([track.weight for track in prepared.tracks], np.float32)
        if self.config.sampling.cell_weights == "equal":
            training = _training(prepared)
            weights[training.cells] *= cell_weights(training)
        return weights

    def losses(self) -> dict[str, Loss]:
        """Of each head."""
        made = {}
        for name, prepared in self.sets.items():
            loss, sampling, rows = head_loss(self.config, name), self.config.sampling, prepared.rows("train")
            classes = positives = None
            if loss == "ce" and sampling.class_weights != "none":
                labels = window_labels(prepared.targets[:, rows].transpose(1, 0, 2), "ce")
                classes = class_weights(sampling.class_weights, labels, len(prepared.tracks)).tolist()
            if loss == "bce" and sampling.positive_weight != "none":
                positives = positive_weights(sampling.positive_weight, _training(prepared)).tolist()
            made[name] = loss_of(
                loss,
                total_weight=self.config.train.total_weight,
                class_weights=classes,
                positive_weight=positives,
            )
        return made

    # ------------------------------------------------------------ the verdict

    def judge(
        self, model: Adapted, side: str = "test", facts: Mapping[str, Any] | None = None, baked: bool = False
    ) -> Verdict:
        """The verdict on a trained model of this run.

        Args:
            side: ``test`` or ``validation``.
            baked: judge the heads of the cells of ``cell.bake`` alone, without their tracks' bins.
        """
        frozen = open_base(self.config.base, trust=self.trust, length=self.config.length)
        return judge(self._judged(model, frozen, side, baked), self.config.verdict, facts, self.config.train.seed)

    def _judged(self, model: Adapted, frozen: Base, side: str, baked: bool) -> Iterator[Judged]:
        for name, batches in self.batches().items():
            prepared = self.sets[name]
            yield from judged_tracks(
                prepared,
                Predictor(model, batches, self.device, baked),
                side=side,
                cells=self.cells[name],
                base=BaseTracks(frozen, prepared, self.device),
                loci=self.config.verdict.loci,
                only=self.config.cell.bake if baked else (),
            )

    def splits(self) -> dict[str, list[str]]:
        """Chromosomes of each side, of the first head."""
        main = next(iter(self.sets.values()))
        return {side: list(dict.fromkeys(map(str, main.windows.chrom[main.rows(side)]))) for side in SIDES}


def _check_bake(config: FinetuneConfig) -> None:
    """Refuse to bake what no sequence alone can give, before any work.

    Raises:
        UsageError: the average track, or no summary, is what the head would need; a cell without a track.
    """
    cell = config.cell
    if not cell.bake:
        return
    if cell.input != "atac" or cell.average != "none" or not cell.dna or not cell.summary:
        raise UsageError(
            "`cell.bake`: an entry of sequence alone has no track to read",
            f"input: {cell.input}, average: {cell.average}, dna: {cell.dna}, summary: {cell.summary}",
            "Fix: cell.input: atac, cell.average: none, cell.dna: true and cell.summary: 8, or leave out cell.bake",
        )
    if unknown := [name for name in cell.bake if name not in cell.tracks]:
        raise UsageError(
            f"`cell.bake`: {unknown[0]!r} has no track",
            f"cells with one: {', '.join(cell.tracks)}",
            "Fix: name cells of `cell.tracks`",
        )


def _training(prepared: Prepared) -> TrainOnly:
    """Tracks that train, on windows that train."""
    tracks = [i for i, track in enumerate(prepared.tracks) if track.side == "train"]
    return TrainOnly(prepared.targets, prepared.rows("train"), tracks)


def _device(config: FinetuneConfig) -> torch.device:
    """Where it trains.

    Raises:
        SystemStateError: this machine has no such device.
    """
    asked = config.train.accelerator
    try:
        return pick_device({"gpu": "cuda"}.get(asked, asked))
    except SystemStateError as error:
        what = error.what.partition(": ")[2] or error.what
        fix = "Fix: train.accelerator: cpu (or auto); for CUDA install a CUDA build of torch"
        raise SystemStateError(f"train.accelerator: {asked}: {what}", error.extent, fix) from None


def _check_loci(prepared: Prepared, config: FinetuneConfig) -> None:
    """Loci are read once before training, so that a wrong file does not end a run whose work is done."""
    if config.verdict.loci is None:
        return
    geometry, rows = prepared.geometry, prepared.rows("test")
    first = prepared.windows.start[rows] + geometry.offset
    bins_of_loci(config.verdict.loci, prepared.windows.chrom[rows], first, geometry.n_bins, geometry.bin_size)


def _check_coarse(prepared: Prepared, config: FinetuneConfig) -> None:
    """Coarser bins of the verdict are whole bins, and fill a window."""
    geometry, coarse = prepared.geometry, config.verdict.coarse
    if coarse is None or (coarse % geometry.bin_size == 0 and geometry.span % coarse == 0):
        return
    fitting = [geometry.bin_size * k for k in range(2, geometry.n_bins + 1) if geometry.n_bins % k == 0]
    raise UsageError(
        f"verdict.coarse: {coarse} is no multiple of the bins of {geometry.bin_size} bp that divides a window",
        f"{geometry.n_bins} bins, {geometry.span:,} bp in all",
        f"Fix: verdict.coarse: one of {', '.join(map(str, fitting[:8]))}"
        if fitting
        else "Fix: remove `verdict.coarse`",
    )


def _check_classes(prepared: Prepared, loss: str) -> None:
    if loss == "ce" and len(prepared.assays if prepared.atac is not None else prepared.tracks) < 2:
        raise UsageError(
            f"head {prepared.head}: the loss ce is of classes, and there is one target",
            "its share of one class is always 1",
            "Fix: train.loss: bce, or a target of each class",
        )


def _check_sides(prepared: Prepared) -> None:
    for side in SIDES:
        if not len(prepared.rows(side)):
            raise UsageError(
                f"head {prepared.head}: no window is on the {side} side",
                f"{counted(len(prepared), 'window')} in all",
                f"Fix: name other chromosomes in `split.{side}`, or choose more `regions`",
            )
    if len(prepared.rows("train")) < LEAST:
        raise UsageError(
            f"head {prepared.head}: 1 window trains, of which nothing can be learned that holds for another",
            f"{counted(len(prepared), 'window')} in all",
            "Fix: name more chromosomes in `split.train`, or choose more `regions`",
        )


def _embedded_rows(prepared: Prepared) -> np.ndarray:
    return np.concatenate([prepared.rows("train"), prepared.rows("validation")])


def _with_synthetic(
    prepared: Prepared, embeddings: np.ndarray, place: np.ndarray, loss: str, config: FinetuneConfig
) -> tuple[Prepared, np.ndarray, np.ndarray]:
    """The set with examples between those of rare classes, which train and lie nowhere.

    Raises:
        UsageError: targets of several bins, whose classes are no windows'.
    """
    if prepared.geometry.n_bins != 1 or (loss == "bce" and len(prepared.tracks) != 1):
        raise UsageError(
            f"`sampling.resample: {config.sampling.resample}` makes examples of one class each",
            f"{counted(len(prepared.tracks), 'track')} of {prepared.geometry.n_bins} bins a window",
            "Fix: `sampling.resample: over`",
        )
    rows = prepared.rows("train")
    labels = window_labels(prepared.targets[:, rows].transpose(1, 0, 2), loss)
    made, of = synthesise(config.sampling.resample, embeddings[place[rows], 0], labels, config.train.seed)
    made, of = made[len(rows) :], of[len(rows) :]
    values = np.eye(len(prepared.tracks))[of].T if loss == "ce" else of[None]
    at = np.concatenate([np.arange(len(prepared)), np.repeat(rows[:1], len(made))])
    extended = replace(
        prepared,
        windows=prepared.windows.take(at),
        split=np.concatenate([prepared.split, np.full(len(made), "train", prepared.split.dtype)]),
        targets=np.concatenate([prepared.targets, values[:, :, None].astype(np.float32)], axis=1),
    )
    both = np.repeat(made[:, None].astype(embeddings.dtype), 2, axis=1)
    return extended, np.concatenate([embeddings, both]), np.append(place, len(embeddings) + np.arange(len(made)))
