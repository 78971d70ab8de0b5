"""Predictions on disk in input order, and the base of the formats that are made from them at the end.

An HDF5 file that is being written does not survive a kill, and a Parquet file has no meaning
before its footer; raw records can simply be cut back to a checkpoint. The formats are
made from the spool in one pass at ``finish``, block by block.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.results.whole import fresh_folder, open_at, remove, rename_all, require_room
from zoo.writers.base import Writer, WriterContext
from zoo.writers.text import safe_text

__all__ = ["RowSpool", "SpooledBlock", "SpooledWriter"]

POSITIONS = np.dtype(
    [
        ("region", "<i8"),
        ("start", "<i8"),
        ("end", "<i8"),
        ("window_start", "<i8"),
        ("window_end", "<i8"),
        ("reverse", "?"),
    ]
)
TEXTS = ("chrom", "name", "score", "strand")


@dataclass(frozen=True)
class SpooledBlock:
    """Consecutive rows of the spool.

    Attributes:
        first: number of the first row.
        positions: (n,) record array with the fields of `POSITIONS`.
        texts: ``chrom``, ``name``, ``score``, ``strand`` -> n strings.
        values: output name -> float32 ``(n, tracks)`` or ``(n, tracks, bins)``.
    """

    first: int
    positions: np.ndarray
    texts: dict[str, list[str]]
    values: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.positions)


class RowSpool:
    """Append-only files in a folder: positions, texts, and the values of each output."""

    def __init__(self, folder: Path, outputs: tuple[OutputSpec, ...], resume: dict | None = None) -> None:
        self._outputs = outputs
        self._shapes = {o.name: value_shape(o) for o in outputs}
        self.rows = 0 if resume is None else resume["rows"]
        sizes = {"positions": self.rows * POSITIONS.itemsize, "texts": resume["text_bytes"] if resume else 0}
        for i, output in enumerate(outputs):
            sizes[f"values.{i}"] = self.rows * 4 * int(np.prod(self._shapes[output.name]))
        self._paths = {name: folder / name for name in sizes}
        self._files: dict[str, BinaryIO] = {}
        try:
            for name, size in sizes.items():
                self._files[name] = open_at(self._paths[name], None if resume is None else size)
        except BaseException:
            self.abandon()
            raise

    def append(self, batch: PredictionBatch) -> None:
        """Add the rows of a batch."""
        positions = np.empty(len(batch), POSITIONS)
        for field in POSITIONS.names:
            positions[field] = getattr(batch, field)
        self._files["positions"].write(positions.tobytes())
        columns = [safe_text(getattr(batch, field)) for field in TEXTS]
        lines = "".join(line + "\n" for line in map("\t".join, zip(*columns, strict=True)))
        self._files["texts"].write(lines.encode())
        for i, output in enumerate(self._outputs):
            values = np.ascontiguousarray(batch.values[output.name], "<f4")
            if values.shape[1:] != self._shapes[output.name]:
                wanted = self._shapes[output.name]
                raise ValueError(f"output {output.name}: {values.shape} is not (n, *{wanted})")
            self._files[f"values.{i}"].write(values.data)
        self.rows += len(batch)

    def state(self) -> dict:
        """Flush; return what ``resume`` takes."""
        for file in self._files.values():
            file.flush()
        return {"rows": self.rows, "text_bytes": self._files["texts"].tell()}

    def size(self) -> int:
        """Bytes on disk after a flush."""
        self.state()
        return sum(path.stat().st_size for path in self._paths.values())

    def blocks(self, rows: int) -> Iterator[SpooledBlock]:
        """The rows in order, ``rows`` at a time."""
        self.state()
        with open(self._paths["texts"], encoding="utf-8", newline="\n") as texts:
            for first in range(0, self.rows, rows):
                n = min(rows, self.rows - first)
                columns = zip(*(line[:-1].split("\t") for line in islice(texts, n)), strict=True)
                yield SpooledBlock(
                    first,
                    self._read("positions", POSITIONS, (), first, n),
                    {name: list(column) for name, column in zip(TEXTS, columns, strict=True)},
                    {
                        o.name: self._read(f"values.{i}", np.dtype("<f4"), self._shapes[o.name], first, n)
                        for i, o in enumerate(self._outputs)
                    },
                )

    def abandon(self) -> None:
        """Close the files without raising; they stay on disk."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()

    def _read(self, name: str, dtype: np.dtype, shape: tuple[int, ...], first: int, n: int) -> np.ndarray:
        row = int(np.prod(shape, dtype=np.int64))
        offset = first * row * dtype.itemsize
        flat = np.fromfile(self._paths[name], dtype, count=n * row, offset=offset)
        return flat.reshape(n, *shape)


def value_shape(output: OutputSpec) -> tuple[int, ...]:
    """Shape of one row of an output: ``(tracks,)`` or ``(tracks, bins)``."""
    tracks = len(output.tracks)
    return (tracks, output.n_bins) if output.kind == "profile" else (tracks,)


# ---------------------------------------------------------------- HDF5, Zarr, Parquet: assembled at ``finish``


BLOCK_BYTES = 8 << 20
BLOCK_ROWS = 1 << 14  # the names of this many regions are Python strings at once


class SpooledWriter(Writer):
    """``OUT.partial`` is a folder: the spool, and at the end the assembled result."""

    room = 1.3  # bytes the result may take, per byte of the spool

    def __init__(self, context: WriterContext) -> None:
        super().__init__(context)
        self.spool: RowSpool | None = None
        self.assembled = self.partial / "result"

    @abstractmethod
    def assemble(self, spool: RowSpool, path: Path) -> None:
        """Write the whole result to ``path`` and verify it."""

    def row_bytes(self) -> int:
        """Bytes of the values of one row."""
        row = 0
        for output in self.context.outputs:
            size = 4
            for n in value_shape(output):
                size *= n
            row += size
        return row

    def block_rows(self) -> int:
        """Rows handled at once: about 8 MB of values, at most 16,384 rows."""
        return max(1, min(BLOCK_ROWS, BLOCK_BYTES // max(1, self.row_bytes())))

    def _start(self, resume: dict | None) -> None:
        if resume is None:
            fresh_folder(self.partial)
        self.spool = RowSpool(self.partial, self.context.outputs, resume)

    def least_bytes(self, rows: int) -> int:
        return rows * self.row_bytes()

    def write(self, batch: PredictionBatch) -> None:
        self.spool.append(batch)

    def checkpoint(self) -> dict:
        return self.spool.state()

    def finish(self) -> list[Path]:
        remove(self.assembled)
        require_room(self.partial, int(self.spool.size() * self.room) + (1 << 18))
        self.assemble(self.spool, self.assembled)
        self.spool.abandon()
        finals = self.move_to_final()
        remove(self.partial)
        return finals

    def move_to_final(self) -> list[Path]:
        """Give the assembled result its final name."""
        return rename_all([(self.assembled, self.context.out)])

    def suspend(self) -> None:
        if self.spool is not None:
            self.spool.abandon()

    def discard(self) -> None:
        self.suspend()
        remove(self.partial)
