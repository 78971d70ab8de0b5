"""Metrics of cards as small charts: a row a predictor, a bar and its interval; the numbers stand beside each bar.

A chart is drawn to its own numbers: from 0, or the least value below it, to 1, or a round number above the greatest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Bar", "Chart", "charts_of", "number", "shared_charts"]

WIDTH = 1000  # units of a chart from its left to its right end


@dataclass(frozen=True)
class Bar:
    """A predictor: what it is called, its value and 95% interval, and where these lie on the chart.

    ``model`` is the name of the entry whose value it is, or "" for a baseline. ``href`` leads to its page.
    """

    label: str
    value: float
    ci: tuple[float, float] | None = None
    model: str = ""
    href: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        """The numbers in words, as the chart's row shows them."""
        interval = f" [{number(self.ci[0])}, {number(self.ci[1])}]" if self.ci else ""
        return f"{number(self.value)}{interval}"


@dataclass(frozen=True)
class Chart:
    """One metric on one set of data.

    Attributes:
        metric, output, split: as the card has them. n: items that were measured.
        bars: those of models, then those of baselines. commands: what measures them again.
        reported_by: who says so, where it was not measured here.
    """

    metric: str
    output: str
    split: str
    bars: tuple[Bar, ...]
    n: int | None = None
    commands: tuple[str, ...] = ()
    reported_by: str | None = None

    @property
    def title(self) -> str:
        """The metric in words: where a line may break."""
        return " ".join(self.metric.replace("_", " ").split())

    @property
    def has_intervals(self) -> bool:
        """Whether any of its values has one."""
        return any(bar.ci for bar in self.bars)

    @property
    def range(self) -> tuple[float, float]:
        """The least and greatest number of the axis."""
        values = [end for bar in self.bars for end in (bar.value, *(bar.ci or ())) if math.isfinite(end)]
        low, high = min([0.0, *values]), max([0.0, *values])
        return (-_round_up(-low) if low < 0 else 0.0), (1.0 if 0 < high <= 1 else _round_up(high) if high > 0 else 0.0)

    def at(self, value: float) -> float:
        """Where a value lies on the axis, in units of ``WIDTH``; what is no number lies at its zero."""
        low, high = self.range
        value = value if math.isfinite(value) else 0.0
        return round(WIDTH * (value - low) / ((high - low) or 1.0), 1)

    @property
    def ticks(self) -> list[str]:
        """The numbers at the ends of the axis."""
        return [number(end) for end in self.range]


def charts_of(records: Sequence[Mapping[str, Any]], places: Mapping[str, str] | None = None) -> list[Chart]:
    """A chart a metric, output and split of the models' evaluations, in the order of the cards.

    Args:
        places: name of a model -> address of its page, where rows are links.
    """
    found: dict[tuple[Any, ...], list[tuple[Mapping[str, Any], dict[str, Any]]]] = {}
    for record in records:
        for item in record["evaluation"]:
            key = (item["metric"], item["output"], item["split"], item.get("n"), item.get("reported_by"))
            found.setdefault(key, []).append((record, item))
    return [_chart(key, rows, places or {}, len(records) > 1) for key, rows in found.items()]


def shared_charts(records: Iterable[Mapping[str, Any]], places: Mapping[str, str]) -> dict[str, list[Chart]]:
    """Metrics that two or more models have, by name: a chart for each set of data on which they were measured."""
    measured = [record for record in records if record["evaluation"]]
    by_metric: dict[str, list[Chart]] = {}
    for chart in charts_of(measured, places):
        by_metric.setdefault(chart.title, []).append(chart)
    return {
        metric: charts
        for metric, charts in sorted(by_metric.items())
        if len({bar.model for chart in charts for bar in chart.bars if bar.model}) > 1
    }


def _chart(
    key: tuple[Any, ...],
    rows: Sequence[tuple[Mapping[str, Any], dict[str, Any]]],
    places: Mapping[str, str],
    several: bool,
) -> Chart:
    metric, output, split, n, reported_by = key
    bars: dict[tuple[Any, ...], Bar] = {}
    for record, item in rows:
        ci = tuple(item["ci"]) if item.get("ci") else None
        label = record["name"] if several else "this model"
        bar = Bar(label, item["value"], ci, record["name"], places.get(record["name"], ""))
        bars.setdefault((bar.model, bar.value, bar.ci), bar)
    for _, item in rows:
        if baseline := item.get("baseline"):
            bar = Bar(baseline["name"], baseline["value"], note="baseline")
            bars.setdefault(("", bar.label, bar.value), bar)
    commands = tuple(dict.fromkeys(item["command"] for _, item in rows if item.get("command")))
    return Chart(metric, output, split, tuple(bars.values()), n, commands, reported_by)


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9))


def number(value: float) -> str:
    """Three digits behind the point, or three that count; a real minus sign."""
    if not math.isfinite(value):
        return "not a number"
    text = f"{value:.3f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".") if float(text) == int(float(text)) else text
    return text.replace("-", "−")
