"""``run.yaml``: every key of a fine-tuning run, with its default, which stands here and nowhere else."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from finetune.mistakes import rule
from zoo.words import near_names

__all__ = [
    "AugmentConfig",
    "CardConfig",
    "CellConfig",
    "CellSplit",
    "DataConfig",
    "DepthConfig",
    "FinetuneConfig",
    "HeadConfig",
    "LoraConfig",
    "LossName",
    "RegionsConfig",
    "SamplingConfig",
    "SplitConfig",
    "TargetConfig",
    "TrainConfig",
    "VerdictConfig",
]

LossName = Literal[
    "poisson", "poisson_multinomial", "multinomial_counts", "mse", "weighted_mse", "bce", "ce"
]  # fmt: skip


class Strict(BaseModel):
    """A part of the file: an unknown key is an error, so that a typo is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float | dict) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


def _track_name(name: str) -> str:
    """A name stands on one line of tables and pages."""
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise rule(f"{name!r} is no name: it is empty, or begins, ends or breaks with a blank", "name: mono")
    return name


def _head_name(name: str) -> str:
    """A name of a module and of a file's part."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or hasattr(dict, name) or name == "type":
        raise rule(f"{name!r} is no name of a head", "letters, digits, _ and -, as in `name: accessibility`")
    return name


def _weights(given: Any) -> Any:
    """Of classes or positives."""
    values = given if isinstance(given, tuple) else () if isinstance(given, str) else (given,)
    if wrong := [value for value in values if not value > 0]:
        raise rule(f"a weight must be above 0, not {wrong[0]:g}", "a weight above 0, or balanced")
    return given


def _mode(given: str) -> str:
    """What of the model trains."""
    if not re.fullmatch(r"head|lora|full|scratch|last-[1-9]\d*", given):
        known = ["head", "lora", "last-2", "full", "scratch"]
        near = near_names(given, known)
        raise rule(f"{given!r} is no mode", f"mode: {near[0]}" if near else f"mode: one of {', '.join(known)}")
    return given


def _devices(given: int | str) -> int | str:
    """How many, or which."""
    if not re.fullmatch(r"-1|[1-9]\d*|auto|\d+(,\d+)*,?", str(given)):
        raise rule(f"{given!r} is no number of devices", "devices: 1, or auto")
    return given


def _entry_name(name: str | None) -> str | None:
    """A name of a folder."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise rule(f"{name!r} is no name of an entry: letters, digits and . _ - behind the first", "name: my-model")
    return name


class DepthConfig(Strict):
    """How a track's sequencing depth is brought to a common one; ``finetune.data.transform`` says how.

    ``background`` divides by the mean over bins below the track's median (fitted on training windows only), never by
    the mean, which is part of what is to be predicted. ``reads`` draws that many reads (fragments and BAM only).
    """

    background: bool = False
    reads: int | None = Field(default=None, gt=0)


class TargetConfig(Strict):
    """One track to predict.

    Attributes:
        name: of the track; unique.
        files: one file, or replicates that are added up (mean of bigWigs).
        read: ``signal`` of a bigWig; ``coverage``, ``centres`` or ``cuts`` of fragments or BAM; ``labels`` of BED or
            narrowPeak; ``table`` of a TSV with chrom, start, end and a column a track. bigWig has one reading, the
            rest must say.
        length: ``A-B``, fragments of A to B bp, both included.
        column: of a table; default the track's name.
        bin: bp; default the base's. A multiple of the base's that divides the output.
        reduce: how bases become a bin.
        transform: ``none``, or in order ``arcsinh``, ``log1p``, ``sqrt``, ``scale:FACTOR``, ``clip:LOW:HIGH``.
        missing: bases that a bigWig does not name are masked, or ``zero`` where its maker left zeros out.
        depth: see ``DepthConfig``.
        cell, assay: what the track measures; a cell's tracks go to one side of ``split.cells``.
        strand: and ``partner``, the track of the other strand: both swap under reverse complement.
        head: which of ``heads`` predicts it.
        weight: of its loss.
    """

    name: Annotated[str, AfterValidator(_track_name)]
    files: Names
    read: Literal["signal", "coverage", "centres", "cuts", "labels", "table"] | None = None
    length: str | None = None
    column: str | None = None
    bin: int | None = Field(default=None, gt=0)
    reduce: Literal["sum", "mean", "max"] = "mean"
    transform: Names = ("none",)
    missing: Literal["mask", "zero"] = "mask"
    depth: DepthConfig = DepthConfig()
    cell: str | None = None
    assay: str | None = None
    strand: Literal["+", "-"] | None = None
    partner: str | None = None
    head: str = "main"
    weight: float = Field(default=1.0, gt=0)


