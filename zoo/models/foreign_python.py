"""Python of a foreign folder: whether it may run, how it is imported, and what its exceptions mean.

The files of a folder become modules of a package of their own (``zoo_foreign_<digest>``), which they take for the
top level: ``import utils`` in one of them is ``zoo_foreign_<digest>.utils``, at loading and at any later time, because
their ``__import__`` looks into the folder first. So the ``utils`` of one model is never that of the next, nor of an
installed package, and no file of a folder hides a module from anybody else. ``sys.path`` and all other names in
``sys.modules`` are left as they were.

Only source is read: a ``.pyc`` beside it can hold other code than the file that was read, checked and trusted.
"""

from __future__ import annotations

import builtins
import errno
import hashlib
import importlib
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from zoo.errors import ModelError, SystemStateError, TrustError, ZooError
from zoo.extras import require

__all__ = [
    "blame",
    "call_module",
    "import_file",
    "import_object",
    "inside",
    "python_file",
    "require_kipoi",
    "require_trust",
]

PREFIX = "zoo_foreign_"
TORCH, ZOO = (f"{Path(path).resolve().parent}{os.sep}" for path in (torch.__file__, sys.modules["zoo"].__file__))
INTERPRET = f"{Path(ZOO).parent}{os.sep}interpret{os.sep}"  # beside it, wherever both are installed
# What a full disk or another fault of the machine raises; the run says what to do about it.
MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


# ---------------------------------------------------------------- may it run


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


# ---------------------------------------------------------------- what a YAML names


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
    with blame(f"{fault}: importing {defined_as}"):
        if path is None:
            module, _, name = name.rpartition(".")
            with inside(folder):
                found: Any = importlib.import_module(module)
        else:
            dotted = "" if "::" in defined_as else defined_as.removesuffix(f".{name}")
            found = import_file(path, folder, dotted)
        for part in name.split("."):
            if not hasattr(found, part):
                raise ModelError(f"{fault}: {path or defined_as} has no {part!r}", "", "Fix: correct the name")
            found = getattr(found, part)
        return found


def import_file(path: Path, folder: Path, dotted: str = "") -> ModuleType:
    """Import a Python file of a folder; a file that was imported before and has not changed is not run again.

    Args:
        dotted: its name from the folder on (``nets.conv``) where it is a module of a package; else what it imports
            is looked for beside it first.

    Raises:
        Exception: whatever the file raises; `blame` explains it.
    """
    path = Path(os.path.abspath(path))
    with inside(folder, path, dotted) as space:
        return space.load(path, dotted)


@contextmanager
def inside(folder: Path, path: Path | None = None, dotted: str = "") -> Iterator[_Space]:
    """Run Python of a folder: there, as Kipoi does, since its models open their files by relative paths.

    Meanwhile the folder's modules also answer to their bare names for those who import by text (pickles,
    ``importlib.import_module``). The working folder, ``sys.path`` and ``sys.modules`` are put back afterwards.
    One thread at a time: the working folder is the whole process's.
    """
    with _LOCK:
        space = _space_of(_places(Path(folder), path, dotted))
        before, search, entries = os.getcwd(), sys.path, list(sys.path)
        finder, outer = _BareNames(space), space.loading
        os.chdir(folder)
        sys.path[:] = [os.path.join(before, entry) for entry in entries]  # "" is no other folder than it was
        space.seen.update(sys.path)
        hidden = {name: sys.modules.pop(name) for name in space.namesakes()}
        known = set(sys.modules)
        sys.meta_path.insert(0, finder)
        space.loading = True
        try:
            yield space
        finally:
            space.adopt_places()  # code that runs later finds them again
            space.loading = outer
            sys.meta_path.remove(finder)
            os.chdir(before)
            sys.path = search
            sys.path[:] = entries
            for name in set(sys.modules) - known:
                if space.owns(name):
                    del sys.modules[name]
            sys.modules.update(hidden)


# ---------------------------------------------------------------- modules of a folder

_LOCK = threading.RLock()
_SPACES: dict[tuple[str, ...], _Space] = {}
_NAMED: dict[str, _Space] = {}


def _places(folder: Path, path: Path | None, dotted: str) -> tuple[str, ...]:
    """Folders that imports of a file are looked for in, in order."""
    root = os.path.abspath(folder)
    beside = os.path.dirname(os.path.abspath(path)) if path is not None else root
    return tuple(dict.fromkeys([root, beside] if dotted else [beside, root]))


