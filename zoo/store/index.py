"""What entries say, as plain records: listing them needs no YAML and no torch (`zoo.store.bundled` keeps them)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.cards.card import card_of, read_tracks
from zoo.cards.kipoi import ModelDescription, read_model
from zoo.cards.kipoi_groups import read_group
from zoo.cards.kipoi_layout import sequence_length, target_layout
from zoo.cards.schema import Card, Output
from zoo.cards.yaml_lines import component_file
from zoo.errors import ModelError
from zoo.store.remote import RemoteFile, argument_files, parts_of, remote_files
from zoo.store.versions import placed

__all__ = ["describe", "describe_all", "described_targets", "remote_records"]


def describe_all(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A record for each entry below a folder, models of groups among them, and name and problem of each broken one.

    ``path`` of a record is where the entry is below ``folder``; for a model of a group, where its name says. ``group``
    is that with which the names of a group's models begin.
    """
    records: list[dict[str, Any]] = []
    broken: list[dict[str, str]] = []
    for component in _components(folder, broken):
        path = component.relative_to(folder.parent).as_posix()
        try:
            record = describe(component, required=True)
            named = placed(path)[0]
            if not component.is_dir() and record["name"] not in (named, named.replace("/", "-")):
                what = f"{component}: its card calls it {record['name']!r}"
                fix = 'Fix: write name: "GROUP/{{ model }}" (or "GROUP-{{ model }}") in README.md'
                raise ModelError(what, "a model of a group", fix)
        except ModelError as error:
            broken.append({"name": path, "problem": str(error)})
            continue
        records.append(record | {"path": path, "group": _group_of(component, folder)})
    return records, broken


def _group_of(component: Path, folder: Path) -> str | None:
    if component.is_dir():
        return None
    return placed(next(one for one in component.parents if one.is_dir()).relative_to(folder.parent).as_posix())[0]


def _components(folder: Path, broken: list[dict[str, str]]) -> Iterator[Path]:
    """Folders with ``model.yaml``; of a group, the folder that each of its names stands for."""
    for path in sorted(folder.glob("**/model*.yaml")):
        if path.name == "model.yaml":
            yield path.parent
        elif path.name == "model-template.yaml":
            try:
                yield from [path.parent / name for name in read_group(path.parent).rows]
            except ModelError as error:
                broken.append({"name": path.parent.relative_to(folder.parent).as_posix(), "problem": str(error)})


def describe(folder: Path, required: bool = False) -> dict[str, Any]:
    """Facts of one entry as plain data: card and ``model.yaml`` joined.

    Args:
        folder: that of the entry; for a model of a group, the one that its name says.
        required: a folder without a card is an error.

    Raises:
        ModelError: the entry's YAML or card is broken.
    """
    if folder.is_dir() and component_file(folder, "model") is None:
        raise ModelError(f"{folder}: no model.yaml in this folder", "", "Fix: give the folder that holds model.yaml")
    model = read_model(folder)
    card = card_of(folder, required)
    facts = _from_info(model) | (_from_card(card, model.folder) if card else _from_schema(model))
    return facts | {"remote": remote_records(model, card)}


def remote_records(model: ModelDescription, card: Card | None, whole: bool = True) -> list[dict[str, Any]]:
    """The files that lie elsewhere, for `zoo info` and to know them again; of a file that is made, its sources.

    Args:
        whole: whether a card that is not given is looked for.
    """
    try:
        files = remote_files(model, card) if whole else argument_files(model, card)
    except ModelError:  # a URL without checksum: an error when the file is wanted, not when the model is described
        return []
    return [_file(part) for file in files.values() for part in parts_of(file)]


def _file(file: RemoteFile) -> dict[str, Any]:
    return {"name": file.name, "hosts": file.hosts, "bytes": file.bytes, "sha256": file.sha256, "md5": file.md5}


def _from_info(model: ModelDescription) -> dict[str, Any]:
    info = model.info
    return {
        "authors": [
            author["name"] if isinstance(author, dict) else str(author) for author in info.get("authors") or []
        ],
        "license": info.get("license"),
        "cite_as": info.get("cite_as"),
        "tags": list(info.get("tags") or []),
        "framework": model.framework,
    }


def _from_card(card: Card, folder: Path) -> dict[str, Any]:
    return {
        "name": card.name,
        "version": card.version,
        "summary": card.summary,
        "architecture": card.architecture,
        "cell_types": [card.cell_types] if isinstance(card.cell_types, str) else card.cell_types,
        "assembly": card.genome.assembly if card.genome else None,
        "input_length": card.input.length,
        "placed_on": card.input.placed_on,
        "outside_gene": card.input.outside_gene,
        "outputs": [_from_output(out, folder) for out in card.outputs],
        "evaluation": [item.model_dump(mode="json", exclude_none=True) for item in card.evaluation],
        "deprecated": card.deprecated.model_dump(mode="json") if card.deprecated else None,
        "withdrawn": card.withdrawn,
        "licence_note": card.licence_note,
        "wheels": card.wheels,
        "verification": card.verification.model_dump(mode="json", exclude_none=True) if card.verification else None,
    }


def _from_output(out: Output, folder: Path) -> dict[str, Any]:
    named = [] if out.n_tracks and not (folder / (out.tracks_file or "")).is_file() else list(read_tracks(folder, out))
    return {
        "name": out.name,
        "kind": out.kind,
        "tracks": named,
        "n_tracks": out.n_tracks or len(named),
        "bin_size": out.bin_size,
        "offset": out.offset,
        "units": out.units,
        "strand": out.strand,
    }


def _from_schema(model: ModelDescription) -> dict[str, Any]:
    length = model.loader.args.get("auto_resize_len") or sequence_length(model.inputs)
    facts = {
        "name": model.folder.resolve().name,
        "version": str(model.info.get("version") or "-"),
        "summary": " ".join(str(model.info.get("doc") or "").split()),
        "architecture": [],
        "cell_types": [],
        "assembly": None,
        "input_length": length,
        "placed_on": None,
        "outside_gene": None,
        "outputs": described_targets(model),
        "evaluation": [],
        "deprecated": None,
        "withdrawn": None,
        "licence_note": None,
        "wheels": {},
        "verification": None,
        "notes": list(model.loader.notes),
    }
    if length is None:
        facts["inputs"] = [{"name": one.place, "shape": list(one.shape)} for one in model.inputs]
    return facts


def described_targets(model: ModelDescription) -> list[dict[str, Any]]:
    """The outputs of a model without a card, read as predictions read them; where bins lie is not known."""
    found = []
    for target in model.targets:
        layout = target_layout(target, model.framework)
        found.append(
            {
                "name": target.place,
                "kind": layout.kind,
                "shape": list(target.shape),
                "tracks": list(layout.labels or [target.place]),
                "n_tracks": layout.n_tracks,
                "n_bins": layout.n_bins,
                "bin_size": None,
                "offset": None,
                "units": None,
                "assumed": layout.assumed,
            }
        )
    return found
