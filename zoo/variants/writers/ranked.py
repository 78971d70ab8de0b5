"""Rows that wait on disk until all are known, because their q depends on all; then any format.

``OUT.partial`` is a folder with the rows, in order, and at the end the result. Nothing is written of a row but its
scores and what cannot be read of the file again; the variants are read a second time.
"""

from __future__ import annotations

import contextlib
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from zoo.errors import SystemStateError
from zoo.results.whole import fresh_folder, open_at, remove, rename_all
from zoo.variants.alleles.allele import Allele, Record
from zoo.variants.ranks.change_kinds import change_kind, kind_name
from zoo.variants.ranks.ranks import KIND, Ranks, kinds_of
from zoo.variants.run.scorer import Row
from zoo.variants.writers.stream import StreamWriter
from zoo.variants.writers.table import ScoredRecord, VariantContext, rows_of, values_of
from zoo.writers.base import Writer

if TYPE_CHECKING:
    from zoo.variants.scores.columns import Column
    from zoo.variants.scores.genes import Gene

__all__ = ["RankedStream", "RankedWriter", "RowSpool", "Second", "ranked_rows", "with_ranks"]

ROWS = struct.Struct("<I")
ROW = struct.Struct("<HhqiBBB")  # ALT, gene, start, unknown bases, bytes of the status, whether scored, kind
NONE = -1 << 62  # a start that there is not
RECORDS = 512


class Second:
    """The second reading: what rows are made of again.

    Args:
        records: all records, from the first.
        alleles: of a record.
        genes: those in which an allele is scored, in order; empty without genes.
    """

    def __init__(
        self,
        records: Callable[[], Iterator[Record]],
        alleles: Callable[[Record], Sequence[Allele]],
        genes: Callable[[Allele], Sequence[Gene]],
    ) -> None:
        self.records, self.alleles, self.genes = records, alleles, genes


