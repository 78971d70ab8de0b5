"""One process at a time, a name only for what is whole, and room for it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from zoo.errors import SystemStateError, UsageError
from zoo.files import hold_lock

__all__ = [
    "allocate",
    "fresh_folder",
    "open_at",
    "partial_of",
    "put_folder",
    "refuse_full",
    "remove",
    "rename_all",
    "replacing",
    "replacing_all",
    "replacing_folder",
    "require_room",
    "sole_writer",
]

# ---------------------------------------------------------------- one process at a time


_held: ContextVar[frozenset[Path]] = ContextVar("zoo_results_held", default=frozenset())


@contextmanager
def sole_writer(out: str | Path) -> Iterator[None]:
    """Hold OUT's lock, so that two runs never write the same result; ``-`` needs none.

    The steps of a command may ask again for what it holds already. Where the file system has no locks, nothing is
    held.

    Raises:
        UsageError: another run holds it.
    """
    if str(out) == "-":
        yield
        return
    partial = partial_of(Path(out))
    lock = partial.with_name(partial.name + ".lock")
    mine = lock.resolve()
    if mine in _held.get():
        yield
        return

    def refuse(holder: str) -> None:
        raise UsageError(
            f"{out}: is being written by another run",
            f"{holder} holds its lock",
            "Fix: wait for it, stop it, or write to another place",
        )

    with hold_lock(lock, refuse):
        token = _held.set(_held.get() | {mine})
        try:
            yield
        finally:
            _held.reset(token)


# ---------------------------------------------------------------- whole or not at all


def partial_of(out: Path) -> Path:
    """``OUT.partial``."""
    return out.with_name(out.name + ".partial")


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a name to write to; what is written there becomes ``path`` at the end, or goes when the block fails.

    Args:
        shared: whether other processes may write ``path`` meanwhile (a cache, an index): each then has a temporary
            name of its own, and the last one stays. Otherwise it is ``path.partial``, for who holds the lock.
    """
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}.partial") if shared else partial_of(path)
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):  # a folder of that name is not ours
            partial.unlink()
        raise


@contextmanager
def replacing_all(finals: Sequence[Path]) -> Iterator[list[Path]]:
    """Give a name to write to for each of the files of a result, the one that ``-o`` names last.

    They lie in the folder ``OUT.partial`` and have the suffixes of the final names, which they get together at the end.
    """
    folder = partial_of(finals[-1])
    fresh_folder(folder)
    try:
        parts = [folder / f"result.{i}{final.suffix}" for i, final in enumerate(finals)]
        yield parts
        rename_all(list(zip(parts, finals, strict=True)))
    finally:
        remove(folder)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give the name of a folder to make; it becomes ``path`` at the end, and an older one goes only then.

    It lies in a scratch folder beside ``path``, which is free for other files and goes in any case.
    """
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".zoo-{path.name}-") as scratch:
        made = Path(scratch) / path.name
        yield made
        put_folder(made, path, Path(scratch) / ".older")


def put_folder(made: Path, path: Path, aside: Path) -> None:
    """Rename a folder to ``path``; an older one is put ``aside``, and comes back when that fails."""
    older = os.path.lexists(path)
    if older:
        os.rename(path, aside)
    try:
        os.rename(made, path)
    except BaseException:
        if older:
            os.rename(aside, path)
        raise


def rename_all(pairs: Sequence[tuple[Path, Path]]) -> list[Path]:
    """Rename complete results to their final names, each atomically; return the final names."""
    for source, final in pairs:
        os.replace(source, final)
    return [final for _, final in pairs]


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


# ---------------------------------------------------------------- room


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


def require_room(folder: Path, n_bytes: int, *, one_file: bool = True) -> None:
    """Raise ``OSError`` (ENOSPC or EFBIG) unless ``n_bytes`` more can be written in ``folder``, to one file or to many.

    The HDF5 and bigWig libraries corrupt memory after a failed write (abort, or a
    segmentation fault when Python exits), so they must not be let run into a full disk.
    """
    if shutil.disk_usage(folder).free < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    limit = _file_size_limit() if one_file else None
    if limit is not None and limit < n_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(folder))


def refuse_full(path: Path) -> None:
    """Raise what the system says to more bytes of a file that another library could not write: it seldom says why.

    Nothing is raised where there is room; the file is then longer by what was tried.

    Raises:
        OSError: of a full disk, or a limit of the size of files.
    """
    with path.open("ab") as file:
        file.write(bytes(1 << 16))
        file.flush()
        os.fsync(file.fileno())


def _file_size_limit() -> int | None:
    """Bytes that a file of this process may have (``ulimit -f``); None when unlimited or not POSIX."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit
