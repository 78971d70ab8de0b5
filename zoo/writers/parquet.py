"""Parquet (https://parquet.apache.org/docs/file-format): typed columns, named as in the TSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import SystemStateError
from zoo.outputs import OutputSpec, annotations
from zoo.writers.spool import RowSpool, SpooledBlock, SpooledWriter
from zoo.writers.text import ROW, track_names

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_COLUMNS", "ParquetWriter"]

MOST_COLUMNS = 2_000  # above this a profile is one list column a track


class ParquetWriter(SpooledWriter):
    """The columns of region and window as in the TSV (positions int64), then float32 values.

    A profile has a column a bin while all value columns are at most 2,000, else a column a
    track that holds fixed-size lists. What the outputs are (``units``, ``bin_size``, ``offset``)
    is JSON under the key ``seqzoo`` of the file's metadata.
    """

    def assemble(self, spool: RowSpool, path: Path) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, self.schema()) as file:
            for block in spool.blocks(self.block_rows()):
                file.write_table(self._table(block))
        if pq.read_metadata(path).num_rows != spool.rows:
            raise SystemStateError(
                f"{path} was not written completely", fix="check the space on the disk, then --resume"
            )

    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        import pyarrow as pa

        texts = {"chrom", "name", "score", "strand"}
        fields = [pa.field(name, pa.string() if name in texts else pa.int64()) for name in ROW]
        names = track_names(self.context)
        for output in self.context.outputs:
            for track in names[output.name]:
                if output.kind == "scalar":
                    fields.append(pa.field(track, pa.float32()))
                elif self._flat():
                    fields += [pa.field(f"{track}/{i}", pa.float32()) for i in range(output.n_bins)]
                else:
                    fields.append(pa.field(track, pa.list_(pa.float32(), output.n_bins)))
        notes = json.dumps({output.name: annotations(output) for output in self.context.outputs})
        return pa.schema(fields, metadata={"seqzoo": notes})

    def _flat(self) -> bool:
        return sum(len(o.tracks) * o.n_bins for o in self.context.outputs) <= MOST_COLUMNS

    def _table(self, block: SpooledBlock) -> pa.Table:
        import pyarrow as pa

        columns = [
            pa.array(block.texts[name], pa.string())
            if name in block.texts
            else pa.array(block.positions[name], pa.int64())
            for name in ROW
        ]
        for output in self.context.outputs:
            columns += self._values(output, block.values[output.name])
        return pa.Table.from_arrays(columns, schema=self.schema())

    def _values(self, output: OutputSpec, values: np.ndarray) -> list[pa.Array]:
        import pyarrow as pa

        if output.kind == "profile" and not self._flat():
            tracks = range(len(output.tracks))
            return [pa.FixedSizeListArray.from_arrays(values[:, t].ravel(), output.n_bins) for t in tracks]
        return [pa.array(column) for column in np.ascontiguousarray(values.reshape(len(values), -1).T)]
