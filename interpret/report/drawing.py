"""Pictures of the page: sequence logos and small charts as inline SVG, rows of bases as a PNG.

Four glyphs are defined once in the page; each letter of a logo is a reference to one. For the other strand the page's
script exchanges the glyphs for their mirrored complements and its style mirrors the logos, so that no logo is there
twice. What is returned is ``Markup``: the drawing is made of numbers here, and words are escaped as they enter.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from interpret.motifs.pattern import information

__all__ = ["GLYPHS", "PATHS", "histogram", "letters_png", "logo", "probability_heights", "sparkline"]

# Letters in a unit square, y down, drawn as polygons and arcs so that no font is needed.
PATHS = {
    "A": "M0 1L.38 0H.62L1 1H.78L.7 .77H.3L.22 1ZM.36 .58H.64L.5 .16Z",
    "C": "M1 .67C.96 .88 .78 1 .54 1C.2 1 0 .81 0 .5C0 .19 .2 0 .54 0C.78 0 .96 .12 1 .32H.77"
    "C.74 .23 .65 .18 .54 .18C.34 .18 .23 .29 .23 .5C.23 .71 .34 .82 .54 .82C.65 .82 .74 .77 .77 .67Z",
    "G": "M1 .46V1H.83L.81 .88C.74 .96 .65 1 .53 1C.2 1 0 .81 0 .5C0 .19 .2 0 .54 0C.78 0 .95 .11 .99 .31H.76"
    "C.73 .22 .65 .18 .54 .18C.34 .18 .23 .29 .23 .5C.23 .71 .34 .82 .55 .82C.67 .82 .76 .75 .78 .63H.55V.46Z",
    "T": "M0 0H1V.19H.61V1H.39V.19H0Z",
}
GLYPHS = Markup(
    '<svg class="glyphs" width="0" height="0" aria-hidden="true"><defs>'
    + "".join(f'<g id="g{base}"><path class="n{base}" d="{path}"/></g>' for base, path in PATHS.items())
    + "</defs></svg>"
)
SMALLEST = 0.015  # of the tallest column: letters below it are not visible
WIDTH, HEIGHT = 10, 40  # units a column, and above plus below the axis
# A C G T as in the logos, in a tone that serves light and dark pages; N is grey.
PALETTE = ((0x36, 0xA8, 0x58), (0x4A, 0x80, 0xE6), (0xEA, 0xA2, 0x2E), (0xE2, 0x51, 0x4E), (0x99, 0x99, 0x99))


def probability_heights(probability: np.ndarray) -> np.ndarray:
    """(W, 4) heights of a logo in bits: each base's share of its column's information."""
    return probability * np.maximum(information(probability), 0)[:, None]


def logo(
    heights: np.ndarray, label: str, *, lead: int = 0, columns: int | None = None, top: float | None = None
) -> Markup:
    """SVG of a logo.

    Args:
        heights: (W, 4) of A C G T; negative letters hang upside down below the axis.
        label: what a screen reader says.
        lead: empty columns before the first, to align logos.
        columns: columns in all; default those needed.
        top: height that fills the picture; default the tallest column.
    """
    columns = columns or lead + len(heights)
    up, down = np.maximum(heights, 0).sum(axis=1).max(), -np.minimum(heights, 0).sum(axis=1).min()
    top = max(top or 0, up, 1e-30)
    scale = HEIGHT / (top + down)
    axis = top * scale
    letters = []
    for i, column in enumerate(heights):
        letters += _stack(column, (lead + i) * WIDTH, axis, scale, SMALLEST * (top + down))
    line = f'<path class="axis" d="M0 {axis:.1f}H{columns * WIDTH}"/>' if down > 0 else ""
    start = Markup('<svg class="logo" role="img" aria-label="{}" ').format(label)
    size = f'viewBox="0 0 {columns * WIDTH} {HEIGHT}" style="--c:{columns}" preserveAspectRatio="none">'
    return start + Markup(f"{size}{line}{''.join(letters)}</svg>")


def _stack(column: np.ndarray, x: float, axis: float, scale: float, smallest: float) -> list[str]:
    """References to glyphs: positive letters from the axis up, the smallest first; negative ones down."""
    parts, above, below = [], axis, axis
    for i in np.argsort(np.abs(column), kind="stable"):
        height = abs(float(column[i])) * scale
        if abs(column[i]) < smallest:
            continue
        if column[i] > 0:
            above -= height
            matrix = f"{WIDTH - 0.6:g} 0 0 {height:.1f} {x + 0.3:g} {above:.1f}"
        else:
            below += height
            matrix = f"{WIDTH - 0.6:g} 0 0 {-height:.1f} {x + 0.3:g} {below:.1f}"
        parts.append(f'<use href=#g{"ACGT"[i]} transform="matrix({matrix})"/>')
    return parts


def sparkline(counts: np.ndarray, label: str = "positions in the window", tick: float = 0.5) -> Markup:
    """Bars of counts; a tick marks the centre, or another share of the width."""
    top = max(int(counts.max()), 1)
    bars = "".join(f"M{i * 3} 24v{-24 * count / top:.1f}h2.4V24z" for i, count in enumerate(counts) if count)
    width = 3 * len(counts)
    start = Markup('<svg class="spark" role="img" aria-label="{}" ').format(label)
    return start + Markup(
        f'viewBox="0 0 {width} 28"><path d="{bars}"/>'
        f'<path class="axis" d="M0 24.5H{width}M{width * tick:.4g} 24.5V28"/></svg>'
    )


def histogram(counts: np.ndarray, edges: Sequence[str], label: str) -> Markup:
    """Bars with the edges between them written below; ``edges`` are one fewer than ``counts``."""
    top = max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{i * 30 + 2}" y="{34 - height:.1f}" width="26" height="{height:.1f}"/>'
        for i, height in enumerate(34 * counts / top)
        if height
    )
    words = Markup().join(
        Markup('<text x="{}" y="46">{}</text>').format(i * 30, edge) for i, edge in enumerate(edges, 1)
    )
    width = 30 * len(counts)
    start = Markup('<svg class="hist" role="img" aria-label="{0}" viewBox="0 0 {1} 48"><title>{0}</title>')
    axis = f'<path class="axis" d="M0 34.5H{width}"/>'
    return start.format(label, width) + Markup(bars + axis) + words + Markup("</svg>")


def letters_png(letters: np.ndarray) -> str:
    """Data URI of a picture of (H, W) letters 0-4, one pixel a base: two kilobytes for a hundred seqlets."""
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