class RegionsConfig(Strict):
    """Where windows are laid.

    Attributes:
        choose: ``tiles`` of the whole genome; ``covered`` tiles, whose mean target is at least ``threshold``;
            ``peaks`` with GC-matched ``negatives`` a peak; ``file``, one window centred on each region.
        files: of peaks or regions.
        stride: bp between tiles; default the output's length.
        blacklist: BED files; a window whose output touches one is left out.
        mappability: bigWig or BED of unique positions; windows with less than ``least_mappable`` are left out.
        most_n: largest share of N in a window.
        most: at most so many windows, drawn by the seed.
        chromosomes: only these.
    """

    choose: Literal["tiles", "covered", "peaks", "file"] = "tiles"
    files: Names = ()
    stride: int | None = Field(default=None, gt=0)
    threshold: float | None = None
    negatives: float = Field(default=1.0, ge=0)
    blacklist: Names = ()
    mappability: str | None = None
    least_mappable: float = Field(default=0.5, ge=0, le=1)
    most_n: float = Field(default=0.1, ge=0, le=1)
    most: int | None = Field(default=None, gt=0)
    chromosomes: Names = ()


class CellSplit(Strict):
    """Cell types of each side; those that are not named train.

    Attributes:
        reference: cells that are part of averages and neither train nor are judged.
    """

    train: Names = ()
    validation: Names = ()
    test: Names = ()
    reference: Names = ()


class SplitConfig(Strict):
    """Chromosomes and cell types of each side.

    Attributes:
        train: default all chromosomes with windows that are not named otherwise.
        validation, test: chromosomes.
        cells: see ``CellSplit``.
        duplicates: what near-duplicate sequences between sides are: an error, or left out of validation and test.
        base_overlap: what test windows on the base's training chromosomes are.
    """

    train: Names = ()
    validation: Names
    test: Names
    cells: CellSplit | None = None
    duplicates: Literal["error", "drop"] = "error"
    base_overlap: Literal["error", "note"] = "error"


class CellConfig(Strict):
    """What the model is told of a cell type, so that it can predict new ones.

    Attributes:
        input: ``atac``: each cell's own track, from ``tracks`` (cell -> one file or several, read as ``read``).
        average: the mean track of training and reference cells (without the cell that is trained on): ``offset`` is
            added to the prediction, ``input`` is seen by the adapter, ``both``. With ``input: none`` it is all that is
            known of cells: for one new cell with data on some chromosomes, others in ``split.cells.reference``.
        missing: as of a target: what a bigWig does not name is not measured, or ``zero``.
        dna: whether the sequence is seen. width, summary: of the adapter.
        bake: cells whose heads become an entry of sequence alone, with what their whole tracks say as constants.
    """

    input: Literal["none", "atac"] = "none"
    average: Literal["none", "offset", "input", "both"] = "none"
    tracks: dict[str, Names] = {}
    read: Literal["signal", "coverage", "centres", "cuts"] | None = None
    transform: Names = ("none",)
    missing: Literal["mask", "zero"] = "mask"
    dna: bool = True
    width: int = Field(default=16, gt=0)
    summary: int = Field(default=8, ge=0)
    bake: Names = ()

    @model_validator(mode="after")
    def _something_to_see(self) -> CellConfig:
        """Without sequence, a cell's own track or the average the model would see nothing."""
        if not self.dna and self.input == "none" and self.average in ("none", "offset"):
            raise rule("`dna: false` leaves nothing to predict from", "set `cell.input: atac` or `cell.average: input`")
        return self


class HeadConfig(Strict):
    """One of several heads: the targets that name it share a loss. ``genome`` and ``regions`` are another species'."""

    name: Annotated[str, AfterValidator(_head_name)]
    loss: LossName | None = None
    weight: float = Field(default=1.0, gt=0)
    genome: str | None = None
    regions: RegionsConfig | None = None
    split: SplitConfig | None = None


class AugmentConfig(Strict):
    """Changes of training windows, after the split.

    Attributes:
        reverse_complement: half of the windows, stranded tracks swapped.
        shift: up to so many bp either way, input and target together.
        flank: two more windows a window, so many bp to either side, with the target of the middle one.
    """

    reverse_complement: bool = True
    shift: int = Field(default=0, ge=0)
    flank: int = Field(default=0, ge=0)


class SamplingConfig(Strict):
    """What is done about classes, positives and cells of unlike size; in training only.

    Attributes:
        resample: ``over`` or ``under`` (imbalanced-learn's random samplers, on window labels), ``smote`` or ``adasyn``
            (on embeddings: ``mode: head`` only).
        class_weights: ``balanced``, or a weight a class. positive_weight: of positives, or ``balanced``.
        cell_weights: ``equal`` divides a cell's loss by its variance over training windows, so that no strong track
            drowns the rest.
    """

    resample: Literal["none", "over", "under", "smote", "adasyn"] = "none"
    class_weights: Annotated[Literal["none", "balanced"] | tuple[float, ...], AfterValidator(_weights)] = "none"
    positive_weight: Annotated[Literal["none", "balanced"] | float, AfterValidator(_weights)] = "none"
    cell_weights: Literal["none", "equal"] = "none"


