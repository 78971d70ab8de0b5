"""A verdict -> one HTML file that needs nothing else: no network, no fonts, no script, no other file.

The look is that of the motif report. Python computes, the templates in ``assets/`` write: whatever a run, a track or a
cell is called is escaped by them. Every figure is one of the record (``Verdict.as_dict``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from finetune.verdict.drawing import chart, density, scatter, strip, ticks, track
from finetune.verdict.example import Drawing, Example
from finetune.verdict.verdict import Verdict
from zoo.words import counted

__all__ = ["TITLES", "page"]

#: What metrics are called on the page.
TITLES = {
    "pearson": "Pearson",
    "pearson_log1p": "Pearson of log1p",
    "spearman": "Spearman",
    "profile": "Profile: Pearson within a window, mean",
    "counts": "Counts: Pearson of log1p window sums",
    "poisson_deviance": "Poisson deviance explained",
    "r2": "R²",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "partial": "Partial correlation given the average",
    "pearson_variable": "Pearson in the most variable bins",
    "ap_specific": "AP in specific loci",
}
#: Facts at the head of the page, if they are given; all others stand at its end.
HEAD = ("base", "mode", "genome", "targets", "regions", "splits", "cells", "windows", "loss", "seed")
#: Facts that have a place of their own.
PLACED = ("name", "command", "notes")
#: Tracks of a side with a table of metrics each, and those with a strip each.
TABLES, STRIPS = 8, 40


def page(
    verdict: Verdict,
    history: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]] = (),
    facts: Mapping[str, Any] | None = None,
) -> str:
    """The page as text.

    Args:
        verdict: of ``judge``.
        history: of training: a row an epoch, or a column a figure; columns with ``loss`` in their name are drawn.
        facts: what the run was, in words or numbers; default those of the verdict. ``name``, ``command`` and ``notes``
            (a list) have their places, ``base``, ``mode``, ``genome``, ``targets``, ``regions``, ``splits``, ``cells``,
            ``windows``, ``loss`` and ``seed`` stand at the head, all others at the end.
    """
    facts = dict(verdict.facts if facts is None else facts)
    return (
        _templates()
        .get_template("page.html")
        .render(
            verdict=verdict,
            name=facts.get("name") or facts.get("base") or "the model",
            head=[(key, _words(facts[key])) for key in HEAD if facts.get(key) is not None],
            notes=[str(note) for note in facts.get("notes") or ()],
            command=facts.get("command"),
            provenance=[(key, _words(value)) for key, value in facts.items() if key not in (*HEAD, *PLACED)]
            + [(f"verdict.{key}", _words(value)) for key, value in verdict.config.items() if value is not None],
            sides=[_side(name, side, verdict.drawings.get(name, [])) for name, side in verdict.sides.items()],
            curves=_curves(history),
            titles=TITLES,
        )
    )


@cache
def _templates() -> Environment:
    """What templates are given is escaped, and a name that is not given is an error."""
    made = Environment(
        loader=PackageLoader("finetune.verdict", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"figure": _figure, "interval": _interval, "counted": counted, "grouped": lambda n: f"{n:,}"}
    # Markup: the style is ours, and a browser does not unescape inside of it.
    made.globals["asset"] = lambda name: Markup(made.loader.get_source(made, name)[0])
    return made


def _figure(value: float | None, sign: bool = False) -> str:
    """Three decimals with a real minus sign, four digits of a large number; a dash for what is not defined."""
    if value is None:
        return "–"
    text = f"{value:+.3f}" if sign else f"{value:.3f}"
    if abs(value) >= 100:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def _interval(ci: Sequence[float] | None, sign: bool = False) -> str:
    return "no interval" if ci is None else f"{_figure(ci[0], sign)} to {_figure(ci[1], sign)}"


def _words(value: Any) -> str:
    """A fact as words: lists joined, parts of a mapping named."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value)


def _side(name: str, side: dict[str, Any], drawings: list[Drawing]) -> dict[str, Any]:
    """What the template shows of one side."""
    over = side["skill"]["over"]
    rows = sorted(over.items(), key=lambda item: item[1]["value"] if item[1]["value"] is not None else -np.inf)
    tracks = side["tracks"]
    drawn = {i: _drawn(drawing, tracks[i]) for i, drawing in enumerate(drawings)}
    labelled = [(_label(record), _own(record)["skill"]) for record in tracks]
    return {
        "name": name,
        "record": side,
        "over": _strips(rows),
        "tracks": _strips(labelled[:STRIPS], [f"over {item['baseline']}" for _, item in labelled[:STRIPS]]),
        "more_tracks": len(tracks) - STRIPS,
        "swaps": _swaps(side),
        "tables": [(_label(record), record, drawn.get(i)) for i, record in enumerate(tracks[:TABLES])],
        "more_tables": len(tracks) - TABLES,
    }


