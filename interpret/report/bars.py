"""Small charts as SVG, and numbers as text."""

from __future__ import annotations

import numpy as np

__all__ = ["histogram", "number", "q_text", "sparkline"]


def sparkline(counts: np.ndarray, label: str = "positions in the window", tick: float = 0.5) -> str:
    """Bars of counts; a tick marks the centre, or another share of the width."""
    top = max(int(counts.max()), 1)
    bars = "".join(f"M{i * 3} 24v{-24 * count / top:.1f}h2.4V24z" for i, count in enumerate(counts) if count)
    width = 3 * len(counts)
    return (
        f'<svg class="spark" role="img" aria-label="{label}" viewBox="0 0 {width} 28">'
        f'<path d="{bars}"/><path class="axis" d="M0 24.5H{width}M{width * tick:.4g} 24.5V28"/></svg>'
    )


def histogram(counts: np.ndarray, edges: list[str], label: str) -> str:
    """Bars with the edges between them written below; ``edges`` are one fewer than ``counts``."""
    top = max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{i * 30 + 2}" y="{34 - height:.1f}" width="26" height="{height:.1f}"/>'
        for i, height in enumerate(34 * counts / top)
        if height
    )
    words = "".join(f'<text x="{(i + 1) * 30}" y="46">{edge}</text>' for i, edge in enumerate(edges))
    width = 30 * len(counts)
    return (
        f'<svg class="hist" role="img" aria-label="{label}" viewBox="0 0 {width} 48"><title>{label}</title>{bars}'
        f'<path class="axis" d="M0 34.5H{width}"/>{words}</svg>'
    )


def number(value: float) -> str:
    """Three significant digits with a real minus sign; a dash for what is no number."""
    if value != value:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−") if abs(value) >= 1e-3 or value == 0 else q_text(value)


def q_text(value: float) -> str:
    """A power of ten below a thousandth, else two digits."""
    if value >= 1e-3 or value == 0:
        return f"{value:.2g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.replace('-', '−')}×10<sup>{str(int(exponent)).replace('-', '−')}</sup>"
