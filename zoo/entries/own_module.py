"""The user's own ``MODULE.py:Class``: what it imports, built, its weights put in, and tried on a window.

The file is the user's, and named by the user: it is run, as Python would run it. Weights are read as data.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo.errors import ModelError, UsageError
from zoo.models.foreign_python import blame, import_file
from zoo.models.pytorch import load_into, load_tensors
from zoo.words import near_names

__all__ = ["OwnModule", "TriedOutput", "names_a_module", "read_module", "try_module"]

SOURCE = re.compile(r"(?P<file>.+\.py)(?::(?P<name>\w+))?")
ALWAYS_THERE = {"torch", "numpy"}
WINDOWS = 3  # tried at once, and one by one


@dataclass(frozen=True)
class OwnModule:
    """A module that is built, with its weights.

    Attributes:
        path, name: of the file, and of the class.
        kwargs: what it was built with.
        packages: that it imports, beside torch and numpy.
    """

    path: Path
    name: str
    kwargs: dict[str, Any]
    module: torch.nn.Module
    packages: tuple[str, ...]


@dataclass(frozen=True)
class TriedOutput:
    """One output, as it came: its name where the module gives one, and its shape after the axis of windows."""

    name: str | None
    shape: tuple[int, ...]


def names_a_module(source: str) -> bool:
    """Whether a source is ``FILE.py`` or ``FILE.py:Class``."""
    return SOURCE.fullmatch(source) is not None and "://" not in source


def read_module(source: str, weights: Path | None, kwargs: Mapping[str, Any]) -> OwnModule:
    """Import the file, build the class and load the weights, strictly.

    Raises:
        UsageError: no class is named, or ``weights`` are needed. ModelError: no such file or class, an import that
            cannot be had or would not come with the entry, arguments that do not fit, weights that carry code or are
            another architecture's.
    """
    match = SOURCE.fullmatch(source)
    path, name = Path(match["file"]), match["name"]
    tree = _parsed(path)
    packages = _packages(tree, path)
    if name is None:
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        raise UsageError(
            f"{source}: no class is named",
            f"the file has {', '.join(classes) or 'none'}",
            f"Fix: {path}:{classes[-1] if classes else 'MyModel'}",
        )
    state = None if weights is None else load_tensors(weights)
    with blame(f"{path}: importing it"):
        file = import_file(path.absolute(), path.absolute().parent)
    module = _built(path, name, getattr(file, name, None), [one for one in dir(file) if one[:1] != "_"], kwargs)
    if state is not None:
        _refuse_nested(state, weights)
        load_into(module, state, weights)
    elif module.state_dict():
        raise UsageError(
            f"{source}: {name} has weights ({len(module.state_dict()):,} tensors), and no file was given",
            "",
            "Fix: add --weights FILE, of torch.save(model.state_dict(), FILE) or safetensors",
        )
    return OwnModule(path, name, dict(kwargs), module.eval(), packages)


def _refuse_nested(state: Any, weights: Path) -> None:
    """A training checkpoint often holds the state dict below a key, beside the optimizer's."""
    nested = [key for key, value in state.items() if _is_state(value)] if isinstance(state, dict) else []
    if nested and not _is_state(state):
        one = f"torch.load({str(weights)!r}, weights_only=True)[{nested[0]!r}]"
        raise ModelError(
            f"{weights}: is a checkpoint that holds a state dict below {nested[0]!r}",
            f"beside {', '.join(str(key) for key in state if key != nested[0]) or 'nothing'}",
            f"Fix: python -c \"import torch; torch.save({one}, 'weights.pth')\", then --weights weights.pth",
        )


def _is_state(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(one, torch.Tensor) for one in value.values())


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", "", "Fix: check the path") from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ModelError(f"{path}{f':{line}' if line else ''}: is no Python: {error}", "", "Fix: correct it") from None


