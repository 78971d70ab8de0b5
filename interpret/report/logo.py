"""Sequence logos as inline SVG. Four glyphs are defined once in the page; each letter is a reference to one.

For the other strand the page's script exchanges the glyphs for their mirrored complements and its style
mirrors the logos, so that no logo is there twice.
"""

from __future__ import annotations

import numpy as np

from interpret.motifs.pattern import information

__all__ = ["GLYPHS", "PATHS", "logo", "probability_heights"]

# Letters in a unit square, y down, drawn as polygons and arcs so that no font is needed.
PATHS = {
    "A": "M0 1L.38 0H.62L1 1H.78L.7 .77H.3L.22 1ZM.36 .58H.64L.5 .16Z",
    "C": "M1 .67C.96 .88 .78 1 .54 1C.2 1 0 .81 0 .5C0 .19 .2 0 .54 0C.78 0 .96 .12 1 .32H.77"
    "C.74 .23 .65 .18 .54 .18C.34 .18 .23 .29 .23 .5C.23 .71 .34 .82 .54 .82C.65 .82 .74 .77 .77 .67Z",
    "G": "M1 .46V1H.83L.81 .88C.74 .96 .65 1 .53 1C.2 1 0 .81 0 .5C0 .19 .2 0 .54 0C.78 0 .95 .11 .99 .31H.76"
    "C.73 .22 .65 .18 .54 .18C.34 .18 .23 .29 .23 .5C.23 .71 .34 .82 .55 .82C.67 .82 .76 .75 .78 .63H.55V.46Z",
    "T": "M0 0H1V.19H.61V1H.39V.19H0Z",
}
GLYPHS = (
    '<svg class="glyphs" width="0" height="0" aria-hidden="true"><defs>'
    + "".join(f'<g id="g{base}"><path class="n{base}" d="{path}"/></g>' for base, path in PATHS.items())
    + "</defs></svg>"
)
SMALLEST = 0.015  # of the tallest column: letters below it are not visible
WIDTH, HEIGHT = 10, 40  # units a column, and above plus below the axis


def probability_heights(probability: np.ndarray) -> np.ndarray:
    """(W, 4) heights of a logo in bits: each base's share of its column's information."""
    return probability * np.maximum(information(probability), 0)[:, None]


def logo(
    heights: np.ndarray, label: str, *, lead: int = 0, columns: int | None = None, top: float | None = None
) -> str:
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
    return (
        f'<svg class="logo" role="img" aria-label="{label}" viewBox="0 0 {columns * WIDTH} {HEIGHT}" '
        f'style="--c:{columns}" preserveAspectRatio="none">{line}{"".join(letters)}</svg>'
    )


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
