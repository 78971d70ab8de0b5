"""TSV or VCF to standard output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from zoo.variants.writers import format_of
from zoo.variants.writers.table import ScoredRecord, VariantContext
from zoo.variants.writers.tsv import TsvWriter
from zoo.variants.writers.vcf import VcfWriter
from zoo.writers.stream import put_text

__all__ = ["StreamWriter"]


class StreamWriter:
    """Writes to a text stream as rows come; nothing to rename, resume or remove.

    Args:
        stream: an open text stream; it is flushed after each batch and never closed.
        fmt: ``"tsv"`` or ``"vcf"``.
    """

    def __init__(self, context: VariantContext, stream: TextIO, fmt: str = "tsv") -> None:
        self._layout = {".tsv": TsvWriter, ".vcf": VcfWriter}[format_of("-", fmt)](context)
        self._stream = stream

    def open(self) -> None:
        """Write the header."""
        put_text(self._stream, self._layout.header())

    def write(self, batch: Sequence[ScoredRecord]) -> None:
        """Write whole records."""
        put_text(self._stream, self._layout.text(batch))

    def finish(self) -> None:
        """Flush."""
        self._stream.flush()
