"""What a page says of an entry in words and tables: its facts, files, parameters, and what it was measured to cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.gallery.bibtex import doi_of
from zoo.gallery.collect import Item
from zoo.gallery.facets import CHECKED, NOT_STATED, licence_name
from zoo.gallery.prose import is_web_address
from zoo.progress import human_bytes
from zoo.store.registry import versions_of
from zoo.store.speed import BENCHMARK, read_parameters, read_speed
from zoo.words import counted

__all__ = [
    "Fact",
    "Run",
    "Words",
    "columns_of",
    "facts_of",
    "files_of",
    "n_parameters",
    "parameters_of",
    "runs_of",
    "warnings_of",
]

STYLES = {"ucsc": "as UCSC has them: chr1", "plain": "as Ensembl has them: 1", "refseq": "NC_...", "genbank": "CM..."}


@dataclass(frozen=True)
class Words:
    """A line of a fact; ``href`` is an address of the web, or empty."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Fact:
    """A label and its lines."""

    label: str
    lines: tuple[Words, ...]


@dataclass(frozen=True)
class Run:
    """A row of ``benchmark.json``: what `zoo benchmark` measured on one machine.

    Attributes:
        busy: whether other programs took part of the machine, so that the model alone is faster.
    """

    machine: str
    precision: str
    batch_size: str
    windows_per_second: str
    peak_memory: str
    date: str
    command: str
    busy: bool


def facts_of(item: Item, record: Mapping[str, Any]) -> list[Fact]:
    """What is stated of a model; of a group, what its first model states."""
    card, description = item.card, item.description
    info = description.info if description is not None else {}
    facts = [
        ("Versions", _versions(item, record)),
        ("Genome", _genome(item, record)),
        ("Licence", _licence(item, record)),
        ("Authors", [Words(", ".join(record["authors"]))] if record["authors"] else []),
        ("Cite", [_cited(record["cite_as"])] if record["cite_as"] else []),
        ("Predicts", [Words(", ".join(map(str, record["tags"])))] if record["tags"] else []),
        ("Framework", [Words(record["framework"])]),
        ("Trained on", _training(item, info)),
        ("Split", _splits(item)),
        ("Training code", [_link(card.training.code)] if card and card.training.code else []),
        ("Compared with the original", list(_verification(record)) if not item.is_group else []),
        (
            "Interpretation",
            [Words(f"{card.interpretation.method} of {card.interpretation.output}")]
            if card and card.interpretation
            else [],
        ),
    ]
    return [Fact(label, tuple(lines)) for label, lines in facts if lines]


def warnings_of(item: Item, record: Mapping[str, Any]) -> list[str]:
    """What a user must know first: that a model is withdrawn or replaced, or what its licence asks for."""
    found = []
    withdrawn = record.get("withdrawn") or getattr(item.card, "withdrawn", None)
    if withdrawn:
        found.append(f"Withdrawn: {_reason(withdrawn)}")
    if deprecated := record.get("deprecated"):
        instead = deprecated.get("by") or deprecated.get("replacement")
        found.append(f"Deprecated: {deprecated['reason']}" + (f" Use {instead}." if instead else ""))
    if record.get("licence_note"):
        found.append(f"Licence: {record['licence_note']}")
    return found


def _reason(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("reason") or "no reason is given")
    return str(getattr(value, "reason", value))


def _versions(item: Item, record: Mapping[str, Any]) -> list[Words]:
    """Names under which older versions are used, the newest first."""
    if item.folder is None or item.is_group:
        return []
    older = [f"{record['name']}@{one}" for one in versions_of(item.folder)]
    return [Words(", ".join([f"{record['version']} (this page)", *older]))] if older else []


def _genome(item: Item, record: Mapping[str, Any]) -> list[Words]:
    if not record["assembly"]:
        return []
    style = f" (chromosomes {STYLES[item.card.genome.chrom_style]})" if item.card and item.card.genome else ""
    return [Words(f"{record['assembly']}{style}")]


def _licence(item: Item, record: Mapping[str, Any]) -> list[Words]:
    if item.description is not None and not item.description.info.get("license"):
        return [Words(f"{NOT_STATED}; Kipoi then takes MIT")]
    return [Words(licence_name(record["license"]) or NOT_STATED)]


def _cited(text: Any) -> Words:
    text = " ".join(str(text).split())
    doi = doi_of(text)
    return Words(text, f"https://doi.org/{doi}") if doi else _link(text)


def _link(text: str) -> Words:
    text = " ".join(str(text).split())
    return Words(text, text if is_web_address(text) and " " not in text else "")


