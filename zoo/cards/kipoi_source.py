"""``config.yaml`` at the root of a Kipoi source: what it asks for, and how its models are tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.cards.yaml_lines import YamlDocument, load_yaml

__all__ = ["SourceConfig", "read_source_config"]


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
