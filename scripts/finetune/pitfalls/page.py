"""A page a pitfall in the look of our reports: one HTML file that loads nothing, and its line of a markdown table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np

from scripts.finetune.pitfalls.guard import Guard

__all__ = ["Measure", "Picture", "Pitfall", "page", "table", "write"]

SOURCE = "https://doi.org/10.1038/s41576-021-00434-9"
STYLE = """
.chart { width: 100%; max-width: 720px; height: auto; display: block; }
.chart text { font-size: 12px; fill: var(--soft); }
.chart .axis { stroke: var(--line); }
.chart .zero { stroke: var(--soft); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 16px; margin: 0 0 18px; }
.pair > div { border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px; }
.pair b { display: block; font-size: 34px; line-height: 1.15; }
.inflated b { color: var(--lowers); }
.honest b { color: var(--raises); }
figure.wide { display: block; margin: 16px 0; }
figure.wide figcaption { font-size: 13px; line-height: 1.4; max-width: 90ch; margin-top: 6px; }
nav a { margin-right: 16px; }
pre.said { white-space: pre-wrap; overflow-wrap: anywhere; max-height: none; }
"""


@dataclass(frozen=True)
class Measure:
    """One number by the naive protocol and by the honest one; NaN where it has no meaning.

    Attributes:
        what: of which model, on what. metric: its name.
    """

    what: str
    metric: str
    naive: float
    honest: float


@dataclass(frozen=True)
class Picture:
    """A figure, as SVG, and the sentence below it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Pitfall:
    """What a page tells.

    Attributes:
        slug: name of the file. title: of the page. what: the pitfall in two sentences. data: what it is shown on.
        naive, honest: the two protocols, a sentence each.
        measures: the first is the headline.
        pictures: figures. guards: what our command does about it. notes: what the reader must know besides.
    """

    slug: str
    title: str
    what: str
    data: str
    naive: str
    honest: str
    measures: tuple[Measure, ...]
    pictures: tuple[Picture, ...]
    guards: tuple[Guard, ...]
    notes: tuple[str, ...] = ()


def number(value: float) -> str:
    """Two digits with a real minus sign; a dash for NaN."""
    return f"{value + 0.0:.2f}".replace("-", "−") if np.isfinite(value) else "–"


def page(pitfall: Pitfall, others: Sequence[Pitfall] = ()) -> str:
    """The page as text.

    Args:
        others: pages beside it, for links; the page's own is written without one.
    """
    look = files("interpret.report").joinpath("assets", "style.css").read_text(encoding="utf-8")
    head = pitfall.measures[0]
    links = " ".join(
        f"<b>{escape(one.title)}</b>" if one.slug == pitfall.slug else f'<a href="{one.slug}.html">{one.title}</a>'
        for one in others
    )
    rows = "".join(
        f'<tr><td>{escape(m.what)}</td><td>{escape(m.metric)}</td><td class="num">{number(m.naive)}</td>'
        f'<td class="num">{number(m.honest)}</td></tr>'
        for m in pitfall.measures
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(pitfall.title)}</title>
<style>
{look}{STYLE}</style></head>
<body>
<header><h1>{escape(pitfall.title)}</h1>
<p class="lead">{escape(pitfall.what)}</p>
<p><small>Shown on {escape(pitfall.data)}. The pitfall is one of the five of <a href="{SOURCE}">Whalen et al. 2022</a>.
</small></p></header>
<div class="pair">
<div class="inflated"><small>Inflated: {escape(head.what)}, {escape(head.metric)}</small><b>{number(head.naive)}</b>
{escape(pitfall.naive)}</div>
<div class="honest"><small>Honest: the same</small><b>{number(head.honest)}</b>{escape(pitfall.honest)}</div>
</div>
<div class="scroll"><table class="small"><thead><tr><th>What</th><th>Measure</th><th class="num">Naive</th>
<th class="num">Honest</th></tr></thead><tbody>{rows}</tbody></table></div>
{"".join(map(_figure, pitfall.pictures))}
<h2>The guard</h2>
{"".join(map(_guard, pitfall.guards))}
{_notes(pitfall.notes)}
<footer>{f"<nav><p>{links}</p></nav>" if links else ""}
<p><small>Each number and message is what came out of the run that wrote this page:
<code>python -m scripts.finetune.pitfalls</code>.</small></p></footer>
</body></html>
"""


def _figure(picture: Picture) -> str:
    return f'<figure class="wide">{picture.svg}<figcaption>{escape(picture.caption)}</figcaption></figure>\n'


def _guard(guard: Guard) -> str:
    sign = "$" if guard.call.startswith("zoo ") else ">>>"
    call, said = escape(f"{sign} {guard.call}"), escape(guard.said)
    return f'<p>{_code(guard.stops)}</p><pre class="command">{call}</pre><pre class="said">{said}</pre>\n'


def _code(text: str) -> str:
    """Escaped, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return '<ul class="notes">' + "".join(f"<li>{_code(note)}</li>" for note in notes) + "</ul>"


def write(pitfalls: Sequence[Pitfall], folder: Path) -> list[Path]:
    """Write the pages, ``SLUG.html`` each; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for pitfall in pitfalls:
        path = folder / f"{pitfall.slug}.html"
        path.write_text(page(pitfall, pitfalls), encoding="utf-8")
        paths.append(path)
    return paths


def table(pitfalls: Sequence[Pitfall]) -> str:
    """The markdown table of a README block: pitfall, what is measured, naive, honest, guard."""
    rows = ["| Pitfall | Measured | Naive | Honest | Guard |", "|---|---|---|---|---|"]
    for pitfall in pitfalls:
        head = pitfall.measures[0]
        rows.append(
            f"| {pitfall.title} | {head.what}, {head.metric} | {number(head.naive)} | {number(head.honest)} "
            f"| {'; '.join(guard.short for guard in pitfall.guards)} |"
        )
    return "\n".join(rows)
