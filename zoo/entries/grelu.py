"""gReLU checkpoints and entries: the card that one can give, and a checkpoint that stock gReLU loads.

Nothing is made up: a field that the checkpoint does not know is left out of the front matter.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from zoo.models.grelu import GreluCheckpoint
from zoo.outputs import OutputSpec
from zoo.words import counted

__all__ = ["SHOWN_TRACKS", "draft_card", "draft_info", "draft_prose", "slim_bytes", "slim_checkpoint", "task_table"]

SPLITS = {"train": "train", "val": "validation", "test": "test"}
SHOWN_TRACKS = 20
REPORTED = "the checkpoint (its record `performance`)"
BASE_MODELS = {"EnformerPretrainedModel": "Genentech/enformer-model", "BorzoiPretrainedModel": "Genentech/borzoi-model"}


def draft_card(checkpoint: GreluCheckpoint, spec: OutputSpec) -> dict[str, Any]:
    """Front matter without schema_version, name, input and files."""
    card: dict[str, Any] = {"version": "0.1.0", "summary": _summary(checkpoint, spec)}
    if checkpoint.assembly:
        card["genome"] = {"assembly": checkpoint.assembly, "chrom_style": _chrom_style(checkpoint)}
    card["outputs"] = [_output(checkpoint, spec)]
    training: dict[str, Any] = {"data": []}
    if splits := _splits(checkpoint):
        training["splits"] = splits
    if checkpoint.recorded_type in BASE_MODELS:
        training["base_model"] = BASE_MODELS[checkpoint.recorded_type]
    return card | {"training": training, "evaluation": _evaluation(checkpoint, spec)}


def draft_info(checkpoint: GreluCheckpoint, spec: OutputSpec) -> dict[str, Any]:
    """``info`` of model.yaml. Kipoi takes a missing licence for MIT, hence ``unknown``."""
    return {"authors": [], "license": "unknown", "doc": _summary(checkpoint, spec), "tags": ["gReLU"]}


def _summary(checkpoint: GreluCheckpoint, spec: OutputSpec) -> str:
    n = len(spec.tracks)
    names = ", ".join(spec.tracks[:3]) + (", ..." if n > 3 else "")
    bins = f" in {counted(spec.n_bins, 'bin')} of {spec.bin_size} bp" if spec.kind == "profile" else ""
    return (
        f"{counted(n, 'track')} ({names}){bins} from {checkpoint.length:,} bp of sequence: "
        f"gReLU {checkpoint.recorded_type}, {checkpoint.task}."
    )


def _chrom_style(checkpoint: GreluCheckpoint) -> str:
    chroms = {chrom for part in SPLITS for chrom in _chroms(checkpoint, part)}
    return "plain" if chroms and not any(chrom.startswith("chr") for chrom in chroms) else "ucsc"


def _output(checkpoint: GreluCheckpoint, spec: OutputSpec) -> dict[str, Any]:
    output: dict[str, Any] = {"name": spec.name, "kind": spec.kind}
    output |= {"tracks_file": "tracks.txt"} if len(spec.tracks) > SHOWN_TRACKS else {"tracks": list(spec.tracks)}
    if spec.kind == "profile":
        output |= {"bin_size": spec.bin_size, "offset": spec.offset}
    pairs = _strand_pairs(checkpoint, spec)
    return output | ({"strand": pairs} if pairs else {})


def _strand_pairs(checkpoint: GreluCheckpoint, spec: OutputSpec) -> list[list[str]]:
    """Pairs of stranded tracks, from the task column ``strand_pair`` that gReLU's Borzoi has."""
    column = list(_columns(checkpoint, len(spec.tracks)).get("strand_pair", []))
    if not all(isinstance(other, int) and 0 <= other < len(column) for other in column):
        return []
    if any(column[other] != i for i, other in enumerate(column)):
        return []
    return [[spec.tracks[i], spec.tracks[other]] for i, other in enumerate(column) if i < other]


def _columns(checkpoint: GreluCheckpoint, n: int) -> dict[str, Sequence[Any]]:
    """Task metadata: columns of ``n`` values, without the names."""
    tasks = checkpoint.data_params.get("tasks")
    if not isinstance(tasks, Mapping):
        return {}
    return {str(key): values for key, values in tasks.items() if key != "name" and _is_column(values, n)}


def _is_column(values: Any, n: int) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str) and len(values) == n


def _chroms(checkpoint: GreluCheckpoint, part: str) -> list[str]:
    intervals = checkpoint.data_params.get(part, {}).get("intervals")
    chroms = intervals.get("chrom") if isinstance(intervals, Mapping) else None
    return list(dict.fromkeys(map(str, chroms))) if chroms else []


def _splits(checkpoint: GreluCheckpoint) -> dict[str, list[str]] | None:
    """Chromosomes of each part, when no chromosome is in two of them."""
    found = {name: _chroms(checkpoint, part) for part, name in SPLITS.items()}
    named = [chrom for chroms in found.values() for chrom in chroms]
    return found if found["train"] and len(set(named)) == len(named) else None


def _metrics(checkpoint: GreluCheckpoint) -> dict[tuple[str, str], np.ndarray]:
    """(part, metric) -> finite or NaN values, one a task or one for all."""
    found = {}
    for part, metrics in checkpoint.performance.items():
        for name, value in metrics.items() if isinstance(metrics, Mapping) else ():
            try:
                values = np.atleast_1d(np.asarray(value, dtype=np.float64)).ravel()
            except (TypeError, ValueError):
                continue
            found[str(part), str(name).removeprefix(f"{part}_")] = values
    return found