class RowSpool:
    """An append-only file of rows, record by record.

    Args:
        path: of the file.
        columns: scores a row.
        second: makes alleles and genes again.
        size: bytes to go on from, see ``state``; None begins anew.
    """

    def __init__(self, path: Path, columns: int, second: Second, size: int | None = None) -> None:
        self._path, self._columns, self._second = path, columns, second
        self._file = open_at(path, size)

    def append(self, batch: Sequence[ScoredRecord]) -> None:
        """Add whole records."""
        for scored in batch:
            self._file.write(ROWS.pack(len(scored.rows)))
            for row in scored.rows:
                self._file.write(self._packed(row))

    def _packed(self, row: Row) -> bytes:
        status = row.status.encode()
        gene = self._second.genes(row.allele).index(row.gene) if row.gene is not None else -1
        start = NONE if row.start is None else row.start
        kind = change_kind(row.allele.edit)
        head = ROW.pack(row.allele.index, gene, start, row.unknown, len(status), row.values is not None, kind)
        return head + status + (b"" if row.values is None else np.asarray(row.values, "<f4").tobytes())

    def state(self) -> int:
        """Flush; the bytes that there are."""
        self._file.flush()
        return self._file.tell()

    def values(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(n, columns) float32 of consecutive rows with scores, and (n,) kinds of their changes."""
        with self._reading() as file:
            block: list[np.ndarray] = []
            kinds: list[int] = []
            while head := file.read(ROWS.size):
                for _ in range(ROWS.unpack(head)[0]):
                    _, values, kind = self._row(file)
                    if values is not None:
                        block.append(values)
                        kinds.append(kind)
                if len(block) >= RECORDS:
                    yield np.stack(block), np.array(kinds, np.uint8)
                    block, kinds = [], []
            if block:
                yield np.stack(block), np.array(kinds, np.uint8)

    def blocks(self) -> Iterator[list[ScoredRecord]]:
        """The records again, whole."""
        with self._reading() as file:
            block: list[ScoredRecord] = []
            for record in self._second.records():
                if not (head := file.read(ROWS.size)):
                    return
                alleles = self._second.alleles(record)
                rows = [self._whole(file, alleles) for _ in range(ROWS.unpack(head)[0])]
                block.append(ScoredRecord(record, tuple(rows)))
                if len(block) == RECORDS:
                    yield block
                    block = []
            yield block

    @contextlib.contextmanager
    def _reading(self) -> Iterator[BinaryIO]:
        self.state()
        with open(self._path, "rb") as file:
            yield file

    def _row(self, file: BinaryIO) -> tuple[tuple[int, int, int | None, int, str], np.ndarray | None, int]:
        index, gene, start, unknown, n, scored, kind = ROW.unpack(self._read(file, ROW.size))
        status = self._read(file, n).decode()
        values = np.frombuffer(self._read(file, 4 * self._columns), "<f4").astype(np.float32) if scored else None
        return (index, gene, None if start == NONE else start, unknown, status), values, kind

    def _read(self, file: BinaryIO, n: int) -> bytes:
        data = file.read(n)
        if len(data) != n:
            raise SystemStateError(f"{self._path}: ends in the middle of a row", "", "Fix: start again")
        return data

    def _whole(self, file: BinaryIO, alleles: Sequence[Allele]) -> Row:
        (index, gene, start, unknown, status), values, _ = self._row(file)
        allele = alleles[index]
        return Row(allele, self._second.genes(allele)[gene] if gene >= 0 else None, status, start, unknown, values)

    def close(self) -> None:
        """Close the file without raising; it stays."""
        with contextlib.suppress(OSError):
            self._file.close()


def with_ranks(context: VariantContext, ranks: tuple[Column, ...]) -> VariantContext:
    """What the writer of the result is told: the kind and the ranks of each row come to its scores."""
    return replace(context, columns=context.columns + ranks, texts=(*context.texts, KIND))


def ranked_rows(rows: Sequence[Row], ranks: Ranks, columns: int) -> list[Row]:
    """Rows with their kind, and their ranks behind their scores."""
    values, kinds = values_of(rows, columns), kinds_of(rows)
    both = np.concatenate([values, ranks.of(values, kinds)], axis=1)
    return [
        replace(
            row,
            values=None if row.values is None else both[i],
            texts=(*row.texts, kind_name(kind)),
        )
        for i, (row, kind) in enumerate(zip(rows, kinds.tolist(), strict=True))
    ]


def _ranked(batch: Sequence[ScoredRecord], ranks: Ranks, columns: int) -> list[ScoredRecord]:
    rows = iter(ranked_rows(rows_of(batch), ranks, columns))
    return [ScoredRecord(scored.record, tuple(next(rows) for _ in scored.rows)) for scored in batch]


class RankedWriter(Writer):
    """Writes scores with their ranks, by the writer of any format.

    Args:
        context: with the columns of the scores alone.
        ranks: against the background.
        second: of the variants.
        make: context -> the writer of the result, not opened.
    """

    context: VariantContext

    def __init__(
        self, context: VariantContext, ranks: Ranks, second: Second, make: Callable[[VariantContext], Writer]
    ) -> None:
        super().__init__(context)
        self._ranks, self._second = ranks, second
        inner = replace(context, out=self.partial / context.out.name)
        self._inner = make(with_ranks(inner, ranks.columns))
        self.finals = [context.out.with_name(path.name) for path in self._inner.finals]
        self._spool: RowSpool | None = None

    @property
    def notes(self) -> list[str]:
        """Of the writer of the result."""
        return list(getattr(self._inner, "notes", ()))

    def _start(self, resume: dict | None) -> None:
        if resume is None:
            fresh_folder(self.partial)
        size = None if resume is None else resume["bytes"]
        self._spool = RowSpool(self.partial / "rows", len(self.context.columns), self._second, size)

    def write(self, batch: Sequence[ScoredRecord]) -> None:
        """Whole records."""
        self._spool.append(batch)

    def checkpoint(self) -> dict[str, Any]:
        return {"bytes": self._spool.state()}

    def finish(self) -> list[Path]:
        for values, kinds in self._spool.values():
            self._ranks.count(values, kinds)
        self._inner.open()
        try:
            for block in self._spool.blocks():
                self._inner.write(_ranked(block, self._ranks, len(self.context.columns)))
            made = self._inner.finish()
        except BaseException:
            self._inner.discard()
            raise
        self._spool.close()
        finals = rename_all([(path, self.context.out.with_name(path.name)) for path in made])
        remove(self.partial)
        return finals

    def suspend(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def discard(self) -> None:
        self.suspend()
        remove(self.partial)


class RankedStream:
    """The same to standard output: nothing comes before all rows are known."""

    def __init__(self, writer: StreamWriter, columns: int, ranks: Ranks, second: Second) -> None:
        self._writer, self._columns, self._ranks = writer, columns, ranks
        self._folder = tempfile.TemporaryDirectory(prefix="zoo-variants-")
        self._spool = RowSpool(Path(self._folder.name) / "rows", columns, second)

    def open(self) -> None:
        """Write the header."""
        self._writer.open()

    def write(self, batch: Sequence[ScoredRecord]) -> None:
        """Keep whole records."""
        self._spool.append(batch)

    def finish(self) -> None:
        """Rank and write all."""
        for values, kinds in self._spool.values():
            self._ranks.count(values, kinds)
        for block in self._spool.blocks():
            self._writer.write(_ranked(block, self._ranks, self._columns))
        self._writer.finish()
        self._spool.close()
        self._folder.cleanup()
