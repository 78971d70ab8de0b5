"""A result that is lines of text, in a plain or blocked-gzip file."""

from __future__ import annotations

import base64
import contextlib
import struct
import zlib
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path

from zoo.outputs import PredictionBatch
from zoo.results import open_at, remove, rename_all
from zoo.writers.base import Writer, WriterContext
from zoo.writers.columns import region_columns, safe_text

__all__ = ["BgzfFile", "PlainFile", "TextWriter", "region_fields"]


def region_fields(batch: PredictionBatch, context: WriterContext) -> list[str]:
    """The region columns of each row, tab-separated, with a tab at the end."""
    columns = [
        safe_text(batch.chrom),
        map(str, batch.start.tolist()),
        map(str, batch.end.tolist()),
        safe_text(batch.name),
        safe_text(batch.score),
        batch.strand.tolist(),
    ]
    if len(region_columns(context)) > len(columns):
        columns += [map(str, batch.window_start.tolist()), map(str, batch.window_end.tolist())]
    return [*map("\t".join, zip(*columns, [""] * len(batch), strict=True))]


class PlainFile:
    """A text file that can be cut back to a checkpoint."""

    def __init__(self, path: Path, resume: dict | None = None) -> None:
        self._file = open_at(path, None if resume is None else resume["bytes"])

    def write(self, text: bytes) -> None:
        """Append."""
        self._file.write(text)

    def state(self) -> dict:
        """Flush; return what ``resume`` takes."""
        self._file.flush()
        return {"bytes": self._file.tell()}

    def finish(self) -> None:
        """Flush and close; an error of the disk shows here."""
        self._file.close()

    def abandon(self) -> None:
        """Close without raising."""
        with contextlib.suppress(OSError):
            self._file.close()


class BgzfFile(PlainFile):
    """Blocked gzip (BGZF, SAM specification 4.1): any gzip reads it, ``tabix`` can index it.

    Blocks hold a fixed number of characters, so the file does not depend on where checkpoints
    fell; what is not yet a whole block (under 64 KiB) travels in the checkpoint. No time and no
    name is stored: the same predictions give the same bytes.
    """

    BLOCK = 0xFF00  # characters a block, as htslib
    END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

    def __init__(self, path: Path, resume: dict | None = None) -> None:
        super().__init__(path, resume)
        self._tail = bytearray(zlib.decompress(base64.b64decode(resume["tail"])) if resume else b"")

    def write(self, text: bytes) -> None:
        self._tail += text
        whole = len(self._tail) - len(self._tail) % self.BLOCK
        for first in range(0, whole, self.BLOCK):
            self._file.write(self._compressed(bytes(self._tail[first : first + self.BLOCK])))
        del self._tail[:whole]

    def state(self) -> dict:
        tail = base64.b64encode(zlib.compress(bytes(self._tail))).decode("ascii")
        return super().state() | {"tail": tail}

    def finish(self) -> None:
        if self._tail:
            self._file.write(self._compressed(bytes(self._tail)))
        self._file.write(self.END)
        super().finish()

    @staticmethod
    def _compressed(text: bytes) -> bytes:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = packer.compress(text) + packer.flush()
        header = struct.pack("<4BI2BH2B2H", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(data) + 25)
        return header + data + struct.pack("<2I", zlib.crc32(text), len(text))


class TextWriter(Writer):
    """Base of the formats with a line a row; a subclass gives the header and the lines."""

    def __init__(self, context: WriterContext, compressed: bool = False) -> None:
        super().__init__(context)
        self._kind = BgzfFile if compressed else PlainFile
        self._file: PlainFile | None = None

    @abstractmethod
    def header(self) -> bytes:
        """The first line(s), each ended by a newline."""

    @abstractmethod
    def lines(self, batch: PredictionBatch) -> Iterable[bytes]:
        """One line a row of the batch, without the newline."""

    def text(self, batch: PredictionBatch) -> bytes:
        """The lines of a batch as they stand in the file."""
        return b"".join(line + b"\n" for line in self.lines(batch))

    def _start(self, resume: dict | None) -> None:
        if resume is None:
            remove(self.partial)
        self._file = self._kind(self.partial, resume)
        if resume is None:
            self._file.write(self.header())

    def write(self, batch: PredictionBatch) -> None:
        self._file.write(self.text(batch))

    def checkpoint(self) -> dict:
        return self._file.state()

    def finish(self) -> list[Path]:
        self._file.finish()
        return rename_all([(self.partial, self.context.out)])

    def suspend(self) -> None:
        if self._file is not None:
            self._file.abandon()

    def discard(self) -> None:
        self.suspend()
        remove(self.partial)
