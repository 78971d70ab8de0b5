"""Packages that are not always installed: which extra of ours brings each, and what to type where one is missing.

``pyproject.toml`` declares them with the versions that were run. An optional package is imported inside ``needs``, and
a command that would meet it late calls ``require`` before its work.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zoo.errors import SystemStateError

__all__ = ["EXTRAS", "fix_for", "is_a", "is_installed", "needs", "require"]

#: Import name -> the extra that brings it.
EXTRAS = {
    "huggingface_hub": "hub",
    "pyarrow": "formats",
    "zarr": "formats",
    "captum": "interpret",
    "logomaker": "interpret",
    "matplotlib": "interpret",
    "memelite": "interpret",
    "modiscolite": "interpret",
    "pandas": "interpret",
    "pyjaspar": "interpret",
    "scipy": "interpret",
    "tangermeme": "interpret",
    "enformer_pytorch": "finetune",
    "figwig": "finetune",
    "grelu": "finetune",
    "imblearn": "finetune",
    "pytorch_lightning": "finetune",
    "sklearn": "finetune",
    "tensorboardX": "finetune",
    "wandb": "finetune",
    "ray": "ray",
    "anndata": "notebook",
    "xarray": "notebook",
    "kipoi": "kipoi",
    "kipoiseq": "kipoi",
}


def is_installed(package: str) -> bool:
    """Whether a package can be found; it is not imported."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a broken entry of sys.modules or sys.path
        return False


def is_a(value: Any, package: str, *classes: str) -> bool:
    """``isinstance(value, package.class)`` without importing it: where nobody has, no value is of its classes."""
    module = sys.modules.get(package)
    known = tuple(found for name in classes if isinstance(found := getattr(module, name, None), type))
    return isinstance(value, known)


def fix_for(package: str, instead: str = "") -> str:
    """The line that says what to type.

    Args:
        instead: another way out, "or" before it.
    """
    return f"Fix: pip install 'seqzoo[{EXTRAS[package]}]'" + (f", {instead}" if instead else "")


def require(what: str, *packages: str, instead: str = "") -> None:
    """Stop before the work where a package that it needs is not installed.

    Args:
        what: what needs it, as the subject of a sentence. instead: as in ``fix_for``.

    Raises:
        SystemStateError: one is missing.
    """
    for package in packages:
        if not is_installed(package):
            raise _missing(package, what, instead)


@contextmanager
def needs(package: str, what: str, instead: str = "") -> Iterator[None]:
    """Import an optional package inside this; where that fails, a sentence says what brings it.

    Args:
        package: import name, one of ``EXTRAS``. what: what needs it. instead: as in ``fix_for``.

    Raises:
        SystemStateError: it is not installed, or does not import.
    """
    try:
        yield
    except ImportError as error:
        raise _missing(package, what, instead, error) from error


def _missing(package: str, what: str, instead: str, error: ImportError | None = None) -> SystemStateError:
    if error is not None and is_installed(package):
        reason = (str(error).splitlines() or ["(no message)"])[0][:200]
        return SystemStateError(
            f"{what} needs the package {package}, which does not import: {reason}",
            f"the extra {EXTRAS[package]} asks for the versions that were tried",
            fix_for(package, instead),
        )
    return SystemStateError(
        f"{what} needs the package {package}, which is not installed",
        f"it comes with the extra {EXTRAS[package]}",
        fix_for(package, instead),
    )
