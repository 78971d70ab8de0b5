"""Track names of an output: in the card, or one a line in a file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ModelError

if TYPE_CHECKING:
    from zoo.cards.schema import Output

__all__ = ["read_tracks"]


def read_tracks(folder: Path, output: Output) -> tuple[str, ...]:
    """Names in channel order; of a file, the first tab-separated column; numbers where the card gives no names.

    Raises:
        ModelError: the file is missing.
    """
    if output.tracks is not None:
        return tuple(output.tracks)
    if output.n_tracks is not None:
        return tuple(f"{output.name}_{i}" for i in range(output.n_tracks))
    path = folder / output.tracks_file
    if not path.is_file():
        raise ModelError(f"{path}: no such file", f"tracks_file of output {output.name!r}", "Fix: add it, a name a line")
    return tuple(line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