def _own(record: dict[str, Any]) -> dict[str, Any]:
    """A track's record at its own bins."""
    return next(iter(record["resolutions"].values()))


def _label(record: dict[str, Any]) -> str:
    cell = record["cell"]
    return record["track"] if cell in (None, record["track"]) else f"{record['track']} in {cell}"


def _strips(items: Sequence[tuple[str, dict[str, Any]]], beside: Sequence[str] = ()) -> dict[str, Any]:
    """Rows of bars on one scale, from 0 or the lowest end to 1 or less; below −1 they are cut off."""
    notes = [*beside, *[""] * (len(items) - len(beside))]
    shown = [(label, item, note) for (label, item), note in zip(items, notes, strict=True) if item["value"] is not None]
    ends = [v for _, item, _ in shown for v in (item["value"], *(item["ci"] or ()))]
    low, high = max(min([0.0, *ends]), -1.0), min(max([0.05, *ends]), 1.0)
    low = low - 0.03 * (high - low) if low < 0 else low
    rows = [
        {
            "label": label,
            "beside": note,
            "value": item["value"],
            "ci": item["ci"],
            "picture": strip(item["value"], item["ci"], low, high, f"{label}: {_figure(item['value'])}"),
        }
        for label, item, note in shown
    ]
    scale = [(f"{at:g}".replace("-", "−"), 100 * (at - low) / (high - low)) for at in ticks(low, high, 4)]
    return {"rows": rows, "scale": scale}


def _swaps(side: dict[str, Any]) -> dict[str, Any] | None:
    """The cell's own input and wrong ones; cell by cell where one track is judged."""
    if "swaps" not in side:
        return None
    items = [("own input", side["skill"]), ("all wrong inputs", side["swaps"])]
    if len(side["tracks"]) == 1:
        each = side["tracks"][0]["swaps"]["each"]
        items += [(f"input of {cell}", {"value": value, "ci": None}) for cell, value in list(each.items())[:STRIPS]]
    return _strips(items)


def _drawn(drawing: Drawing, record: dict[str, Any]) -> dict[str, Any]:
    line = record["calibration"]
    x, y = (np.array(line[key], dtype=float) for key in ("predicted", "observed"))
    return {
        "drawing": drawing,
        "record": record,
        "examples": [_example(example, drawing.baseline) for example in drawing.examples],
        "density": density(
            drawing.density, drawing.edges, f"predicted and observed bins of {drawing.name}", drawing.log
        ),
        "calibration": scatter(x, y, f"calibration of {drawing.name}", drawing.log) if len(x) > 1 else None,
        "chromosomes": _strips(
            [(name, {"value": item["skill"], "ci": None}) for name, item in record["chromosomes"].items()],
            [
                f"r {_figure(item['pearson'])}, {counted(item['windows'], 'window')}"
                for item in record["chromosomes"].values()
            ],
        ),
    }


def _example(example: Example, baseline: str) -> dict[str, Any]:
    """Three lines of one window on one scale."""
    lines = [("observed", example.observed), ("predicted", example.predicted), (baseline, example.baseline)]
    held = np.concatenate([values[np.isfinite(values)] for _, values in lines])
    low, high = min(0.0, float(held.min())), float(held.max())
    kinds = ("observed", "predicted", "baseline")
    where = f"{example.chrom}:{example.start:,}–{example.end:,}"
    return {
        "why": example.why,
        "where": where,
        "top": f"{high:.3g}",
        "low": f"{low:.3g}".replace("-", "−"),
        "lines": [
            (label, kind, track(values, low, high, kind, f"{label} at {where}"))
            for (label, values), kind in zip(lines, kinds, strict=True)
        ],
    }


def _curves(history: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """Learning curves: columns with ``loss`` in the name on one chart, other validation figures on another."""
    columns = _columns(history)
    numbers = {
        key: np.array([np.nan if v is None else v for v in column], dtype=float) for key, column in columns.items()
    }
    shown = {key: values for key, values in numbers.items() if np.isfinite(values).any()}
    losses = {key: values for key, values in shown.items() if "loss" in key}
    others = {key: values for key, values in shown.items() if "loss" not in key and key.startswith("val")}
    charts = [
        {
            "names": list(group)[:4],
            "picture": chart(list(group.values())[:4], f"{', '.join(list(group)[:4])} by epoch", "epoch"),
        }
        for group in (losses, others)
        if group
    ]
    return {"charts": charts} if charts else None


def _columns(history: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    if isinstance(history, Mapping):
        rows = max((len(column) for column in history.values()), default=0)
        columns = {key: [*column, *[None] * (rows - len(column))] for key, column in history.items()}
    else:
        keys = dict.fromkeys(key for row in history for key in row)
        columns = {key: [row.get(key) for row in history] for key in keys}
    return {
        str(key): column
        for key, column in columns.items()
        if all(v is None or (isinstance(v, int | float | np.number) and not isinstance(v, bool)) for v in column)
    }
