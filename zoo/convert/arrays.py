"""Arrays and numbers of numpy out of the records of a pickle: from their bytes, by a dtype that is plainly numeric."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.convert.inert_pickle import JOBLIB_ARRAYS, is_a, kind_of

__all__ = ["array_of", "plain_dtype"]

CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
RECONSTRUCT = tuple(f"{core}._reconstruct" for core in CORES)
FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
SCALAR = tuple(f"{core}.scalar" for core in CORES)


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
