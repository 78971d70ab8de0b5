"""A Kipoi folder with ``kipoi.model.PyTorchModel``: Python file, class, weights -> module.

Weights are read as data: ``weights_only`` or safetensors, never a pickle that runs code.
"""

from __future__ import annotations

import copy
import pickle
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PosixPath, PurePosixPath
from types import ModuleType
from typing import Any

import torch

from zoo.cards.kipoi import ModelDescription
from zoo.errors import ModelError
from zoo.models.files import argument_path
from zoo.models.foreign_python import blame, import_file, inside, require_trust
from zoo.paths import refuse_pointers
from zoo.store.remote import remote_argument

__all__ = ["build_module", "files_used", "load_into", "load_tensors"]


def files_used(model: ModelDescription, trusted: bool = True) -> tuple[Path, Path]:
    """The Python file and the weights file that ``model.yaml`` names; remote weights are fetched into the cache.

    Args:
        trusted: whether Python of this folder may run; if not, nothing is fetched for it.

    Raises:
        ModelError: the arguments of PyTorchModel are incomplete, or a file is missing.
        TrustError: the weights are remote and the folder is not trusted.
        FetchError: remote weights are not in the cache and cannot be fetched.
    """
    args, document = model.args, model.document
    object_name = args.get("module_class") or args.get("module_obj")
    if not object_name:
        raise document.error(("args",), "lacks `args.module_class`", "name the torch.nn.Module class")
    source = args.get("module_file") or f"{str(object_name).rpartition('.')[0].replace('.', '/')}.py"
    path = model.folder / str(source)
    if not path.is_file():
        message = f"{path} does not exist"
        raise document.error(("args", "module_file"), message, "fetch the entry again, or correct the path")
    if remote_argument(model, "weights") is not None:
        require_trust(path, trusted, model.folder)
    return path, argument_path(model, "weights")


def build_module(model: ModelDescription, trusted: bool) -> torch.nn.Module:
    """Import the folder's Python file, build the module and load its weights.

    Args:
        trusted: whether Python of this folder may run.

    Raises:
        TrustError: not trusted. ModelError: anything in file, class or weights is wrong.
    """
    source, weights = files_used(model, trusted)
    require_trust(source, trusted, model.folder)
    state = load_tensors(weights)
    with blame(f"{source}: importing it"):
        module_file = import_file(source, model.folder)
    module = _instance(model, module_file)
    load_into(module, state, weights)
    return module.eval()


def _instance(model: ModelDescription, module_file: ModuleType) -> torch.nn.Module:
    args, document = model.args, model.document
    key = "module_class" if args.get("module_class") else "module_obj"
    name = str(args[key]).rpartition(".")[2]
    try:
        found = getattr(module_file, name)
    except AttributeError:
        raise document.error(("args", key), f"{module_file.__file__} has no {name!r}", "correct the name") from None
    if key == "module_obj":
        module = copy.deepcopy(found)  # the file is run once, however often its model is loaded
    else:
        fault = f"{document.path}:{document.line(('args', key))}"
        path = Path(module_file.__file__)
        with blame(f"{fault}: making {name}", fix="correct module_kwargs"), inside(model.folder, path):
            module = found(**(args.get("module_kwargs") or {}))
    if not isinstance(module, torch.nn.Module):
        raise document.error(("args", key), f"{name} is no torch.nn.Module", "name a module class")
    return module


# ---------------------------------------------------------------- tensors as data


def load_tensors(path: Path, allow_numpy: bool = False) -> Any:
    """Read a weights file without running code from it.

    Args:
        path: ``.safetensors``, or a file of ``torch.save``.
        allow_numpy: also accept numpy arrays and scalars, which gReLU checkpoints hold.

    Raises:
        ModelError: damaged, not a weights file, or a pickle that would import or call something.
    """
    refuse_pointers((path,))
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
            f"{len(missing)} missing, {len(surplus)} surplus, {len(other)} of another shape"
            + _first_of(missing=missing, surplus=surplus, other=sorted(other)),
            "Fix: give the weights that belong to this architecture",
        ) from None


def _first_of(n: int = 3, **names: list[str]) -> str:
    """The first names of each kind, where there are several names in all."""
    if sum(map(len, names.values())) < 2:
        return ""
    return ": " + "; ".join(
        f"{kind} {', '.join(found[:n])}{', ...' if len(found) > n else ''}" for kind, found in names.items() if found
    )


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
