"""Names to entry folders: bundled entries from the index (`zoo.store.bundled`), others from sources.

Standard library only, so that ``zoo list`` and ``zoo info`` start without torch or numpy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo.paths import near_file, refuse_url
from zoo.store.bundled import read_index
from zoo.store.sources import Source, find_source, sources, split_name
from zoo.words import counted, near_names

__all__ = [
    "all_entries",
    "below",
    "broken_entries",
    "entries",
    "entries_folder",
    "find_entry",
    "info",
    "members_of",
    "names_a_path",
    "no_such_path",
]

PACKAGE = Path(__file__).resolve().parent.parent
INDEX = PACKAGE / "index.json"
KIPOI = "https://github.com/kipoi/models"


def entries_folder() -> Path:
    """The folder of bundled entries: ``model_cards/`` of a checkout, or what the wheel carries."""
    checkout = PACKAGE.parent / "model_cards"
    return checkout if checkout.is_dir() else PACKAGE / "_entries"


def _index() -> list[dict[str, Any]]:
    return read_index(INDEX, entries_folder())["entries"]


def broken_entries() -> list[dict[str, str]]:
    """Name and problem of each bundled entry that cannot be read: one that somebody is writing."""
    return read_index(INDEX, entries_folder()).get("broken", [])


def entries(source: str | None = None, verified: bool = False) -> list[dict[str, Any]]:
    """Entries as plain dicts, by name: the bundled ones, those of a source, or of gReLU's collection (``grelu``).

    Args:
        verified: only those whose predictions were compared with the published original's.

    Raises:
        UsageError: no source of that name. ModelError: its folder is gone.
    """
    if verified:
        return _verified(entries(source))
    if source is None or source == "bundled":
        return list(_index())
    if source == "all":
        return all_entries()
    if source == "grelu":
        return _grelu_entries()
    return _source_entries(find_source(source))


def _verified(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if (one.get("verification") or {}).get("status") == "verified"]


def all_entries() -> list[dict[str, Any]]:
    """The bundled entries, those of every source that is on this machine, then gReLU's collection."""
    found = list(_index())
    for source in sources().values():
        if source.folder.is_dir():
            found += _source_entries(source)
    return found + _grelu_entries()


def _grelu_entries() -> list[dict[str, Any]]:
    from zoo.store.hub import grelu_listing

    return grelu_listing()


def _source_entries(source: Source) -> list[dict[str, Any]]:
    from zoo.store.source_index import source_entries

    return source_entries(source)


def find_entry(name: str) -> tuple[Path, dict[str, Any]]:
    """The folder and index record of ``name``, ``name@version`` or ``source/name``.

    For a model of a group the folder is the one below the group's that its row names; only the group's is on disk. It
    is known by that path too, ``GROUP/MODEL``, where its card calls it ``GROUP-MODEL``.

    Raises:
        ModelError: no entry of that name (with near names), or not in that version.
    """
    bare, _, version = name.partition("@")
    for entry in _index():
        if bare in (entry["name"], entry["path"]):
            if version and version != entry["version"]:
                raise ModelError(
                    f"{bare} has no version {version}",
                    f"this installation has {entry['version']}",
                    f"Fix: zoo predict {bare}@{entry['version']} ...",
                )
            return entries_folder() / entry["path"], entry
    if found := split_name(name):
        return _find_in_source(*found)
    for one in broken_entries():
        if one["name"] == bare:
            what, *more = one["problem"].splitlines()
            raise ModelError(what, "a bundled entry that cannot be read", more[-1] if more else "Fix: correct it")
    if inside := [entry["name"] for entry in _index() if entry["path"].startswith(f"{bare.rstrip('/')}/")]:
        raise _group_error(bare.rstrip("/"), inside)
    group, members = _nearest_group(bare, _index())
    near = _with_source(bare) or _with_source(bare.partition("/")[2]) or _near(bare, group, members)
    fix = "Fix: `zoo list` shows all names; a folder with model.yaml, a gReLU .ckpt or a Keras .h5 also serves"
    if group:
        fix = f"Fix: `zoo list {group}` shows the {len(members):,} names of the group"
    elif bare.startswith("kipoi/"):
        fix = f"Fix: zoo source add kipoi {KIPOI}"
    raise ModelError(
        f"no model named {bare!r}",
        f"near names: {', '.join(near)}"
        if near
        else f"{counted(len(_index()), 'model is', 'models are')} known, and it is no path",
        fix,
    )


def below(group: str, source: str | None = None, verified: bool = False) -> list[dict[str, Any]]:
    """The entries whose names begin with ``group/``, or the one of that name.

    Raises:
        UsageError: no source of that name. ModelError: there is none (with near names).
    """
    group = group.rstrip("/")
    found_source = split_name(f"{group}/x")
    where = source or (found_source[0].name if found_source else "grelu" if group.split("/")[0] == "grelu" else None)
    names = {group, f"{where}/{group}"}
    found = [
        entry
        for entry in entries(where)
        if entry["name"] in names
        or any(_place(entry).startswith(f"{name}/") for name in names)
        or (group == where and entry.get("source") == where)
    ]
    if not found:
        if where not in (None, "bundled", "all") and where not in group.split("/")[:1]:
            group = f"{where}/{group}"
        find_entry(group)
    return _verified(found) if verified else found


