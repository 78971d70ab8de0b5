"""HDF5 in the layout of Kipoi's ``HDF5BatchWriter`` (kipoi 0.8.6, ``kipoi/writers.py``).

/preds                                 the model's one output, or a group with one dataset each
/metadata/ranges/{chr,start,end,id,strand}      the regions as in the regions file
/metadata/windows/{start,end,reverse,region}    what the model saw, and the region's number
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import SystemStateError
from zoo.outputs import OutputSpec, annotations
from zoo.writers.spool import RowSpool, SpooledBlock, SpooledWriter, value_shape

if TYPE_CHECKING:
    import h5py

__all__ = ["Hdf5Writer", "metadata_columns", "preds_path"]

CHUNK_BYTES = 1 << 18
NAME_BYTES = 255  # kept for a chromosome's name where none is known before


def preds_path(output: OutputSpec, outputs: tuple[OutputSpec, ...]) -> str:
    """``preds`` when the model has one output, else ``preds/<output>``."""
    return "preds" if len(outputs) == 1 else f"preds/{output.name}"


def metadata_columns(block: SpooledBlock) -> dict[str, np.ndarray | list[str]]:
    """Path -> values of the rows' coordinates and names."""
    at = block.positions
    return {
        "metadata/ranges/chr": block.texts["chrom"],
        "metadata/ranges/start": at["start"],
        "metadata/ranges/end": at["end"],
        "metadata/ranges/id": block.texts["name"],
        "metadata/ranges/strand": block.texts["strand"],
        "metadata/windows/start": at["window_start"],
        "metadata/windows/end": at["window_end"],
        "metadata/windows/reverse": at["reverse"],
        "metadata/windows/region": at["region"],
    }


class Hdf5Writer(SpooledWriter):
    """``h5py.File(OUT)["preds"][:]`` is the predictions, ``(n, tracks)`` or ``(n, tracks, bins)``.

    Attributes of the dataset: ``tracks``, ``kind``, ``units``, and for a profile ``bin_size``
    and ``offset`` (bp from the window's start to bin 0; in a ``reverse`` row from its end).
    """

    def assemble(self, spool: RowSpool, path: Path) -> None:
        import h5py

        # Format 1.8 is the first where attributes (the track names) may pass 64 KiB.
        with h5py.File(path, "w", libver=("v108", "v108")) as file:
            self._create(file, spool.rows)
            for block in spool.blocks(self.block_rows()):
                rows = slice(block.first, block.first + len(block))
                for name, values in metadata_columns(block).items():
                    file[name][rows] = _stored(values, file[name].dtype)
                for output in self.context.outputs:
                    file[preds_path(output, self.context.outputs)][rows] = block.values[output.name]
        self._verify(path, spool.rows)

    def _create(self, file: h5py.File, rows: int) -> None:
        import h5py

        for output in self.context.outputs:
            shape = value_shape(output)
            chunk = max(1, min(CHUNK_BYTES // (4 * int(np.prod(shape))), rows))
            preds = file.create_dataset(
                preds_path(output, self.context.outputs),
                shape=(rows, *shape),
                maxshape=(None, *shape),
                chunks=(chunk, *shape),
                dtype="<f4",
            )
            preds.attrs.update(annotations(output))
            preds.attrs["tracks"] = np.array(output.tracks, dtype=h5py.string_dtype("utf-8"))
        sizes = self.context.chrom_sizes
        longest = NAME_BYTES if sizes is None else max((len(chrom.encode()) for chrom in sizes), default=1)
        types = {
            "metadata/ranges/chr": h5py.string_dtype("utf-8", longest),
            "metadata/ranges/id": h5py.string_dtype("utf-8"),
            "metadata/ranges/strand": h5py.string_dtype("utf-8", 1),
            "metadata/windows/reverse": np.dtype(bool),
        }
        for group, names in (("ranges", "chr start end id strand"), ("windows", "start end reverse region")):
            for name in names.split():
                path = f"metadata/{group}/{name}"
                dtype = types.get(path, np.dtype("<i8"))
                chunks = (max(1, min(1 << 14, rows)),)
                packing = {"chunks": chunks, "compression": "gzip", "compression_opts": 1}
                file.create_dataset(path, (rows,), dtype, maxshape=(None,), **packing)

    def _verify(self, path: Path, rows: int) -> None:
        """Open the closed file and read its last row: a truncated file does not survive that."""
        import h5py

        try:
            with h5py.File(path) as file:
                for output in self.context.outputs:
                    preds = file[preds_path(output, self.context.outputs)]
                    if preds.shape[0] != rows:
                        raise OSError(f"{preds.shape[0]} rows of {rows}")
                    preds[max(0, rows - 1) :]
        except (OSError, KeyError, RuntimeError) as error:
            raise SystemStateError(
                f"{path} was not written completely: {error}",
                fix="check the space on the disk, then --resume",
            ) from error


def _stored(values: np.ndarray | list[str], dtype: np.dtype) -> np.ndarray:
    """Strings in the dataset's own type: h5py takes no ASCII bytes for UTF-8."""
    if isinstance(values, list):
        return np.array([value.encode() for value in values], dtype=dtype)
    return values
