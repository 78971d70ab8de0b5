"""Pictures of the page as inline SVG, made of numbers here; words are escaped as they enter.

Strips and tracks stretch to the width that there is and hold no text, so that a phone shows them as a desk does; charts
with axes have a size of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

__all__ = ["chart", "density", "scatter", "strip", "ticks", "track"]

#: Of a stretching picture: units across and down.
WIDTH, HEIGHT = 1000, 100
#: Of a chart, and its margins for numbers at the axes.
SIDE, LEFT, BOTTOM, TOP = 300, 42, 34, 8
SHADES = 6


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high, at most about so many."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, math.floor(high / step + 1e-9) + 1)]


def strip(value: float, ci: Sequence[float] | None, low: float, high: float, label: str) -> Markup:
    """A bar from 0 to a value with its interval, on a scale that holds 0; coloured if the interval is above 0."""

    def x(v: float) -> float:
        return WIDTH * (min(max(v, low), high) - low) / (high - low)

    zero, end = x(0), x(value)
    kind = "up" if ci is not None and ci[0] > 0 else "flat"
    parts = [
        f'<rect class="{kind}" x="{min(zero, end):.1f}" y="26" width="{abs(end - zero):.1f}" height="48"/>',
        f'<path class="zero" d="M{zero:.1f} 0V100"/>',
    ]
    if ci is not None:
        parts.append(
            f'<path class="ci" d="M{x(ci[0]):.1f} 50H{x(ci[1]):.1f}M{x(ci[0]):.1f} 30V70M{x(ci[1]):.1f} 30V70"/>'
        )
    return _stretched("strip", label, "".join(parts))


def track(values: np.ndarray, low: float, high: float, kind: str, label: str) -> Markup:
    """A filled line over a window, gaps where nothing was measured; what is above the scale is cut off."""
    n = len(values)
    scale = HEIGHT / (high - low) if high > low else 0.0
    base = HEIGHT - scale * (max(low, 0.0) - low)
    path, inside = [], False
    for i, value in enumerate(values):
        left, right = WIDTH * i / n, WIDTH * (i + 1) / n
        if not np.isfinite(value):
            path.append(f"V{base:.1f}Z" if inside else "")
            inside = False
            continue
        y = HEIGHT - scale * (min(max(float(value), low), high) - low)
        path.append(f"{'' if inside else f'M{left:.1f} {base:.1f}'}V{y:.1f}H{right:.1f}")
        inside = True
    path.append(f"V{base:.1f}Z" if inside else "")
    return _stretched("track", label, f'<path class="{kind}" d="{"".join(path)}"/>')


def density(counts: np.ndarray, edges: np.ndarray, label: str, log: bool) -> Markup:
    """Bins by predicted (across) and observed (up), darker where more are, in steps of their logarithm."""
    cells = len(counts)
    low, high = float(edges[0]), float(edges[-1])
    top = math.log1p(float(counts.max()) or 1.0)
    shade = np.ceil(SHADES * np.log1p(counts) / top).astype(int)
    size = SIDE / cells
    parts = []
    for level in range(1, SHADES + 1):
        rows, columns = np.nonzero(shade == level)
        squares = "".join(
            f"M{LEFT + c * size:.1f} {TOP + SIDE - (r + 1) * size:.1f}h{size:.2f}v{size:.2f}h-{size:.2f}z"
            for r, c in zip(rows, columns, strict=True)
        )
        parts.append(f'<path class="d{level}" d="{squares}"/>' if squares else "")
    return _chart(label, "".join(parts) + _diagonal(), (low, high), (low, high), ("predicted", "observed"), log)


def scatter(x: np.ndarray, y: np.ndarray, label: str, log: bool) -> Markup:
    """Points of like prediction, joined, beside the diagonal."""
    x, y = (np.log1p(np.maximum(v, 0)) if log else np.asarray(v, float) for v in (x, y))
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    low, high = (low, high) if high > low else (low - 0.5, low + 0.5)
    at = [
        (LEFT + SIDE * (a - low) / (high - low), TOP + SIDE * (high - b) / (high - low))
        for a, b in zip(x, y, strict=True)
    ]
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4"/>' for a, b in at)
    line = "L".join(f"{a:.1f} {b:.1f}" for a, b in at)
    inner = f'{_diagonal()}<path class="line c0" d="M{line}"/><g class="c0">{dots}</g>'
    return _chart(label, inner, (low, high), (low, high), ("predicted", "observed"), log)


def chart(series: Sequence[np.ndarray], label: str, across: str) -> Markup:
    """Lines over epochs 1, 2, ...; NaN is a gap."""
    held = [values[np.isfinite(values)] for values in series]
    low, high = min(v.min() for v in held), max(v.max() for v in held)
    pad = 0.05 * (high - low) or 0.5
    low, high = float(low - pad), float(high + pad)
    n = max(len(values) for values in series)
    right = max(n, 2)
    inner = []
    for i, values in enumerate(series):
        points, path = [], ""
        for epoch, value in enumerate(values, 1):
            if not np.isfinite(value):
                continue
            a, b = LEFT + SIDE * (epoch - 1) / (right - 1), TOP + SIDE * (high - value) / (high - low)
            points.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>')
            path += f"{'L' if path else 'M'}{a:.1f} {b:.1f}"
        inner.append(f'<path class="line c{i % 4}" d="{path}"/><g class="c{i % 4}">{"".join(points)}</g>')
    return _chart(label, "".join(inner), (1, right), (low, high), (across, ""), False, whole=True)


def _diagonal() -> str:
    return f'<path class="zero" d="M{LEFT} {TOP + SIDE}L{LEFT + SIDE} {TOP}"/>'


def _chart(
    label: str,
    inner: str,
    x: tuple[float, float],
    y: tuple[float, float],
    words: tuple[str, str],
    log: bool,
    whole: bool = False,
) -> Markup:
    """A chart with numbers at its axes; of a logarithmic one they are the values themselves."""
    parts = [Markup('<path class="frame" d="M{0} {1}V{2}H{3}"/>').format(LEFT, TOP, TOP + SIDE, LEFT + SIDE)]
    for at, text in _numbers(*x, log, whole):
        place = LEFT + SIDE * (at - x[0]) / (x[1] - x[0])
        parts.append(Markup('<text x="{:.1f}" y="{}" class="mid">{}</text>').format(place, TOP + SIDE + 14, text))
    for at, text in _numbers(*y, log, False):
        place = TOP + SIDE * (y[1] - at) / (y[1] - y[0])
        parts.append(Markup('<text x="{}" y="{:.1f}" class="end">{}</text>').format(LEFT - 5, place + 4, text))
    parts.append(Markup('<text x="{}" y="{}" class="mid">{}</text>').format(LEFT + SIDE / 2, TOP + SIDE + 30, words[0]))
    middle = TOP + SIDE / 2
    turned = Markup('<text x="10" y="{0}" class="mid" transform="rotate(-90 10 {0})">{1}</text>')
    parts.append(turned.format(middle, words[1]) if words[1] else Markup())
    size = f"{LEFT + SIDE + 12} {TOP + SIDE + BOTTOM}"
    start = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {}">').format(label, size)
    return start + Markup(inner) + Markup().join(parts) + Markup("</svg>")


def _numbers(low: float, high: float, log: bool, whole: bool) -> list[tuple[float, str]]:
    """Where numbers stand at an axis, and how they are written."""
    if not log:
        return [(at, f"{at:g}".replace("-", "−")) for at in ticks(low, high) if not whole or at == int(at)]
    wanted = [0.0] + [m * 10.0**p for p in range(-3, 9) for m in (1, 3)]
    found = [(math.log1p(v), f"{v:g}") for v in wanted if low <= math.log1p(v) <= high]
    kept: list[tuple[float, str]] = []
    for at, text in found:
        if not kept or at - kept[-1][0] >= 0.12 * (high - low):
            kept.append((at, text))
    return kept


def _stretched(kind: str, label: str, inner: str) -> Markup:
    start = Markup('<svg class="{}" role="img" aria-label="{}" ').format(kind, label)
    return start + Markup(f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{inner}</svg>')
