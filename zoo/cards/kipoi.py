"""Kipoi's ``model.yaml`` and ``dataloader.yaml``, read without importing kipoi.

Source: kipoi 0.8.6, ``kipoi/specs.py``. Both syntaxes of ``model.yaml`` are read: the older
``type: pytorch`` and ``defined_as: kipoi.model.PyTorchModel``; models of a group
(``model-template.yaml`` and ``models.tsv``) are rendered by `zoo.cards.kipoi_groups`. Strings
that Kipoi ``eval``s (shapes, dtypes) are parsed as literals.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.cards.card import card_of
from zoo.cards.kipoi_layout import implied_loader_args, shape_text
from zoo.cards.kipoi_schema import ArraySchema, parse_shape, read_schemas
from zoo.cards.yaml_lines import YamlDocument, component_file, load_yaml
from zoo.errors import ModelError

__all__ = [
    "ArraySchema",
    "LoaderArgument",
    "LoaderDescription",
    "ModelDescription",
    "implied_loader",
    "parse_dataloader",
    "parse_model",
    "parse_shape",
    "read_dataloader",
    "read_loader",
    "read_model",
]

MODEL_TYPES = {
    "pytorch": "kipoi.model.PyTorchModel",
    "keras": "kipoi.model.KerasModel",
    "sklearn": "kipoi.model.SklearnModel",
    "tensorflow": "kipoi.model.TensorFlowModel",
    "tensorflow2": "kipoi.model.TensorFlow2Model",
}
# kipoi.data.AVAILABLE_DATALOADERS
LOADER_TYPES = (
    "PreloadedDataset",
    "Dataset",
    "BatchDataset",
    "SampleIterator",
    "SampleGenerator",
    "BatchIterator",
    "BatchGenerator",
)

SEQUENCE_LOADER = "kipoiseq.dataloaders.SeqIntervalDl"

# kipoi.specs.MetadataType
METADATA_TYPES = ("GenomicRanges", "str", "int", "float", "array")


@dataclass(frozen=True)
class LoaderArgument:
    """One argument of a dataloader; ``default`` and ``example`` only where ``has_...``."""

    name: str
    doc: str = ""
    type: str = "str"
    optional: bool = False
    default: Any = None
    example: Any = None


@dataclass(frozen=True)
class LoaderDescription:
    """Which dataloader a model uses and with what arguments.

    Attributes:
        defined_as: ``kipoiseq.dataloaders.SeqIntervalDl``, ``file.py::Class`` or another dotted name.
        args: values that differ from what the class itself has as default.
        examples: the arguments of the example, as paths relative to ``folder``.
        type: a key of `LOADER_TYPES`, or None where the class tells.
        folder: where the dataloader's Python stands; None for one named in ``model.yaml``.
        arguments: all arguments by name; None where only the class knows them.
        path: the YAML it was read from.
        notes: sentences on what no YAML says and was assumed.
    """

    defined_as: str
    args: dict[str, Any]
    examples: dict[str, Any]
    type: str | None = None
    folder: Path | None = None
    arguments: dict[str, LoaderArgument] | None = None
    path: Path | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelDescription:
    """What ``model.yaml`` says.

    Attributes:
        folder: the model folder; relative paths of ``args`` start here. For a model of a group, the group's.
        defined_as: e.g. ``kipoi.model.PyTorchModel``.
        args: its arguments, as written; a file may be a mapping with ``url`` and ``md5``.
        info: authors, doc, license, tags ...
        inputs, targets: schemas; lists and dicts of schemas are flattened in order (see ``ArraySchema.path``).
        loader: the default dataloader; None only from `parse_model`.
        expect: path of the expected outputs for the test, or None; ``example/expected.h5`` where no other is named.
        document: for errors with line numbers.
        member: name within its group, or None.
        expect_remote: ``url`` and ``md5`` of the expected outputs, where they are not in the folder.
        precision_decimal: decimals to which the test's outputs must agree.
        dependencies: conda and pip packages, as written.
        is_file: whether it is the file of a model itself that says it, and no YAML; targets then have names only.
    """

    folder: Path
    defined_as: str
    args: dict[str, Any]
    info: dict[str, Any]
    inputs: tuple[ArraySchema, ...]
    targets: tuple[ArraySchema, ...]
    loader: LoaderDescription | None
    expect: Path | None
    document: YamlDocument
    member: str | None = None
    expect_remote: Mapping[str, Any] | None = None
    precision_decimal: int = 7
    dependencies: dict[str, Any] = field(default_factory=dict)
    is_file: bool = False

    @property
    def component(self) -> Path:
        """The folder as Kipoi names the model; for a model of a group there is no such folder on disk."""
        return self.folder / self.member if self.member else self.folder

    @property
    def framework(self) -> str:
        """``pytorch, keras, sklearn, tensorflow, grelu`` ..., or ``custom`` for a class of its folder."""
        if self.defined_as.startswith("grelu."):
            return "grelu"
        if self.defined_as.startswith("kipoi.model."):
            return self.defined_as.rpartition(".")[2].removesuffix("Model").lower()
        return "custom"


def read_model(folder: Path) -> ModelDescription:
    """Read ``model.yaml`` of a folder, or the model of a group that ``folder`` names, with its dataloader.

    Raises:
        ModelError: it is missing, does not parse or lacks a field, with ``file:line``.
    """
    path = component_file(folder, "model")
    if path is None:
        from zoo.cards.kipoi_groups import find_group  # jinja2: only groups need it

        if found := find_group(folder, "model"):
            group, member = found
            description = parse_model(group.document(member), group.folder, member)
            return dataclasses.replace(description, loader=read_loader(description))
    description = parse_model(load_yaml(path or folder / "model.yaml"), folder)
    return dataclasses.replace(description, loader=read_loader(description))


def parse_model(document: YamlDocument, folder: Path, member: str | None = None) -> ModelDescription:
    """What a model's YAML says; the file of its dataloader is not opened (``loader`` is None)."""
    data = document.data
    if not isinstance(data, dict):
        raise document.error((), f"{document.path.name} is not a mapping", "write `key: value` lines")
    _required(document, (), "schema", dict)
    info = _required(document, (), "info", dict) if data.get("info") else _missing_info(document)
    _check_people(document, info)
    _inline_loader(document)
    expect, remote = _expect(folder, document)
    return ModelDescription(
        folder=folder,
        defined_as=_defined_as(document),
        args=_args(document),
        info=info,
        inputs=_schemas(document, "inputs", folder),
        targets=_schemas(document, "targets", folder),
        loader=None,
        expect=expect,
        document=document,
        member=member,
        expect_remote=remote,
        precision_decimal=_precision(document),
        dependencies=_optional(document, (), "dependencies"),
    )


