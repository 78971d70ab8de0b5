"""Reading ``run.yaml``: the file, ``--set``, paths; what is wrong is told by its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from finetune.config import FinetuneConfig, RegionsConfig
from finetune.mistakes import explain, refuse_twice
from zoo.cards.yaml_lines import load_yaml
from zoo.errors import ModelError, UsageError
from zoo.genome.library import genome_file
from zoo.paths import given_path, is_url, near_file, refuse_pointers, refuse_url
from zoo.words import counted_of

__all__ = ["as_number", "check_files", "load_config"]

#: Keys that hold paths, or lists or mappings of them.
PATHS = {"genome", "files", "blacklist", "mappability", "loci", "tracks", "base"}


def load_config(path: str | Path, sets: tuple[str, ...] = ()) -> FinetuneConfig:
    """Read ``run.yaml``; paths in it are taken from its folder.

    Args:
        sets: ``key.key=value`` each, the value as YAML.

    Raises:
        UsageError: the file is missing or does not parse; a key is unknown or its value wrong, with file and line.
    """
    path = given_path(path, UsageError)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, not the configuration of a run", "", "Fix: name the .yaml in it")
    try:
        document = load_yaml(path)
    except ModelError as error:
        raise UsageError(
            error.what,
            error.extent or ("" if path.exists() else near_file(path)),
            error.fix.replace("a model folder holds model.yaml", "check the path"),
        ) from None
    if not isinstance(document.data, dict):
        raise UsageError(
            f"{path}: {'is empty' if document.data is None else 'is no mapping of keys'}",
            "",
            "Fix: give a YAML file with the keys `base`, `targets` and `split`",
        )
    refuse_twice(document.node, path)
    data = document.data
    for text in sets:
        data = _with(data, text)
    try:
        config = FinetuneConfig.model_validate(data)
    except ValidationError as error:
        raise explain(error, document, sets, FinetuneConfig) from None
    for key, name in _files(config):
        refuse_url(name, UsageError, option=f"`{key}`:")
    return _rooted(config, path.absolute().parent)


def _with(data: dict[str, Any], text: str) -> dict[str, Any]:
    """A copy of the data with one ``key.key=value`` of ``--set``."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {text}: is not KEY=VALUE", "", "Fix: --set train.lr=1e-4")
    try:
        parsed = as_number(yaml.safe_load(value))
    except yaml.YAMLError:
        raise UsageError(f"--set {text}: the value is no YAML", "", "Fix: put it in quotes") from None
    keys = key.split(".")
    return _placed(data, keys, _from_here(parsed, key == "base") if PATHS & set(keys[-2:]) else parsed, text)


def _from_here(value: Any, model: bool = False) -> Any:
    """Paths that are typed lie where the command runs, not beside the file; names with a slash may be a model's."""
    if isinstance(value, list):
        return [_from_here(item) for item in value]
    if not isinstance(value, str) or is_url(value):
        return value
    prefix, _, weights = value.partition(":") if model else ("", "", "")
    if prefix == "enformer" and weights and Path(weights).exists():
        return f"enformer:{Path(weights).absolute()}"
    return str(Path(value).absolute()) if Path(value).exists() or ("/" in value and not model) else value


def as_number(value: Any) -> Any:
    """YAML 1.1 takes 1e-4 for a text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _placed(data: Any, keys: list[str], value: Any, text: str) -> Any:
    if not keys:
        return value
    if isinstance(data, list):
        if not keys[0].isdigit() or int(keys[0]) >= len(data):
            raise UsageError(f"--set {text}: {keys[0]!r} is no place of a list of {len(data)}", "", "Fix: count from 0")
        return [_placed(item, keys[1:], value, text) if i == int(keys[0]) else item for i, item in enumerate(data)]
    if data is not None and not isinstance(data, dict):
        raise UsageError(f"--set {text}: {keys[0]!r} is below a value", "", "Fix: name a key that holds no others")
    data = data or {}
    return data | {keys[0]: _placed(data.get(keys[0]), keys[1:], value, text)}


def check_files(config: FinetuneConfig) -> None:
    """Refuse files that the configuration names and that are not there, before any of them is read.

    Raises:
        UsageError: the first is named with its key, and how many there are.
    """
    named = list(_files(config))
    refuse_pointers((Path(path) for _, path in named), UsageError)
    absent = [(key, path) for key, path in named if not Path(path).is_file()]
    if absent:
        key, path = absent[0]
        near = "" if Path(path).exists() else near_file(path)
        raise UsageError(
            f"`{key}`: {path}: {'is a folder' if Path(path).is_dir() else 'no such file'}",
            "; ".join(
                filter(None, (f"{counted_of(len(absent), len(named), 'file')} that the configuration names", near))
            ),
            f"Fix: correct `{key}`; paths are taken from the folder of the configuration",
        )


def _files(config: FinetuneConfig) -> Iterator[tuple[str, str]]:
    for i, target in enumerate(config.targets):
        yield from ((f"targets.{i}.files", path) for path in target.files)
    yield from (("genome", path) for path in (config.genome,) if path)
    parts = [("regions", config.regions)]
    for i, head in enumerate(config.heads):
        yield from ((f"heads.{i}.genome", path) for path in (head.genome,) if path)
        parts += [(f"heads.{i}.regions", head.regions)] if head.regions else []
    for key, part in parts:
        yield from ((f"{key}.files", path) for path in part.files)
        yield from ((f"{key}.blacklist", path) for path in part.blacklist)
        yield from ((f"{key}.mappability", path) for path in (part.mappability,) if path)
    for cell, paths in config.cell.tracks.items():
        yield from ((f"cell.tracks.{cell}", path) for path in paths)
    yield from (("verdict.loci", path) for path in (config.verdict.loci,) if path)


def _rooted(config: FinetuneConfig, folder: Path) -> FinetuneConfig:
    """Paths that are not absolute lie beside the file."""

    def one(name: str) -> str:
        return str((folder / name).absolute())  # a copy of the configuration may lie elsewhere

    def genome(name: str) -> str:
        if (folder / name).is_file():
            return one(name)
        found = genome_file(name)  # of an assembly; a name that is nearly one is refused
        return one(name) if found == Path(name) else str(found.absolute())

    def several(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(one, names))

    def regions(part: RegionsConfig) -> RegionsConfig:
        return part.model_copy(
            update={
                "files": several(part.files),
                "blacklist": several(part.blacklist),
                "mappability": one(part.mappability) if part.mappability else None,
            }
        )

    heads = tuple(
        head.model_copy(
            update={
                "genome": genome(head.genome) if head.genome else None,
                "regions": regions(head.regions) if head.regions else None,
            }
        )
        for head in config.heads
    )
    prefix, _, path = config.base.rpartition(":") if config.base.startswith("enformer:") else ("", "", config.base)
    base = f"{prefix}:{one(path)}".lstrip(":") if (folder / path).exists() else config.base
    return config.model_copy(
        update={
            "base": base,
            "genome": genome(config.genome) if config.genome else None,
            "targets": tuple(t.model_copy(update={"files": several(t.files)}) for t in config.targets),
            "regions": regions(config.regions),
            "cell": config.cell.model_copy(update={"tracks": {c: several(f) for c, f in config.cell.tracks.items()}}),
            "heads": heads,
            "verdict": config.verdict.model_copy(
                update={"loci": one(config.verdict.loci) if config.verdict.loci else None}
            ),
        }
    )
