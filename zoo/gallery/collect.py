"""Which entries a gallery shows: one item a page, which is an entry or a whole group of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.cards.card import card_of, split_readme
from zoo.cards.kipoi import ModelDescription, read_model
from zoo.cards.kipoi_groups import find_group
from zoo.cards.schema import Card
from zoo.errors import ModelError, UsageError
from zoo.store.registry import KIPOI, broken_entries, entries, entries_folder
from zoo.store.source_index import source_index
from zoo.store.sources import Source, find_source, sources
from zoo.words import counted

__all__ = ["BUNDLED", "GRELU", "Item", "collect"]

BUNDLED = "bundled"
GRELU = "grelu"


@dataclass(frozen=True)
class Item:
    """What has a page: an entry, or a group of models that share a folder.

    Attributes:
        name: of the entry or the group.
        records: as ``zoo.entries`` gives them: one, or one a model of the group, by name.
        source: ``bundled``, ``grelu`` or a name of ``zoo source list``.
        origin: what ``zoo source add`` takes for that source, where it can be told to others.
        folder: where its files are; None where they are not on this machine.
        description: ``model.yaml``; of a group, that of its first model.
        card: the card; of a group, that of its first model.
        prose: what follows the front matter of its README.
        rows: of a group, model -> its row of ``models.tsv``.
    """

    name: str
    records: tuple[dict[str, Any], ...]
    source: str = BUNDLED
    origin: str | None = None
    folder: Path | None = None
    description: ModelDescription | None = None
    card: Card | None = None
    prose: str = ""
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        """Whether the page is of several models."""
        return bool(self.records[0].get("group"))

    def member(self, record: Mapping[str, Any]) -> str | None:
        """What ``models.tsv`` calls one of its models: the end of its path."""
        parts = str(record.get("path", record["name"])).split("/")
        endings = ("/".join(parts[i:]) for i in range(len(parts)))
        return next((model for model in endings if model in self.rows), None)

    def row(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row of ``models.tsv`` of one of its models."""
        return self.rows.get(self.member(record) or "", {})


def collect(
    source: Sequence[str] = (), report: Callable[[str], None] | None = None
) -> tuple[list[Item], list[dict[str, Any]]]:
    """The bundled entries, then those of each source.

    Args:
        source: names of ``zoo source list``, ``grelu`` or ``all``.
        report: takes a note on entries that cannot be read and are left out.

    Returns:
        The items in the order of ``zoo list``, and all records.

    Raises:
        UsageError: no source of that name.
    """
    items: list[Item] = []
    for name in _wanted(source):
        broken = _broken(name)
        for folder, records in _by_page(entries(name)):
            try:
                items.append(_item(folder, records, name))
            except ModelError as error:
                broken.append({"name": folder, "problem": str(error)})
        if broken and report is not None:
            n = len(broken)
            first = broken[0]["problem"].splitlines()[0]
            report(f"{name}: {counted(n, 'entry')} cannot be read and left out; first: {first}")
    if not items:
        raise UsageError("there is no entry to show", f"sources: {', '.join(_wanted(source))}", "Fix: zoo list")
    return items, [record for item in items for record in item.records]


def _wanted(given: Sequence[str]) -> list[str]:
    names = [BUNDLED]
    for name in given:
        if name == "all":
            names += [one.name for one in sources().values() if one.folder.is_dir()] + [GRELU]
            continue
        if name not in (BUNDLED, GRELU):
            find_source(name)
        names.append(name)
    return list(dict.fromkeys(names))


def _broken(name: str) -> list[dict[str, str]]:
    if name == BUNDLED:
        return list(broken_entries())
    return [] if name == GRELU else list(source_index(find_source(name))["broken"])


def _by_page(records: Sequence[dict[str, Any]]) -> list[tuple[str, tuple[dict[str, Any], ...]]]:
    """Name of a page and its records, in the order in which the first of them stands.

    A model that is there twice, in a group and as a folder, is shown once: in its group, as its folder says.
    """
    pages: dict[str, list[dict[str, Any]]] = {}
    groups = {record["name"]: record["group"] for record in records if record.get("group")}
    folders = {record["name"] for record in records if not record.get("group")}
    records = [
        record if record.get("group") else record | {"group": groups.get(record["name"])}
        for record in records
        if not (record.get("group") and record["name"] in folders)
    ]
    alone = {record["name"] for record in records if not record.get("group")}
    for record in records:
        name = record.get("group") or record["name"]
        if record.get("group") and name in alone:  # a folder that is an entry and holds a group
            name = f"{name}/..."
        pages.setdefault(name, []).append(record)
    return [(name, tuple(found)) for name, found in pages.items()]


def _item(name: str, records: tuple[dict[str, Any], ...], source: str) -> Item:
    first = records[0]
    if source == GRELU:
        return Item(name, records, source)
    known = None if source == BUNDLED else find_source(source)
    place = (entries_folder() if known is None else known.folder) / first["path"]
    group = find_group(place, "model") if first.get("group") else None
    folder = group[0].folder if group else place
    return Item(
        name,
        records,
        source,
        None if known is None else _origin(known),
        folder,
        read_model(place) if first.get("group") or known is None else _read_foreign(place),
        card_of(place, required=known is None),
        _prose(folder),
        group[0].rows if group else {},
    )


def _read_foreign(place: Path) -> ModelDescription | None:
    """What a folder's YAML says; a dataloader that cannot be read does not hide the model."""
    try:
        return read_model(place)
    except ModelError:
        return None


def _prose(folder: Path) -> str:
    path = folder / "README.md"
    if not path.is_file():
        return ""
    try:
        return split_readme(path)[1].strip()
    except ModelError:  # a group's front matter is a template, and no YAML before it is one model's
        text = path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()).partition("\n---\n")[2].strip()


def _origin(source: Source) -> str | None:
    """An address; a folder of this machine is nobody else's business."""
    if source.kind == "git":
        return source.location
    return KIPOI if source.name == "kipoi" else None
