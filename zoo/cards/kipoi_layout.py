"""How an array that ``model.yaml`` describes is laid out: which axis has the tracks, and what reads the input.

One reading for ``zoo info``, predictions and attributions. Kipoi's YAML has no word for the axis of the tracks;
``column_labels`` tell it where one axis alone has as many entries as there are labels, and so does a free axis, which
holds positions. Where nothing tells, the framework's order is taken, and said: the first axis for PyTorch, the last for
Keras, TensorFlow and classes of a folder, as in all models of Kipoi's repository that have two (BPNet's (1000, 2),
Basenji's (960, 4229)).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.cards.kipoi_schema import ArraySchema

__all__ = [
    "GENOMES",
    "INTERVALS",
    "KINDS",
    "TargetLayout",
    "implied_loader_args",
    "sequence_length",
    "shape_text",
    "target_layout",
]

Shape = Sequence[int | None]

# Which argument of a dataloader takes regions and which a genome: the first of these names that it has.
INTERVALS = ("intervals_file", "intervals", "bed_file", "bed", "bedfile", "regions_file", "regions", "tsv_file")
GENOMES = ("fasta_file", "fasta", "ref_fasta", "reference", "genome_file", "genome", "genome_fasta", "fasta_path", "fa")
# What a file of regions is, by its suffix -> what an argument for it has in its name.
KINDS = {
    ".vcf": ("vcf",),
    ".gtf": ("gtf", "anno"),
    ".gff": ("gff", "gtf"),
    ".gff3": ("gff", "gtf"),
    ".fa": ("fasta",),
    ".fasta": ("fasta",),
    ".fna": ("fasta",),
}


@dataclass(frozen=True)
class TargetLayout:
    """An output's array for one window, as (tracks, bins).

    Attributes:
        name: of the output.
        kind: ``scalar`` or ``profile``.
        shape: of the array as the model gives it, without the batch axis; None is a free axis.
        axis: which of its axes has the tracks, from 0.
        labels: names of the tracks, where they fit; else None.
        assumed: what no label says and was assumed, as a sentence; else None.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    axis: int = 0
    labels: tuple[str, ...] | None = None
    assumed: str | None = None

    @property
    def n_tracks(self) -> int | None:
        """None where the axis is free."""
        if self.kind == "scalar":
            return _product(self.shape)
        return self.shape[self.axis]

    @property
    def n_bins(self) -> int | None:
        """1 for a scalar; None where an axis is free."""
        return 1 if self.kind == "scalar" else _product([*self.shape[: self.axis], *self.shape[self.axis + 1 :]])

    @property
    def tracks(self) -> tuple[str, ...]:
        """The labels, else the output's name, numbered where there are several; none where the number is not known."""
        if self.labels is not None or self.n_tracks is None:
            return self.labels or ()
        return (self.name,) if self.n_tracks == 1 else tuple(f"{self.name}_{i}" for i in range(self.n_tracks))


def target_layout(target: ArraySchema, framework: str, shape: Shape | None = None) -> TargetLayout:
    """The one reading of an output's axes.

    Args:
        target: as ``schema.targets`` of ``model.yaml`` describes it.
        framework: as ``ModelDescription.framework`` has it: its order counts where nothing else tells.
        shape: what the model gave for a window, where it ran; free axes and axes of length 1 may differ from the
            description's.
    """
    given = _known_shape(target.shape, shape)
    labels = target.column_labels or ()
    if len(given) < 2:
        return _scalar(target.name, given, labels)
    described = target.shape if len(target.shape) == len(given) else given
    fitting = [axis for axis, size in enumerate(described) if size == len(labels)]
    if len(fitting) == 1:
        return TargetLayout(target.name, "profile", given, fitting[0], labels)
    fixed = [axis for axis, size in enumerate(described) if size is not None]
    if len(fixed) == 1 and not labels:
        return TargetLayout(target.name, "profile", given, fixed[0])
    places = fitting or range(len(given))
    axis = places[0] if framework == "pytorch" else places[-1]
    found = TargetLayout(target.name, "profile", given, axis, labels if fitting else None)
    return dataclasses.replace(found, assumed=_assumed(found, labels, framework))