class TrainConfig(Strict):
    """How the model is trained. In brackets the key of gReLU's ``train_params``.

    Attributes:
        loss: [loss, task] of the head ``main``.
        optimizer: [optimizer]. lr: [lr]. weight_decay: of AdamW.
        epochs: [max_epochs]. batch: [batch_size] windows. workers: [num_workers].
        seed: of weights, order, augmentation.
        accumulate: [accumulate_grad_batches]. clip: [clip] norm of the gradient; 0 is off.
        warmup: share of steps with a rising rate. schedule: after it.
        early_stopping: [early_stopping] [patience, monitor, mode]: epochs without a better ``monitor``; 0 is off.
        total_weight: [total_weight] of the count term of Poisson-multinomial.
        layer_decay: rate of a layer over that of the next; 1 is off.
        average: share that the running mean of weights keeps each step; 0 is off.
        precision: of the trainer. devices: [devices]. nodes, accelerator: of the trainer.
        log: [logger]; csv is always written. threads: of torch.
    """

    loss: LossName = "poisson"
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    epochs: int = Field(default=10, ge=1)
    batch: int = Field(default=32, ge=1)
    workers: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)
    accumulate: int = Field(default=1, ge=1)
    clip: float = Field(default=1.0, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"
    early_stopping: int = Field(default=0, ge=0)
    monitor: str = "val_loss"
    monitor_mode: Literal["min", "max"] = "min"
    total_weight: float = Field(default=1.0, gt=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    average: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["32-true", "16-mixed", "bf16-mixed", "64-true"] = "32-true"
    devices: Annotated[int | str, AfterValidator(_devices)] = 1
    nodes: int = Field(default=1, ge=1)
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    threads: int | None = Field(default=None, gt=0)
    log: Annotated[tuple[Literal["csv", "tensorboard", "wandb"], ...], BeforeValidator(_as_list)] = ("csv",)


class LoraConfig(Strict):
    """Rank and places of low-rank updates; ``names`` are ends of module names, or globs."""

    rank: int = Field(default=8, gt=0)
    alpha: float | None = Field(default=None, gt=0)
    names: Names = ()


class VerdictConfig(Strict):
    """How the test side is judged: width of the bootstrap's blocks in bp, resamples, coarser bins beside the own."""

    block: int = Field(default=10_000, gt=0)
    resamples: int = Field(default=1000, ge=100)
    coarse: int | None = Field(default=None, gt=0)
    loci: str | None = None


class DataConfig(Strict):
    """Where a track came from, as the card of the entry says it."""

    name: str
    accession: str | None = None
    licence: str


class CardConfig(Strict):
    """What the card of the entry says that no program can know; what is left out is a TODO there.

    Attributes:
        summary: a sentence. doc: what a value means. units: of the prediction.
        use, avoid: what it is for, and not for.
        authors, license: of model.yaml. data: of the tracks.
    """

    summary: str | None = None
    doc: str | None = None
    units: str | None = None
    use: Names = ()
    avoid: Names = ()
    authors: Names = ()
    license: str | None = None
    data: tuple[DataConfig, ...] = ()
    tags: Names = ()


class FinetuneConfig(Strict):
    """A whole ``run.yaml``.

    Attributes:
        base: an entry, a folder of Kipoi's, a gReLU ``.ckpt``, ``hf://org/repo``, ``enformer`` or ``enformer:PATH``.
        length: bp of a window, of gReLU models and Enformer, which take other lengths than their own.
        genome: FASTA, or the name of an assembly that `zoo genome ls` lists; default that of the base's card.
        mode: ``head``, ``lora``, ``last-N`` blocks, ``full``, or ``scratch``: the base's architecture, drawn anew.
        name: of the entry.
    """

    base: Annotated[str, Field(min_length=1)]
    length: int | None = Field(default=None, gt=0)
    genome: str | None = None
    targets: Annotated[tuple[TargetConfig, ...], Field(min_length=1)]
    regions: RegionsConfig = RegionsConfig()
    split: SplitConfig
    cell: CellConfig = CellConfig()
    heads: tuple[HeadConfig, ...] = ()
    mode: Annotated[str, AfterValidator(_mode)] = "head"
    lora: LoraConfig = LoraConfig()
    augment: AugmentConfig = AugmentConfig()
    sampling: SamplingConfig = SamplingConfig()
    train: TrainConfig = TrainConfig()
    verdict: VerdictConfig = VerdictConfig()
    card: CardConfig = CardConfig()
    name: Annotated[str | None, AfterValidator(_entry_name)] = None

    @model_validator(mode="after")
    def _names_once(self) -> FinetuneConfig:
        for part in ("targets", "heads"):
            names = [one.name for one in getattr(self, part)]
            for i, name in enumerate(names):
                if name in names[:i]:
                    raise rule(f"another of `{part}` is named {name!r} too", "give each its own", (part, i, "name"))
        return self

    @model_validator(mode="after")
    def _assays_once(self) -> FinetuneConfig:
        """A cell's tracks are told apart by their assays, and one of two alike would never be looked at."""
        first: dict[tuple[str, str | None, str | None], str] = {}
        for i, target in enumerate(self.targets):
            before = first.setdefault((target.head, target.cell, target.assay), target.name)
            if target.cell is not None and before != target.name:
                raise rule(
                    f"the target {target.name!r} is of the same cell and assay as {before!r}",
                    "give each its own `assay:`",
                    ("targets", i, "cell"),
                )
        return self