def read_loader(model: ModelDescription) -> LoaderDescription:
    """The model's default dataloader: a mapping in ``model.yaml``, or a folder or YAML file that it names."""
    document = model.document
    value = document.data.get("default_dataloader", ".")
    if _inline_loader(document):
        args = _optional(document, ("default_dataloader",), "default_args")
        files = {name: args[name] for name in ("intervals_file", "fasta_file") if name in args}
        return LoaderDescription(str(value["defined_as"]), args, files, folder=model.folder, path=document.path)
    if not isinstance(value, str):
        raise document.error(("default_dataloader",), "has the wrong type", "name a folder, or give `defined_as`")
    if ":" in value:
        raise document.error(
            ("default_dataloader",),
            f"{value!r} names another source",
            "kipoi 0.8.6 cannot load such either; give a relative path",
        )
    # For a model of a group `..` starts from a folder that is not there: go up in the name.
    target = Path(os.path.normpath(model.component / value))
    if target.suffix in (".yaml", ".yml") or component_file(target, "dataloader"):
        return read_dataloader(target)
    from zoo.cards.kipoi_groups import find_group

    if found := find_group(target, "dataloader"):
        group, member = found
        return parse_dataloader(group.document(member), group.folder)
    if target == Path(os.path.normpath(model.component)):
        return implied_loader(model)
    raise document.error(
        ("default_dataloader",), f"{target} holds no dataloader.yaml", "correct `default_dataloader`, or add that file"
    )


def implied_loader(model: ModelDescription) -> LoaderDescription:
    """The dataloader of a folder without ``dataloader.yaml``: kipoiseq's, with the arrays of the schema's input.

    Raises:
        ModelError: the input is not one-hot sequence alone, in one reading of its axes; or the folder has a card, and
            so lacks a file.
    """
    if card_of(model.folder) is not None:
        missing = f"{model.folder / 'dataloader.yaml'}: no such file"
        raise ModelError(missing, "an entry with a card has one", "Fix: the entry is incomplete; fetch it again")
    args = implied_loader_args(model.inputs)
    if args is None:
        shapes = ", ".join(f"{one.place} {shape_text(one.shape)}" for one in model.inputs)
        raise model.document.error(
            ("schema", "inputs"),
            "there is no dataloader.yaml beside it, and its inputs do not tell what makes them",
            "add a dataloader.yaml (or `default_dataloader` with `defined_as`); it is not needed where the only input "
            "is one-hot sequence such as (1000, 4)",
            f"inputs: {shapes or 'none'}",
        )
    note = (
        f"no dataloader.yaml: the input {shape_text(model.inputs[0].shape)} is taken for one-hot sequence, channels "
        "A C G T, unknown bases 0.25, as kipoiseq's SeqIntervalDl makes it"
    )
    return LoaderDescription(SEQUENCE_LOADER, args, {}, folder=model.folder, path=model.document.path, notes=(note,))


def _inline_loader(document: YamlDocument) -> bool:
    """Whether ``model.yaml`` itself names the dataloader's class."""
    value = document.data.get("default_dataloader")
    if isinstance(value, dict) and "defined_as" not in value:
        raise document.error(("default_dataloader",), "lacks `defined_as`", "name the dataloader class")
    return isinstance(value, dict)


def read_dataloader(path: Path) -> LoaderDescription:
    """Read ``dataloader.yaml``, or that of a folder: ``defined_as``, arguments with defaults and examples."""
    if path.suffix not in (".yaml", ".yml"):
        path = component_file(path, "dataloader") or path / "dataloader.yaml"
    return parse_dataloader(load_yaml(path), path.parent)


def parse_dataloader(document: YamlDocument, folder: Path) -> LoaderDescription:
    """What a dataloader's YAML says."""
    defined_as = _required(document, (), "defined_as", str)
    kind = document.data.get("type")
    if kind is not None and kind not in LOADER_TYPES:
        raise document.error(("type",), f"dataloader type {kind!r} is not known", f"one of {', '.join(LOADER_TYPES)}")
    given = {str(name): item for name, item in _required(document, (), "args", dict).items()}
    for name, item in given.items():
        if not isinstance(item, Mapping):
            raise document.error(("args", name), f"argument {name!r} is no mapping", "write `doc:` below its name")
    _check_output(document, folder)
    arguments = {name: _argument(name, item) for name, item in given.items()}
    defaults = {name: item["default"] for name, item in given.items() if "default" in item}
    examples = {name: item["example"] for name, item in given.items() if "example" in item}
    args = defaults | _optional(document, (), "default_args")
    return LoaderDescription(defined_as, args, examples, kind, folder, arguments, document.path)


def _check_output(document: YamlDocument, folder: Path) -> None:
    """What the dataloader says it gives: inputs like those of a model, and metadata of known types."""
    _required(document, (), "output_schema", dict)
    inputs = _required(document, ("output_schema",), "inputs", (dict, list))
    read_schemas(document, ("output_schema", "inputs"), inputs, folder)
    metadata = document.data["output_schema"].get("metadata") or {}
    for name, item in metadata.items() if isinstance(metadata, Mapping) else ():
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind is not None and not isinstance(kind, Mapping) and kind not in METADATA_TYPES:
            raise document.error(
                ("output_schema", "metadata", str(name), "type"),
                f"metadata type {kind!r} is not known",
                f"one of {', '.join(METADATA_TYPES)}",
            )


def _argument(name: str, item: Mapping[str, Any]) -> LoaderArgument:
    return LoaderArgument(
        name,
        str(item.get("doc") or ""),
        str(item.get("type") or "str"),
        bool(item.get("optional") or False),
        item.get("default"),
        item.get("example"),
    )


