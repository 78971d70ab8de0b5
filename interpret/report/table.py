"""The table of motifs: one row a pattern, its logos aligned with the known motif it resembles, subpatterns below."""

from __future__ import annotations

from html import escape

import numpy as np

from interpret.motifs.databases import Match
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.bars import number, q_text, sparkline
from interpret.report.logo import logo, probability_heights
from interpret.report.numbers import Enriched, Row, enriched, like_another, within

__all__ = ["motif_table", "signed"]

COLUMNS = (
    ("Pattern", "pattern", "number"),
    ("Logos", "", ""),
    ("Known motif", "name", "text"),
    ("q", "q", "number"),
    ("Seqlets", "seqlets", "number"),
    ("Contribution", "contribution", "number"),
    ("Effect", "effect", "number"),
    ("Position", "distance", "number"),
    ("Hits", "hits", "number"),
)


def motif_table(motifs: MotifsFile, rows: list[Row]) -> str:
    """HTML of the table. Cells carry the values that sorting and filtering use; no column of effects without any."""
    measured = any(row.effect for row in rows)
    heads = "".join(_head(*column) for column in COLUMNS if measured or column[1] != "effect")
    counted = enriched(motifs)
    body = "".join(_row(motifs, index, row, measured, counted[index]) for index, row in enumerate(rows))
    return f'<table id="motifs"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _head(title: str, key: str, kind: str) -> str:
    if not key:
        return f'<th scope="col">{title}</th>'
    right = " class=num" if kind == "number" and key not in ("pattern", "distance") else ""
    return f'<th scope="col"{right} data-key="{key}" data-kind="{kind}"><button type="button">{title}</button></th>'


def _row(motifs: MotifsFile, index: int, row: Row, measured: bool, counted: Enriched | None) -> str:
    pattern, match = motifs.patterns[index], row.named
    name = match.motif.name if match else ""
    flags, inside = _flags(motifs, index, row), within(motifs, index)
    words = escape(
        " ".join(
            [
                pattern.short_name,
                pattern.name,
                name,
                match.motif.id if match else "no match",
                pattern.consensus,
                *inside,
            ]
        ).lower(),
        quote=True,
    )
    values = {
        "pattern": index,
        "name": name.lower() or "~",
        "q": row.match.q if row.match else 2,
        "seqlets": row.seqlets,
        "contribution": row.contribution,
        "distance": row.distance,
        "hits": -1 if row.hits is None else row.hits,
    } | ({"effect": row.effect.mean if row.effect else "nan"} if measured else {})
    data = " ".join(f'data-{key}="{escape(str(value), quote=True)}"' for key, value in values.items())
    known = (
        f"<b>{escape(match.motif.name)}</b><br><small>{escape(match.motif.id)}</small>"
        if match
        else '<span class="none">no match</span>'
    )
    if inside:
        known += f"<br><small>subpatterns: {escape(', '.join(inside))}</small>"
    hits = "–" if row.hits is None else f"{row.hits:,}"
    if counted and counted.expected:
        hits += f"<br><small>{counted.occurrences / counted.expected:.2g} × chance</small>"
    return (
        f'<tr {data} data-sign="{"raises" if pattern.positive else "lowers"}" data-matched="{int(bool(match))}" '
        f'data-words="{words}"><th scope="row"><a href="#{_anchor(pattern)}">{signed(pattern)}</a>{flags}</th>'
        f'<td class="logos">{aligned_logos(pattern, match)}{_subpatterns(motifs, pattern)}</td>'
        f'<td data-label="Known motif">{known}</td>'
        f'<td class="num" data-label="q">{q_text(match.q) if match else "> 0.05"}</td>'
        f'<td class="num" data-label="Seqlets">{row.seqlets:,}<br><small>in {row.regions:,} regions</small></td>'
        f'<td class="num" data-label="Contribution">{number(row.contribution)}<br>'
        f"<small>± {number(row.spread)}</small></td>"
        f"{_effect(row) if measured else ''}"
        f'<td data-label="Position">{sparkline(row.positions)}<br><small>{row.distance:,.0f} bp off</small></td>'
        f'<td class="num" data-label="Hits">{hits}</td></tr>'
    )


def _effect(row: Row) -> str:
    effect = row.effect
    if effect is None:
        return '<td class="num none" data-label="Effect">not measured</td>'
    sign = "+" if effect.mean > 0 else ""
    return (
        f'<td class="num" data-label="Effect">{sign}{number(effect.mean)}<br>'
        f"<small>{number(effect.low)} to {number(effect.high)}</small></td>"
    )


def _subpatterns(motifs: MotifsFile, pattern: Pattern) -> str:
    if len(pattern.subpatterns) < 2:
        return ""
    figures = []
    for child in pattern.subpatterns:
        best = next(iter(motifs.matches[child.name]), None)
        known = f", {escape(best.motif.name)}, q {q_text(best.q)}" if best and best.significant else ""
        core = child.contribution[slice(*child.core)]
        figures.append(
            f"<figure>{logo(core, 'subpattern')}<figcaption>{len(child.seqlets):,} seqlets{known}</figcaption></figure>"
        )
    return (
        f'<details class="subs"><summary>{len(pattern.subpatterns)} subpatterns</summary>{"".join(figures)}</details>'
    )


def _anchor(pattern: Pattern) -> str:
    return pattern.name.replace(".", "-")


def _flags(motifs: MotifsFile, index: int, row: Row) -> str:
    flags = []
    other = like_another(motifs.patterns, index)
    if other:
        flags.append(f'<span class="flag" title="shape of the contributions alike">like {signed(other)}</span>')
    if row.repetitive:
        flags.append('<span class="flag">low complexity</span>')
    return "".join(flags)


def aligned_logos(pattern: Pattern, match: Match | None) -> str:
    """Contribution, frequency and known motif over each other, in the known motif's orientation."""
    contribution = pattern.contribution[slice(*pattern.core)]
    probability = pattern.probability[slice(*pattern.core)]
    width = len(contribution)
    known, lead, known_lead = None, 0, 0
    if match:
        known = match.motif.probability
        offset = match.offset
        if match.reverse:  # turn the pattern rather than the motif that readers know
            contribution, probability = contribution[::-1, ::-1], probability[::-1, ::-1]
            offset = len(known) - offset - width
        lead, known_lead = max(offset, 0), max(-offset, 0)
    columns = max(lead + width, known_lead + (0 if known is None else len(known)))
    tracks = [("contribution", contribution, lead), ("frequency", probability_heights(probability), lead)]
    if known is not None and match:
        tracks.append((escape(match.motif.name, quote=True), probability_heights(known), known_lead))
    return "".join(_track(*track, columns) for track in tracks)


def _track(title: str, heights: np.ndarray, lead: int, columns: int) -> str:
    top = None if title == "contribution" else 2.0
    letters = "".join("ACGT"[column.argmax()] if column.any() else "n" for column in np.abs(heights))
    return (
        f"<figure>{logo(heights, f'{title} {letters}', lead=lead, columns=columns, top=top)}"
        f"<figcaption>{title}</figcaption></figure>"
    )


def signed(pattern: Pattern) -> str:
    """The short name with a real minus sign."""
    return pattern.short_name.replace("-", "−")