def _evaluation(checkpoint: GreluCheckpoint, spec: OutputSpec) -> list[dict[str, Any]]:
    """One line a metric and split: the mean over tasks, which is what gReLU logs."""
    lines = []
    for (part, metric), values in _metrics(checkpoint).items():
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        mean = float(finite.mean())
        label = metric if len(values) == 1 else f"{metric}, mean of {len(finite):,} tracks"
        sequences = checkpoint.data_params.get(part, {}).get("n_seqs")
        line = {"metric": label, "value": float(f"{mean:.6g}"), "split": SPLITS.get(part, part), "output": spec.name}
        if isinstance(sequences, int) and spec.kind == "scalar":
            line["n"] = sequences
        lines.append(line | {"reported_by": REPORTED})
    return lines


def task_table(checkpoint: GreluCheckpoint, spec: OutputSpec) -> str | None:
    """TSV with one row a task: metadata and metrics by split. None when there is neither."""
    n = len(spec.tracks)
    columns = dict(_columns(checkpoint, n))
    metrics = {f"{part}_{name}": values for (part, name), values in _metrics(checkpoint).items()}
    columns |= {name: values for name, values in metrics.items() if len(values) == n > 1}
    if not columns:
        return None
    rows = [("track", *columns)]
    rows += [(spec.tracks[i], *(_cell(values[i]) for values in columns.values())) for i in range(n)]
    return "".join("\t".join(row) + "\n" for row in rows)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return " ".join(str(value).split())


def draft_prose(checkpoint: GreluCheckpoint, spec: OutputSpec, source: str, example: str) -> str:
    """The card's text under its fixed headings; what is not known is a line that begins with TODO."""
    overlap = not _splits(checkpoint) and any(_chroms(checkpoint, part) for part in SPLITS)
    genome = checkpoint.data_text("genome")
    recorded = [
        f"{name}: {counted(parts['n_seqs'], 'sequence')}"
        for part, name in SPLITS.items()
        if isinstance((parts := checkpoint.data_params.get(part, {})).get("n_seqs"), int)
    ]
    version = checkpoint.train_params.get("grelu_version")
    with_genome = checkpoint.assembly is not None
    parts = [
        "## What it predicts",
        "",
        _summary(checkpoint, spec),
        "",
        f"TODO: say in words what a value of `{spec.name}` means, and its units.",
        "",
        "## Use it for",
        "",
        "TODO: tasks for which the model was shown to work.",
        "",
        "## Do not use it for",
        "",
        "TODO: its known limits.",
        "",
        "Sequence with N: gReLU encodes an unknown base as 0 in all channels; the dataloader of this entry is "
        "kipoiseq's, which gives 0.25. Predictions for windows with N differ from gReLU's for that reason.",
        "",
        "## Training",
        "",
        f"Task `{checkpoint.task}`, loss `{checkpoint.loss}`"
        + (f"; gReLU {version}" if version else "")
        + (f". Sequences: {', '.join(recorded)}" if recorded else "")
        + ".",
        "",
        "TODO: training data, with accessions and licences.",
        "",
        *([] if with_genome else [f"TODO: the genome assembly; the checkpoint says {genome or 'nothing'}.", ""]),
        *(
            ["Training, validation and test share chromosomes, so that no split by chromosome is given.", ""]
            if overlap
            else []
        ),
        "## Evaluation",
        "",
        "The metrics above are those that the checkpoint records; nobody has repeated them here."
        if checkpoint.performance
        else "TODO: metrics beside a baseline; the checkpoint records none.",
        "",
        "## Files and licences",
        "",
        f"Drafted by `zoo new` from {source}. `weights.pth` is the state_dict for the module; `grelu.ckpt` holds the "
        "same weights for `grelu.lightning.LightningModel.load_from_checkpoint`.",
        "",
        f"Example: {example}.",
        "",
        "TODO: authors and licence of the weights (`info` of model.yaml).",
    ]
    return "\n".join(parts)


# ---------------- a checkpoint without the trainer's state, that stock gReLU loads


# Lightning refuses a checkpoint without its version; of one that gives none, this is the oldest that gReLU 1.0 used.
UNKNOWN_LIGHTNING = "2.0.0"


def slim_checkpoint(checkpoint: GreluCheckpoint) -> dict[str, Any]:
    """What ``LightningModel.load_from_checkpoint`` reads, as tensors, numbers, text, lists and dicts.

    Fine-tunes of Enformer and Borzoi name the class that needs no download; arrays of numpy become
    lists, because torch's default loading refuses them.
    """
    return {
        "state_dict": checkpoint.full_state,
        "hyper_parameters": {
            "model_params": {"model_type": checkpoint.model_type} | _plain(checkpoint.model_params),
            "train_params": {"task": checkpoint.task, "loss": checkpoint.loss} | _plain(checkpoint.train_params),
        },
        "data_params": _plain(checkpoint.data_params),
        "performance": _plain(checkpoint.performance),
        "pytorch-lightning_version": checkpoint.lightning_version or UNKNOWN_LIGHTNING,
    }


def slim_bytes(checkpoint: GreluCheckpoint) -> bytes:
    """The slim checkpoint as a file's content."""
    buffer = io.BytesIO()
    torch.save(slim_checkpoint(checkpoint), buffer)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value
