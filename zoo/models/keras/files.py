"""Files of Keras as they lie on disk: HDF5 of Keras 1, 2 and 3, and ``.keras`` archives of Keras 3 and TensorFlow 2.

What a file is tells its first bytes, not its name: TensorFlow before 2.12 wrote HDF5 as ``.keras`` too.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from zoo.errors import ModelError
from zoo.models.keras.archive import layer_arrays
from zoo.models.keras.config import GraphConfig
from zoo.models.keras.weights import read_arrays
from zoo.paths import refuse_pointers

__all__ = ["KerasFile", "read_file"]

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
OLD_ROOT = "_layer_checkpoint_dependencies"  # of the first archives, those of TensorFlow 2.11 and 2.12


@dataclass(frozen=True)
class KerasFile:
    """What a file says of itself.

    Attributes:
        architecture: its JSON, or None in a file of weights only.
        version: of the Keras that wrote it, if it says so.
        backend: the backend that it ran on, if the file says so; archives and Keras 3 never were of Theano.
        arrays: an architecture -> layer name -> array name -> array, in Keras's order.
    """

    architecture: str | None
    version: str | None
    backend: str | None
    arrays: Callable[[GraphConfig], dict[str, Any]]


def read_file(path: Path) -> KerasFile:
    """Look into an HDF5 file or a ``.keras`` archive.

    Raises:
        ModelError: neither, damaged, or a pointer of Git LFS.
    """
    if path.is_dir():
        raise ModelError(
            f"{path}: is a folder, perhaps a SavedModel of TensorFlow, which is not supported",
            "",
            "Fix: save the model as one file: model.save('model.keras') or model.save('model.h5')",
        )
    refuse_pointers((path,))
    return _archive(path) if zipfile.is_zipfile(path) else _hdf5(path)


def _hdf5(path: Path) -> KerasFile:
    try:
        with h5py.File(path, "r") as handle:
            groups = [handle, *([handle["model_weights"]] if "model_weights" in handle else [])]
            architecture, version, backend = (
                _attribute(groups, key) for key in ("model_config", "keras_version", "backend")
            )
            if root := _root(handle):
                content = path.read_bytes()
                return KerasFile(
                    architecture,
                    version or "3",
                    backend or "tensorflow",
                    lambda config: _stored(content, root, config, path),
                )
    except OSError as error:
        raise ModelError(f"{path}: is no HDF5 file ({error})", "", "Fix: fetch the file again") from None
    return KerasFile(architecture, version, backend, lambda config: read_arrays(path))


def _root(handle: h5py.File) -> str | None:
    """The group of the layers, where a file has Keras 3's form of weights."""
    listed = any(key.startswith("layer_names") for key in handle.attrs) or "model_weights" in handle
    return None if listed else next((name for name in ("layers", OLD_ROOT) if name in handle), None)


def _attribute(groups: Sequence[Any], key: str) -> str | None:
    for group in groups:
        if key in group.attrs:
            value = group.attrs[key]
            return value.decode() if isinstance(value, bytes) else str(value)
    return None


def _archive(path: Path) -> KerasFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if missing := [name for name in (CONFIG, WEIGHTS) if name not in names]:
                raise ModelError(
                    f"{path}: is a zip archive without {' and '.join(missing)}, so none of Keras that is supported",
                    f"it holds {', '.join(sorted(names)[:6])}",
                    "Fix: save the model with model.save('model.keras')",
                )
            text = archive.read(CONFIG).decode("utf-8")
            version = json.loads(archive.read(METADATA)).get("keras_version") if METADATA in names else None
            content = archive.read(WEIGHTS)
        with h5py.File(io.BytesIO(content), "r") as handle:
            root = _root(handle)
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from None
    return KerasFile(
        text, version or "3", "tensorflow", lambda config: _stored(content, root or "layers", config, path)
    )


def _stored(content: bytes, root: str, config: GraphConfig, path: Path) -> dict[str, Any]:
    try:
        with h5py.File(io.BytesIO(content), "r") as handle:
            return layer_arrays(handle.get(root), config, str(path))
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path}: cannot be read as an archive of Keras ({type(error).__name__}: {error})",
        "",
        "Fix: the file is damaged; fetch it again, or save the model again with model.save('model.keras')",
    )