def _training(item: Item, info: Mapping[str, Any]) -> list[Words]:
    lines = []
    for data in item.card.training.data if item.card else ():
        accession = f" ({data.accession})" if data.accession else ""
        lines.append(Words(f"{data.name}{accession}; licence: {data.licence}"))
    stated = " ".join(str(info.get("trained_on") or "").split())
    if stated and not any(stated in line.text for line in lines):
        lines.append(Words(stated))
    return lines


def _splits(item: Item) -> list[Words]:
    splits = item.card.training.splits if item.card else None
    if splits is None:
        return []
    parts = (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
    return [Words(f"{name}: {part if isinstance(part, str) else ', '.join(part)}") for name, part in parts]


def _verification(record: Mapping[str, Any]) -> Iterator[Words]:
    checked = record.get("verification")
    if not checked:
        return
    note = " ".join(checked.get("note", "").split())
    if checked["status"] == "unverified":
        yield Words(f"{CHECKED['unverified']}: {note}")
        return
    yield Words(
        f"{CHECKED[checked['status']]} against {checked['against']} on {checked['date']}; largest difference "
        f"{checked['largest_difference']:.2g}{f' ({note})' if note else ''}"
    )
    yield Words(f"again: {checked['command']}")


# ---------------------------------------------------------------- files, parameters, cost


def files_of(item: Item, record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, size and whereabouts of each file that the entry has or fetches."""
    if item.is_group:
        return []
    fetched = {
        file["name"]: (file["name"], human_bytes(file["bytes"]) if file["bytes"] else NOT_STATED, file["hosts"])
        for file in record.get("remote") or ()
    }
    kept = [
        (file.path, human_bytes(file.bytes) if file.bytes is not None else NOT_STATED, "in the entry")
        for file in (item.card.files if item.card else ())
        if file.path not in fetched and not file.made_from and not file.mirrors
    ]
    return [*fetched.values(), *kept]


def parameters_of(item: Item) -> list[tuple[str, str]]:
    """Arguments with which the model is built, as ``model.yaml`` has them."""
    if item.description is None:
        return []
    return list(_flat("", item.description.args))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and not {"url", "md5"} & value.keys():
        for key, part in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), part)
    elif isinstance(value, Mapping):
        yield prefix, str(value.get("url") or "a file that is fetched")
    else:
        yield prefix, value if isinstance(value, str) else json.dumps(value, default=str)


def runs_of(folder: Path | None) -> list[Run]:
    """What `zoo benchmark` measured; nothing where there is no such file or it is of another kind."""
    try:
        return [] if folder is None else [_run(run) for run in read_speed(folder / BENCHMARK)]
    except (InputError, ValueError, TypeError):
        return []


def _run(run: Mapping[str, Any]) -> Run:
    threads = f", {counted(run['threads'], 'thread')}" if run["threads"] else ""
    return Run(
        f"{run['device']}: {run['hardware'] or NOT_STATED}{threads}",
        str(run["precision"]),
        str(run["batch_size"]),
        f"{float(run['windows_per_second']):,.4g}",
        human_bytes(int(run["peak_memory_bytes"])),
        str(run["date"]),
        str(run["command"]),
        bool(run.get("busy")),
    )


def n_parameters(folder: Path | None) -> int | None:
    """How many parameters the model has, where `zoo benchmark` has counted them."""
    try:
        return None if folder is None else read_parameters(folder / BENCHMARK)
    except InputError:
        return None


# ---------------------------------------------------------------- the models of a group


def columns_of(
    item: Item, values: Sequence[Mapping[str, Sequence[str]]], labels: Mapping[str, str]
) -> list[tuple[str, list[str]]]:
    """Columns of the table of a group's models: what its models do not all share.

    Args:
        values: facets of each model.
        labels: of the facets.
    """
    columns = [
        ("Version", [str(record["version"]) for record in item.records]),
        ("Genome", [record["assembly"] or NOT_STATED for record in item.records]),
        (
            "Input",
            [f"{record['input_length']:,} bp" if record["input_length"] else NOT_STATED for record in item.records],
        ),
        ("Output", [_outputs(record) for record in item.records]),
    ]
    for key in ("species", "assay", "cell", "task", "checked", "licence"):
        columns.append((labels[key], [", ".join(one[key]) or NOT_STATED for one in values]))
    return [(label, cells) for label, cells in columns if len(set(cells)) > 1]


def _outputs(record: Mapping[str, Any]) -> str:
    tracks = [track for output in record["outputs"] for track in output["tracks"]]
    names = tracks if len(tracks) in (1, 2) else [output["name"] for output in record["outputs"]]
    return ", ".join(names)
