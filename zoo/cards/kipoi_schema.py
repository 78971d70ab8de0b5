"""Array schemas of Kipoi's YAML: a tree of lists and mappings whose leaves have a ``shape``.

Kipoi 0.8.6 ``eval``s shapes; here they are parsed as literals.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cards.yaml_lines import YamlDocument

__all__ = ["ArraySchema", "Location", "parse_shape", "read_schemas"]

Location = tuple[str | int, ...]

# kipoi.specs.ArraySpecialType
SPECIAL_TYPES = ("DNASeq", "DNAStringSeq", "bigwig", "v-plot", "Array")
MOST_LABEL_BYTES = 16 << 20


@dataclass(frozen=True)
class ArraySchema:
    """One array of an input or target.

    Attributes:
        name: its ``name``, else its key in the tree, else ``inputs`` or ``targets``.
        shape: without the batch axis; None is a free axis.
        column_labels: names of the columns, read from the file that is named where there is one.
        doc: what it holds.
        path: keys from the root of the tree: ``()`` for a lone array, ``("a", 0)`` for the first of list ``a``.
        special_type: ``DNASeq``, ``DNAStringSeq``, ``bigwig``, ``v-plot``, ``Array`` or None.
    """

    name: str
    shape: tuple[int | None, ...]
    column_labels: tuple[str, ...] | None = None
    doc: str = ""
    path: Location = ()
    special_type: str | None = None

    @property
    def place(self) -> str:
        """Name in a result: the path as Kipoi's HDF5 writer has it (``a/0``), or ``name`` for a lone array."""
        return "/".join(map(str, self.path)) or self.name


def parse_shape(value: Any) -> tuple[int | None, ...]:
    """A Kipoi shape: ``(4, 1000)`` as text, a list, or a number; ``None`` is a free axis.

    Raises:
        ValueError: not a literal of whole numbers and None.
    """
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value.strip())
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise ValueError(f"shape {value!r} is not a tuple of whole numbers") from None
    if value is None or isinstance(value, int):
        value = (value,)
    whole = isinstance(value, Sequence) and all(v is None or (isinstance(v, int) and v >= 0) for v in value)
    if not whole or isinstance(value, str | bytes):
        raise ValueError(f"shape {value!r} is not a tuple of whole numbers")
    return tuple(value)


def read_schemas(document: YamlDocument, location: Location, tree: Any, folder: Path) -> tuple[ArraySchema, ...]:
    """The leaves of a schema tree, in order.

    Args:
        location: where the tree stands in the document, e.g. ``("schema", "inputs")``.
        folder: where files of column labels are looked up.

    Raises:
        ModelError: a leaf without shape or of the wrong type, with its line.
    """
    return tuple(_leaves(document, location, tree, folder, ()))


def _leaves(document: YamlDocument, root: Location, tree: Any, folder: Path, path: Location) -> list[ArraySchema]:
    if isinstance(tree, list):
        parts: Any = enumerate(tree)
    elif "shape" in tree and not isinstance(tree["shape"], dict):
        return [_leaf(document, root, tree, folder, path)]
    else:
        parts = tree.items()
    out: list[ArraySchema] = []
    for key, part in parts:
        if not isinstance(part, dict | list):
            where = ".".join(map(str, (*root, *path)))
            raise document.error((*root, *path), f"`{where}` lacks `shape`", "add `shape: (4, 1000)`")
        out += _leaves(document, root, part, folder, (*path, key if isinstance(key, int) else str(key)))
    return out


def _leaf(document: YamlDocument, root: Location, tree: dict[str, Any], folder: Path, path: Location) -> ArraySchema:
    location = (*root, *path)
    try:
        shape = parse_shape(tree["shape"])
    except ValueError as error:
        raise document.error((*location, "shape"), str(error), "write it as (4, 1000)") from None
    name = tree.get("name")
    if path and isinstance(path[-1], str) and name is not None and name != path[-1]:
        raise document.error(
            (*location, "name"), f"`name: {name}` contradicts its key {path[-1]!r}", "leave `name` out or correct it"
        )
    special = tree.get("special_type")
    if special is not None and special not in SPECIAL_TYPES:
        raise document.error(
            (*location, "special_type"), f"special_type {special!r} is not known", f"one of {', '.join(SPECIAL_TYPES)}"
        )
    return ArraySchema(
        name=str(name or (path[-1] if path else root[-1])),
        shape=shape,
        doc=str(tree.get("doc") or ""),
        path=path,
        column_labels=_labels(document, location, tree.get("column_labels"), folder),
        special_type=special,
    )


def _labels(document: YamlDocument, location: Location, value: Any, folder: Path) -> tuple[str, ...] | None:
    """Labels as a list, or as the name of a text file with one a line (absent files give no labels)."""
    if not value:
        return None
    labels = [value] if isinstance(value, str) else value
    if not isinstance(labels, list):
        raise document.error((*location, "column_labels"), "`column_labels` is no list", "give a list or a file name")
    if len(labels) != 1:
        return tuple(map(str, labels))
    try:
        path = folder / str(labels[0])
        if not path.is_file():
            looks_like_a_file = path.suffix in (".txt", ".csv", ".tsv")
            return None if looks_like_a_file else (str(labels[0]),)
        if path.stat().st_size > MOST_LABEL_BYTES:
            raise document.error((*location, "column_labels"), f"{path} is too large for labels", "one label a line")
        return tuple(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise document.error(
            (*location, "column_labels"), f"the file of labels cannot be read: {error}", "one label a line, UTF-8"
        ) from None
