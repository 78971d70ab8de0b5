"""BED6 with a value column a track (UCSC's BED, further columns allowed as in "BED6+")."""

from __future__ import annotations

from zoo.outputs import PredictionBatch
from zoo.writers.aggregate import aggregated
from zoo.writers.text import REGION, TextWriter, format_rows, row_fields, track_names

__all__ = ["BedWriter"]


class BedWriter(TextWriter):
    """``chrom start end name score strand``, then one column a track. The header line starts with ``#``.

    A row's ``start`` and ``end`` are of the bases that its values are about, see ``aggregated``: the region, a tile's
    part of it, or what the model predicts of it. The bins of a profile there become one value, by ``--aggregate``.
    As in bigWig, reversed windows are turned to the genome's strands.
    """

    aggregates = True

    def header(self) -> bytes:
        tracks = [name for names in track_names(self.context).values() for name in names]
        return ("#" + "\t".join([*REGION, *tracks]) + "\n").encode()

    def lines(self, batch: PredictionBatch) -> list[bytes]:
        start, end, values = aggregated(batch, self.context.outputs, self.context)
        rows = zip(row_fields(batch, start, end), format_rows(values), strict=True)
        return [fields.encode() + row for fields, row in rows]

    @property
    def needs_places(self) -> bool:
        return any(output.kind == "profile" for output in self.context.outputs)
