"""Rows of bases as a picture: a PNG with a palette of five colours, two kilobytes for a hundred seqlets."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

__all__ = ["letters_png"]

# A C G T as in the logos, in a tone that serves light and dark pages; N is grey.
PALETTE = ((0x36, 0xA8, 0x58), (0x4A, 0x80, 0xE6), (0xEA, 0xA2, 0x2E), (0xE2, 0x51, 0x4E), (0x99, 0x99, 0x99))


def letters_png(letters: np.ndarray) -> str:
    """Data URI of a picture of (H, W) letters 0-4, one pixel a base."""
    height, width = letters.shape
    # Each row begins with its filter, 0 for none.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), letters.astype(np.uint8)], axis=1)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", bytes(value for colour in PALETTE for value in colour))
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
