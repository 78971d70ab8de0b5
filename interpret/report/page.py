"""``motifs.h5`` -> one HTML file that needs nothing else: no network, no fonts, no other file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from interpret.motifs.motifs_file import MotifsFile, read_motifs
from interpret.report.card import ModelCard, find_card
from interpret.report.embedded import data, downloads
from interpret.report.genes import Gene, read_genes
from interpret.report.head import head, model_name
from interpret.report.logo import GLYPHS
from interpret.report.numbers import Row, enriched, row_of
from interpret.report.region_script import REGION_SCRIPT
from interpret.report.script import SCRIPT
from interpret.report.section import motif_section
from interpret.report.stylesheet import STYLE
from interpret.report.table import motif_table
from interpret.report.views import view_data
from zoo.results import check_out, replacing, sole_writer

__all__ = ["check_page_out", "render", "report_text", "write_report"]

SUFFIXES = (".html", ".htm")
# The browser itself refuses any request that would leave the file.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


def check_page_out(
    out: str | Path, inputs: Sequence[str | Path | None], beside: Callable[[Path], Iterable[Path]] | None = None
) -> Path:
    """``check_out`` for a page, and for what one command makes beside it."""
    return check_out(out, inputs=inputs, suffixes=SUFFIXES, beside=beside, what="the page", stdout=True)


def write_report(
    motifs: str | Path | MotifsFile, out: str | Path, genes: str | Path | None = None, look_for: Sequence[str] = ()
) -> Path:
    """Write the report of a file of motifs; returns its path.

    Args:
        motifs: file of ``zoo motifs``, or what ``read_motifs`` returned.
        genes: BED6, BED12, GTF or GFF3 for the view of regions.
        look_for: names of known motifs, or bases, of which the head says whether they came out.

    Raises:
        InputError: not a file of motifs or of genes. UsageError: the place to write is wrong.
    """
    out = check_page_out(out, [motifs.path if isinstance(motifs, MotifsFile) else motifs, genes])
    with sole_writer(out), replacing(out) as partial:
        partial.write_text(report_text(motifs, genes, look_for), encoding="utf-8")
    return out


def report_text(motifs: str | Path | MotifsFile, genes: str | Path | None = None, look_for: Sequence[str] = ()) -> str:
    """The report of a file of motifs as text, with the model's card if it is on this machine."""
    found = motifs if isinstance(motifs, MotifsFile) else read_motifs(motifs)
    return render(found, find_card(found.run["contributions"]), read_genes(genes) if genes else (), look_for)


def render(
    motifs: MotifsFile, card: ModelCard | None = None, genes: Sequence[Gene] = (), look_for: Sequence[str] = ()
) -> str:
    """The page as text."""
    rows = [row_of(motifs, index) for index in range(len(motifs.patterns))]
    views = view_data(motifs, genes)
    body = [GLYPHS, head(motifs, rows, card, look_for)]
    if rows:
        counted = enriched(motifs)
        sections = "".join(motif_section(motifs, i, row, len(views), counted[i]) for i, row in enumerate(rows))
        body += [
            "<h2>Patterns</h2>",
            _tools(),
            f"<div>{motif_table(motifs, rows)}</div>",
            _reading(rows),
            f"<h2>Each pattern</h2>{sections}",
        ]
    body += [
        _regions(motifs, views, bool(genes)),
        _card(card),
        _footer(motifs),
        downloads(motifs),
        data(motifs, rows, views),
    ]
    title = escape(f"Motifs of {model_name(motifs.run['contributions'])}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>{''.join(body)}\n<script>{SCRIPT}{REGION_SCRIPT}</script></body></html>\n"
    )


def _tools() -> str:
    kinds = {
        "all": "all patterns",
        "raises": "raise the prediction",
        "lowers": "lower the prediction",
        "matched": "with a known motif",
        "unmatched": "without",
    }
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


def _reading(rows: list[Row]) -> str:
    n = {len(row.effect.values) for row in rows if row.effect}
    effect = (
        (
            f"Effect: the explained output with the pattern's consensus inserted into {max(n):,} background sequences, "
            "less the output without; mean and its 95% interval. "
        )
        if n
        else ""
    )
    return (
        "<p><small>Contribution: mean and standard deviation of the summed contribution of the seqlets' cores. "
        f"{effect}Position: centres of the cores in the window, and their median distance from its centre. "
        "q: Benjamini-Hochberg over all known motifs for each pattern. "
        "× chance: occurrences of the pattern's bases against shuffles of the sequences. "
        "Logos: frequency and known motif in bits, 0 to 2; contribution to its own scale, "
        "letters that lower the prediction hang below the line.</small></p>"
    )


def _regions(motifs: MotifsFile, views: list[dict[str, Any]], genes: bool) -> str:
    if not views:
        return ""
    options = "".join(
        f'<option value="{k}">{escape(view["name"])} {escape(view["chrom"])}:{view["start"] + 1:,}</option>'
        for k, view in enumerate(views)
    )
    tools = (
        ("left", "to the left", "←"),
        ("right", "to the right", "→"),
        ("closer", "zoom in", "+"),
        ("wider", "zoom out", "−"),
        ("whole", "the whole region", "Whole"),
    )
    buttons = "".join(
        f'<button type="button" class="tool" id="{key}" aria-label="{label}">{text}</button>'
        for key, label, text in tools
    )
    count = (
        f"{len(views)} of {len(motifs.regions):,} regions: those named by --region, then of each pattern's strongest "
        "seqlets, then of the largest contributions"
    )
    kept = len(motifs.views.sequence)
    if len(views) < kept:
        count += f"; {kept:,} are in {escape(motifs.path.name)}, the page holds 4 MB of them"
    tracks = ["the predicted track"] if any("track" in view for view in views) else []
    lanes = [
        *tracks,
        "contributions (letters when zoomed in)",
        "instances of the patterns with their strand",
        *(["genes"] if genes else []),
    ]
    return (
        f'<section id="regions"><h2>Regions</h2><div class="bar"><select id="region" aria-label="Region">{options}'
        f'</select>{buttons}</div><canvas id="view" tabindex="0" role="img" aria-label=""></canvas>'
        f'<p id="where"></p><p id="under" aria-hidden="true"></p><p><small>From top to bottom: {", ".join(lanes)}. '
        f"Drag to move, Ctrl and wheel or + and - to zoom. {count}.</small></p></section>"
    )


def _card(card: ModelCard | None) -> str:
    if card is None:
        return ""
    return (
        f'<details id="card"><summary><b>Card of the model</b> <small>version {escape(card.version)}</small>'
        f"</summary><pre>{escape(card.text)}</pre></details>"
    )


def _footer(motifs: MotifsFile) -> str:
    versions = motifs.run["versions"]
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"<footer><p><small>Made from {escape(motifs.path.name)} by {escape(names)}.</small></p></footer>"
