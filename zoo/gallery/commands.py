"""Commands of an entry's page, to copy: the same prediction from a shell, Python, R, Kipoi and gReLU."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.gallery.collect import BUNDLED, GRELU, Item

__all__ = ["Snippet", "snippets_of"]


@dataclass(frozen=True)
class Snippet:
    """A piece of text to copy. note: what must be so before it runs."""

    label: str
    text: str
    note: str = ""


def snippets_of(item: Item, record: Mapping[str, Any]) -> list[Snippet]:
    """What predicts with a model, in the languages from which it can be used."""
    name, genome = record["name"], f"{record['assembly'] or 'genome'}.fa"
    found = [_shell(item, record, name, genome), _python(record, name, genome), _r(record, name, genome)]
    if kipoi := _kipoi(item, record, name, genome):
        found.append(kipoi)
    if grelu := _grelu(item, record, name):
        found.append(grelu)
    return found


def _shell(item: Item, record: Mapping[str, Any], name: str, genome: str) -> Snippet:
    lines = []
    if item.source not in (BUNDLED, GRELU):
        lines.append(f"zoo source add {shlex.quote(item.source)} {shlex.quote(item.origin or 'FOLDER')}")
    if record.get("remote"):
        lines.append(f"zoo pull {shlex.quote(name)}")
    # A bigWig holds one track; of several, a table holds all.
    placed = [out for out in record["outputs"] if out["kind"] == "profile" and out["bin_size"] is not None]
    tracks = sum(out.get("n_tracks") or len(out["tracks"]) for out in placed)
    suffix = "bw" if len(record["outputs"]) == len(placed) == tracks == 1 else "h5" if placed else "tsv"
    lines.append(f"zoo predict {shlex.quote(name)} regions.bed \\\n    -g {genome} -o predictions.{suffix}")
    foreign = item.source not in (BUNDLED, GRELU)
    note = "Python of a foreign source runs only with --trust: read it first." if foreign else ""
    return Snippet("Command line", "\n".join(lines), note)


def _python(record: Mapping[str, Any], name: str, genome: str) -> Snippet:
    return Snippet(
        "Python",
        "import zoo\n\n"
        f"model = zoo.load_model({_quoted(name)})\n"
        f'predicted = model.predict_regions("regions.bed", {_quoted(genome)})\n'
        f"values = predicted.values[{_quoted(_output(record))}]  # a row a region",
    )


def _r(record: Mapping[str, Any], name: str, genome: str) -> Snippet:
    return Snippet(
        "R",
        "library(reticulate)\n"
        'use_virtualenv("~/zoo/.venv")  # where seqzoo is installed\n'
        'zoo <- import("zoo")\n\n'
        f"model <- zoo$load_model({_quoted(name)})\n"
        f'predicted <- model$predict_regions("regions.bed", {_quoted(genome)})\n'
        f"values <- predicted$values[[{_quoted(_output(record))}]]  # a row a region",
        "Needs the package reticulate.",
    )


def _kipoi(item: Item, record: Mapping[str, Any], name: str, genome: str) -> Snippet | None:
    """Kipoi loads its own models by name, and a bundled entry from its folder; a model of our groups has none."""
    arguments = f'    {{"intervals_file": "regions.bed", "fasta_file": {_quoted(genome)}}}'
    predict = f"predictions = model.pipeline.predict(\n{arguments}\n)"
    if item.source == "kipoi":
        loads_intervals = item.description is not None and _takes_intervals(item)
        lines = ["import kipoi", "", f"model = kipoi.get_model({_quoted(record['path'])})"]
        lines.append(predict if loads_intervals else "model.default_dataloader.print_args()  # what it reads")
        return Snippet("Kipoi", "\n".join(lines), "Needs the package kipoi.")
    if item.source != BUNDLED or item.is_group or record["framework"] == "grelu" or not _takes_intervals(item):
        return None
    folder = f"{re.sub(r'[^A-Za-z0-9]+', '_', name)}_kipoi"
    return Snippet(
        "Kipoi",
        f"# zoo export {shlex.quote(name)} --to kipoi {folder}\n"
        "import kipoi\n\n"
        f'model = kipoi.get_model("{folder}", source="dir")\n{predict}',
        "Run the first line in a shell; needs the packages kipoi and kipoiseq.",
    )


def _takes_intervals(item: Item) -> bool:
    description = item.description
    return (
        description is not None and description.loader is not None and "SeqIntervalDl" in description.loader.defined_as
    )


def _grelu(item: Item, record: Mapping[str, Any], name: str) -> Snippet | None:
    if item.is_group or item.source not in (BUNDLED, GRELU):
        return None
    holds = item.folder is not None and (item.folder / "grelu.ckpt").is_file()
    if record["framework"] != "grelu" and not holds:
        return None
    if item.source == GRELU:
        return _grelu_collection(record)
    folder = f"{name}-grelu"
    return Snippet(
        "gReLU",
        f"# zoo export {shlex.quote(name)} --to grelu {shlex.quote(folder)}\n"
        "from grelu.lightning import LightningModel\n\n"
        f"model = LightningModel.load_from_checkpoint(\n    {_quoted(f'{folder}/model.ckpt')}, weights_only=False\n)\n"
        "predictions = model.predict_on_seqs(sequences)  # strings of the model's length",
        "Run the first line in a shell; needs the package grelu.",
    )


def _grelu_collection(record: Mapping[str, Any]) -> Snippet | None:
    match = re.fullmatch(r"hf://([^/]+/[^/@]+)/(.+)", str(record.get("path", "")))
    if not match:
        return None
    return Snippet(
        "gReLU",
        "import grelu.resources\n\n"
        f"model = grelu.resources.load_model(repo_id={_quoted(match[1])}, filename={_quoted(match[2])})",
        "Needs the package grelu.",
    )


def _output(record: Mapping[str, Any]) -> str:
    return record["outputs"][0]["name"] if record["outputs"] else "preds"


def _quoted(text: str) -> str:
    """A literal of Python and of R alike."""
    return json.dumps(str(text), ensure_ascii=False)