def members_of(name: str) -> list[str]:
    """Names of the models of a group, bundled or of a source, or in a folder; none where ``name`` is no group."""
    path = Path(name)
    if path.is_dir() and not (path / "model.yaml").is_file() and (path / "models.tsv").is_file():
        from zoo.cards.kipoi_groups import read_group

        return [str(path / member) for member in read_group(path).rows]
    if path.exists() or "://" in name:
        return []
    first = name.partition("/")[0]
    where = first if first == "grelu" or first in sources() else None  # other indexes need not be read
    found = {entry["name"]: _place(entry) for entry in entries(where)}
    return [] if name in found else [one for one, place in found.items() if place.startswith(f"{name}/")]


def _place(entry: dict[str, Any]) -> str:
    """Where an entry lies: below the bundled ones, or below its source."""
    return entry["name"] if entry.get("source") or "path" not in entry else entry["path"]


def _with_source(name: str) -> list[str]:
    """The full names of a model that was asked for without its source."""
    if not sources():
        return []
    return [entry["name"] for entry in all_entries() if entry.get("source") and entry["path"] == name][:3]


def _find_in_source(source: Source, rest: str) -> tuple[Path, dict[str, Any]]:
    from zoo.store.source_index import source_index

    index = source_index(source)
    for entry in index["entries"]:
        if entry["path"] == rest:
            return source.folder / rest, entry
    for item in index.get("broken", []):
        if item["name"] == f"{source.name}/{rest}":
            raise ModelError(item["problem"], f"source {source.name}", "Fix: correct it, or tell its authors")
    name = f"{source.name}/{rest}"
    if inside := [entry["name"] for entry in index["entries"] if entry["name"].startswith(f"{name}/")]:
        raise _group_error(name, inside)
    group, members = _nearest_group(name, index["entries"])
    near = _near(name, group, members)
    raise ModelError(
        f"source {source.name} has no model {rest!r}",
        f"e.g. {', '.join(near)}" if near else f"it has {counted(len(index['entries']), 'model')}",
        f"Fix: `zoo list {group}` shows the names of the group"
        if group
        else f"Fix: `zoo list --source {source.name}` shows all names",
    )


def _group_error(name: str, inside: list[str]) -> ModelError:
    return ModelError(
        f"{name} is a group of {counted(len(inside), 'model')}",
        f"e.g. {', '.join(inside[:3])}",
        f"Fix: `zoo list {name}` shows all names",
    )


def _nearest_group(name: str, known: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """The group that a name which is not known leads into, and the names there; "" and all names where into none."""
    groups = {entry["group"] for entry in known if entry.get("group")}
    group = max((one for one in groups if name.startswith(f"{one}/")), key=len, default="")
    inside = [entry["name"] for entry in known if not group or entry.get("group") == group]
    return group, inside if group else [*inside, *sorted(groups)]


def _near(name: str, group: str, names: list[str]) -> list[str]:
    """What could be meant: names with all its words (after that of the group), of like letters, or with like words."""
    rests = {one[len(group) :].lower(): one for one in names}
    words = _words(name[len(group) :])
    with_all = [one for rest, one in rests.items() if words and all(word in rest for word in words)]
    if with_all:
        return sorted(with_all, key=len)[:3]  # `SpliceAI` is nearer to spliceai than to openspliceai-...
    if near := near_names(name[len(group) :], rests):
        return [rests[rest] for rest in near]
    known = list(dict.fromkeys(word for rest in rests for word in _words(rest)))
    meant = [[word] if word in known else near_names(word, known) for word in words]
    return [one for rest, one in rests.items() if all(any(word in rest for word in near) for near in meant)][:3]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def names_a_path(name: str) -> bool:
    """Whether a model's name can only be a path: by how it begins, or by its suffix."""
    return name.startswith((".", "/", "~")) or os.path.splitext(name)[1] in (".ckpt", ".h5", ".hdf5", ".keras")


def no_such_path(name: str) -> ModelError:
    """The error for a path of a model where there is nothing."""
    return ModelError(
        f"{name}: no such model folder or file", near_file(name), "Fix: check the path, or see `zoo list`"
    )


# ---------------- info: what is known of a model, without loading it


def info(model: str | Path) -> dict[str, Any]:
    """Facts of a model as plain data: what ``zoo info --json`` prints.

    Args:
        model: name, ``source/name``, a folder with ``model.yaml``, or a model of a group by its path.

    Raises:
        ModelError: no such model, a URL, or its YAML or card is broken.
    """
    if str(model).startswith("hf://"):
        raise ModelError(
            f"{model}: is described once it is on this machine",
            "",
            f"Fix: `zoo pull {model}` fetches it and prints the place of its files, which `zoo info` takes",
        )
    refuse_url(model, ModelError)
    path = Path(model)
    if path.name in ("model.yaml", "model.yml") and path.is_file():
        path = path.parent
    if path.is_dir():
        from zoo.store.index import describe

        return describe(path) | _uses(path)
    name = str(model)
    if os.sep in name and any(parent.is_dir() for parent in path.parents if parent != Path()):
        from zoo.store.source_index import describe_member

        if (found := describe_member(path)) is not None:
            return found | _uses(Path(found.get("folder", path)))
    if name.startswith("grelu/"):
        from zoo.store.hub import listed_entry

        facts = listed_entry(name)
        return facts | {"folder": facts["path"]}

    if names_a_path(name):
        raise no_such_path(name)
    folder, facts = find_entry(name)
    folder = folder if folder.is_dir() else entries_folder() / _group(facts["path"])
    return facts | {"folder": str(folder)} | _uses(folder)


def _uses(folder: Path) -> dict[str, list[str]]:
    """What the card says that the model is for, and not for."""
    from zoo.cards.card import read_uses

    return read_uses(folder)


def _group(path: str) -> str:
    """The folder of a bundled group that a name leads into."""
    parts = path.split("/")
    inside = ("/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    return next((one for one in inside if (entries_folder() / one).is_dir()), path)
