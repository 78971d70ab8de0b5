"""What is known of a model that is given as a file: for ``zoo info``, which otherwise reads YAML alone.

A gReLU checkpoint is read as data and not built; the file of a Keras model is built, since only then it is known what
it gives and whether it can be read at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo.models.entry import Entry, open_entry
from zoo.models.load import load_entry
from zoo.outputs import OutputSpec

__all__ = ["describe_model_file"]

_UNKNOWN: dict[str, Any] = {
    "version": "-",
    "summary": "",
    "assembly": None,
    "authors": [],
    "license": None,
    "cite_as": None,
    "tags": [],
    "evaluation": [],
    "deprecated": None,
    "withdrawn": None,
}


def describe_model_file(path: Path) -> dict[str, Any]:
    """Facts with the keys of ``zoo info --json``.

    Raises:
        ModelError: no model that can be read, with what to do.
    """
    entry = open_entry(path)
    facts = _of_checkpoint(path) if entry.description is None else _of_keras(entry)
    return _UNKNOWN | facts | {"name": path.name, "folder": str(path)}


def _of_checkpoint(path: Path) -> dict[str, Any]:
    from zoo.models.grelu import OUTPUT, read_checkpoint

    checkpoint = read_checkpoint(path)
    tracks = checkpoint.task_names
    notes = ["the shape of the output is known once the model is built: `zoo predict --dry-run` does it"]
    try:
        length = checkpoint.length
    except ModelError as error:
        length, notes = None, [error.extent, *notes]
    n = len(tracks) or checkpoint.model_params.get("n_tasks")
    output = {"name": OUTPUT, "kind": checkpoint.task, "tracks": tracks, "n_tracks": n}
    return {
        "summary": f"gReLU checkpoint of a {checkpoint.recorded_type}, trained with the loss {checkpoint.loss}",
        "framework": "grelu",
        "assembly": checkpoint.assembly,
        "input_length": length,
        "outputs": [output | {"bin_size": checkpoint.data_number("bin_size"), "offset": None, "units": None}],
        "notes": notes,
    }


def _of_keras(entry: Entry) -> dict[str, Any]:
    """The model is built and run once, where its input has a length; else only its ends are known."""
    facts = {"summary": "Keras model of a file, without model.yaml", "framework": "keras"}
    description = entry.description
    length = description.loader.args.get("auto_resize_len")
    if length is None:
        inputs = [{"name": one.place, "shape": list(one.shape)} for one in description.inputs]
        outputs = [
            _output(OutputSpec(one.place, "scalar", ())) | {"kind": "of unknown shape", "n_tracks": None}
            for one in description.targets
        ]
        notes = [
            "the input has any length: --set auto_resize_len=1000, say, or regions of one length",
            *description.loader.notes,
        ]
        return facts | {"input_length": None, "inputs": inputs, "outputs": outputs, "notes": notes}
    model = load_entry(entry)
    return facts | {
        "input_length": length,
        "outputs": [_output(spec) for spec in model.outputs],
        "notes": [*model.notes],
    }


def _output(spec: OutputSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "tracks": list(spec.tracks),
        "n_tracks": len(spec.tracks),
        "n_bins": spec.n_bins,
        "bin_size": spec.bin_size if spec.placed and spec.kind == "profile" else None,
        "offset": spec.offset if spec.placed and spec.kind == "profile" else None,
        "units": spec.units,
    }
