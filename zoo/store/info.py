"""``info``: what is known of a model, without loading it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["info"]


def info(model: str | Path) -> dict[str, Any]:
    """Facts of a model as plain data: what ``zoo info --json`` prints.

    Args:
        model: name, ``source/name``, a folder with ``model.yaml``, or a model of a group by its path.

    Raises:
        ModelError: no such model, or its YAML or card is broken.
    """
    path = Path(model)
    if path.is_dir():
        from zoo.store.index import describe

        return describe(path)
    name = str(model)
    if os.sep in name and any(parent.is_dir() for parent in path.parents if parent != Path()):
        from zoo.store.source_index import describe_member

        if (found := describe_member(path)) is not None:
            return found
    if name.startswith("grelu/"):
        from zoo.store.hub import listed_entry

        facts = listed_entry(name)
        return facts | {"folder": facts["path"]}
    from zoo.store.registry import find_entry

    folder, facts = find_entry(name)
    return facts | {"folder": str(folder)}
