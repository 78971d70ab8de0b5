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
from zoo.paths import near_file, refuse_empty, refuse_url
from zoo.store.bundled import read_index
from zoo.store.entry_facts import EntryFacts
from zoo.store.sources import Source, find_source, sources, split_name
from zoo.store.speed import BENCHMARK, read_parameters, read_speed
from zoo.store.versions import as_version, placed
from zoo.words import counted, near_names

__all__ = [
    "all_entries",
    "below",
    "broken_entries",
    "entries",
    "entries_folder",
    "find_entry",
    "folder_of",
    "given_folder",
    "info",
    "members_of",
    "names_a_path",
    "no_such_path",
    "older_entries",
    "versions_of",
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


def _known() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The bundled entries, and the older versions of them, the newer first."""
    index = read_index(INDEX, entries_folder())
    return index["entries"], index.get("older", [])


def older_entries() -> list[dict[str, Any]]:
    """Older versions of the bundled entries, each called ``name@version``."""
    return [entry | {"name": f"{entry['name']}@{entry['version']}"} for entry in _known()[1]]


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
    bare, version = as_version(name)
    if known := _versions(bare, *_known()):
        entry = _of_version(bare, version, known)
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


def _versions(name: str, newest: Iterable[dict[str, Any]], older: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of an entry in all its versions, the newest first."""
    found = [entry for entry in newest if name in (entry["name"], entry["path"])]
    return found + [entry for entry in older if name in (entry["name"], placed(entry["path"])[0])]


def _of_version(name: str, version: str, known: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of the version that was asked for, or of the newest."""
    for entry in known:
        if version == entry["version"] or (not version and placed(entry["path"])[1] is None):
            return entry
    versions = ", ".join(entry["version"] for entry in known)
    if not version:
        raise ModelError(
            f"{name}: is no longer in the newest version of its group",
            f"older versions: {versions}",
            f"Fix: `zoo info {name}@{known[0]['version']}` shows it",
        )
    raise ModelError(
        f"{name} has no version {version}",
        f"this installation has {versions}",
        f"Fix: zoo predict {name}@{known[0]['version']} ...",
    )


def versions_of(model: str | Path) -> list[str]:
    """The versions of an entry that this machine has, the newest first; none where only one is known.

    Args:
        model: name, ``source/name``, or the folder of an entry.
    """
    path = Path(model)
    if path.is_dir():
        from zoo.store.versions import FOLDER, in_order

        older = [one.parent.name for one in path.glob(f"{FOLDER}/*/model.yaml")]
        return sorted(older, key=in_order, reverse=True)
    bare = as_version(str(model))[0]
    if found := split_name(bare):
        from zoo.store.source_index import source_index

        index = source_index(found[0])
        known = _versions(found[1], index["entries"], index["older"])
    else:
        known = _versions(bare, *_known())
    return [entry["version"] for entry in known] if len(known) > 1 else []


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
    bare, version = as_version(rest)
    if known := _versions(bare, index["entries"], index["older"] if version else ()):
        entry = _of_version(f"{source.name}/{bare}", version, known)
        return source.folder / entry["path"], entry
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


def folder_of(model: str | Path) -> Path:
    """The folder of an entry or group by its name or path; a model of a group lies in the group's.

    Raises:
        ModelError: there is none.
    """
    if (folder := given_folder(model)) is not None:
        return folder
    name = str(model)
    if not names_a_path(name) and (entries_folder() / name.rstrip("/")).is_dir():
        return entries_folder() / name.rstrip("/")
    return Path(info(name)["folder"])


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


#: Files of an entry's folder by which it is named, too.
DESCRIBES = frozenset({"model.yaml", "model.yml", "README.md"})


def given_folder(model: str | Path) -> Path | None:
    """The folder of which a model's name is the path, or of whose model.yaml or card it is; None for any other name.

    Raises:
        ModelError: nothing at all, or a URL.
    """
    refuse_empty(model, ModelError, kind="model")
    refuse_url(model, ModelError)
    path = Path(model)
    if path.name in DESCRIBES and path.is_file():
        path = path.parent
    return path if path.is_dir() else None


def names_a_path(name: str) -> bool:
    """Whether a model's name can only be a path: by how it begins, or by its suffix."""
    return name.startswith((".", "/", "~")) or os.path.splitext(name)[1] in (".ckpt", ".h5", ".hdf5", ".keras")


def no_such_path(name: str) -> ModelError:
    """The error for a path of a model where there is nothing."""
    return ModelError(
        f"{name}: no such model folder or file", near_file(name), "Fix: check the path, or see `zoo list`"
    )


# ---------------- info: what is known of a model, without loading it


def info(model: str | Path) -> EntryFacts:
    """Facts of a model as plain data, which shows itself as a card: what ``zoo info --json`` prints.

    Args:
        model: name, ``source/name``, a folder with ``model.yaml``, or a model of a group by its path.

    Raises:
        ModelError: no such model, a URL, or its YAML or card is broken.
    """
    return EntryFacts(_facts(model))


def _facts(model: str | Path) -> dict[str, Any]:
    if str(model).startswith("hf://"):
        raise ModelError(
            f"{model}: is described once it is on this machine",
            "",
            f"Fix: `zoo pull {model}` fetches it and prints the place of its files, which `zoo info` takes",
        )
    if (path := given_folder(model)) is not None:
        from zoo.store.index import describe

        versions = versions_of(path)
        facts = describe(path)
        return facts | ({"versions": [facts["version"], *versions]} if versions else {}) | _uses(path) | _speed(path)
    name, path = str(model), Path(model)
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
    versions = versions_of(name)
    found = facts | {"folder": str(folder)} | ({"versions": versions} if versions else {}) | _uses(folder)
    return found | (_speed(folder) if not facts.get("group") else {})


def _uses(folder: Path) -> dict[str, list[str]]:
    """What the card says that the model is for, and not for."""
    from zoo.cards.card import read_uses

    return read_uses(folder)


def _speed(folder: Path) -> dict[str, Any]:
    """The number of parameters and the runs of ``zoo benchmark``; nothing where there are none."""
    found = {"parameters": read_parameters(folder / BENCHMARK), "benchmark": read_speed(folder / BENCHMARK)}
    return {name: value for name, value in found.items() if value}


def _group(path: str) -> str:
    """The folder of a bundled group that a name leads into."""
    parts = path.split("/")
    inside = ("/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    return next((one for one in inside if (entries_folder() / one).is_dir()), path)
