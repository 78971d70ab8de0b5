"""Commands of an entry's page, to copy: the same prediction from a shell, Python, R, Kipoi and gReLU."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.cards.kipoi_layout import GENOMES, INTERVALS, KINDS
from zoo.gallery.collect import BUNDLED, GRELU, Item

__all__ = ["Snippet", "snippets_of"]

#: Classes of kipoiseq that our own reading of regions and genome replaces.
SEQUENCE_LOADERS = ("SeqIntervalDl", "StringSeqIntervalDl")
#: Where a dataloader has no argument for intervals: suffix of what it reads in their place, and a name for it.
OTHER_FILES = {".vcf": "variants.vcf", ".gtf": "genes.gtf"}


@dataclass(frozen=True)
class Snippet:
    """A piece of text to copy. note: what must be so before it runs."""

    label: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class _Inputs:
    """What a model's dataloader reads: a file of regions (or what stands in its place), a genome, further arguments."""

    regions: str = "regions.bed"
    genome: str | None = "genome.fa"
    settings: tuple[str, ...] = ()


def snippets_of(item: Item, record: Mapping[str, Any]) -> list[Snippet]:
    """What predicts with a model, in the languages from which it can be used; of a group, with any of its models."""
    if len({one["assembly"] for one in item.records}) > 1:
        record = {**record, "assembly": None}
    name, inputs = record["name"], _inputs(item, record)
    if inputs is None:
        lines = [*_before(item, record), f"zoo info {shlex.quote(name)}"]
        return [Snippet("Command line", "\n".join(lines), "Its dataloader says which files it reads.")]
    found = [_shell(item, record, inputs), _python(item, record, inputs), _r(item, record, inputs)]
    return [*found, *filter(None, [_kipoi(item, record, inputs), _grelu(item, record, name)])]


def _inputs(item: Item, record: Mapping[str, Any]) -> _Inputs | None:
    """As `zoo predict` gives a dataloader its arguments; None where no YAML says which it has."""
    genome = f"{record['assembly'] or 'genome'}.fa"
    loader = item.description.loader if item.description is not None else None
    if loader is None or loader.defined_as.rpartition(".")[2] in SEQUENCE_LOADERS:
        return _Inputs(genome=genome)
    if loader.arguments is None:
        return None
    left = [name for name in loader.arguments if name not in [fasta := _first(GENOMES, loader.arguments)]]
    required = [name for name in left if not loader.arguments[name].optional and name not in loader.args]
    place, file = _first(INTERVALS, left), "regions.bed"
    for suffix, file_like in OTHER_FILES.items() if place is None else ():
        if place is None:
            place = next((name for name in left for part in KINDS[suffix] if part in name.lower()), None)
            file = file_like
    if place is None:
        place, file = (required[0] if required else None), "data.txt"
    if place is None:
        return None
    return _Inputs(file, genome if fasta else None, tuple(name for name in required if name != place))


def _stand_in(name: str) -> str:
    """What stands for the value of an argument."""
    return "FILE" if re.search(r"(file|path|^gtf|^vcf|^bed|^fasta)s?$", name.lower()) else "VALUE"


def _first(names: Iterable[str], known: Iterable[str]) -> str | None:
    known = set(known)
    return next((name for name in names if name in known), None)


def _before(item: Item, record: Mapping[str, Any]) -> list[str]:
    """What makes a model known, and fetches its files."""
    lines = []
    if item.source not in (BUNDLED, GRELU):
        lines.append(f"zoo source add {shlex.quote(item.source)} {shlex.quote(item.origin or 'FOLDER')}")
    if record.get("remote"):
        lines.append(f"zoo pull {shlex.quote(record['name'])}")
    return lines


def _shell(item: Item, record: Mapping[str, Any], inputs: _Inputs) -> Snippet:
    # A bigWig holds one track; of several, HDF5 holds all.
    placed = [out for out in record["outputs"] if out["kind"] == "profile" and out["bin_size"] is not None]
    tracks = sum(out.get("n_tracks") or len(out["tracks"]) for out in placed)
    suffix = "bw" if len(record["outputs"]) == len(placed) == tracks == 1 else "h5" if placed else "tsv"
    options = [f"-g {inputs.genome}"] if inputs.genome else []
    options += [f"--set {name}={_stand_in(name)}" for name in inputs.settings]
    options.append(f"-o predictions.{suffix}")
    between = " " if len(options) < 3 else " \\\n    "
    predict = f"zoo predict {shlex.quote(record['name'])} {inputs.regions} \\\n    {between.join(options)}"
    foreign = item.source not in (BUNDLED, GRELU)
    note = "Python of a foreign source runs only with --trust: read it first." if foreign else ""
    text = "\n".join([*_before(item, record), predict])
    return Snippet("Command line", text, note)


def _python(item: Item, record: Mapping[str, Any], inputs: _Inputs) -> Snippet:
    genome = f", {_quoted(inputs.genome)}" if inputs.genome else ""
    settings = ", ".join(f'{_quoted(name)}: "{_stand_in(name)}"' for name in inputs.settings)
    more = f",\n    settings={{{settings}}}" if settings else ""
    return Snippet(
        "Python",
        "import zoo\n\n"
        f"model = zoo.load_model({_quoted(record['name'])})\n"
        f"predicted = model.predict_regions({_quoted(inputs.regions)}{genome}{more})\n"
        f"values = predicted.values[{_quoted(_output(record))}]  # a row a region",
    )


def _r(item: Item, record: Mapping[str, Any], inputs: _Inputs) -> Snippet:
    genome = f", {_quoted(inputs.genome)}" if inputs.genome else ""
    settings = ", ".join(f'{name} = "{_stand_in(name)}"' for name in inputs.settings)
    more = f",\n  settings = list({settings})" if settings else ""
    return Snippet(
        "R",
        "library(reticulate)\n"
        'use_virtualenv("~/zoo/.venv")  # where seqzoo is installed\n'
        'zoo <- import("zoo")\n\n'
        f"model <- zoo$load_model({_quoted(record['name'])})\n"
        f"predicted <- model$predict_regions({_quoted(inputs.regions)}{genome}{more})\n"
        f"values <- predicted$values[[{_quoted(_output(record))}]]  # a row a region",
        "Needs the package reticulate.",
    )


def _kipoi(item: Item, record: Mapping[str, Any], inputs: _Inputs) -> Snippet | None:
    """Kipoi loads its own models by name, and a bundled entry from its folder; a model of our groups has none."""
    arguments = f'    {{"intervals_file": "regions.bed", "fasta_file": {_quoted(inputs.genome)}}}'
    predict = f"predictions = model.pipeline.predict(\n{arguments}\n)"
    if item.source == "kipoi":
        loads_intervals = item.description is not None and _takes_intervals(item)
        lines = ["import kipoi", "", f"model = kipoi.get_model({_quoted(record['path'])})"]
        lines.append(predict if loads_intervals else "model.default_dataloader.print_args()  # what it reads")
        return Snippet("Kipoi", "\n".join(lines), "Needs the package kipoi.")
    if item.source != BUNDLED or item.is_group or record["framework"] == "grelu" or not _takes_intervals(item):
        return None
    name = record["name"]
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
