"""Import what a Kipoi YAML names (``file.py::Object`` or ``module.Object``), and explain what it raises."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.errors import ModelError, SystemStateError, TrustError, ZooError
from zoo.extras import require

__all__ = ["blame", "import_object", "inside", "python_file", "require_kipoi", "require_trust"]


def require_kipoi(what: str) -> None:
    """Raise SystemStateError when kipoi, whose base classes ``what`` inherits from, is not installed."""
    require(what, "kipoi", "kipoiseq")


def require_trust(path: Path, trusted: bool, folder: Path) -> None:
    """Raise TrustError unless Python of the folder may run."""
    if not trusted:
        raise TrustError(
            f"{path}: this model runs Python of a folder that is not trusted",
            "tensors are data, Python is code (and YAML, where a dataloader evaluates it): nothing was run",
            f"Fix: read the file, then add --trust (zoo.load_model({str(folder)!r}, trust=True))",
        )


def python_file(defined_as: str, folder: Path) -> tuple[Path | None, str]:
    """The file that a name means (None for an installed package), and the object's name in it."""
    if "::" in defined_as:
        file, _, name = defined_as.partition("::")
        return folder / file, name
    parts = defined_as.split(".")
    for n in range(len(parts) - 1, 0, -1):
        path = folder.joinpath(*parts[:n]).with_suffix(".py")
        if path.is_file():
            return path, ".".join(parts[n:])
    return None, defined_as


def import_object(defined_as: str, folder: Path, fault: str) -> Any:
    """The class or function that a YAML names; the folder's own files come before installed packages.

    Args:
        folder: where its files are; the working folder while they are imported, as in Kipoi.
        fault: ``file:line`` of the YAML, for errors.

    Raises:
        ModelError: no such file or object, or importing it failed. SystemStateError: a package is missing.
    """
    path, name = python_file(defined_as, folder)
    if path is not None and not path.is_file():
        raise ModelError(f"{fault}: {path} does not exist", "", "Fix: fetch the model again, or correct the name")
    if path is None and "." not in name:
        raise ModelError(f"{fault}: {name!r} names no object of a module", "", "Fix: write file.py::Object")
    with blame(f"{fault}: importing {defined_as}"), inside(folder):
        found: Any = _import_file(path, folder) if path else None
        if found is None:
            module, _, name = name.rpartition(".")
            found = importlib.import_module(module)
        for part in name.split("."):
            if not hasattr(found, part):
                raise ModelError(f"{fault}: {path or defined_as} has no {part!r}", "", "Fix: correct the name")
            found = getattr(found, part)
        return found


def _import_file(path: Path, folder: Path) -> ModuleType:
    """Import a file under a name of its own; its neighbours are forgotten afterwards.

    Otherwise the ``utils`` of one model would be the ``utils`` of the next.
    """
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"zoo_kipoi_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    places = [str(path.parent.resolve()), str(folder.resolve())]
    namesakes = {other: sys.modules.pop(other) for other in _namesakes(places)}
    before = set(sys.modules)
    sys.modules[name] = module  # dataclasses and pickling look the module up
    sys.path[:0] = places
    try:
        spec.loader.exec_module(module)
    finally:
        for place in places:
            sys.path.remove(place)
        for other in set(sys.modules) - before - {name}:
            file = getattr(sys.modules[other], "__file__", None)
            if file and any(Path(file).resolve().is_relative_to(place) for place in places):
                del sys.modules[other]
        sys.modules.update(namesakes)
    return module


def _namesakes(places: list[str]) -> list[str]:
    """Modules in memory that bear the name of a file here and came from another folder of models."""
    found = []
    for file in {file for place in places for file in Path(place).glob("*.py")}:
        loaded = getattr(sys.modules.get(file.stem), "__file__", None)
        if loaded and not Path(loaded).is_relative_to(sys.prefix) and file.stem not in sys.stdlib_module_names:
            found.append(file.stem)
    return found


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder for a while: Kipoi's models open their files by relative paths."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def blame(what: str) -> Iterator[None]:
    """Turn what a model's own Python raises into an error that names its line."""
    try:
        yield
    except (ZooError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        raise SystemStateError(
            f"{what} failed: it needs the package {error.name}, which is not installed",
            "",
            f"Fix: pip install {error.name} (model.yaml's `dependencies` tells which version)",
        ) from error
    except (Exception, SystemExit) as error:
        first = (str(error).splitlines() or ["(no message)"])[0][:200]
        raise ModelError(
            f"{what} failed: {type(error).__name__}: {first}", _place(error), "Fix: correct it, or tell its authors"
        ) from error


def _place(error: BaseException) -> str:
    """``file:line`` of the innermost frame that is not of this file."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return f"raised at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
