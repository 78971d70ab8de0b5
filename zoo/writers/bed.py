"""BED6 with a value column a track (UCSC's BED, further columns allowed as in "BED6+")."""

from __future__ import annotations

import numpy as np

from zoo.outputs import PredictionBatch
from zoo.writers.text import TextWriter, format_rows, region_columns, region_fields, track_names

__all__ = ["BedWriter"]


class BedWriter(TextWriter):
    """The six columns of the region, the window when tiled, then one column a track.

    A profile contributes the mean over its bins. The header line starts with ``#``.
    """

    def header(self) -> bytes:
        tracks = [name for names in track_names(self.context).values() for name in names]
        return ("#" + "\t".join([*region_columns(self.context), *tracks]) + "\n").encode()

    def lines(self, batch: PredictionBatch) -> list[bytes]:
        columns = []
        for output in self.context.outputs:
            values = batch.values[output.name]
            columns.append(values if values.ndim == 2 else values.mean(axis=2, dtype=np.float64))
        values = format_rows(np.concatenate(columns, axis=1, dtype=np.float32))
        regions = region_fields(batch, self.context)
        return [region.encode() + row for region, row in zip(regions, values, strict=True)]
