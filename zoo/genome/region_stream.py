"""A file, a pipe or standard input of regions or variants, as text that can be read more than once.

``what`` is what the file holds, for errors.
"""

from __future__ import annotations

import gzip
import io
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zoo.errors import InputError, SystemStateError
from zoo.paths import near_file

__all__ = ["first_bytes", "is_gzip", "is_regular", "is_text", "open_pipe", "open_text", "spooled", "standard_input"]

COPY_BYTES = 1 << 18
FIRST_BYTES = 4096
GZIP_MAGIC = b"\x1f\x8b"
PIPE_A_BED = "pipe a BED in, e.g. `bedtools sort -i x.bed | zoo predict MODEL - -g genome.fa`"


def standard_input(what: str = "regions", fix: str = PIPE_A_BED) -> BinaryIO:
    """Standard input, where something is piped into it.

    Raises:
        InputError: it is the terminal, or closed.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(
            f"<stdin>: {what} are read from {'the terminal' if sys.stdin else 'standard input, which is closed'}",
            "",
            f"Fix: {fix}",
        )
    return sys.stdin.buffer


def open_pipe(path: Path, what: str = "regions") -> BinaryIO:
    """What is no regular file, as ``/dev/fd/63``.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "", f"Fix: check the path of the {what} file") from None


def spooled(source: BinaryIO, what: str = "regions", suffix: str = ".bed") -> tempfile._TemporaryFileWrapper:
    """Copy a stream, which can be read once, to a file, which is read twice.

    Raises:
        SystemStateError: there is no room.
    """
    spool = tempfile.NamedTemporaryFile(prefix="zoo-stdin-", suffix=suffix)  # noqa: SIM115 - the reader's close
    try:
        while block := source.read(COPY_BYTES):
            spool.write(block)
        spool.flush()
    except OSError as error:
        raise SystemStateError(
            f"{spool.name}: {what} from a pipe cannot be kept: {error.strerror}",
            "",
            f"Fix: set TMPDIR to a folder with room, or give the {what} as a file",
        ) from None
    return spool


def is_regular(path: Path, what: str = "regions", wanted: str = "a BED") -> bool:
    """True for a file that can be read twice; raises for what cannot be read at all."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a {what} file", "", f"Fix: give {wanted} file")
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        path.open("rb").close()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", near_file(path), f"Fix: check the path of the {what} file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "", "Fix: check the file's permissions") from None
    return True


def is_gzip(path: Path) -> bool:
    """By its first two bytes."""
    with path.open("rb") as raw:
        return raw.read(2) == GZIP_MAGIC


def first_bytes(path: Path) -> bytes:
    """4 kB of a file, unpacked where it is gzip."""
    with gzip.open(path) if is_gzip(path) else path.open("rb") as handle:
        return handle.read(FIRST_BYTES)


def is_text(begin: bytes) -> bool:
    """Whether the first bytes of a file are UTF-8 without NUL; a letter may be cut at their end."""
    try:
        begin.decode()
    except UnicodeDecodeError as error:
        return b"\0" not in begin and error.reason == "unexpected end of data"
    return b"\0" not in begin


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOBase]:
    """The lines of a file, gzip or not; bytes that are no UTF-8 become lone surrogates (PEP 383)."""
    with path.open("rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        binary = gzip.GzipFile(fileobj=raw) if compressed else raw
        # newline=None and utf-8-sig accept the CRLF and byte-order mark of files that passed through Windows.
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline=None) as text:
            yield text
