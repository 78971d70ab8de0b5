"""Rows of scores on disk in order, and the base of the formats that are made from them at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.outputs import OutputSpec
from zoo.results.whole import fresh_folder, open_at
from zoo.variants.run.scorer import Row
from zoo.variants.writers.table import (
    NO_NUMBER,
    NUMBERS,
    ScoredRecord,
    VariantContext,
    leading_columns,
    leading_fields,
    rows_of,
    values_of,
)
from zoo.writers.spool import SpooledWriter, value_shape

__all__ = ["MISSING", "SpooledRows", "SpooledVariants", "VariantSpool"]

#: Stands for a whole number that is missing: a window may begin at -1.
MISSING = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class SpooledRows:
    """Consecutive rows of the spool.

    Attributes:
        first: number of the first row.
        leading: name of a column before the scores -> its texts, or int64 with ``MISSING``.
        arrays: ``values`` -> (n, columns) float32; of what is kept of predictions see ``VariantSpool``.
    """

    first: int
    leading: dict[str, list[str] | np.ndarray]
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.arrays["values"])


class VariantSpool:
    """Append-only files in a folder: the columns before the scores as text, arrays as raw records.

    Args:
        outputs: whose predictions are kept: ``ref/<output>``, ``alt/<output>`` and, of a profile, ``shared/<output>``
            (bool) and ``first/<output>`` (int64).
    """

    def __init__(
        self, folder: Path, context: VariantContext, outputs: Sequence[OutputSpec] = (), resume: dict | None = None
    ) -> None:
        self._context, self._outputs = context, outputs
        self._names = leading_columns(context)
        self.kinds = kinds_of(context, outputs)
        self.rows = 0 if resume is None else resume["rows"]
        self._files: dict[str, BinaryIO] = {}
        self._paths = {"rows": folder / "rows"} | {name: folder / f"array.{i}" for i, name in enumerate(self.kinds)}
        try:
            for name, path in self._paths.items():
                size = resume["text_bytes"] if resume and name == "rows" else self.rows * self._width(name)
                self._files[name] = open_at(path, None if resume is None else size)
        except BaseException:
            self.abandon()
            raise

    def _width(self, name: str) -> int:
        return self.kinds[name].itemsize if name != "rows" else 0

    def append(self, batch: Sequence[ScoredRecord]) -> None:
        """Add the rows of a batch."""
        rows = rows_of(batch)
        lines = "".join("\t".join(fields) + "\n" for fields in leading_fields(rows, self._context))
        self._files["rows"].write(lines.encode("utf-8", "surrogateescape"))
        self._files["values"].write(values_of(rows, len(self._context.columns)).tobytes())
        for output in self._outputs:
            for name, array in kept_of(rows, output):
                self._files[name].write(np.ascontiguousarray(array, self.kinds[name].base).tobytes())
        self.rows += len(rows)

    def state(self) -> dict:
        """Flush; return what ``resume`` takes."""
        for file in self._files.values():
            file.flush()
        return {"rows": self.rows, "text_bytes": self._files["rows"].tell()}

    def size(self) -> int:
        """Bytes on disk after a flush."""
        self.state()
        return sum(path.stat().st_size for path in self._paths.values())

    def blocks(self, rows: int) -> Iterator[SpooledRows]:
        """The rows in order, ``rows`` at a time."""
        self.state()
        with open(self._paths["rows"], encoding="utf-8", errors="surrogateescape", newline="\n") as texts:
            for first in range(0, self.rows, rows):
                n = min(rows, self.rows - first)
                columns = zip(*(line[:-1].split("\t") for line in islice(texts, n)), strict=True)
                leading = {name: _typed(name, column) for name, column in zip(self._names, columns, strict=True)}
                yield SpooledRows(first, leading, {name: self._read(name, first, n) for name in self.kinds})

    def _read(self, name: str, first: int, n: int) -> np.ndarray:
        kind = self.kinds[name]
        if kind.itemsize == 0:  # no column
            return np.empty((n, *kind.shape), kind.base)
        return np.fromfile(self._paths[name], kind, count=n, offset=first * kind.itemsize)

    def abandon(self) -> None:
        """Close the files without raising; they stay on disk."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()


def kinds_of(context: VariantContext, outputs: Sequence[OutputSpec]) -> dict[str, np.dtype]:
    """Name of an array -> type and shape of one row of it."""
    kinds = {"values": np.dtype(("<f4", (len(context.columns),)))}
    for output in outputs:
        for allele in ("ref", "alt"):
            kinds[f"{allele}/{output.name}"] = np.dtype(("<f4", value_shape(output)))
        if output.kind == "profile":
            kinds[f"shared/{output.name}"] = np.dtype(("?", (output.n_bins,)))
            kinds[f"first/{output.name}"] = np.dtype("<i8")
    return kinds


def kept_of(rows: Sequence[Row], output: OutputSpec) -> Iterator[tuple[str, np.ndarray]]:
    """Each kept array of an output, of all rows; NaN and ``MISSING`` where nothing was predicted."""
    kept = [row.aligned for row in rows]
    nothing = np.full(value_shape(output), np.nan, np.float32)
    for allele in ("ref", "alt"):
        values = [nothing if one is None else getattr(one, allele)[output.name] for one in kept]
        yield f"{allele}/{output.name}", np.array(values, np.float32).reshape(len(rows), *nothing.shape)
    if output.kind == "profile":
        none = np.zeros(output.n_bins, bool)
        shared = [none if one is None else one.shared[output.name] for one in kept]
        yield f"shared/{output.name}", np.array(shared, bool).reshape(len(rows), output.n_bins)
        first = [MISSING if one is None else one.first.get(output.name, MISSING) for one in kept]
        yield f"first/{output.name}", np.array(first, np.int64)


def _typed(name: str, texts: Sequence[str]) -> list[str] | np.ndarray:
    if name not in NUMBERS:
        return list(texts)
    return np.array([MISSING if text == NO_NUMBER else int(text) for text in texts], np.int64)


class SpooledVariants(SpooledWriter):
    """``OUT.partial`` is a folder: the spool, and at the end the assembled result."""

    context: VariantContext
    spool: VariantSpool | None
    #: Whether the predictions of both alleles are written.
    keeps_aligned = False

    def kept_outputs(self) -> Sequence[OutputSpec]:
        """The outputs whose predictions are written."""
        return ()

    def row_bytes(self) -> int:
        return sum(kind.itemsize for kind in kinds_of(self.context, self.kept_outputs()).values())

    def _start(self, resume: Mapping | None) -> None:
        if resume is None:
            fresh_folder(self.partial)
        self.spool = VariantSpool(self.partial, self.context, self.kept_outputs(), resume)
