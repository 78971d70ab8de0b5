"""Files of ``torch.save``: the zip of today and the stream of torch before 1.6, read without running them."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch

from zoo.convert.inert_pickle import InertUnpickler, Record, is_a, kind_of, refuse

__all__ = ["ModuleTensors", "TorchFile", "module_tensors", "read_torch_file", "state_dict_tensors"]

MAGIC = 0x1950A86A20F9469CFC6C
EXPANDED = 10_000_000  # elements that a view with strides of 0 may have; a larger one would only fill the memory
STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
REBUILD = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
PARAMETER = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
FROM_TYPE = "torch._tensor._rebuild_from_type_v2"


class TorchFile:
    """What a file of ``torch.save`` holds.

    Attributes:
        content: records, lists, dicts and numbers; ``tensor`` turns some of the records into tensors.
        kinds: every name that its pickle asked for.
    """

    def __init__(self, content: Any, kinds: list[str], storage: Callable[[str], bytes]) -> None:
        self.content, self.kinds, self._storage = content, kinds, storage

    def tensor(self, value: Any) -> torch.Tensor | None:
        """The tensor or parameter that a record stands for, in memory of its own; None where it is none.

        Raises:
            ValueError: a dtype that is not plain, or sizes that leave the storage.
        """
        if is_a(value, *PARAMETER):
            return self.tensor(value.args[0])
        if is_a(value, FROM_TYPE):  # a subclass, or a tensor with attributes: (function, class, arguments, state)
            function, _, args, _ = value.args
            return self.tensor(function(*args)) if isinstance(function, type) else None
        if not is_a(value, *REBUILD):
            return None
        pid, offset, size, stride = value.args[:4]
        return self._view(pid, offset, tuple(size), tuple(stride))

    def _view(self, pid: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
        tag, kind, key = pid[:3]
        dtype = STORAGES.get(kind_of(kind).rpartition(".")[2]) if tag == "storage" else None
        if dtype is None:
            raise ValueError(f"a tensor of {kind_of(kind)}")
        data = self._storage(str(key))
        count = len(data) // dtype.itemsize
        if math.prod(size) > max(count, EXPANDED):
            raise ValueError(f"a tensor of more elements than its storage of {count:,}")
        reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if min(size, default=1) == 0:
            return torch.empty(size, dtype=dtype)
        if offset < 0 or min((*size, *stride), default=0) < 0 or reach >= count:
            raise ValueError(f"a tensor that leaves its storage of {count:,} elements")
        flat = torch.frombuffer(bytearray(data), dtype=dtype, count=count)
        return torch.as_strided(flat, size, stride, offset).clone(memory_format=torch.contiguous_format)


def read_torch_file(path: Path) -> TorchFile:
    """Read either format.

    Raises:
        ModelError: TorchScript, which is code. ValueError, EOFError, KeyError: damaged.
    """
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    with path.open("rb") as handle:
        return _read_stream(handle)


def _read_zip(path: Path) -> TorchFile:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        found = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(found) != 1:
            raise ValueError("a zip without data.pkl")
        top = found[0].partition("/")[0]
        if f"{top}/constants.pkl" in names:
            raise refuse(f"{path}: is TorchScript: its tensors come with code that was compiled for them")
        if f"{top}/byteorder" in names and archive.read(f"{top}/byteorder") != b"little":
            raise ValueError("written on a big-endian machine")
        with archive.open(found[0]) as handle:
            unpickler = InertUnpickler(handle)
            content = unpickler.load()

    def storage(key: str) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{top}/data/{key}")

    return TorchFile(content, list(unpickler.kinds), storage)


def _read_stream(handle: BinaryIO) -> TorchFile:
    """Magic number, version and machine, each a pickle; the object; the storages' names; their numbers."""
    if InertUnpickler(handle).load() != MAGIC:
        raise ValueError("not a file of torch.save")
    InertUnpickler(handle).load()
    if not InertUnpickler(handle).load().get("little_endian", True):
        raise ValueError("written on a big-endian machine")
    unpickler = _StreamUnpickler(handle)
    content = unpickler.load()
    storages = {}
    for key in InertUnpickler(handle).load():
        (count,) = struct.unpack("<q", handle.read(8))
        size = count * unpickler.sizes[key]
        storages[key] = handle.read(size)
        if count < 0 or len(storages[key]) != size:
            raise EOFError("a storage is cut short")
    return TorchFile(content, list(unpickler.kinds), storages.__getitem__)


class _StreamUnpickler(InertUnpickler):
    """Also keeps the bytes an element of each storage; modules come with their source text, which is left aside."""

    def __init__(self, handle: BinaryIO) -> None:
        super().__init__(handle)
        self.sizes: dict[str, int] = {}

    def persistent_load(self, pid: Any) -> Any:
        if pid[0] == "module":
            return pid[1]
        dtype = STORAGES.get(kind_of(pid[1]).rpartition(".")[2])
        if dtype is None:
            raise ValueError(f"a tensor of {kind_of(pid[1])}")
        self.sizes[pid[2]] = dtype.itemsize
        return pid


# ---------------------------------------------------------------- the state_dict of a pickled module, by dotted names


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


def state_dict_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file of ``torch.save(model.state_dict())``, alone or as one value of a dict, by name.

    Raises:
        ModelError: it holds something else, a whole module among it. ValueError, EOFError, KeyError: damaged.
    """
    found = module_tensors(read_torch_file(path), str(path))
    if found.kind != "state_dict":
        raise refuse(f"{path}: holds {found.kind}, not a state_dict", "the reader `pickle` takes tensors of a module")
    return found.tensors


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
