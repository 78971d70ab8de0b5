"""``motifs.h5`` -> one HTML file that needs nothing else: no network, no fonts, no other file."""

from __future__ import annotations

import json
import os
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from interpret.motifs.exports import meme, motifs_tsv, seqlets_bed
from interpret.motifs.motifs_file import MotifsFile, read_motifs
from interpret.report.head import head
from interpret.report.logo import GLYPHS
from interpret.report.numbers import Row, row_of
from interpret.report.script import SCRIPT
from interpret.report.section import motif_section
from interpret.report.stylesheet import STYLE
from interpret.report.table import motif_table
from interpret.report.views import view_data
from zoo.errors import UsageError

__all__ = ["render", "write_report"]

# The browser itself refuses any request that would leave the file.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
BED_ROWS = 20_000


def write_report(motifs: str | Path, out: str | Path) -> Path:
    """Write the report of a file of motifs; returns its path.

    Raises:
        InputError: not a file of motifs. UsageError: the place to write is wrong.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise UsageError(f"-o {out}: no folder {out.parent}", "nothing was written", f"Fix: mkdir -p {out.parent}")
    text = render(read_motifs(motifs))
    partial = out.with_name(out.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, out)
    return out


def render(motifs: MotifsFile) -> str:
    """The page as text."""
    rows = [row_of(motifs, index) for index in range(len(motifs.patterns))]
    views = view_data(motifs)
    body = [GLYPHS, head(motifs, rows)]
    if rows:
        sections = "".join(motif_section(motifs, index, row) for index, row in enumerate(rows))
        body += ["<h2>Patterns</h2>", _tools(), f"<div>{motif_table(motifs, rows)}</div>", _reading(),
                 f"<h2>Each pattern</h2>{sections}"]
    body += [_regions(motifs, views), _footer(motifs), _downloads(motifs), _data(motifs, rows, views)]
    title = escape(f"Motifs in {motifs.path.name}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>{''.join(body)}\n<script>{SCRIPT}</script></body></html>\n"
    )


def _tools() -> str:
    kinds = {"all": "all patterns", "raises": "raise the prediction", "lowers": "lower the prediction",
             "matched": "with a known motif", "unmatched": "without"}
    options = "".join(f'<option value="{value}">{text}</option>' for value, text in kinds.items())
    files = {"meme": ("MEME", "motifs.meme"), "tsv": ("TSV", "motifs.tsv"), "bed": ("BED", "seqlets.bed")}
    buttons = "".join(
        f'<button type="button" class="tool" data-download="{key}" data-file="{name}">{title}</button>'
        for key, (title, name) in files.items()
    )
    return (
        '<div class="bar"><input id="search" type="search" placeholder="Name, id or bases" aria-label="Search">'
        f'<select id="kind" aria-label="Which patterns">{options}</select>'
        '<button type="button" class="tool" id="turn" aria-pressed="false">Reverse complement</button>'
        f'<small id="count" role="status"></small><span class="gap"></span><small>Download</small>{buttons}</div>'
    )


def _reading() -> str:
    return (
        "<p><small>Contribution: mean and standard deviation of the summed contribution of the seqlets' cores. "
        "Position: centres of the cores in the window, and their median distance from its centre. "
        "q: Benjamini-Hochberg over all known motifs for each pattern. "
        "Logos: frequency and known motif in bits, 0 to 2; contribution to its own scale, "
        "letters that lower the prediction hang below the line.</small></p>"
    )


def _regions(motifs: MotifsFile, views: list[dict[str, Any]]) -> str:
    if not views:
        return ""
    options = "".join(
        f'<option value="{k}">{escape(view["name"])} {escape(view["chrom"])}:{view["start"] + 1:,}</option>'
        for k, view in enumerate(views)
    )
    buttons = "".join(f'<button type="button" class="tool" id="{key}" aria-label="{label}">{text}</button>'
                      for key, label, text in (("left", "to the left", "←"), ("right", "to the right", "→"),
                                               ("closer", "zoom in", "+"), ("wider", "zoom out", "−")))  # noqa: RUF001
    count = (
        f"{len(views)} of {len(motifs.regions):,} regions: of each pattern's strongest seqlet, then of the largest "
        "contributions"
    )
    return (
        f'<section id="regions"><h2>Regions</h2><div class="bar"><select id="region" aria-label="Region">{options}'
        f'</select>{buttons}<small>{count}</small></div><canvas id="view" tabindex="0" role="img" '
        'aria-label="contributions of the bases, instances of patterns below"></canvas><p id="where"></p>'
        "<p><small>Contribution of each base; letters when zoomed in. Drag to move, Ctrl and wheel to zoom. Below: "
        "instances of the patterns and their strand.</small></p></section>"
    )


def _footer(motifs: MotifsFile) -> str:
    versions = motifs.run["versions"]
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"<footer><p><small>Made from {escape(motifs.path.name)} by {escape(names)}.</small></p></footer>"


def _downloads(motifs: MotifsFile) -> str:
    total = sum(len(pattern.seqlets) for pattern in motifs.patterns)
    bed = list(islice(seqlets_bed(motifs), BED_ROWS + 1))
    if total > BED_ROWS:
        bed.insert(0, f"# {BED_ROWS} of {total} seqlets; all are in the .seqlets.bed beside {motifs.path.name}\n")
    texts = {"meme": meme(motifs), "tsv": motifs_tsv(motifs), "bed": bed}
    return "".join(
        f'<script type="text/plain" id="{key}">{_unclosed("".join(lines))}</script>' for key, lines in texts.items()
    )


def _data(motifs: MotifsFile, rows: list[Row], views: list[dict[str, Any]]) -> str:
    names = [
        f"{pattern.short_name} {row.named.motif.name}" if row.named else pattern.short_name
        for pattern, row in zip(motifs.patterns, rows, strict=True)
    ]
    text = json.dumps({"patterns": names, "views": views}, separators=(",", ":"))
    return f'<script type="application/json" id="data">{_unclosed(text)}</script>'


def _unclosed(text: str) -> str:
    """Text that cannot end its script element, whatever a BED called its regions.

    In JSON ``<\\/`` reads as ``</``; names in BED and MEME with ``</`` would be strange enough to show a backslash.
    """
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--")
