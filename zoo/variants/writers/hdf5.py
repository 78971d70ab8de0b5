"""HDF5 with the predictions of both alleles beside the scores.

/scores                        (rows, columns) float32; attributes ``columns``, ``units``, ``descriptions``
/variants/<column>             the columns before the scores, named as in the TSV; a missing number is -2**63
/ref/<output>, /alt/<output>   (rows, tracks) or (rows, tracks, bins) float32, bins those of the reference in both,
                               ascending on the plus strand; NaN where nothing was predicted
/shared/<output>               (rows, bins) bool: bins for which both alleles have a value
/first/<output>                (rows,) 0-based start on the genome of a profile's first bin
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import SystemStateError
from zoo.outputs import OutputSpec, annotations
from zoo.variants.writers.spool import SpooledVariants, VariantSpool
from zoo.variants.writers.table import NUMBERS, leading_columns

if TYPE_CHECKING:
    import h5py

__all__ = ["Hdf5Writer"]

CHUNK_BYTES = 1 << 18


class Hdf5Writer(SpooledVariants):
    """``h5py.File(OUT)["alt/<output>"][i]`` is the prediction of ALT in row i, in the reference's bins."""

    keeps_aligned = True

    def kept_outputs(self) -> Sequence[OutputSpec]:
        return self.context.outputs

    def assemble(self, spool: VariantSpool, path: Path) -> None:
        import h5py

        with h5py.File(path, "w", libver=("v108", "v108")) as file:
            self._create(file, spool)
            for block in spool.blocks(self.block_rows()):
                rows = slice(block.first, block.first + len(block))
                for name, column in block.leading.items():
                    file[f"variants/{name}"][rows] = column
                for name, values in block.arrays.items():
                    file["scores" if name == "values" else name][rows] = values
        self._verify(path, spool.rows)

    def _create(self, file: h5py.File, spool: VariantSpool) -> None:
        import h5py

        text, rows = h5py.string_dtype("utf-8"), spool.rows
        for name in leading_columns(self.context):
            packing = {"compression": "gzip", "compression_opts": 1, "chunks": (max(1, min(1 << 14, rows)),)}
            kind = np.dtype("<i8") if name in NUMBERS else text
            file.create_dataset(f"variants/{name}", (rows,), kind, maxshape=(None,), **packing)
        for name, kind in spool.kinds.items():
            chunk = max(1, min(CHUNK_BYTES // max(kind.itemsize, 1), rows))
            shape = kind.shape
            if 0 in shape:
                continue
            path = "scores" if name == "values" else name
            file.create_dataset(path, (rows, *shape), kind.base, maxshape=(None, *shape), chunks=(chunk, *shape))
        for output in self.context.outputs:
            for allele in ("ref", "alt"):
                made = file[f"{allele}/{output.name}"]
                made.attrs.update(annotations(output))
                made.attrs["tracks"] = np.array(output.tracks, dtype=text)
        columns = self.context.columns
        if columns:
            for name, values in (
                ("columns", [column.name for column in columns]),
                ("units", [column.units for column in columns]),
                ("descriptions", [column.description for column in columns]),
            ):
                file["scores"].attrs[name] = np.array(values, dtype=text)
        file.attrs.update(self.context.about)

    def _verify(self, path: Path, rows: int) -> None:
        """Open the closed file and read its last row: a truncated file does not survive that."""
        import h5py

        try:
            with h5py.File(path) as file:
                for name in ("scores", *(f"alt/{output.name}" for output in self.context.outputs)):
                    if name in file and file[name].shape[0] != rows:
                        raise OSError(f"{file[name].shape[0]} rows of {rows}")
                    if name in file:
                        file[name][max(0, rows - 1) :]
        except (OSError, KeyError, RuntimeError) as error:
            raise SystemStateError(
                f"{path} was not written completely: {error}",
                fix="check the space on the disk, then --resume",
            ) from error
