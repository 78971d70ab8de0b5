"""Python code in Lambda layers, read as data: neither run nor unmarshalled by Python, of whatever version wrote it.

A Lambda's function lies in the file as marshalled code of the Python that saved the model, with the path and the line
of its source in it. ``normal_form`` leaves those out: what is left is equal for one source text and one Python version.
Format: CPython's ``Python/marshal.c``, versions 3.6 to 3.13.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

__all__ = ["Code", "normal_form", "read_code"]

# Whether a code object has, in front, a count of positional-only parameters; and whether it is of Python 3.11 or later.
LAYOUTS = ((False, False), (True, False), (True, True))
TELLING_FLAGS = 0x3AC  # *args, **kwargs, generators, coroutines; not where the function stood


@dataclass(frozen=True)
class Code:
    """What decides what a function computes: its instructions and what they refer to by number."""

    parameters: tuple[int, int, int]  # all positional ones, those that are only positional, those that are only named
    flags: int
    instructions: bytes
    constants: tuple[Any, ...]
    names: tuple[str, ...]
    n_locals: int
    free: tuple[str, ...]


class _Reader:
    def __init__(self, data: bytes, layout: tuple[bool, bool]) -> None:
        self.data, self.layout, self.at = data, layout, 0
        self.refs: list[Any] = []

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("the code ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form: str = "<i") -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self) -> Any:
        tag = self.take(1)[0]
        kind, keep = chr(tag & 0x7F), bool(tag & 0x80)
        if keep:
            place = len(self.refs)
            self.refs.append(None)
        found = self._of_kind(kind)
        if keep:
            self.refs[place] = found
        return found

    def _of_kind(self, kind: str) -> Any:
        if kind in SINGLE:
            return SINGLE[kind]
        if kind in "sutaA":
            text = self.take(self.number())
            return text if kind == "s" else text.decode("utf-8", "surrogatepass")
        if kind in "zZ":
            return self.take(self.take(1)[0]).decode("ascii")
        if kind in ")([<>":
            count = self.take(1)[0] if kind == ")" else self.number()
            return tuple(self.value() for _ in range(count))
        if kind == "i":
            return self.number()
        if kind == "g":
            return self.number("<d")
        if kind == "y":
            return complex(self.number("<d"), self.number("<d"))
        if kind == "l":
            return self._long()
        if kind == "r":
            return self.refs[self.number()]
        if kind == "c":
            return self._code()
        raise ValueError(f"a value of kind {kind!r}")

    def _long(self) -> int:
        count = self.number()
        digits = [self.number("<H") for _ in range(abs(count))]
        total = sum(digit << (15 * i) for i, digit in enumerate(digits))
        return -total if count < 0 else total

    def _code(self) -> Code:
        positional_only, new = self.layout
        args, only = self.number(), self.number() if positional_only else 0
        named = self.number()
        n_locals = 0 if new else self.number()
        self.number()  # size of the stack
        flags = self.number()
        instructions, constants, names = self.value(), self.value(), self.value()
        if new:
            places, kinds = self.value(), self.value()
            free = tuple(name for name, kind in zip(places, kinds, strict=True) if kind & 0x80)
            n_locals = len(places)
            tail = 3  # file, name, qualified name
        else:
            self.value()  # names of local variables
            free = self.value()
            self.value()  # variables of inner functions
            tail = 2
        for _ in range(tail):
            self.value()
        self.number()  # first line
        self.value()  # lines
        if new:
            self.value()  # exceptions
        parts = (instructions, constants, names, free)
        if not isinstance(instructions, bytes) or not all(isinstance(part, tuple) for part in parts[1:]):
            raise ValueError("not the layout of this code")
        return Code((args, only, named), flags & TELLING_FLAGS, instructions, constants, names, n_locals, free)


SINGLE = {"N": None, "T": True, "F": False, ".": Ellipsis}


def read_code(data: bytes) -> Code | None:
    """The code object that was marshalled, or None where it is none of Python 3.6 to 3.13."""
    for layout in LAYOUTS:
        reader = _Reader(data, layout)
        try:
            code = reader.value()
        except (ValueError, IndexError, TypeError, struct.error, RecursionError, OverflowError):
            continue
        if isinstance(code, Code) and reader.at == len(data):
            return code
    return None


def normal_form(code: Code) -> str:
    """sha256 of what the code computes; names of files and variables, and lines, are left out."""
    return hashlib.sha256(_text(code).encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, Code):
        shape = f"{value.parameters} {value.flags} {value.n_locals} {value.free}"
        return f"code({shape} {value.instructions.hex()} {_text(value.constants)} {_text(value.names)})"
    if isinstance(value, tuple):
        return f"({','.join(map(_text, value))})"
    return f"{type(value).__name__}:{value!r}"
