"""TSV: a row an ALT (and gene), a column a score, with a header line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.variants.writers.table import (
    ScoredRecord,
    VariantContext,
    leading_columns,
    leading_fields,
    rows_of,
    values_of,
)
from zoo.writers.text import TextWriter, format_rows

__all__ = ["TsvWriter"]


class TsvWriter(TextWriter):
    """The variant as it was written, its status and change, its window, then the scores.

    Positions of variants count from 1; windows are 0-based half-open. Scores read back to the same float32; what is
    missing is ``nan``.
    """

    context: VariantContext

    def header(self) -> bytes:
        names = [*leading_columns(self.context), *(column.name for column in self.context.columns)]
        return ("\t".join(names) + "\n").encode()

    def lines(self, batch: Sequence[ScoredRecord]) -> Iterable[bytes]:
        rows = rows_of(batch)
        before = leading_fields(rows, self.context)
        if not rows or not self.context.columns:
            return ["\t".join(fields).encode() for fields in before]
        values = format_rows(values_of(rows, len(self.context.columns)))
        return ["\t".join(fields).encode() + b"\t" + text for fields, text in zip(before, values, strict=True)]
