"""A Kipoi folder with ``kipoi.model.PyTorchModel``: Python file, class, weights -> module."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch

from zoo.cards.kipoi import ModelDescription
from zoo.errors import ModelError, TrustError
from zoo.models.weights import load_into, load_tensors
from zoo.store.cache import argument_path
from zoo.store.remote import remote_argument

__all__ = ["build_module", "files_used"]


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
        _require_trust(model, path, trusted)
    return path, argument_path(model, "weights")


def _require_trust(model: ModelDescription, source: Path, trusted: bool) -> None:
    if not trusted:
        raise TrustError(
            f"{source}: this model runs Python of a folder that is not trusted",
            "tensors are data, Python is code: nothing was run",
            f"Fix: read the file, then add --trust (zoo.load_model({str(model.folder)!r}, trust=True))",
        )


def build_module(model: ModelDescription, trusted: bool) -> torch.nn.Module:
    """Import the folder's Python file, build the module and load its weights.

    Args:
        trusted: whether Python of this folder may run.

    Raises:
        TrustError: not trusted. ModelError: anything in file, class or weights is wrong.
    """
    source, weights = files_used(model, trusted)
    _require_trust(model, source, trusted)
    state = load_tensors(weights)
    with _import_file(source) as module_file:
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
    try:
        module = found(**(args.get("module_kwargs") or {})) if key == "module_class" else found
    except (Exception, SystemExit) as error:
        raise document.error(
            ("args", key), f"{name} could not be built: {type(error).__name__}: {error}", "correct module_kwargs"
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise document.error(("args", key), f"{name} is no torch.nn.Module", "name a module class")
    return module


@contextmanager
def _import_file(path: Path) -> Iterator[ModuleType]:
    """Import a file under a name of its own, so that entries with like-named files do not meet."""
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"zoo_entry_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look the module up
    sys.path.insert(0, str(path.parent))  # neighbours that the file imports
    try:
        spec.loader.exec_module(module)
        yield module
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{path}: importing it failed: {type(error).__name__}: {error}",
            "",
            "Fix: install what it imports, or correct it",
        ) from error
    finally:
        sys.path.remove(str(path.parent))
