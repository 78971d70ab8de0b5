"""Load tensors as data: ``weights_only`` or safetensors, never a pickle that runs code."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

import torch

from zoo.errors import ModelError

__all__ = ["load_into", "load_tensors"]


def load_tensors(path: Path, allow_numpy: bool = False) -> Any:
    """Read a weights file without running code from it.

    Args:
        path: ``.safetensors``, or a file of ``torch.save``.
        allow_numpy: also accept numpy arrays and scalars, which gReLU checkpoints hold.

    Raises:
        ModelError: damaged, not a weights file, or a pickle that would import or call something.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        _check_magic(path)
        # torch warns of pickle protocols on standard error; the file is refused or read all the same.
        with torch.serialization.safe_globals(_numpy_reconstructors() if allow_numpy else []), _no_warnings():
            return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except FileNotFoundError:
        raise ModelError(f"{path}: no such weights file", "", "Fix: fetch the entry again") from None
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: refused: the file holds more than tensors ({_wanted(error)})",
            "nothing of it was run",
            f"Fix: `zoo convert {path} -o weights.pth` takes its tensors out without running it",
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile, OSError) as error:
        raise _damaged(path, error) from None
    except Exception as error:  # safetensors and old pickles raise types of their own
        raise _damaged(path, error) from None


@contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_magic(path: Path) -> None:
    with path.open("rb") as handle:
        head = handle.read(2)
    if head not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise ModelError(
            f"{path}: is not a weights file",
            "it is neither a file of torch.save nor safetensors",
            "Fix: fetch the entry again; a download may have saved an error page under this name",
        )


def load_into(module: torch.nn.Module, state: Any, path: Path) -> None:
    """Put a state dict into a module, strictly.

    Raises:
        ModelError: keys or shapes differ; counts them and names the first.
    """
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        found = f"it holds {type(state).__name__}"
        raise ModelError(f"{path}: is not a state_dict", found, "Fix: save model.state_dict()")
    try:
        module.load_state_dict(state)
    except RuntimeError:
        own = module.state_dict()
        missing, surplus = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        other = [key for key in own.keys() & state.keys() if own[key].shape != state[key].shape]
        first = (missing + surplus + sorted(other))[0]
        raise ModelError(
            f"{path}: the weights do not fit the module: first at {first!r}",
            f"{len(missing)} missing, {len(surplus)} surplus, {len(other)} of another shape",
            "Fix: give the weights that belong to this architecture",
        ) from None


def _damaged(path: Path, error: Exception) -> ModelError:
    detail = str(error).splitlines()[0].split(". ")[0][:160] if str(error) else type(error).__name__
    return ModelError(f"{path}: cannot be read as weights: {detail}", "", "Fix: the file is damaged; fetch it again")


def _wanted(error: Exception) -> str:
    """The global that the pickle asked for, out of torch's message."""
    for line in str(error).splitlines():
        for mark in ("GLOBAL ", "global "):
            if mark in line:
                return "it asks for " + line.split(mark, 1)[1].split()[0].rstrip(",.").strip("`")
    return "a pickle that only Python can read"


def _numpy_reconstructors() -> list[Any]:
    """What rebuilds numpy arrays, numpy scalars and paths from their bytes, and nothing else."""
    import numpy as np

    core = np._core.multiarray
    dtypes = [item for item in vars(np.dtypes).values() if isinstance(item, type) and issubclass(item, np.dtype)]
    return [
        core._reconstruct,
        core.scalar,
        np.ndarray,
        np.dtype,
        *dtypes,
        bytes,  # of an array without elements: protocol 2 writes b"" as a call of bytes()
        # Checkpoints written under numpy 1 name the same functions by their old module.
        (core._reconstruct, "numpy.core.multiarray._reconstruct"),
        (core.scalar, "numpy.core.multiarray.scalar"),
        PurePosixPath,
        PosixPath,  # save_dir of train_params
    ]
