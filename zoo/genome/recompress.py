"""A FASTA in plain gzip, as UCSC and Ensembl give them: a bgzip copy in the cache, made once.

Plain gzip can only be read from its start. bgzip is gzip in blocks, which an index can point into.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import os
import shlex
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError, SystemStateError
from zoo.files import cache_folder, hold_lock
from zoo.progress import Listener, TransferState, current_listener, human_bytes
from zoo.results.whole import require_room

__all__ = ["GROWTH", "Copy", "bgzip_copy", "copies", "write_bgzip"]

BLOCK = 1 << 20
# Fastest: half the time of the usual level, and 5 % larger.
LEVEL = 1
# bgzip at that level is at most this much larger than gzip at its highest.
GROWTH = 1.25
#: The empty block at the end of a bgzip file (SAM specification, section 4.1.2).
END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
# Where the file is sampled, so that another file of the same size and date is not taken for it.
SAMPLES = 64
SAMPLE = 4096


def bgzip_copy(path: Path) -> Path:
    """The bgzip copy of a gzip FASTA, made when it is not in the cache. The user is told where it is and how large.

    Raises:
        InputError: the file is cut off or damaged. SystemStateError: the cache has no room, or cannot be written.
    """
    folder = cache_folder() / "genomes" / _key(path)
    copy = folder / (path.name if path.name.endswith(".gz") else f"{path.name}.gz")
    if copy.is_file():
        with contextlib.suppress(OSError):
            os.utime(copy)  # its date tells when it was last used
        return copy
    listener = current_listener()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / "lock"
        with hold_lock(lock, lambda who: listener.note(f"waiting for {who}, which recompresses {path.name}")) as held:
            if not copy.is_file():  # another process may have made it meanwhile
                _make(path, copy, folder / ("partial" if held else f"partial.{os.getpid()}"), listener)
    except OSError as error:
        raise _no_room(path, folder, error) from None
    return copy


@dataclass(frozen=True)
class Copy:
    """A copy in the cache: its path, the bytes of all its files, and when it was last used (seconds since 1970)."""

    path: Path
    bytes: int
    used: float

    def remove(self) -> None:
        """Delete it; it is made again when its genome is next used."""
        shutil.rmtree(self.path.parent)


def copies() -> list[Copy]:
    """The copies in the cache, those used last first."""
    found = []
    for copy in (cache_folder() / "genomes").glob("*/*.gz"):
        size = sum(one.stat().st_size for one in copy.parent.iterdir())
        found.append(Copy(copy, size, copy.stat().st_mtime))
    return sorted(found, key=lambda copy: -copy.used)


def _key(path: Path) -> str:
    """What tells this file from others: its size, date, and bytes all over it, which end in gzip's own checksum."""
    stat = path.stat()
    digest = hashlib.sha256(f"{stat.st_size}\0{stat.st_mtime_ns}".encode())
    with path.open("rb") as handle:
        for i in range(SAMPLES + 1):
            handle.seek(max(0, stat.st_size - SAMPLE) * i // SAMPLES)
            digest.update(handle.read(SAMPLE))
    return digest.hexdigest()[:24]


def _make(path: Path, copy: Path, partial: Path, listener: Listener) -> None:
    total = path.stat().st_size
    require_room(copy.parent, int(total * GROWTH))
    listener.note(
        f"{path} is compressed with plain gzip, which allows no random access: a bgzip copy is made, once, in "
        f"{copy.parent} (about {human_bytes(total * 1.1)})"
    )
    started = time.monotonic()
    try:
        with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as source:

            def blocks() -> Iterator[bytes]:
                while data := source.read(BLOCK):
                    yield data
                    seconds = time.monotonic() - started
                    listener.progress(TransferState(path.name, raw.tell(), total, raw.tell(), seconds))

            write_bgzip(blocks(), partial)
        os.replace(partial, copy)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(
            f"{path}: the compressed file is cut off or damaged",
            "no window can be read",
            "Fix: fetch the genome again; `gzip -t` tells whether a file is whole",
        ) from None
    finally:
        listener.finished()
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_bgzip(blocks: Iterable[bytes], target: Path) -> None:
    """Write blocks of bytes as bgzip, and see that all of it is on the disk.

    Raises:
        OSError: it is not.
    """
    import pysam

    with target.open("wb") as handle:
        with pysam.BGZFile(target, f"wb{LEVEL}") as writer:
            for block in blocks:
                writer.write(block)
        os.fsync(handle.fileno())
    _require_end(target)


def _require_end(partial: Path) -> None:
    """htslib does not always say that a disk is full: the block that ends a bgzip file tells that all was written."""
    with partial.open("rb") as handle:
        handle.seek(max(0, partial.stat().st_size - len(END)))
        if handle.read() != END:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial))


def _no_room(path: Path, folder: Path, error: OSError) -> SystemStateError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    reason = "the disk is full" if full else error.strerror
    return SystemStateError(
        f"{path}: is compressed with plain gzip, and no bgzip copy of it can be made in {folder}: {reason}",
        f"about {human_bytes(path.stat().st_size * GROWTH)} are needed",
        f"Fix: ZOO_CACHE=/a/folder/with/room, or gunzip -k {shlex.quote(str(path))} and give the FASTA it makes",
    )
