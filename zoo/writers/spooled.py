"""Base of the formats that are assembled from the spool at ``finish``: HDF5, Zarr, Parquet."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from zoo.outputs import PredictionBatch
from zoo.results import fresh_folder, remove, rename_all, require_room
from zoo.writers.base import Writer, WriterContext
from zoo.writers.spool import RowSpool, value_shape

__all__ = ["SpooledWriter"]

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
