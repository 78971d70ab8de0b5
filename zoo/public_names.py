"""Names that a package itself offers: imported when first used, and the same in every order of imports.

The import system sets each submodule as an attribute of its package. After anything has imported
``interpret.motifs.find``, ``interpret.motifs`` would be that folder and no longer the function, and
``from interpret import motifs`` would give now the one and now the other. A package of this class leaves that one
assignment out: a name that it offers is always what its table says. The folder is reached as before by
``from interpret.motifs.find import ...``; only ``import interpret.motifs.find as m`` is not possible, since it asks the
package for its attribute ``motifs``: write ``from interpret.motifs import find as m``.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__all__ = ["PublicNames", "offer"]


class PublicNames(ModuleType):
    """A package with a table ``_WHERE``: public name -> ``module:name``."""

    _WHERE: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        if name not in self._WHERE:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, _, found = self._WHERE[name].partition(":")
        return getattr(importlib.import_module(module), found)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._WHERE and isinstance(value, ModuleType):
            return  # a submodule of that name, set by the import system
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._WHERE})


def offer(package: str) -> None:
    """Let a package offer the names of its ``_WHERE``; called at the end of its ``__init__``."""
    sys.modules[package].__class__ = PublicNames
