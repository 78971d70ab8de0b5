"""The published files in a data folder, for entries to be loaded by name where nothing can be fetched."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from zoo.entries.cache_add import cache_add
from zoo.errors import InputError

__all__ = ["seed"]


def seed(data: Path) -> None:
    """Take the files of entries that lie in the data folder, known by their checksums, into the cache."""
    with suppress(InputError):  # none of them is an entry's: they are fetched
        cache_add(data)