def _space_of(places: tuple[str, ...]) -> _Space:
    """The modules of a folder, shared by its model and its dataloader; new ones where a file has changed since."""
    space = _SPACES.get(places)
    if space is None or space.is_stale():
        digest = hashlib.sha256("\0".join(places).encode()).hexdigest()[:12]
        name = f"{PREFIX}{digest}"
        count = sum(one == name or one.startswith(f"{name}_") for one in _NAMED)
        space = _SPACES[places] = _Space(f"{name}_{count}" if count else name, places)
        _NAMED[space.name] = space
        sys.modules[space.name] = space.root
    space.absent.clear()  # a file may have come since
    space.seen.update(sys.path)
    return space


class _Space:
    """The modules of a folder below the package that is made for them, and their ``__import__``.

    Attributes:
        name: of the package.
        places: where its modules are looked for; the package's ``__path__``.
        loading: whether code of the folder runs in `inside`: then what comes into ``sys.path`` came from it.
    """

    def __init__(self, name: str, places: tuple[str, ...]) -> None:
        self.name, self.root, self.places, self.folders = name, ModuleType(name), list(places), places
        self.root.__path__ = self.places
        self.builtins = vars(builtins) | {"__import__": self.import_module}
        self.absent: set[str] = set()  # top-level names that the folder does not have
        self.seen = set(sys.path)
        self.loading = False
        self.files: dict[str, tuple[int, int] | None] = {}
        for place in places:
            for entry in os.scandir(place):
                if entry.is_file():
                    self.record(entry.path)

    def record(self, path: str) -> None:
        """Remember the state of a file that was there, or was run, when the modules were loaded."""
        self.files[path] = _state(path)

    def is_stale(self) -> bool:
        """Whether such a file has changed."""
        return any(_state(path) != state for path, state in self.files.items())

    def import_module(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
    ) -> ModuleType:
        """``__import__`` of the folder's files: its own modules come first."""
        head = name.partition(".")[0]
        if level or not self.has(head):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(f"{self.name}.{name}", globals, locals, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{self.name}.{head}"]

    def has(self, head: str) -> bool:
        """Whether a top-level name is a module of the folder.

        Python's built-in and frozen modules come first, as everywhere; a folder without ``__init__.py`` last.
        """
        if f"{self.name}.{head}" in sys.modules:
            return True
        if not self.seen.issuperset(sys.path):
            self.adopt_places()
        if head in self.absent:
            return False
        spec = None
        if head not in sys.builtin_module_names and FrozenImporter.find_spec(head) is None:
            spec = _find(f"{self.name}.{head}", self.places)
        if spec is not None and spec.loader is None:
            elsewhere = PathFinder.find_spec(head, [place for place in sys.path if place not in ("", *self.places)])
            spec = None if head in sys.modules or (elsewhere and elsewhere.loader) else spec
        if spec is None:
            self.absent.add(head)
        return spec is not None

    def adopt_places(self) -> None:
        """Take over what the folder's code puts into ``sys.path``."""
        for place in [one for one in sys.path if one not in self.seen]:
            self.seen.add(place)
            absolute = os.path.abspath(place)
            if absolute not in self.places and (self.loading or _is_below(absolute, self.folders)):
                self.places.append(absolute)
                self.absent.clear()

    def namesakes(self) -> list[str]:
        """Modules in memory that bear the name of a file here; the standard library and installed packages stay."""
        heads = {
            entry.partition(".")[0] for place in self.places if os.path.isdir(place) for entry in os.listdir(place)
        }
        heads &= sys.modules.keys() - sys.stdlib_module_names - {"__main__"}
        heads = {head for head in heads if not _is_installed(sys.modules[head])}
        return [name for name in sys.modules if name.partition(".")[0] in heads]

    def owns(self, name: str) -> bool:
        """Whether a name in ``sys.modules`` is a bare name of a module that is the folder's."""
        module = sys.modules[name]
        if name.startswith(PREFIX) or _is_installed(module):
            return False
        file = getattr(module, "__file__", None)
        inner = str(getattr(module, "__name__", "")).startswith(f"{self.name}.")
        return inner or (bool(file) and _is_below(file, self.places))

    def load(self, path: Path, dotted: str) -> ModuleType:
        """The module of a file, which is run unless it was before."""
        name = f"{self.name}.{dotted or path.stem}"
        if dotted or ("." not in path.stem and _origin(_find(name, self.places)) == str(path)):
            return importlib.import_module(name)
        # A name that no import statement reaches: my.model.py, or model.py beside a folder model/.
        name = f"{self.name}.file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path, loader=_SourceOnly(name, str(path)))
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # dataclasses and pickles look it up
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


class _SourceOnly(SourceFileLoader):
    """Runs a file of a folder with the folder's ``__import__``; reads and leaves no bytecode."""

    def path_stats(self, path: str) -> Any:
        raise OSError("without a date no bytecode is read or written")

    def exec_module(self, module: ModuleType) -> None:
        space = _NAMED[module.__name__.partition(".")[0]]
        space.record(self.path)
        module.__dict__["__builtins__"] = space.builtins
        super().exec_module(module)


class _Folders:
    """Finds modules of the packages ``zoo_foreign_...``; stays in ``sys.meta_path``."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        return _find(fullname, path) if path is not None and fullname.startswith(PREFIX) else None


class _BareNames:
    """Lets one thread import a folder's modules by bare names, for as long as `inside` lasts.

    The standard library keeps its names: its own modules import each other by them.
    """

    def __init__(self, space: _Space) -> None:
        self.space, self.thread = space, threading.get_ident()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        head = fullname.partition(".")[0]
        if threading.get_ident() != self.thread or fullname.startswith(PREFIX) or head in sys.stdlib_module_names:
            return None
        return ModuleSpec(fullname, self) if self.space.has(head) else None

    def create_module(self, spec: ModuleSpec) -> None: ...

    def exec_module(self, module: ModuleType) -> None:
        name = module.__spec__.name
        sys.modules[name] = importlib.import_module(f"{self.space.name}.{name}")


sys.meta_path.insert(0, _Folders)


def _find(fullname: str, places: Sequence[str]) -> ModuleSpec | None:
    """Search a path as Python does; source and compiled extensions, no bytecode."""
    parts: list[str] = []
    for place in places:
        finder = FileFinder(place, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceOnly, SOURCE_SUFFIXES))
        spec = finder.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            return spec
        parts += spec.submodule_search_locations if spec is not None else []
    if not parts:
        return None
    spec = ModuleSpec(fullname, None, is_package=True)
    spec.submodule_search_locations = parts
    return spec


def _origin(spec: ModuleSpec | None) -> str | None:
    return None if spec is None else spec.origin


def _state(path: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _is_installed(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and Path(file).is_relative_to(sys.prefix)


# ---------------------------------------------------------------- what it raises


@contextmanager
def blame(what: str, given: str = "", fix: str = "correct it, or tell its authors") -> Iterator[None]:
    """Turn what a model's own Python raises into an error that names its line.

    Args:
        what: what was being done, after the name or ``file:line`` that the user knows.
        given: what it was done with.
        fix: what to do where it is neither memory nor a missing package.

    Raises:
        ModelError: the model's fault. SystemStateError: a package is missing, or memory.
        torch.OutOfMemoryError, OSError: of the device, or of the machine (a full disk): the run knows what to do.
    """
    try:
        yield
    except (ZooError, KeyboardInterrupt, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in MACHINE:
            raise
        raise _explained(error, what, given, fix) from error


def call_module(module: torch.nn.Module, batch: torch.Tensor, name: str) -> Any:
    """``module(batch)``.

    Args:
        name: what the user calls the model.

    Raises:
        See `blame`; the runner halves the batch on ``torch.OutOfMemoryError``.
    """
    fix = "correct the model, or tell its authors; `zoo test` runs it on its example"
    with blame(f"{name}: the model", f"on an input of shape {tuple(batch.shape)}", fix):
        return module(batch)


def _explained(error: BaseException, what: str, given: str, fix: str) -> ZooError:
    place = _place(error)
    extent = ", ".join(filter(None, (f"raised at {place}" if place else "", given)))
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return SystemStateError(f"{what} failed: not enough memory", extent, "Fix: `zoo predict --batch-size 8`, say")
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(PREFIX):
        package = error.name.partition(".")[0]
        if package in sys.modules:
            lack, cure = f"it needs {error.name}, which the installed {package} does not have", "another version"
            return SystemStateError(
                f"{what} failed: {lack}", extent, f"Fix: {cure} of {package} (model.yaml's `dependencies` tells which)"
            )
        return SystemStateError(
            f"{what} failed: it needs the package {package}, which is not installed",
            extent,
            f"Fix: pip install {package} (model.yaml's `dependencies` tells which version)",
        )
    plain = re.sub(rf"{PREFIX}[0-9a-f]+(_\d+)?(\.)?", lambda found: "" if found[2] else "the folder", str(error))
    message = " ".join(plain.split())[:300] or "(no message)"
    return ModelError(f"{what} failed: {type(error).__name__}: {message}", extent, f"Fix: {fix}")


def _place(error: BaseException) -> str | None:
    """``file:line`` of the innermost frame of a foreign file; where there is none, outside torch and this package."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    foreign, other, trace = None, None, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if str(trace.tb_frame.f_globals.get("__name__", "")).startswith(PREFIX):
            foreign = f"{file}:{trace.tb_lineno}"
        elif not file.startswith((TORCH, ZOO, INTERPRET)) and os.path.isfile(file):
            other = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return foreign or other
