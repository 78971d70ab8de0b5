"""UCSC's 2bit format, read as the FASTA that ``twoBitToFa`` would write (lines of 60 letters, soft masking kept).

The format: https://genome.ucsc.edu/FAQ/FAQformat.html#format7. Two bits a base (T 0, C 1, A 2, G 3), with lists of the
stretches that are N and of those in lower case. Version 0 is read; offsets of 64 bits (version 1) are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.errors import InputError

__all__ = ["is_twobit", "twobit_blocks"]

SIGNATURE = 0x1A412743
WIDTH = 60
_BASES = np.frombuffer(b"TCAG", dtype=np.uint8)
#: (256, 4) uint8: the four letters of a byte, the highest bits first.
_LETTERS = _BASES[(np.arange(256)[:, None] >> np.array([6, 4, 2, 0])) & 3]


def is_twobit(path: Path) -> bool:
    """Whether a file begins as 2bit, in either order of bytes."""
    with path.open("rb") as handle:
        head = handle.read(4)
    return head in (SIGNATURE.to_bytes(4, "little"), SIGNATURE.to_bytes(4, "big"))


def twobit_blocks(path: Path) -> Iterator[bytes]:
    """A header line, then the lines of a sequence, in the order of the file.

    Raises:
        InputError: the file is cut off, damaged, or of version 1.
    """
    content = np.memmap(path, dtype=np.uint8, mode="r")
    order = "<" if int.from_bytes(content[:4].tobytes(), "little") == SIGNATURE else ">"
    try:
        version, count, _ = _numbers(content, 4, 3, order)
        if version:
            raise InputError(
                f"{path}: is 2bit of version {version}, whose offsets have 64 bits",
                "version 0 is read",
                f"Fix: twoBitToFa {path} NEW.fa, and give NEW.fa",
            )
        at, places = 16, []
        for _ in range(count):
            size = int(content[at])
            name = content[at + 1 : at + 1 + size].tobytes()
            places.append((name, _numbers(content, at + 1 + size, 1, order)[0]))
            at += 1 + size + 4
        for name, place in places:
            yield b">" + name + b"\n"
            yield _lines(_sequence(content, place, order))
    except (IndexError, ValueError):
        raise InputError(
            f"{path}: the 2bit file is cut off or damaged", "no sequence of it is taken", "Fix: fetch it again"
        ) from None


def _numbers(content: np.ndarray, at: int, n: int, order: str) -> list[int]:
    if at + 4 * n > len(content):
        raise IndexError
    return np.frombuffer(content[at : at + 4 * n].tobytes(), dtype=f"{order}u4").tolist()


def _sequence(content: np.ndarray, at: int, order: str) -> np.ndarray:
    """(n,) uint8 letters of one sequence."""
    (length,) = _numbers(content, at, 1, order)
    at += 4
    stretches = []
    for _ in ("unknown", "masked"):
        (n,) = _numbers(content, at, 1, order)
        starts = _numbers(content, at + 4, n, order)
        sizes = _numbers(content, at + 4 + 4 * n, n, order)
        stretches.append(list(zip(starts, sizes, strict=True)))
        at += 4 + 8 * n
    at += 4  # reserved
    packed = content[at : at + (length + 3) // 4]
    if len(packed) < (length + 3) // 4:
        raise IndexError
    letters = _LETTERS[packed].reshape(-1)[:length]
    unknown, masked = stretches
    for start, size in unknown:
        letters[start : start + size] = ord("N")
    for start, size in masked:
        letters[start : start + size] |= 0x20  # lower case
    return letters


def _lines(letters: np.ndarray) -> bytes:
    whole = len(letters) // WIDTH
    lines = np.full((whole, WIDTH + 1), ord("\n"), dtype=np.uint8)
    lines[:, :WIDTH] = letters[: whole * WIDTH].reshape(whole, WIDTH)
    rest = letters[whole * WIDTH :].tobytes()
    return lines.tobytes() + (rest + b"\n" if rest else b"")
