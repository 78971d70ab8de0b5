"""``contribs.h5``: see ``interpret.contribs.file`` for its layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from interpret.contribs.file import FORMAT, NUMBERS, TEXTS, VERSION, Source
from zoo.errors import SystemStateError

__all__ = ["finals", "write"]

CHUNK_BYTES = 1 << 20


def finals(out: Path) -> list[Path]:
    """One file."""
    return [out]


def write(source: Source, paths: list[Path], run: dict[str, Any], overlap: str) -> None:
    """Write the file and read its last row again.

    Raises:
        SystemStateError: what was written cannot be read.
    """
    with h5py.File(paths[0], "w") as file:
        _lay_out(file, source)
        for block in source.blocks():
            arrays = {"one_hot": block.one_hot, "hypothetical": block.hypothetical, "projected": block.projected}
            arrays |= block.numbers | {"projection_error": block.projection_error}
            arrays |= {f"regions/{name}": values for name, values in block.regions.items()}
            arrays |= {f"windows/{name}": values for name, values in block.windows.items()}
            for name, values in arrays.items():
                file[name][block.rows] = values
        file.attrs["run"] = json.dumps(run, default=str)
    try:
        with h5py.File(paths[0]) as file:
            assert source.rows == 0 or np.isfinite(file["hypothetical"][-1]).all()
    except (OSError, AssertionError):
        raise SystemStateError(
            f"{paths[0]} was not written completely", "", "Fix: check the space on the disk, then --resume"
        ) from None


def _lay_out(file: h5py.File, source: Source) -> None:
    file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
    rows, length = source.rows, source.length
    some = max(1, min(CHUNK_BYTES // (16 * length), rows))

    def make(name: str, dtype: Any, *shape: int) -> h5py.Dataset:
        chunk = (some if shape else max(1, min(4096, rows)), *shape)
        packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if shape else {}
        return file.create_dataset(name, (rows, *shape), dtype, maxshape=(None, *shape), chunks=chunk, **packed)

    make("one_hot", "u1", 4, length)
    make("hypothetical", "f4", 4, length).attrs.update(kind="hypothetical", layout="N,4,L")
    make("projected", "f4", length).attrs.update(kind="projected", layout="N,L")
    for name in (*NUMBERS, "projection_error"):
        make(name, "f4")
    for name in TEXTS:
        make(f"regions/{name}", h5py.string_dtype())
    for name in ("regions/start", "regions/end", "windows/start", "windows/end"):
        make(name, "i8")
    make("windows/reverse", "?")
    file.create_dataset("chroms/name", data=[*source.chrom_sizes], dtype=h5py.string_dtype())
    file.create_dataset("chroms/size", data=[*source.chrom_sizes.values()], dtype="i8")
