"""Read a pickle without running it: whatever it names becomes a record, and nothing that it names is called.

A pickle is a program that imports and calls. Here every import gives a class made on the spot, and a call makes a
``Record`` that remembers class and arguments: ``os.system`` in a pickle is a record named ``os.system``. Only
``list, dict, set, tuple, str, bytes`` and numbers are real; arrays and tensors are records until ``arrays.py`` and
``torch_file.py`` look at their bytes.
"""

from __future__ import annotations

import pickle
from typing import Any, BinaryIO, ClassVar

from zoo.errors import ModelError

__all__ = ["InertUnpickler", "Record", "is_a", "kind_of", "refuse"]

# joblib writes the bytes of an array into the stream, after the record that describes it.
JOBLIB_ARRAYS = ("joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper")

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
        from zoo.convert.arrays import plain_dtype

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


def refuse(what: str, extent: str = "") -> ModelError:
    """The error for content that is no array or tensor: nothing was run, and what else can be done."""
    return ModelError(
        what,
        extent or "nothing of the file was run",
        "Fix: if its authors can be trusted, save a state_dict with their code, or `zoo predict MODEL REGIONS --trust`",
    )
