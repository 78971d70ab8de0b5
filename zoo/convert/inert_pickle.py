"""Read a pickle without running it: whatever it names becomes a record, and nothing that it names is called.

A pickle is a program that imports and calls. Here every import gives a class made on the spot, and a call makes a
``Record`` that remembers class and arguments: ``os.system`` in a pickle is a record named ``os.system``. Only
``list, dict, set, tuple, str, bytes`` and numbers are real; arrays and tensors are records until ``array_of`` and
``torch_file.py`` look at their bytes.
"""

from __future__ import annotations

import pickle
from typing import Any, BinaryIO, ClassVar

import numpy as np

from zoo.errors import ModelError

__all__ = ["InertUnpickler", "Record", "array_of", "is_a", "kind_of", "plain_dtype", "refuse"]

# joblib writes the bytes of an array into the stream, after the record that describes it.
JOBLIB_ARRAYS = ("joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper")

CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
RECONSTRUCT = tuple(f"{core}._reconstruct" for core in CORES)
FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
SCALAR = tuple(f"{core}.scalar" for core in CORES)

MAKERS = ("copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__")


class Record:
    """What a pickle would have made: ``kind`` (dotted name), ``args`` of the call, ``state`` and items put in later."""

    kind = ""

    def __new__(cls, *args: Any, **_: Any) -> Record:
        self = object.__new__(cls)
        self.args, self.state, self.items = args, None, {}
        return self

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, *args: Any, **_: Any) -> Record:
        """A call of an object that another call would have returned."""
        return Record(self, *args)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        self.items[len(self.items)] = value

    add = append

    def extend(self, values: Any) -> None:
        for value in values:
            self.append(value)

    def attributes(self) -> dict[str, Any]:
        """The instance's ``__dict__`` as the pickle sets it."""
        state = self.state[0] if isinstance(self.state, tuple) and self.state else self.state
        return state if isinstance(state, dict) else {}


class InertUnpickler(pickle._Unpickler):
    """The unpickler in Python, with imports replaced by ``Record`` classes.

    Attributes:
        kinds: every name that the pickle asked for, in order.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, handle: BinaryIO) -> None:
        super().__init__(handle, encoding="latin1")
        self.handle = handle
        self.kinds: dict[str, type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        kind = f"{module}.{name}"
        if kind not in self.kinds:
            self.kinds[kind] = type("Record", (Record,), {"kind": kind})
        return self.kinds[kind]

    def persistent_load(self, pid: Any) -> Any:
        """torch's storages: the tuple that describes them."""
        return pid

    def get_extension(self, code: int) -> Any:
        raise pickle.UnpicklingError(f"extension code {code}")

    def load_reduce(self) -> None:
        args, function = self.stack.pop(), self.stack[-1]
        if kind_of(function) in MAKERS and isinstance(args, tuple) and args and isinstance(args[0], type):
            function, args = args[0], args[1:]  # protocols 0 and 1 make an instance by a function of copyreg
        self.stack[-1] = function(*args)

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Record):
            target.__setstate__(state)
            if target.kind in JOBLIB_ARRAYS:
                target.items["data"] = self._bytes_of(target)
        # A class, or a list, with a state: nothing of ours reads that.

    dispatch[pickle.BUILD[0]] = load_build

    def _bytes_of(self, array: Record) -> bytes:
        about = array.attributes()
        size = plain_dtype(about.get("dtype")).itemsize
        for length in about.get("shape", ()):
            size *= length
        if about.get("numpy_array_alignment_bytes"):  # joblib 1.1: one byte says how many of padding follow
            self.handle.read(self.handle.read(1)[0])
        data = self.handle.read(size)
        if len(data) != size:
            raise EOFError("an array is cut short")
        return data


def kind_of(value: Any) -> str:
    """The dotted name of a record's class (of a class itself too), else the name of the Python type."""
    if isinstance(value, Record) or (isinstance(value, type) and issubclass(value, Record)):
        return value.kind or "the result of a call"
    return type(value).__name__


def is_a(value: Any, *kinds: str) -> bool:
    """Whether a value is a record of one of these names."""
    return isinstance(value, Record) and value.kind in kinds


def plain_dtype(value: Any) -> np.dtype[Any]:
    """The dtype of a record ``numpy.dtype('f8')`` with its byte order.

    Raises:
        ValueError: it is no bool, integer or float (objects would be pickles in the pickle).
    """
    name = value.args[0] if is_a(value, "numpy.dtype") and value.args else None
    if not isinstance(name, str) or not name.isalnum():
        raise ValueError(f"an array of {name or kind_of(value)}")
    dtype = np.dtype(name)
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of {name}")
    order = value.state[1] if isinstance(value.state, tuple) and len(value.state) > 1 else "="
    return dtype.newbyteorder(order) if order in ("<", ">") else dtype


def array_of(value: Any) -> np.ndarray | None:
    """The array or number that a record stands for, as an array; None where it stands for neither.

    Raises:
        ValueError: an array that is not of numbers, or whose bytes do not fit its shape.
    """
    if isinstance(value, bool | int | float):
        return np.asarray(value)
    if is_a(value, *SCALAR):
        return _shaped(_bytes(value.args[1]), plain_dtype(value.args[0]), (), "C")
    if is_a(value, *RECONSTRUCT):
        _, shape, dtype, fortran, data = value.state
        return _shaped(_bytes(data), plain_dtype(dtype), shape, "F" if fortran else "C")
    if is_a(value, *FROM_BUFFER):
        data, dtype, shape, order = value.args
        return _shaped(_bytes(data), plain_dtype(dtype), shape, order)
    if is_a(value, *JOBLIB_ARRAYS):
        about = value.attributes()
        return _shaped(value.items["data"], plain_dtype(about["dtype"]), about["shape"], about["order"])
    return None


def _shaped(data: bytes, dtype: np.dtype[Any], shape: Any, order: str) -> np.ndarray:
    return np.frombuffer(data, dtype).reshape(tuple(shape), order="F" if order == "F" else "C").copy()


def _bytes(value: Any) -> bytes:
    """Bytes as protocols 0 to 2 write them: text that ``_codecs.encode`` would turn into bytes."""
    if is_a(value, "_codecs.encode") and value.args[1:] == ("latin1",):
        value = value.args[0]
    if isinstance(value, str):
        return value.encode("latin1")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    raise ValueError(f"the bytes of an array are {kind_of(value)}")


def refuse(what: str, extent: str = "") -> ModelError:
    """The error for content that is no array or tensor: nothing was run, and what else can be done."""
    return ModelError(
        what,
        extent or "nothing of the file was run",
        "Fix: if its authors can be trusted, save a state_dict with their code, or `zoo predict MODEL REGIONS --trust`",
    )
