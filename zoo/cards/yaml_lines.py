"""YAML with line numbers: a problem is reported at the line that has it.

Only safe tags are constructed; nothing in a YAML file is ever evaluated.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import ModelError
from zoo.paths import refuse_pointer, refuse_url

__all__ = ["YamlDocument", "component_file", "load_yaml"]

DEEPEST = 200
MOST_NODES = 1_000_000


@dataclass(frozen=True)
class YamlDocument:
    """Parsed YAML: plain data, and the node tree for line numbers."""

    data: Any
    path: Path
    node: yaml.Node | None
    first_line: int = 1

    def line(self, location: Sequence[str | int]) -> int:
        """Line in the file of a key path such as ``("outputs", 0, "name")``, or of its nearest parent."""
        node = self.node
        line = 0 if node is None else node.start_mark.line
        for key in location:
            child = _child(node, key)
            if child is None:
                break
            node, line = child
        return self.first_line + line

    def error(self, location: Sequence[str | int], what: str, fix: str, extent: str = "") -> ModelError:
        """A ModelError that names this file and the line of ``location``."""
        return ModelError(f"{self.path}:{self.line(location)}: {what}", extent, f"Fix: {fix}")


def _child(node: yaml.Node | None, key: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return value, name.start_mark.line
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key].start_mark.line
    return None


def component_file(folder: Path, kind: str) -> Path | None:
    """``<kind>.yaml`` (or ``.yml``) of a folder, or None; ``kind`` is e.g. ``model`` or ``dataloader-template``."""
    for suffix in (".yml", ".yaml"):
        if (path := folder / f"{kind}{suffix}").is_file():
            return path
    return None


def load_yaml(path: Path, text: str | None = None, first_line: int = 1) -> YamlDocument:
    """Parse a YAML file, or ``text`` that begins at ``first_line`` of ``path``.

    Raises:
        ModelError: the file is missing or does not parse, with its line.
    """
    if text is None:
        refuse_url(path, ModelError)
        try:
            content = Path(path).read_bytes()
            refuse_pointer(path, content)
            text = io.StringIO(content.decode("utf-8"), newline=None).read()  # line ends as in text files
        except FileNotFoundError:
            raise ModelError(f"{path}: no such file", "", "Fix: a model folder holds model.yaml") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: cannot be read: {error}", "", "Fix: check the file") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_deep(text, path, loader)
        node, data = _compose_and_construct(text, loader, path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = first_line + (mark.line if mark else 0)
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ModelError(f"{path}:{line}: YAML does not parse: {problem}", "", "Fix: correct that line") from None
    return YamlDocument(data, path, node, first_line)


def _compose_and_construct(text: str, loader: type[Any], path: Path) -> tuple[yaml.Node | None, Any]:
    """The nodes of the one document, and the safe data made of them; parsing twice would take twice as long."""
    reader = loader(text)
    try:
        node = reader.get_single_node()
        if node is None:
            return None, None
        if "*" in text and "&" in text and _size(node, {}) > MOST_NODES:
            raise ModelError(
                f"{path}: the aliases of this YAML (&name, *name) unfold without end",
                "",
                "Fix: write out what they stand for",
            )
        return node, reader.construct_document(node)
    except ValueError as error:  # a date or number that is none
        raise ModelError(f"{path}: YAML does not parse: {error}", "", "Fix: put such values in quotes") from None
    finally:
        reader.dispose()


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Nodes after aliases are unfolded; one that holds itself has no end."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MOST_NODES + 1  # until its parts are counted
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def _refuse_deep(text: str, path: Path, loader: type[Any]) -> None:
    """libyaml's parser crashes the process on what is nested 100,000 deep; look at the events before the nodes."""
    openings = sum(text.count(mark) for mark in ("[", "{", "- ", "? "))
    if openings < DEEPEST and len(text) < DEEPEST**2 // 2:
        return
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise ModelError(
                f"{path}:{event.start_mark.line + 1}: YAML is nested more than {DEEPEST} deep",
                "",
                "Fix: correct that line",
            )
