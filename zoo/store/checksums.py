"""Checksums of files before they are used: sha256, and md5 where a source gives no other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import FetchError, ModelError

__all__ = ["Digests", "digests_of", "sha256_of", "verify"]


@dataclass(frozen=True)
class Digests:
    """Size and hex checksums of one file."""

    bytes: int
    sha256: str
    md5: str


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in blocks.

    Raises:
        ModelError: the file cannot be read.
    """
    return _hash(path, "sha256")[0]


def digests_of(path: Path) -> Digests:
    """Size, sha256 and md5 of a file in one pass.

    Raises:
        ModelError: the file cannot be read.
    """
    sha256, md5 = _hash(path, "sha256", "md5")
    return Digests(path.stat().st_size, sha256, md5)


def _hash(path: Path, *algorithms: str) -> list[str]:
    # md5 finds damage; that it does not withstand an attacker is why sha256 is recorded beside it.
    digests = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
    try:
        with path.open("rb") as handle:
            while block := handle.read(1 << 20):
                for digest in digests:
                    digest.update(block)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file", "", "Fix: the entry is incomplete; fetch it again") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", "", "Fix: check the file's permissions") from None
    return [digest.hexdigest() for digest in digests]


def verify(path: Path, expected: str) -> None:
    """Raise FetchError when the file's checksum is not the recorded one.

    Args:
        expected: hex sha256 (64 digits) or md5 (32 digits).
    """
    algorithm = "md5" if len(expected) == 32 else "sha256"
    found = _hash(path, algorithm)[0]
    if found != expected:
        raise FetchError(
            f"{path}: the checksum is not the one on the card",
            f"expected {algorithm} {expected[:16]}..., found {found[:16]}...",
            "Fix: the file is damaged or was swapped; restore it (`git checkout` or fetch the entry again)",
        )
