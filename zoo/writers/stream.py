"""TSV or BED to standard output."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from zoo.errors import UsageError
from zoo.outputs import PredictionBatch
from zoo.writers.base import Writer, WriterContext
from zoo.writers.bed import BedWriter
from zoo.writers.tsv import TsvWriter

__all__ = ["LAYOUTS", "StreamWriter", "check_stream_format", "put_text"]

LAYOUTS = {"tsv": TsvWriter, "bed": BedWriter}


class StreamWriter(Writer):
    """Writes to a text stream as predictions come; nothing to rename, resume or remove.

    Args:
        context: as for a file; ``out`` is not used.
        stream: an open text stream; it is flushed after each batch and never closed.
        fmt: ``"tsv"`` or ``"bed"``.

    Raises:
        UsageError: ``fmt`` is a format that cannot be streamed.
    """

    def __init__(self, context: WriterContext, stream: TextIO, fmt: str = "tsv") -> None:
        super().__init__(context)
        fmt = check_stream_format(fmt)
        self._layout = LAYOUTS[fmt](context)
        self._stream = stream
        self.aggregates = self._layout.aggregates

    @property
    def needs_places(self) -> bool:
        return self._layout.needs_places

    def check_finals(self, inputs: Iterable[str | Path | None] = ()) -> None:
        pass

    def _start(self, resume: dict | None) -> None:
        self._put(self._layout.header())

    def write(self, batch: PredictionBatch) -> None:
        if len(batch):  # a batch whose windows were all skipped has no values
            self._put(self._layout.text(batch))

    def checkpoint(self) -> dict:
        return {}

    def finish(self) -> list[Path]:
        self._stream.flush()
        return []

    def suspend(self) -> None:
        pass

    def discard(self) -> None:
        pass

    def _put(self, text: bytes) -> None:
        put_text(self._stream, text)


def put_text(stream: TextIO, text: bytes) -> None:
    """Write UTF-8 to a text stream, as it is in files, whatever the terminal's encoding; and flush it."""
    binary = getattr(stream, "buffer", None)
    if binary is None:
        stream.write(text.decode("utf-8", "surrogateescape"))
    else:
        stream.flush()
        binary.write(text)
    stream.flush()


def check_stream_format(fmt: str) -> str:
    """The key of `LAYOUTS` for a format.

    Raises:
        UsageError: it cannot be streamed.
    """
    key = fmt.lower().lstrip(".")
    if key not in LAYOUTS:
        raise UsageError(
            f"format {fmt!r} cannot be written to standard output",
            f"formats for '-': {', '.join(LAYOUTS)}",
            "give a file: -o OUT",
        )
    return key
