"""``OUT.partial``: making it, cutting it back to a checkpoint, renaming it, and room on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from zoo.errors import SystemStateError

__all__ = ["allocate", "fresh_folder", "open_at", "refuse_folder", "remove", "rename_all", "require_room"]


def refuse_folder(path: Path) -> None:
    """Raise ``IsADirectoryError`` where a file is to be written, before hours of work and not after."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def remove(path: Path) -> None:
    """Remove a file or folder if it is there; never raises, because it runs while errors are handled."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def fresh_folder(path: Path) -> None:
    """Make ``path`` an empty folder; what an earlier run left there goes."""
    remove(path)
    path.mkdir()


def open_at(path: Path, size: int | None) -> BinaryIO:
    """Open for appending: a new file when ``size`` is None, else the old one cut to ``size`` bytes.

    Raises:
        SystemStateError: the file of the checkpoint is gone or shorter than it was.
    """
    if size is None:
        return open(path, "wb")  # the writer closes it
    if not path.is_file() or path.stat().st_size < size:
        raise SystemStateError(
            f"cannot resume: {path} is missing or shorter than its checkpoint",
            f"{size} bytes expected",
            "run again without --resume",
        )
    handle = open(path, "r+b")  # noqa: SIM115  (the writer closes it)
    handle.truncate(size)
    handle.seek(size)
    return handle


def allocate(path: Path, size: int) -> None:
    """Make a file of ``size`` bytes that the disk has room for.

    Writing to a mapped file without room kills the process (SIGBUS); here it raises ``OSError``.
    """
    with open(path, "wb") as file:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            require_room(path.parent, size)
            file.truncate(size)


def rename_all(pairs: list[tuple[Path, Path]]) -> list[Path]:
    """Rename complete results to their final names, each atomically; return the final names."""
    for source, final in pairs:
        os.replace(source, final)
    return [final for _, final in pairs]


def require_room(folder: Path, n_bytes: int) -> None:
    """Raise ``OSError`` (ENOSPC or EFBIG) unless ``n_bytes`` more can be written in ``folder``.

    The HDF5 and bigWig libraries corrupt memory after a failed write (abort, or a
    segmentation fault when Python exits), so they must not be let run into a full disk.
    """
    if shutil.disk_usage(folder).free < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    limit = _file_size_limit()
    if limit is not None and limit < n_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(folder))


def _file_size_limit() -> int | None:
    """Bytes that a file of this process may have (``ulimit -f``); None when unlimited or not POSIX."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit
