"""The state_dict of a pickled torch module: its parameters and buffers by their dotted names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from zoo.convert.inert_pickle import Record, kind_of, refuse
from zoo.convert.torch_file import TorchFile

__all__ = ["ModuleTensors", "module_tensors"]


@dataclass
class ModuleTensors:
    """Tensors of one module.

    Attributes:
        kind: class of the module, or ``state_dict``.
        where: its key where the file holds a dict of several things.
        tensors: name -> tensor, in the order of ``state_dict()``.
        settings: numbers, texts and truth values among the module's own attributes: what its class was made with.
        kinds: classes of the modules in it, with how often each occurs.
    """

    kind: str
    where: str | None
    tensors: dict[str, torch.Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)


def module_tensors(file: TorchFile, name: str) -> ModuleTensors:
    """The module or state_dict that a file holds, alone or as one value of a dict.

    Raises:
        ModelError: there is none, or more than one.
    """
    found = _found(file, file.content, None)
    if found is None and (items := _items(file.content)):
        several = [one for key, value in items.items() if (one := _found(file, value, str(key)))]
        if len(several) > 1:
            held = ", ".join(f"{one.where} ({one.kind}, {len(one.tensors)} tensors)" for one in several)
            raise refuse(f"{name}: holds {len(several)} sets of tensors, and which is the model is not known", held)
        found = several[0] if several else None
    if found is None:
        asked = ", ".join(file.kinds[:6]) or "none"
        raise refuse(
            f"{name}: holds {kind_of(file.content)}, which is no torch module and no state_dict",
            f"classes in it: {asked}; nothing of it was run",
        )
    return found


def _found(file: TorchFile, value: Any, where: str | None) -> ModuleTensors | None:
    if _is_module(value):
        out = ModuleTensors(kind_of(value), where, dict(_walk(file, value, "")), _settings(value))
        for one in _modules(value):
            out.kinds[kind_of(one)] = out.kinds.get(kind_of(one), 0) + 1
        return out
    items = _items(value)
    tensors = {str(key): tensor for key, one in items.items() if (tensor := file.tensor(one)) is not None}
    return ModuleTensors("state_dict", where, tensors) if tensors and len(tensors) == len(items) else None


def _items(value: Any) -> dict[Any, Any]:
    """Items of a dict, or of a record of an OrderedDict."""
    if isinstance(value, Record):
        pairs = value.args[0] if value.args and isinstance(value.args[0], list) else []  # Python 2
        return dict(pairs) | value.items if value.kind == "collections.OrderedDict" else {}
    return value if isinstance(value, Mapping) else {}


def _is_module(value: Any) -> bool:
    return isinstance(value, Record) and {"_parameters", "_buffers", "_modules"} <= value.attributes().keys()


def _settings(module: Record) -> dict[str, Any]:
    plain = {key: value for key, value in module.attributes().items() if not key.startswith("_")}
    plain.pop("training", None)
    return {key: value for key, value in plain.items() if isinstance(value, bool | int | float | str)}


def _modules(module: Record) -> Iterator[Record]:
    yield module
    for child in _items(module.attributes()["_modules"]).values():
        if _is_module(child):
            yield from _modules(child)


def _walk(file: TorchFile, module: Record, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters, buffers, then children, as ``Module.state_dict`` orders them."""
    state = module.attributes()
    left_out = _members(state.get("_non_persistent_buffers_set"))
    for group in ("_parameters", "_buffers"):
        for key, value in _items(state[group]).items():
            if value is None or (group == "_buffers" and key in left_out):
                continue
            tensor = file.tensor(value)
            if tensor is None:
                raise ValueError(f"{prefix}{key} is {kind_of(value)}, not a tensor")
            yield prefix + key, tensor
    for key, child in _items(state["_modules"]).items():
        if _is_module(child):
            yield from _walk(file, child, f"{prefix}{key}.")
        elif child is not None:
            raise ValueError(f"{prefix}{key} is {kind_of(child)}, not a module")


def _members(value: Any) -> set[Any]:
    """A set, or the record of one (protocol 2 calls ``set([...])``)."""
    if isinstance(value, Record):
        return set(value.args[0]) if value.args and isinstance(value.args[0], list) else set()
    return value if isinstance(value, set) else set()
