"""Track names of an output: in the card, or one a line in a file beside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ModelError

if TYPE_CHECKING:
    from zoo.cards.schema import Output

__all__ = ["read_names", "read_tracks"]


def read_tracks(folder: Path, output: Output) -> tuple[str, ...]:
    """Names in channel order; numbers where the entry does not hold the names.

    Raises:
        ModelError: the file is missing.
    """
    if output.tracks is not None:
        return tuple(output.tracks)
    path = folder / (output.tracks_file or "")
    if path.is_file():
        return read_names(path)
    if output.n_tracks is not None:
        return tuple(f"{output.name}_{i}" for i in range(output.n_tracks))
    raise ModelError(f"{path}: no such file", f"tracks_file of output {output.name!r}", "Fix: add it, a name a line")


def read_names(path: Path) -> tuple[str, ...]:
    """One name a line, the first tab-separated column; a repeated name becomes ``name.2``, ``name.3`` ..."""
    lines = path.read_text(encoding="utf-8").splitlines()
    names, count = [], Counter()
    for name in (line.split("\t")[0].strip() for line in lines if line.strip()):
        count[name] += 1
        names.append(name if count[name] == 1 else f"{name}.{count[name]}")
    return tuple(names)
