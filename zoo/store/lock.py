"""A lock between processes, so that a file is fetched once.

The kernel frees it when its holder dies (``flock``), so that no lock is ever stale.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["hold_lock", "is_locked"]

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
