"""Kipoi's ``model.yaml`` and ``dataloader.yaml``, read without importing kipoi.

Source: https://kipoi.org/docs (version 0.8). Both syntaxes of ``model.yaml`` are read: the
older ``type: pytorch`` and ``defined_as: kipoi.model.PyTorchModel``. Strings that Kipoi
``eval``s (shapes, dtypes) are parsed as literals.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cards.yaml_lines import YamlDocument, load_yaml

__all__ = ["ArraySchema", "LoaderDescription", "ModelDescription", "read_dataloader", "read_model"]

MODEL_TYPES = {
    "pytorch": "kipoi.model.PyTorchModel",
    "keras": "kipoi.model.KerasModel",
    "sklearn": "kipoi.model.SklearnModel",
    "tensorflow": "kipoi.model.TensorFlowModel",
}


@dataclass(frozen=True)
class ArraySchema:
    """One array of an input or target: shape without the batch axis, and column labels if given."""

    name: str
    shape: tuple[int | None, ...]
    column_labels: tuple[str, ...] | None = None
    doc: str = ""


@dataclass(frozen=True)
class LoaderDescription:
    """Which dataloader a model uses and with what arguments.

    ``defined_as`` is ``kipoiseq.dataloaders.SeqIntervalDl``, ``file.py::Class`` or another dotted name.
    ``examples`` holds the arguments of the example, as paths relative to the model folder.
    """

    defined_as: str
    args: dict[str, Any]
    examples: dict[str, Any]


@dataclass(frozen=True)
class ModelDescription:
    """What ``model.yaml`` says.

    Attributes:
        folder: the model folder; relative paths start here.
        defined_as: e.g. ``kipoi.model.PyTorchModel``.
        args: its arguments, as written.
        info: authors, doc, license, tags ...
        inputs, targets: schemas; lists and dicts of schemas are flattened in order.
        loader: the default dataloader.
        expect: path of the expected outputs for the test, or None.
        document: for errors with line numbers.
    """

    folder: Path
    defined_as: str
    args: dict[str, Any]
    info: dict[str, Any]
    inputs: tuple[ArraySchema, ...]
    targets: tuple[ArraySchema, ...]
    loader: LoaderDescription
    expect: Path | None
    document: YamlDocument


def read_model(folder: Path) -> ModelDescription:
    """Read ``model.yaml`` of a folder.

    Raises:
        ModelError: it is missing, does not parse or lacks a field, with ``file:line``.
    """
    document = load_yaml(folder / "model.yaml")
    data = document.data
    if not isinstance(data, dict):
        raise document.error((), "model.yaml is not a mapping", "write `key: value` lines")
    _required(document, (), "schema", dict)
    return ModelDescription(
        folder=folder,
        defined_as=_defined_as(document),
        args=_required(document, (), "args", dict),
        info=_optional(document, (), "info"),
        inputs=_schemas(document, ("schema", "inputs"), _required(document, ("schema",), "inputs", (dict, list))),
        targets=_schemas(document, ("schema", "targets"), _required(document, ("schema",), "targets", (dict, list))),
        loader=_loader(document, folder),
        expect=_expect(folder, document),
        document=document,
    )


def read_dataloader(path: Path) -> LoaderDescription:
    """Read ``dataloader.yaml``: its ``defined_as`` and the defaults of its arguments."""
    document = load_yaml(path)
    defined_as = _required(document, (), "defined_as", str)
    arguments = {
        name: argument for name, argument in _optional(document, (), "args").items() if isinstance(argument, Mapping)
    }
    defaults = {name: argument["default"] for name, argument in arguments.items() if "default" in argument}
    examples = {name: argument["example"] for name, argument in arguments.items() if "example" in argument}
    return LoaderDescription(defined_as, defaults | _optional(document, (), "default_args"), examples)


def parse_shape(value: Any) -> tuple[int | None, ...]:
    """A Kipoi shape: ``(4, 1000)`` as text, a list, or a number; ``None`` is a free axis.

    Raises:
        ValueError: not a literal of whole numbers and None.
    """
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value.strip())
        except (SyntaxError, ValueError):
            raise ValueError(f"shape {value!r} is not a tuple of whole numbers") from None
    if value is None or isinstance(value, int):
        value = (value,)
    if not isinstance(value, Sequence) or not all(v is None or isinstance(v, int) for v in value):
        raise ValueError(f"shape {value!r} is not a tuple of whole numbers")
    return tuple(value)


def _required(document: YamlDocument, location: tuple[str, ...], key: str, kind: type | tuple[type, ...]) -> Any:
    data = document.data
    for part in location:
        data = data[part]
    field = ".".join((*location, key))
    if not isinstance(data, dict) or key not in data:
        raise document.error(location, f"lacks the field `{field}`", f"add `{key}:` (Kipoi's specification asks for it)")
    if not isinstance(data[key], kind):
        raise document.error((*location, key), f"`{field}` has the wrong type", "see Kipoi's specification")
    return data[key]


def _optional(document: YamlDocument, location: tuple[str, ...], key: str) -> dict[str, Any]:
    """A mapping that may be absent or empty."""
    data = document.data
    for part in location:
        data = data[part]
    return dict(_required(document, location, key, dict)) if data.get(key) else {}


def _defined_as(document: YamlDocument) -> str:
    data = document.data
    if "defined_as" in data:
        return str(data["defined_as"])
    kind = data.get("type")
    if kind in MODEL_TYPES:
        return MODEL_TYPES[kind]
    if kind == "custom":
        args = data.get("args") or {}
        return f"{args.get('file')}::{args.get('object')}"
    raise document.error((), "lacks the field `defined_as`", "add e.g. `defined_as: kipoi.model.PyTorchModel`")


def _schemas(document: YamlDocument, location: tuple[str, ...], tree: Any, name: str = "") -> tuple[ArraySchema, ...]:
    if isinstance(tree, list):
        parts = enumerate(tree)
    elif "shape" in tree and not isinstance(tree["shape"], dict):
        try:
            shape = parse_shape(tree["shape"])
        except ValueError as error:
            raise document.error((*location, "shape"), str(error), "write it as (4, 1000)") from None
        labels = tree.get("column_labels")
        return (
            ArraySchema(
                name=str(tree.get("name") or name or location[-1]),
                shape=shape,
                column_labels=tuple(map(str, labels)) if isinstance(labels, list) else None,
                doc=str(tree.get("doc") or ""),
            ),
        )
    else:
        parts = tree.items()
    out: list[ArraySchema] = []
    for key, part in parts:
        if not isinstance(part, (dict, list)):
            raise document.error(location, f"`{'.'.join(map(str, location))}` lacks `shape`", "add `shape: (4, 1000)`")
        out += _schemas(document, (*location, key), part, name=str(key))
    return tuple(out)


def _loader(document: YamlDocument, folder: Path) -> LoaderDescription:
    value = document.data.get("default_dataloader", ".")
    if isinstance(value, dict):
        if "defined_as" not in value:
            raise document.error(("default_dataloader",), "lacks `defined_as`", "name the dataloader class")
        args = _optional(document, ("default_dataloader",), "default_args")
        files = {name: args[name] for name in ("intervals_file", "fasta_file") if name in args}
        return LoaderDescription(str(value["defined_as"]), args, files)
    target = folder / str(value)
    return read_dataloader(target if target.suffix in (".yaml", ".yml") else target / "dataloader.yaml")


def _expect(folder: Path, document: YamlDocument) -> Path | None:
    expect = _optional(document, (), "test").get("expect")
    return folder / expect if isinstance(expect, str) else None
