"""TSV: a row a window, a column a value, with a header line."""

from __future__ import annotations

from zoo.outputs import PredictionBatch
from zoo.writers.text import ROW, TextWriter, flat_values, format_rows, row_fields, value_names

__all__ = ["TsvWriter"]


class TsvWriter(TextWriter):
    """``chrom start end name score strand window_start window_end``, then every value.

    A scalar has one column, named by its track; a profile has ``<track>/0``, ``<track>/1``, ...
    in numeric order, in the model's own orientation. Values read back to the same float32; what is not
    finite is ``nan``, ``inf`` or ``-inf``.
    """

    def header(self) -> bytes:
        names = [*ROW, *value_names(self.context)]
        return ("\t".join(names) + "\n").encode()

    def lines(self, batch: PredictionBatch) -> list[bytes]:
        regions = row_fields(batch, batch.start, batch.end, batch.window_start, batch.window_end)
        values = format_rows(flat_values(batch, self.context.outputs))
        return [region.encode() + row for region, row in zip(regions, values, strict=True)]
