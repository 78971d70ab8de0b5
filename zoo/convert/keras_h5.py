"""The arrays of an HDF5 file of Keras by their paths; neither its architecture nor its Lambda bytecode is looked at."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch

from zoo.convert.inert_pickle import refuse

__all__ = ["keras_arrays"]

# Of Keras 2, of Keras 3; where neither is, the file is one of save_weights().
ROOTS = ("model_weights", "layers")
OTHERS = ("optimizer_weights", "optimizer")
EXPANDED = 100_000_000  # bytes that an array may have beyond what the file stores of it


def keras_arrays(path: Path) -> dict[str, torch.Tensor]:
    """Arrays by path below ``model_weights``, e.g. ``conv1d_1/conv1d_1/kernel:0``, in the layout of Keras.

    Raises:
        ModelError: an array lies in another file, or is no array of numbers. OSError, ValueError: damaged.
    """
    with h5py.File(path, "r") as handle:
        root = next((name for name in ROOTS if name in handle), "/")
        found: list[tuple[str, h5py.Dataset]] = []
        # It follows neither soft links nor links to other files.
        handle[root].visititems(lambda name, item: _note(found, name, item))
        return {
            name: torch.from_numpy(_array(path, name, item))
            for name, item in found
            if name.partition("/")[0] not in OTHERS
        }


def _note(found: list[tuple[str, h5py.Dataset]], name: str, item: h5py.Group | h5py.Dataset) -> None:
    if isinstance(item, h5py.Dataset):
        found.append((name, item))


def _array(path: Path, name: str, item: h5py.Dataset) -> np.ndarray:
    if item.external or item.is_virtual:
        raise refuse(f"{path}: {name} lies in another file", "only what is in the file itself is read")
    if item.dtype.kind not in "fiub" or item.shape is None:
        raise refuse(f"{path}: {name} holds {item.dtype}, not numbers")
    if item.nbytes > item.id.get_storage_size() * 20 + EXPANDED:
        raise ValueError(f"{name} claims {item.nbytes:,} bytes and stores {item.id.get_storage_size():,}")
    array = item[()]
    return np.array(array, dtype=item.dtype.newbyteorder("="), order="C", copy=True)
