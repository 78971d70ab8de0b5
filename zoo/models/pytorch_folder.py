"""A Kipoi folder with ``kipoi.model.PyTorchModel``: Python file, class, weights -> module."""

from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType

import torch

from zoo.cards.kipoi import ModelDescription
from zoo.models.foreign_python import blame, import_file, inside, require_trust
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
