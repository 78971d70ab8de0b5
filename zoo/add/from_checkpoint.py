"""A gReLU checkpoint to an entry folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.add.draft import SHOWN_TRACKS, draft_card, draft_info, draft_prose, task_table
from zoo.add.entry_writer import EntryFiles
from zoo.add.example import Example, cut_example, random_example
from zoo.errors import ModelError, UsageError
from zoo.export.slim import slim_bytes
from zoo.models.grelu_checkpoint import activation_name, build_module, output_spec
from zoo.models.grelu_layout import GreluCheckpoint, read_checkpoint
from zoo.outputs import OutputSpec

__all__ = ["entry_of_checkpoint"]

MODULE = Path(__file__).with_name("grelu_entry_module.py")
LABELLED = 1000  # targets in model.yaml carry labels up to so many


def entry_of_checkpoint(
    path: Path, name: str, source: str, genome: Path | None = None, regions: Path | None = None
) -> EntryFiles:
    """What the entry's files will hold.

    Args:
        path: the checkpoint.
        name: of the entry.
        source: where the checkpoint came from, for the card.
        genome, regions: FASTA and BED to cut the example from; without them it is random sequence.

    Raises:
        ModelError: the checkpoint cannot be used. InputError: FASTA or BED cannot.
    """
    checkpoint = read_checkpoint(path)
    module = build_module(checkpoint)
    spec, places_bins = output_spec(module, checkpoint)
    if not places_bins:
        raise ModelError(
            f"{path}: the checkpoint does not say where its {spec.n_bins:,} bins lie in {checkpoint.length:,} bp",
            "train.bin_size of data_params and crop_len of model_params do not fill the window",
            "Fix: correct model.data_params['train']['bin_size'] and save it again",
        )
    example = _example(genome, regions, checkpoint.length)
    return EntryFiles(
        name=name,
        module_source=MODULE,
        module_class="GreluEntry",
        module_kwargs=_kwargs(checkpoint, spec),
        state=checkpoint.state,
        length=checkpoint.length,
        targets=_target(spec),
        info=draft_info(checkpoint, spec),
        card=draft_card(checkpoint, spec),
        prose=draft_prose(checkpoint, spec, source, example.origin),
        fasta=example.fasta,
        bed=example.bed,
        pip=("grelu>=1.1",),
        extra=_extra(checkpoint, spec),
    )


def _example(genome: Path | None, regions: Path | None, length: int) -> Example:
    if (genome is None) != (regions is None):
        fix = "Fix: give -g FASTA and --regions BED, or neither"
        raise UsageError("an example needs both a genome and regions", "", fix)
    return random_example(length) if genome is None else cut_example(genome, regions, length)


def _kwargs(checkpoint: GreluCheckpoint, spec: OutputSpec) -> dict[str, Any]:
    params = {key: list(value) if isinstance(value, tuple) else value for key, value in checkpoint.model_params.items()}
    return {
        "model_type": checkpoint.model_type,
        "model_params": params,
        "activation": activation_name(checkpoint),
        "scalar": spec.kind == "scalar",
    }


def _target(spec: OutputSpec) -> dict[str, Any]:
    n = len(spec.tracks)
    shape = f"({n},)" if spec.kind == "scalar" else f"({n}, {spec.n_bins})"
    labels = {"column_labels": list(spec.tracks)} if spec.kind == "scalar" and n <= LABELLED else {}
    return {"name": spec.name, "shape": shape, "doc": "one row a track, see the card"} | labels


def _extra(checkpoint: GreluCheckpoint, spec: OutputSpec) -> dict[str, bytes]:
    files = {"grelu.ckpt": slim_bytes(checkpoint)}
    if len(spec.tracks) > SHOWN_TRACKS:
        files["tracks.txt"] = "".join(f"{track}\n" for track in spec.tracks).encode()
    if table := task_table(checkpoint, spec):
        files["tasks.tsv"] = table.encode()
    return files
