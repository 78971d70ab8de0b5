"""What can be asked of a prediction run, and what it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import UsageError

__all__ = ["PredictOptions", "PredictResult", "options_from"]


@dataclass(frozen=True)
class PredictOptions:
    """The options of ``zoo predict``; each is the flag of the same name.

    Attributes:
        window: ``center`` or ``tile``.
        stride: bp between tiles; default the length that the model predicts.
        edges: ``pad``, ``skip`` or ``error`` for windows that leave their chromosome.
        strand: ``auto`` (what the model's dataloader says), ``use`` or ``ignore``.
        rc_average: average both strands.
        device, batch_size, precision: how to run.
        tracks: names, globs or numbers; empty means all.
        limit: only the first regions.
        overlap: ``mean``, ``max`` or ``error`` where windows overlap in bigWig and bedGraph.
        resume: go on with an interrupted run.
        dry_run: check everything, write nothing.
        translate_chroms: join chromosome names of different styles.
        any_genome: accept a FASTA whose chromosome lengths are not the card's assembly.
        trust: run Python of a model folder that is not bundled.
        format: output format when the suffix does not tell.
        settings: arguments of the model's dataloader (``--set NAME=VALUE``).
    """

    window: str = "center"
    stride: int | None = None
    edges: str = "pad"
    strand: str = "auto"
    rc_average: bool = False
    device: str = "auto"
    batch_size: int | str = "auto"
    precision: str = "float32"
    tracks: Sequence[str] = ()
    limit: int | None = None
    overlap: str = "mean"
    resume: bool = False
    dry_run: bool = False
    translate_chroms: bool = False
    any_genome: bool = False
    trust: bool = False
    format: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"{name} {getattr(self, name)!r} is not known", "", f"Fix: one of {', '.join(allowed)}"
                )
        if self.batch_size != "auto" and (not str(self.batch_size).isdecimal() or int(self.batch_size) < 1):
            raise UsageError(f"--batch-size {self.batch_size}: is no positive number", "", "Fix: auto, or e.g. 64")
        if self.stride is not None and self.window != "tile":
            raise UsageError("--stride is for tiled windows", "", "Fix: add --window tile or leave out --stride")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit {self.limit} leaves no region", "", "Fix: --limit 100, say")


_CHOICES = {
    "window": ("center", "tile"),
    "edges": ("pad", "skip", "error"),
    "strand": ("auto", "use", "ignore"),
    "overlap": ("mean", "max", "error"),
    "precision": ("float32", "bfloat16", "float16"),
}


@dataclass
class PredictResult:
    """What a run did.

    Attributes:
        paths: the files written, in order (empty for standard output or a dry run).
        regions, windows: how many were predicted.
        counts: padded and skipped windows, reversed windows, IUPAC bases ...
        notes: sentences that the user should read.
        seconds: wall-clock time of reading, computing and writing.
    """

    paths: list[Path] = field(default_factory=list)
    regions: int = 0
    windows: int = 0
    counts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def options_from(given: dict[str, Any]) -> PredictOptions:
    known = {f.name for f in dataclasses.fields(PredictOptions)}
    if unknown := sorted(given.keys() - known):
        raise UsageError(f"unknown option {unknown[0]!r}", "", f"Fix: one of {', '.join(sorted(known))}")
    if isinstance(given.get("tracks"), str):
        given = given | {"tracks": [given["tracks"]]}
    return PredictOptions(**given)
