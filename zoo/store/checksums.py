"""Checksums of files before they are used."""

from __future__ import annotations

import hashlib
from pathlib import Path

from zoo.errors import FetchError, ModelError

__all__ = ["sha256_of", "verify"]


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in blocks.

    Raises:
        ModelError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file", "", "Fix: the entry is incomplete; fetch it again") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", "", "Fix: check the file's permissions") from None
    return digest.hexdigest()


def verify(path: Path, expected: str) -> None:
    """Raise FetchError when the file's sha256 is not the recorded one."""
    found = sha256_of(path)
    if found != expected:
        raise FetchError(
            f"{path}: the checksum is not the one on the card",
            f"expected sha256 {expected[:16]}..., found {found[:16]}...",
            "Fix: the file is damaged or was swapped; restore it (`git checkout` or fetch the entry again)",
        )