def _scalar(name: str, shape: tuple[int | None, ...], labels: tuple[str, ...]) -> TargetLayout:
    n = _product(shape)
    if not labels or n in (None, len(labels)):
        return TargetLayout(name, "scalar", shape, 0, labels or None)
    odd = f"output {name!r} {shape_text(shape)}: {len(labels):,} column_labels do not fit; its tracks are numbered"
    return TargetLayout(name, "scalar", shape, 0, None, odd)


def _assumed(layout: TargetLayout, labels: Sequence[str], framework: str) -> str:
    why = "no column_labels name its tracks"
    if labels:
        why = f"{len(labels):,} column_labels fit {'two axes' if layout.labels is not None else 'no axis'}"
    which = "the first axis is taken for the tracks, as PyTorch orders axes"
    if framework != "pytorch":
        which = "the last axis is taken for the tracks, as Kipoi's models and Keras order axes"
    n, bins = ("any number of" if size is None else f"{size:,}" for size in (layout.n_tracks, layout.n_bins))
    return f"output {layout.name!r} {shape_text(layout.shape)}: {why}; {which}: {n} tracks of {bins} bins"


def _known_shape(described: Shape, given: Shape | None) -> tuple[int | None, ...]:
    """The described shape with its free axes filled in; where only axes of length 1 differ, the model's own."""
    if given is None:
        return tuple(described)
    if len(described) < 2:
        return (math.prod(given),) if None in described else tuple(described)
    if len(described) == len(given):
        return tuple(size if known is None else known for known, size in zip(described, given, strict=True))
    same = [size for size in described if size != 1] == [size for size in given if size != 1]
    return tuple(given) if len(given) > 1 and (same or None in described) else tuple(described)


def _product(shape: Shape) -> int | None:
    return None if any(size is None for size in shape) else math.prod(shape)


def shape_text(shape: Shape) -> str:
    """``(5000, 3)``, a free axis as ``any``."""
    return f"({', '.join('any' if size is None else str(size) for size in shape)}{',' if len(shape) == 1 else ''})"


# ---------------------------------------------------------------- what reads the input, where no dataloader says it


def implied_loader_args(inputs: Sequence[ArraySchema]) -> dict[str, Any] | None:
    """Arguments of kipoiseq's ``SeqIntervalDl`` whose arrays have the shape of a lone input of one-hot sequence.

    None where the schema implies no such reader: several inputs, another special type, no axis of the four bases,
    or more than one reading of the axes.
    """
    if len(inputs) != 1 or inputs[0].special_type not in (None, "DNASeq"):
        return None
    shape = inputs[0].shape
    if len(shape) not in (2, 3) or sum(size == 4 for size in shape) != 1 or sum(size == 1 for size in shape) > 1:
        return None
    dummy = next((axis for axis, size in enumerate(shape) if size == 1), None)
    if (dummy is None) != (len(shape) == 2):
        return None
    base = list(shape).index(4)
    length = next(size for axis, size in enumerate(shape) if axis not in (base, dummy))
    args: dict[str, Any] = {"alphabet_axis": base, "dummy_axis": dummy, "auto_resize_len": length}
    return {name: value for name, value in args.items() if value is not None}


def sequence_length(inputs: Sequence[ArraySchema]) -> int | None:
    """bp of a lone DNA input of fixed size."""
    if len(inputs) != 1 or inputs[0].special_type not in ("DNASeq", None):
        return None
    sizes = [size for size in inputs[0].shape if size not in (None, 1, 4)]
    return sizes[0] if len(sizes) == 1 and 4 in inputs[0].shape else None
