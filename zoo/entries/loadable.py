"""May a Kipoi folder become an entry: what of it can be seen to be broken without running any of its code.

YAML and card are read, files looked for, weights read as data; a Keras model is built and run, since nothing of its
folder runs for that. What only the folder's Python can say is left to ``zoo test``.
"""

from __future__ import annotations

import ast
import importlib.util
import os
from pathlib import Path

from zoo.cards.kipoi import ModelDescription
from zoo.errors import ModelError
from zoo.models.entry import Entry, has_own_loader, open_entry
from zoo.models.files import argument_path
from zoo.models.foreign_python import python_file
from zoo.models.kipoi_native import PICKLES, refuse_tensorflow
from zoo.models.load import GRELU, framework_of, load_entry
from zoo.models.sequence_loader import given_length, loader_from_kipoi
from zoo.paths import refuse_pointers
from zoo.store.remote import remote_argument

__all__ = ["check_loadable"]


def check_loadable(folder: Path) -> None:
    """Refuse a folder that cannot be loaded, with the reason.

    Raises:
        ModelError: YAML, card, a file, weights or layers are broken, or of a kind that does not run here.
    """
    entry = open_entry(folder)
    description = entry.description
    own = has_own_loader(entry)
    if own:
        _check_python(description, description.loader.defined_as, description.loader.folder or description.folder)
    elif given_length(description.loader.args, description) is not None:
        loader_from_kipoi(description.loader, description)
    _check_inside(description)
    if description.defined_as == GRELU:
        _check_checkpoint(description)
        return
    checks = {"pytorch": _check_pytorch, "keras": _check_keras, "kipoi": _check_native}
    checks[framework_of(description)[0]](entry, own)


def _check_inside(description: ModelDescription) -> None:
    """What lies beside the folder is not copied with it."""
    folder = os.path.abspath(description.folder)
    named = {("args", key): value for key, value in description.args.items() if isinstance(value, str)}
    named |= {("default_dataloader",): str(description.loader.folder or folder)}
    for location, value in named.items():
        path = os.path.normpath(os.path.join(folder, value))
        if os.path.exists(path) and os.path.commonpath([folder, path]) != folder:
            raise description.document.error(
                location, f"{path} is outside of the folder, and would not be copied", "put it into the folder"
            )


def _check_checkpoint(description: ModelDescription) -> None:
    if remote_argument(description, "checkpoint") is None:
        from zoo.models.grelu import read_checkpoint

        read_checkpoint(argument_path(description, "checkpoint"))


def _check_keras(entry: Entry, own: bool) -> None:
    """Built from data, and run on one window where its dataloader is replaced."""
    description = entry.description
    if any(remote_argument(description, name) is not None for name in ("weights", "arch")):
        return
    reader = framework_of(description)[1]
    refuse_pointers(reader.files_used(description))
    if own or given_length(description.loader.args, description) is None:
        reader.build_module(description)
    else:
        load_entry(entry)


def _check_pytorch(entry: Entry, own: bool) -> None:
    from zoo.models.pytorch import files_used, load_tensors

    description = entry.description
    if remote_argument(description, "weights") is not None:
        return
    source, weights = files_used(description)
    key = "module_class" if description.args.get("module_class") else "module_obj"
    _check_names(source, str(description.args[key]).rpartition(".")[2], description, ("args", key))
    load_tensors(weights)


def _check_native(entry: Entry, own: bool) -> None:
    description = entry.description
    refuse_tensorflow(description)
    if description.defined_as not in PICKLES:
        _check_python(description, description.defined_as, description.folder)
        return
    key = PICKLES[description.defined_as]
    if remote_argument(description, key) is None:
        refuse_pointers((argument_path(description, key),))


def _check_python(description: ModelDescription, defined_as: str, folder: Path) -> None:
    """The file that a name means is there, is Python and defines the name; or an installed package has it."""
    source, name = python_file(defined_as, folder)
    if source is None:
        package = defined_as.partition(".")[0]
        if importlib.util.find_spec(package) is None and not defined_as.startswith(("kipoi.", "kipoiseq.")):
            raise description.document.error(
                ("defined_as",),
                f"{defined_as}: {folder} has no such file, and no package {package} is installed",
                "add the file, or correct the name",
            )
        return
    if not source.is_file():
        raise description.document.error(
            ("defined_as",), f"{source} does not exist", "add the file, or correct the name"
        )
    _check_names(source, name.partition(".")[0], description, ("defined_as",))


def _check_names(source: Path, name: str, description: ModelDescription, location: tuple[str, ...]) -> None:
    refuse_pointers((source,))
    try:
        tree = ast.parse(source.read_bytes(), str(source))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{source}:{line}" if line else str(source)
        raise ModelError(f"{where}: is not Python: {error}", "it was read, not run", "Fix: correct it") from None
    if not _may_define(tree, name):
        raise description.document.error(location, f"{source} has no {name!r}", "correct the name")


def _may_define(tree: ast.Module, name: str) -> bool:
    """Whether a name is bound anywhere in a file, or could come by ``import *``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name).partition(".")[0] in (name, "*"):
            return True
    return False
