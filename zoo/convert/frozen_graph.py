"""The constants of a frozen TensorFlow graph, without TensorFlow.

A GraphDef is protobuf: fields of a number and a wire type. The few that lead to constants are read here, which is
shorter than the generated classes of TensorFlow's six .proto files, and needs neither them nor protobuf; operations are
passed over, and nothing of the graph runs. Numbers of fields are those of tensorflow/core/framework (graph, node_def,
attr_value, tensor, tensor_shape .proto), which may not change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

__all__ = ["graph_constants"]

NODE = 1  # of GraphDef
NAME, OP, ATTR = 1, 2, 5  # of NodeDef
KEY, VALUE = 1, 2  # of an item of a map
TENSOR = 8  # of AttrValue
DTYPE, SHAPE, CONTENT = 1, 2, 4  # of TensorProto
DIM, UNKNOWN_RANK = 2, 3  # of TensorShapeProto
SIZE = 1  # of its Dim
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# DataType -> dtype, and the field of TensorProto that holds its numbers where `tensor_content` does not.
FLOATS = {1: ("<f4", 5), 2: ("<f8", 6), 19: ("<f2", 13)}
BFLOAT16 = 14
EXPANDED = 10_000_000  # numbers that one repeated value may stand for


def graph_constants(path: Path) -> dict[str, torch.Tensor]:
    """Floating constants by the name of their node, in TensorFlow's layout.

    Constants of integers are shapes and axes of operations, and are left out.

    Raises:
        ValueError: no GraphDef, or damaged.
    """
    data = memoryview(path.read_bytes())
    found: dict[str, torch.Tensor] = {}
    for number, wire, node in _fields(data):
        if number != NODE:
            continue
        if wire != BYTES:
            raise ValueError("no GraphDef")
        name, op, value = _node(node)
        if op != "Const" or value is None:
            continue
        if name in found:
            raise ValueError(f"two nodes are called {name!r}")
        array = _array(value, name)
        if array is not None:
            found[name] = array
    return found


def _node(data: memoryview) -> tuple[str, str, memoryview | None]:
    """Name, operation, and the tensor of the attribute ``value``."""
    name = op = ""
    tensor = None
    for number, _, item in _fields(data):
        if number == NAME:
            name = _text(item)
        elif number == OP:
            op = _text(item)
        elif number == ATTR:
            pair = {part: value for part, _, value in _fields(item)}
            if KEY in pair and VALUE in pair and _text(pair[KEY]) == "value":
                tensor = next((one for part, _, one in _fields(pair[VALUE]) if part == TENSOR), tensor)
    return name, op, tensor


def _array(data: memoryview, name: str) -> torch.Tensor | None:
    """A TensorProto; None where its numbers are no floats."""
    fields = list(_fields(data))
    kind = next((value for number, _, value in fields if number == DTYPE), 0)
    if kind != BFLOAT16 and kind not in FLOATS:
        return None
    shape = tuple(size for number, _, value in fields if number == SHAPE for size in _shape(value))
    count = math.prod(shape)
    content = b"".join(bytes(value) for number, _, value in fields if number == CONTENT)
    if kind == BFLOAT16:
        numbers = _halves(fields, 13) if not content else np.frombuffer(content, "<u2")
        return torch.from_numpy(_filled(numbers, count, name)).view(torch.bfloat16).reshape(shape)
    dtype, field = FLOATS[kind]
    if content:
        numbers = np.frombuffer(content, dtype)
    elif kind == 19:
        numbers = _halves(fields, field).view("<f2")
    else:
        numbers = np.frombuffer(b"".join(_fixed(value) for number, _, value in fields if number == field), dtype)
    return torch.from_numpy(_filled(numbers, count, name).astype(np.dtype(dtype).newbyteorder("="))).reshape(shape)


def _halves(fields: list[tuple[int, int, int | memoryview]], field: int) -> np.ndarray:
    """Numbers of 16 bits, which protobuf keeps as integers."""
    found: list[int] = []
    for number, wire, value in fields:
        if number == field:
            found += [value] if wire == VARINT else list(_varints(value))
    return np.array(found, "<u2")


def _filled(numbers: np.ndarray, count: int, name: str) -> np.ndarray:
    """As many numbers as the shape asks for; TensorFlow leaves out what repeats the last."""
    if len(numbers) > count or (not len(numbers) and count > EXPANDED) or count > len(numbers) + EXPANDED:
        raise ValueError(f"{name} has {len(numbers):,} numbers for {count:,} places")
    last = numbers[-1] if len(numbers) else 0
    return np.concatenate([numbers, np.full(count - len(numbers), last, numbers.dtype)])


def _shape(data: memoryview) -> Iterator[int]:
    for number, _, dim in _fields(data):
        if number == UNKNOWN_RANK:
            raise ValueError("a constant without shape")
        if number == DIM:
            yield next((value for part, _, value in _fields(dim) if part == SIZE), 0)


# ---------------------------------------------------------------- the wire


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value of each field."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field of the number 0")
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = _varint(data, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        if at + size > len(data):
            raise ValueError("a field that is longer than the file")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number that is cut short")
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _fixed(value: int | memoryview) -> bytes:
    """The bytes of one number, or of a packed run of them."""
    if isinstance(value, int):
        raise ValueError("numbers of another wire type")
    return bytes(value)


def _text(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise ValueError("a text of another wire type")
    return bytes(value).decode("utf-8")
