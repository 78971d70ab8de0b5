"""Change a YAML text so that it says something else, and leave alone every line that need not change."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["dumped", "edited"]

WIDTH = 110


def dumped(data: dict[str, Any]) -> str:
    """A mapping as this package writes YAML: keys in their order, block style."""
    return yaml.safe_dump(data, sort_keys=False, width=WIDTH, allow_unicode=True)


def edited(text: str, new: dict[str, Any]) -> tuple[str, bool]:
    """The text of a mapping, changed so that it reads as ``new``.

    A key whose value stays keeps its lines and comments, and so does one that only got another name.

    Returns:
        The text, and whether its comments were kept. Where the lines cannot be changed one by one (anchors, a mapping
        in braces), the whole is written anew, without comments.

    Raises:
        yaml.YAMLError: the text does not parse.
    """
    node, old = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    if old == new and list(old) == list(new):
        return text, True
    if isinstance(node, yaml.MappingNode) and not node.flow_style and isinstance(old, dict):
        made = _lines(text.splitlines(keepends=True), node, old, new)
        if _reads_as(made, new):
            return made, True
    return dumped(new), False


def _reads_as(text: str, new: dict[str, Any]) -> bool:
    try:
        return yaml.safe_load(text) == new
    except yaml.YAMLError:
        return False


def _lines(lines: list[str], node: yaml.MappingNode, old: dict[str, Any], new: dict[str, Any]) -> str:
    """The lines with every part replaced that differs, last part first, so that numbers of lines hold."""
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    edits: list[tuple[int, int, list[str]]] = []
    _compare(lines, node, old, new, edits)
    for first, end, replacement in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        lines[first:end] = replacement
    return "".join(lines)


def _compare(
    lines: list[str],
    node: yaml.MappingNode,
    old: dict[str, Any],
    new: dict[str, Any],
    edits: list[tuple[int, int, list[str]]],
) -> None:
    """Collect what must be replaced: ``(first line, line after the last, lines instead)``."""
    places = {key.value: (key, value) for key, value in node.value}
    indent = " " * node.start_mark.column
    gone = [key for key in old if key not in new]
    after = node.start_mark.line  # where a key that is new is put: behind the one that it follows
    for key, value in new.items():
        if key not in old:
            renamed = next((one for one in gone if old[one] == value), None)
            if renamed is None:
                edits.append((after, after, _indented({key: value}, indent)))
                continue
            gone.remove(renamed)
            line = places[renamed][0].start_mark.line
            edits.append((line, line + 1, [lines[line].replace(renamed, key, 1)]))
            after = _end(places[renamed][1])
            continue
        name, part = places[str(key)]
        first, after = name.start_mark.line, max(_end(part), name.start_mark.line + 1)
        if value == old[key]:
            continue
        if isinstance(part, yaml.MappingNode) and not part.flow_style and isinstance(value, dict) and value:
            _compare(lines, part, old[key], value, edits)
        elif isinstance(part, yaml.ScalarNode) and part.start_mark.line == part.end_mark.line == first and part.value:
            line, end = lines[first], part.end_mark.column
            instead = _indented({key: value}, indent)
            if len(instead) == 1:
                edits.append((first, first + 1, [instead[0].rstrip("\n") + line[end:]]))
            else:
                edits.append((first, after, instead))
        else:
            edits.append((first, after, _indented({key: value}, indent)))
    for key in gone:
        name, part = places[str(key)]
        edits.append((name.start_mark.line, max(_end(part), name.start_mark.line + 1), []))


def _indented(data: dict[str, Any], indent: str) -> list[str]:
    return [indent + line for line in dumped(data).splitlines(keepends=True)]


def _end(node: yaml.Node) -> int:
    """The line after the last one of a node; comments behind a block are not part of it."""
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    if parts:
        return max(map(_end, parts))
    mark = node.end_mark
    return mark.line + 1 if mark.column else mark.line