def _required(document: YamlDocument, location: tuple[str, ...], key: str, kind: type | tuple[type, ...]) -> Any:
    data = document.data
    for part in location:
        data = data[part]
    field_name = ".".join((*location, key))
    if not isinstance(data, dict) or key not in data:
        raise document.error(
            location, f"lacks the field `{field_name}`", f"add `{key}:` (Kipoi's specification asks for it)"
        )
    if not isinstance(data[key], kind):
        raise document.error((*location, key), f"`{field_name}` has the wrong type", "see Kipoi's specification")
    return data[key]


def _optional(document: YamlDocument, location: tuple[str, ...], key: str) -> dict[str, Any]:
    """A mapping that may be absent or empty."""
    data = document.data
    for part in location:
        data = data[part]
    return dict(_required(document, location, key, dict)) if data.get(key) else {}


def _missing_info(document: YamlDocument) -> dict[str, Any]:
    _required(document, (), "info", (dict, type(None)))
    return {}


def _check_people(document: YamlDocument, info: Mapping[str, Any]) -> None:
    for field_name in ("authors", "contributors"):
        people = info.get(field_name) or []
        if not isinstance(people, list) or not all(
            isinstance(one, str) or (isinstance(one, dict) and "name" in one) for one in people
        ):
            raise document.error(
                ("info", field_name), f"`info.{field_name}` is no list of people", "write `- name: Ada Lovelace`"
            )


def _defined_as(document: YamlDocument) -> str:
    data = document.data
    if data.get("defined_as") is not None:
        return str(data["defined_as"])
    kind = data.get("type")
    if _is_old_pytorch(document) and "build_fn" not in data["args"]:
        return "kipoi.model.OldPyTorchModel"
    if kind in MODEL_TYPES:
        return MODEL_TYPES[kind]
    if kind == "custom":
        args = data.get("args") or {}
        if not isinstance(args, dict) or not {"file", "object"} <= args.keys():
            raise document.error(("args",), "a custom model lacks `file` or `object`", "name Python file and class")
        return f"{args['file']}::{args['object']}"
    if kind is not None:
        known = ", ".join([*MODEL_TYPES, "custom"])
        raise document.error(("type",), f"model type {kind!r} is not known", f"one of {known}")
    raise document.error((), "lacks the field `defined_as`", "add e.g. `defined_as: kipoi.model.PyTorchModel`")


def _args(document: YamlDocument) -> dict[str, Any]:
    """The arguments; those of the oldest way to define a PyTorch model get their present names."""
    args = _required(document, (), "args", dict)
    if _is_old_pytorch(document) and "build_fn" in args:
        renamed = {"module_file": args.get("file"), "module_class": args["build_fn"]}
        return renamed | {key: value for key, value in args.items() if key not in ("file", "build_fn")}
    return args


def _is_old_pytorch(document: YamlDocument) -> bool:
    """kipoi.model.infer_pyt_class: OldPyTorchModel, made by ``build_fn`` or a pickled module."""
    args = document.data.get("args")
    old_syntax = document.data.get("defined_as") is None and document.data.get("type") == "pytorch"
    return old_syntax and isinstance(args, dict) and not {"module_obj", "module_class"} & args.keys()


def _schemas(document: YamlDocument, key: str, folder: Path) -> tuple[ArraySchema, ...]:
    return read_schemas(document, ("schema", key), _required(document, ("schema",), key, (dict, list)), folder)


def _expect(folder: Path, document: YamlDocument) -> tuple[Path | None, Mapping[str, Any] | None]:
    expect = _optional(document, (), "test").get("expect")
    if expect is None:  # Kipoi is told of none where a selection of the predictions is kept
        usual = folder / "example" / "expected.h5"
        return usual if usual.is_file() else None, None
    if isinstance(expect, str):
        return folder / expect, None
    if not isinstance(expect, dict) or not isinstance(expect.get("url"), str):
        raise document.error(("test", "expect"), "`test.expect` is neither a path nor has a `url`", "give url and md5")
    return None, expect


def _precision(document: YamlDocument) -> int:
    value = _optional(document, (), "test").get("precision_decimal", 7)
    if not isinstance(value, int) or isinstance(value, bool):
        raise document.error(("test", "precision_decimal"), f"precision_decimal {value!r} is no number", "write e.g. 7")
    return value