def _packages(tree: ast.Module, path: Path) -> tuple[str, ...]:
    """What the file imports, beside the standard library; all of it must be installed, and none lie beside it."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [("." * node.level) + (node.module or "")]
        for name in names:
            found.setdefault(name if name.startswith(".") else name.partition(".")[0], node.lineno)
    own = path.absolute().parent
    beside = [
        n for n in found if n.startswith(".") or (own / f"{n}.py").is_file() or (own / n / "__init__.py").is_file()
    ]
    if beside:
        raise ModelError(
            f"{path}:{found[beside[0]]}: imports {', '.join(beside)}, which would not be in the entry",
            "it lies beside the file; an entry has one Python file, which imports installed packages only",
            "Fix: put the classes that are needed into one file",
        )
    others = [name for name in found if name not in sys.stdlib_module_names and name not in ALWAYS_THERE]
    missing = [name for name in others if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{path}:{found[missing[0]]}: imports {', '.join(missing)}, which is not installed",
            "nothing was run",
            f"Fix: pip install {' '.join(missing)} (or what the package is called), or leave out the import",
        )
    return tuple(others)


def _built(path: Path, name: str, found: Any, names: list[str], kwargs: Mapping[str, Any]) -> torch.nn.Module:
    if found is None:
        near = near_names(name, names)
        raise ModelError(f"{path}: has no class {name!r}", f"near names: {', '.join(near) or '-'}", "Fix: correct it")
    if not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        what = f"an object of {type(found).__name__}" if not isinstance(found, type) else "another kind of class"
        raise ModelError(f"{path}: {name} is no class of torch.nn.Module, it is {what}", "", "Fix: name the class")
    parameters = inspect.signature(found).parameters.values()
    given = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    free = any(one.kind is one.VAR_KEYWORD for one in parameters)
    if lacking := [one.name for one in given if one.default is one.empty and one.name not in kwargs]:
        raise UsageError(
            f"{path}: {name} is built with {', '.join(lacking)}, which was not given",
            "",
            f"Fix: add {' '.join(f'--set {one}=VALUE' for one in lacking)}",
        )
    if unknown := [one for one in kwargs if not free and one not in {two.name for two in given}]:
        takes = ", ".join(one.name for one in given) or "nothing"
        raise UsageError(f"--set {unknown[0]}: {name} takes no such argument", f"it takes {takes}", "Fix: correct it")
    with blame(f"{path}: making {name}", fix="correct --set"):
        return found(**kwargs)


def try_module(own: OwnModule, length: int, axes: str) -> list[TriedOutput]:
    """Run the module on random windows: its outputs, once it is seen that they belong to the windows.

    Args:
        length: bp. axes: ``4xL``, windows of (4, length), or ``Lx4``, of (length, 4).

    Raises:
        ModelError: it does not take such windows, gives no tensors, or what it says of a window depends on the others
            of its batch.
    """
    codes = torch.randint(4, (WINDOWS, length), generator=torch.Generator().manual_seed(0))
    windows = torch.nn.functional.one_hot(codes, 4).float()
    windows = windows if axes == "Lx4" else windows.transpose(1, 2).contiguous()
    together = _run(own, windows, axes)
    alone = _run(own, windows[:1], axes)
    for name, values in together.items():
        if values.ndim < 2 or values.shape[0] != WINDOWS:
            raise ModelError(
                f"{own.path}: {own.name} gives {tuple(values.shape)} for {WINDOWS} windows",
                "a scalar is (windows, tracks), a profile (windows, tracks, bins)",
                "Fix: let forward return one row a window, such as (windows, 1)",
            )
        if values.ndim > 3:
            raise ModelError(
                f"{own.path}: {own.name} gives {values.ndim} axes, {tuple(values.shape)}",
                "a scalar is (windows, tracks), a profile (windows, tracks, bins)",
                "Fix: let forward return two or three axes",
            )
        first = alone[name]
        if first.shape[1:] != values.shape[1:] or not torch.allclose(first[0], values[0], rtol=1e-3, atol=1e-4):
            raise ModelError(
                f"{own.path}: what {own.name} gives for a window depends on the others of its batch, or on chance",
                "a prediction belongs to one window",
                "Fix: let forward treat windows apart, without random numbers",
            )
    return [TriedOutput(name or None, tuple(values.shape[1:])) for name, values in together.items()]


def _run(own: OwnModule, windows: torch.Tensor, axes: str) -> dict[str, torch.Tensor]:
    try:
        with torch.inference_mode():
            result = own.module(windows)
    except Exception as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        other = "4xL" if axes == "Lx4" else "Lx4"
        raise ModelError(
            f"{own.path}: {own.name} does not take windows of {tuple(windows.shape)}: {text}",
            f"--axes {axes} and --length {windows.shape[1] if axes == 'Lx4' else windows.shape[2]}",
            f"Fix: give the length that it was trained on, or --axes {other}",
        ) from None
    if isinstance(result, Mapping):
        named = {str(name): value for name, value in result.items()}
    elif isinstance(result, list | tuple):
        named = {f"output_{i}": value for i, value in enumerate(result)} if len(result) > 1 else {"": result[0]}
    else:
        named = {"": result}
    if wrong := [type(value).__name__ for value in named.values() if not isinstance(value, torch.Tensor)]:
        raise ModelError(
            f"{own.path}: {own.name} gives {wrong[0]} where a tensor is expected",
            "",
            "Fix: let forward return a tensor, or a list or dict of tensors",
        )
    return {name: value.detach() for name, value in named.items()}
