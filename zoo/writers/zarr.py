"""Zarr 3 (https://zarr-specs.readthedocs.io, core 3.0) in the same layout as the HDF5 result."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.errors import SystemStateError
from zoo.outputs import annotations
from zoo.results.whole import put_folder
from zoo.writers.hdf5 import metadata_columns, preds_path
from zoo.writers.spool import RowSpool, SpooledWriter, value_shape

__all__ = ["ZarrWriter"]


class ZarrWriter(SpooledWriter):
    """``zarr.open_group(OUT)["preds"][:]`` is the predictions; chunks hold whole rows.

    The attributes of ``preds`` are those of the HDF5 dataset, ``tracks`` among them.
    """

    store = ("zarr.json", "Zarr 3 store")

    def assemble(self, spool: RowSpool, path: Path) -> None:
        import zarr

        step = self.block_rows()
        root = zarr.open_group(path, mode="w", zarr_format=3)
        arrays: dict[str, zarr.Array] = {}
        chunk = max(1, min(step, spool.rows))
        for output in self.context.outputs:
            shape = value_shape(output)
            array = root.create_array(
                preds_path(output, self.context.outputs),
                shape=(spool.rows, *shape),
                chunks=(chunk, *shape),
                dtype="float32",
                attributes=annotations(output) | {"tracks": list(output.tracks)},
            )
            arrays[output.name] = array
        for block in spool.blocks(step):
            rows = slice(block.first, block.first + len(block))
            for name, values in metadata_columns(block).items():
                column = np.asarray(values, dtype=object) if isinstance(values, list) else values
                if name not in arrays:
                    kind = str if isinstance(values, list) else values.dtype
                    arrays[name] = root.create_array(name, shape=(spool.rows,), chunks=(chunk,), dtype=kind)
                arrays[name][rows] = column
            for output in self.context.outputs:
                arrays[output.name][rows] = block.values[output.name]
        self._verify(path, spool.rows)

    def move_to_final(self) -> list[Path]:
        put_folder(self.assembled, self.context.out, self.partial / "older")
        return [self.context.out]

    def _verify(self, path: Path, rows: int) -> None:
        """Read the last row back."""
        import zarr

        root = zarr.open_group(path, mode="r")
        for output in self.context.outputs:
            preds = root[preds_path(output, self.context.outputs)]
            if preds.shape[0] != rows:
                raise SystemStateError(
                    f"{path} was not written completely", fix="check the space on the disk, then --resume"
                )
            preds[max(0, rows - 1) :]
