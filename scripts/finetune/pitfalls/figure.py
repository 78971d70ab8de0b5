"""Figures as inline SVG in the page's colours: bars side by side, and lines or densities over one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

__all__ = ["COLOURS", "Line", "bars", "histogram", "lines"]

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 30, 44
#: Inflated, honest, and two more: variables of the page's style, so that dark mode has its own.
COLOURS = ("var(--lowers)", "var(--raises)", "var(--G)", "var(--bar)")


@dataclass(frozen=True)
class Line:
    """One line: its name in the key, and (n,) x and y."""

    name: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class _Axes:
    """From values to places in the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]

    def left(self, value: float) -> float:
        return LEFT + (value - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT)

    def top(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - TOP - BOTTOM)


def bars(groups: Sequence[str], series: dict[str, Sequence[float]], y_name: str) -> str:
    """Bars side by side: one group a name, one bar a series; NaN is left out.

    Args:
        groups: below the axis. series: name in the key -> a value a group.
    """
    values = np.array(list(series.values()), dtype=float)
    low, high = min(0.0, float(np.nanmin(values))), max(0.0, float(np.nanmax(values)))
    room = 0.12 * (high - low or 1.0)
    axes = _Axes((0, len(groups)), (low - (room if low < 0 else 0), high + room))
    drawn = []
    width = 0.7 / len(series)
    for i, row in enumerate(values):
        for group, value in enumerate(row):
            if np.isfinite(value):
                drawn.append(_bar(axes, group + 0.15 + i * width, width, float(value), COLOURS[i]))
    names = [_text(axes.left(i + 0.5), HEIGHT - BOTTOM + 18, name, "middle") for i, name in enumerate(groups)]
    return _drawing(axes, [*drawn, *names], list(series), "", y_name)


def _bar(axes: _Axes, x: float, width: float, value: float, colour: str) -> str:
    left, right = axes.left(x), axes.left(x + width * 0.94)
    top, bottom = sorted((axes.top(value), axes.top(0)))
    beyond = axes.top(value) + (-5 if value >= 0 else 14)
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{max(bottom - top, 0.5):.1f}" '
        f'fill="{colour}"/>{_text((left + right) / 2, beyond, _number(value), "middle")}'
    )


def lines(
    given: Sequence[Line],
    x_name: str,
    y_name: str,
    y: tuple[float, float] | None = None,
    x: tuple[float, float] | None = None,
) -> str:
    """Lines over one axis, whose ends are those of the values unless given."""
    every_x, every_y = np.concatenate([line.x for line in given]), np.concatenate([line.y for line in given])
    axes = _Axes(x or (float(every_x.min()), float(every_x.max())), y or (0.0, 1.05 * float(every_y.max())))
    drawn = [
        f'<polyline fill="none" stroke="{COLOURS[i]}" stroke-width="2" points="'
        + " ".join(f"{axes.left(a):.1f},{axes.top(b):.1f}" for a, b in zip(line.x, line.y, strict=True))
        + '"/>'
        for i, line in enumerate(given)
    ]
    ticks = [
        _text(axes.left(value), HEIGHT - BOTTOM + 16, _number(value), "middle") for value in np.linspace(*axes.x, 5)
    ]
    return _drawing(axes, [*drawn, *ticks], [line.name for line in given], x_name, y_name)


def histogram(given: dict[str, np.ndarray], x_name: str, n_bins: int = 40, highest: float | None = None) -> str:
    """Densities of several sets of values over one axis; values above ``highest`` are in the last bin."""
    every = np.concatenate(list(given.values()))
    edges = np.linspace(every.min(), every.max() if highest is None else highest, n_bins + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    made = []
    for name, values in given.items():
        counts = np.histogram(np.minimum(values, edges[-1]), edges)[0]
        made.append(Line(name, middles, counts / counts.sum()))
    return lines(made, x_name, "share")


def _drawing(axes: _Axes, drawn: Sequence[str], names: Sequence[str], x_name: str, y_name: str) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    ticks = "".join(
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{axes.top(value):.1f}" y2="{axes.top(value):.1f}"/>'
        + _text(LEFT - 6, axes.top(value) + 4, _number(value), "end")
        for value in _ticks(*axes.y)
    )
    zero = f'<line class="zero" x1="{LEFT}" x2="{right}" y1="{axes.top(0):.1f}" y2="{axes.top(0):.1f}"/>'
    key, x = "", float(LEFT)
    for i, name in enumerate(names):
        key += f'<rect x="{x:.0f}" y="6" width="10" height="10" fill="{COLOURS[i]}"/>' + _text(x + 15, 15, name)
        x += 30 + 6.6 * len(name)
    label = _text((LEFT + right) / 2, HEIGHT - 8, x_name, "middle")
    turned = (
        f'<text transform="translate(14 {(TOP + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_name)}</text>"
    )
    title = escape(f"{y_name}: {', '.join(names)}", quote=True)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f"{ticks}{zero}{''.join(drawn)}{key}{label}{turned}</svg>"
    )


def _ticks(low: float, high: float) -> np.ndarray:
    """Round values of an axis, four to nine of them."""
    step = 10.0 ** np.floor(np.log10((high - low) / 2))
    while (high - low) / step > 9:
        step *= 2 if round(step / 10.0 ** np.floor(np.log10(step)), 6) != 2 else 2.5
    return np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step


def _number(value: float) -> str:
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".").replace("-", "−") or "0"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
