"""What a source holds, as plain records: made once a commit (or state of a folder), then read as JSON.

Building parses every YAML (a second for the 2,206 models of Kipoi's repository); reading needs
neither YAML nor numpy.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ModelError
from zoo.files import cache_folder
from zoo.results.whole import replacing
from zoo.store.bundled import described_files
from zoo.store.sources import Source, require_folder

if TYPE_CHECKING:
    from zoo.cards.kipoi import ModelDescription
    from zoo.cards.yaml_lines import YamlDocument

__all__ = ["SourceConfig", "describe_member", "read_source_config", "source_entries", "source_index"]

INDEX_VERSION = 5


def source_entries(source: Source) -> list[dict[str, Any]]:
    """One record a model, named ``source/model``, by name."""
    return source_index(source)["entries"]


def source_index(source: Source) -> dict[str, Any]:
    """``entries``, their ``older`` versions, ``broken`` (name and problem) and ``needs`` (packages) of a source.

    They are made anew when the source has changed.

    Raises:
        ModelError: the source's folder is gone.
    """
    folder = require_folder(source)
    path = cache_folder() / "sources" / f"{source.name}.index.json"
    state = f"{INDEX_VERSION}:{source.location}:{source.commit or _fingerprint(folder)}"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["state"] == state:
            return kept
    except (OSError, ValueError, KeyError, TypeError):
        pass
    index = {"state": state, **_build(source.name, folder)}
    _keep(path, index)
    return index


def _keep(path: Path, index: dict[str, Any]) -> None:
    """Write the index for the next time; a cache that cannot be written costs time, nothing else."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, shared=True) as partial:
            partial.write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")


