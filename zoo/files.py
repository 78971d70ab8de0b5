"""What several parts need of files: a lock between processes, checksums, the folder of the cache.

The kernel frees a lock when its holder dies (``flock``), so that none is ever stale.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import FetchError, ModelError

__all__ = ["Digests", "cache_folder", "digests_of", "hold_lock", "is_locked", "is_offline", "sha256_of", "verify"]

POLL_SECONDS = 0.1
#: What file systems without locks answer (Lustre without -o flock, some NFS).
NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}


@contextmanager
def hold_lock(path: Path, waiting: Callable[[str], None]) -> Iterator[bool]:
    """Hold the lock file ``path``; it is removed at the end.

    Args:
        waiting: called once, with who holds the lock, when one has to wait.

    Yields:
        True; False where the file system has no locks, and the caller must not share a file.
    """
    handle = _acquire(path, waiting)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            path.unlink(missing_ok=True)  # while it is held: nobody can have locked this file meanwhile
            os.close(handle)


def _acquire(path: Path, waiting: Callable[[str], None]) -> int | None:
    told = False
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                waiting(os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process")
                told = True
            os.close(handle)
            time.sleep(POLL_SECONDS)
            continue
        except OSError as error:
            os.close(handle)
            if error.errno in NO_LOCKS:
                return None
            raise
        if _is_still(path, handle):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
            return handle
        os.close(handle)  # its holder removed the file between our open and our lock


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


# ---------------- checksums: sha256, and md5 where a source gives no other


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


# ---------------------------------------------------------------- the folder for what can be made or fetched again


def is_offline() -> bool:
    """Whether ``ZOO_OFFLINE`` or ``HF_HUB_OFFLINE`` forbids the network: set, and not to 0, false, no or off."""
    values = os.environ.get("ZOO_OFFLINE", ""), os.environ.get("HF_HUB_OFFLINE", "")
    return any(value.lower() not in ("", "0", "false", "no", "off") for value in values)


def cache_folder() -> Path:
    """``$ZOO_CACHE``, or the user's cache folder."""
    if given := os.environ.get("ZOO_CACHE"):
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("seqzoo"))
