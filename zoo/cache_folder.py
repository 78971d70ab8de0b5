"""The folder for what can be made or fetched again: weights, sources, indexes of genomes. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """``$ZOO_CACHE``, or the user's cache folder."""
    if given := os.environ.get("ZOO_CACHE"):
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("seqzoo"))
