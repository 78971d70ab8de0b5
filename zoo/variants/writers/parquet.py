"""Parquet: typed columns, named as in the TSV; what is missing is null."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import SystemStateError
from zoo.variants.writers.spool import MISSING, SpooledRows, SpooledVariants, VariantSpool
from zoo.variants.writers.table import NUMBERS, leading_columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ParquetWriter"]


class ParquetWriter(SpooledVariants):
    """The columns of the TSV. What the scores are is JSON under the key ``seqzoo`` of the file's metadata."""

    def assemble(self, spool: VariantSpool, path: Path) -> None:
        import pyarrow.parquet as pq

        schema = self.schema()
        with pq.ParquetWriter(path, schema) as file:
            for block in spool.blocks(self.block_rows()):
                file.write_table(self._table(block, schema))
        if pq.read_metadata(path).num_rows != spool.rows:
            raise SystemStateError(
                f"{path} was not written completely", fix="check the space on the disk, then --resume"
            )

    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        import pyarrow as pa

        fields = [
            pa.field(name, pa.int64() if name in NUMBERS else pa.string()) for name in leading_columns(self.context)
        ]
        columns = self.context.columns
        fields += [pa.field(column.name, pa.int32() if column.integer else pa.float32()) for column in columns]
        notes = {"about": dict(self.context.about), "scores": [asdict(column) for column in columns]}
        return pa.schema(fields, metadata={"seqzoo": json.dumps(notes)})

    def _table(self, block: SpooledRows, schema: pa.Schema) -> pa.Table:
        import pyarrow as pa

        arrays = []
        for name, column in block.leading.items():
            if isinstance(column, np.ndarray):
                arrays.append(pa.array(column, pa.int64(), mask=column == MISSING))
            else:
                arrays.append(pa.array([None if text == "." and name != "alt" else text for text in column]))
        for place, column in enumerate(self.context.columns):
            values = block.arrays["values"][:, place]
            missing = np.isnan(values)
            if column.integer:
                values = np.where(missing, 0, values).astype(np.int32)
            arrays.append(pa.array(np.ascontiguousarray(values), mask=missing))
        return pa.Table.from_arrays(
            [one.cast(field.type) for one, field in zip(arrays, schema, strict=True)], schema=schema
        )