def _fingerprint(folder: Path) -> str:
    """Names, sizes and dates of all files that could change a record."""
    digest = hashlib.sha256()
    for path in described_files(folder):
        stat = path.stat()
        digest.update(f"{path.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _build(name: str, folder: Path) -> dict[str, Any]:

    entries, broken, needs = [], [], ()
    try:
        needs = read_source_config(folder).dependencies
    except ModelError as error:
        broken.append({"name": f"{name}/config.yaml", "problem": error.what})
    # A name can be there twice, in a group and as a folder: the folder is what counts, in Kipoi and here.
    for path, member in sorted(_models(folder, broken), key=lambda found: found[1] is not None):
        where = path.parent / member if member else path.parent
        label = where.relative_to(folder).as_posix()
        try:
            record = _describe(path, member)
        except ModelError as error:
            broken.append({"name": f"{name}/{label}", "problem": error.what})
            continue
        group = path.parent.relative_to(folder.parent).parts[1:]
        record |= {"name": f"{name}/{label}", "path": label, "source": name}
        entries.append(record | {"group": "/".join((name, *group)) if member else None})
    entries, older = _older_apart(name, entries)
    return {
        "entries": sorted(entries, key=lambda record: record["name"]),
        "older": older,
        "broken": broken,
        "needs": list(needs),
    }


def _older_apart(source: str, records: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Entries, and older versions of them; what lies in a folder of that name and is none stays an entry."""
    from zoo.store.versions import in_order, placed

    known = {record["path"] for record in records}
    older = [one for one in records if (at := placed(one["path"]))[1] == one["version"] and at[0] in known]
    entries = [one for one in records if one not in older]
    older.sort(key=lambda one: in_order(one["version"]), reverse=True)
    return entries, [one | {"name": f"{source}/{placed(one['path'])[0]}"} for one in older]


def _models(folder: Path, broken: list[dict[str, str]]) -> Iterator[tuple[Path, str | None]]:
    """Each model's YAML or template, and its name within the group of a template."""
    from zoo.cards.kipoi_groups import read_group

    for path in described_files(folder):
        if path.stem == "model" and path.suffix in (".yaml", ".yml"):
            yield path, None
        elif path.stem == "model-template" and path.suffix in (".yaml", ".yml"):
            try:
                members = list(read_group(path.parent).rows)
            except ModelError as error:
                broken.append({"name": path.parent.relative_to(folder).as_posix(), "problem": error.what})
                continue
            for member in members:
                yield path, member


def _describe(path: Path, member: str | None) -> dict[str, Any]:
    from zoo.cards.card import card_of
    from zoo.cards.kipoi import parse_model
    from zoo.cards.kipoi_groups import read_group
    from zoo.cards.yaml_lines import load_yaml
    from zoo.store.index import describe

    if member is None and card_of(path.parent) is not None:
        return describe(path.parent)
    document = read_group(path.parent).document(member) if member else load_yaml(path)
    return _record(parse_model(document, path.parent, member))


def _record(model: ModelDescription) -> dict[str, Any]:
    from zoo.cards.kipoi_layout import sequence_length
    from zoo.store.index import described_targets, remote_records

    info = model.info
    loader = model.document.data.get("default_dataloader", ".")
    args = (loader.get("default_args") or {}) if isinstance(loader, dict) else {}
    return {
        "version": str(info.get("version") or "0.1"),
        "summary": " ".join(str(info.get("doc") or "").split()),
        "authors": [
            str(one["name"]) if isinstance(one, dict) else str(one)
            for one in [*(info.get("authors") or []), *(info.get("contributors") or [])]
        ],
        "license": str(info.get("license") or "MIT"),  # kipoi.specs.Info: MIT where nothing is said
        "cite_as": info.get("cite_as") and str(info["cite_as"]),
        "tags": _texts(info.get("tags")),
        "framework": model.framework,
        "assembly": None,
        "input_length": args.get("auto_resize_len") or sequence_length(model.inputs),
        "inputs": [{"name": one.place, "shape": list(one.shape)} for one in model.inputs],
        "outputs": described_targets(model),
        "dataloader": str(loader["defined_as"]) if isinstance(loader, dict) and "defined_as" in loader else str(loader),
        "evaluation": [],
        "deprecated": None,
        "withdrawn": None,
        "remote": remote_records(model, None, whole=False),
    }


def describe_member(path: Path) -> dict[str, Any] | None:
    """The record of a model of a group by its path, which is no folder on disk; None where there is no group."""
    from zoo.cards.card import card_of
    from zoo.cards.kipoi import parse_model
    from zoo.cards.kipoi_groups import find_group
    from zoo.store.index import describe

    found = find_group(path, "model")
    if found is None:
        return None
    group, member = found
    if card_of(path) is not None:
        return describe(path) | {"path": str(path), "folder": str(group.folder), "group": group.folder.name}
    record = _record(parse_model(group.document(member), group.folder, member))
    return record | {"name": str(path), "path": str(path), "group": str(group.folder)}


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or []]


# ---- ``config.yaml`` at the root of a Kipoi source: what it asks for, and how its models are tested


@dataclass(frozen=True)
class SourceConfig:
    """What the file says.

    Attributes:
        dependencies: packages that all models of the source need.
        batch_sizes: model or group -> samples a batch in its test, for models that need much memory.
    """

    dependencies: tuple[str, ...] = ()
    batch_sizes: dict[str, int] = field(default_factory=dict)


def read_source_config(folder: Path) -> SourceConfig:
    """Read ``config.yaml`` of a source; one without it asks for nothing.

    Raises:
        ModelError: it does not parse, or a part has the wrong type, with its line.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        return SourceConfig()
    from zoo.cards.yaml_lines import load_yaml

    document = load_yaml(path)
    data = document.data or {}
    if not isinstance(data, Mapping):
        raise document.error((), "config.yaml is not a mapping", "write `key: value` lines")
    packages: list[str] = []
    dependencies = _mapping(document, data, "dependencies")
    for kind in ("conda", "pip"):
        given = dependencies.get(kind) or []
        given = [given] if isinstance(given, str) else given
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise document.error(("dependencies", kind), f"`dependencies.{kind}` is no list", "write `- package`")
        packages += given
    return SourceConfig(tuple(packages), _batch_sizes(document, _mapping(document, data, "test")))


def _batch_sizes(document: YamlDocument, test: Mapping[str, Any]) -> dict[str, int]:
    constraints = test.get("constraints") or {}
    if not isinstance(constraints, Mapping):
        raise document.error(("test", "constraints"), "`test.constraints` is no mapping", "write `model:` below it")
    sizes = {}
    for name, item in constraints.items():
        size = item.get("batch_size") if isinstance(item, Mapping) else None
        if size is not None and (not isinstance(size, int) or size < 1):
            where = ("test", "constraints", name, "batch_size")
            raise document.error(where, f"batch_size {size!r} is no positive number", "write e.g. 2")
        if size is not None:
            sizes[str(name)] = size
    return sizes


def _mapping(document: YamlDocument, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key) or {}
    if not isinstance(value, Mapping):
        raise document.error((key,), f"`{key}` is no mapping", "see Kipoi's specification of a source")
    return value
