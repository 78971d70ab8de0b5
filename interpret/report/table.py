"""The table of motifs: one row a pattern, its logos aligned with the known motif it resembles."""

from __future__ import annotations

from html import escape

import numpy as np

from interpret.motifs.match import Match
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.logo import logo, probability_heights
from interpret.report.numbers import Row, like_another, within

__all__ = ["motif_table", "number", "q_text", "signed", "sparkline"]

COLUMNS = (
    ("Pattern", "pattern", "number"), ("Logos", "", ""), ("Known motif", "name", "text"), ("q", "q", "number"),
    ("Seqlets", "seqlets", "number"), ("Contribution", "contribution", "number"), ("Position", "distance", "number"),
    ("Hits", "hits", "number"),
)


def motif_table(motifs: MotifsFile, rows: list[Row]) -> str:
    """HTML of the table. Cells carry the values that sorting and filtering use."""
    heads = "".join(_head(*column) for column in COLUMNS)
    body = "".join(_row(motifs, index, row) for index, row in enumerate(rows))
    return f'<table id="motifs"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _head(title: str, key: str, kind: str) -> str:
    if not key:
        return f'<th scope="col">{title}</th>'
    right = " class=num" if kind == "number" and key not in ("pattern", "distance") else ""
    return f'<th scope="col"{right} data-key="{key}" data-kind="{kind}"><button type="button">{title}</button></th>'


def _row(motifs: MotifsFile, index: int, row: Row) -> str:
    pattern, match = motifs.patterns[index], row.named
    name = match.motif.name if match else ""
    flags, inside = _flags(motifs, index, row), within(motifs, index)
    words = escape(" ".join([pattern.short_name, pattern.name, name, match.motif.id if match else "no match",
                             pattern.consensus, *inside]).lower(), quote=True)
    values = {
        "pattern": index, "name": name.lower() or "~", "q": row.match.q if row.match else 2, "seqlets": row.seqlets,
        "contribution": row.contribution, "distance": row.distance, "hits": -1 if row.hits is None else row.hits,
    }
    data = " ".join(f'data-{key}="{escape(str(value), quote=True)}"' for key, value in values.items())
    known = (
        f"<b>{escape(match.motif.name)}</b><br><small>{escape(match.motif.id)}</small>" if match
        else '<span class="none">no match</span>'
    )
    if inside:
        known += f"<br><small>subpatterns: {escape(', '.join(inside))}</small>"
    hits = "–" if row.hits is None else f"{row.hits:,}"  # noqa: RUF001 - an en dash for nothing
    return (
        f'<tr {data} data-sign="{"raises" if pattern.positive else "lowers"}" data-matched="{int(bool(match))}" '
        f'data-words="{words}"><th scope="row"><a href="#{_anchor(pattern)}">{signed(pattern)}</a>{flags}</th>'
        f'<td class="logos">{aligned_logos(pattern, match)}</td>'
        f'<td data-label="Known motif">{known}</td>'
        f'<td class="num" data-label="q">{q_text(match.q) if match else "> 0.05"}</td>'
        f'<td class="num" data-label="Seqlets">{row.seqlets:,}<br><small>in {row.regions:,} regions</small></td>'
        f'<td class="num" data-label="Contribution">{number(row.contribution)}<br>'
        f'<small>± {number(row.spread)}</small></td>'
        f'<td data-label="Position">{sparkline(row.positions)}<br><small>{row.distance:,.0f} bp off</small></td>'
        f'<td class="num" data-label="Hits">{hits}</td></tr>'
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
    return f'<figure>{logo(heights, f"{title} {letters}", lead=lead, columns=columns, top=top)}' \
           f"<figcaption>{title}</figcaption></figure>"


def signed(pattern: Pattern) -> str:
    """The short name with a real minus sign."""
    return pattern.short_name.replace("-", "−")  # noqa: RUF001


def sparkline(counts: np.ndarray, label: str = "positions in the window") -> str:
    """Bars of counts; a tick marks the centre."""
    top = max(int(counts.max()), 1)
    bars = "".join(
        f"M{i * 3} 24v{-24 * count / top:.1f}h2.4V24z" for i, count in enumerate(counts) if count
    )
    width = 3 * len(counts)
    return (
        f'<svg class="spark" role="img" aria-label="{label}" viewBox="0 0 {width} 28">'
        f'<path d="{bars}"/><path class="axis" d="M0 24.5H{width}M{width / 2} 24.5V28"/></svg>'
    )


def number(value: float) -> str:
    """Three significant digits with a real minus sign."""
    return f"{value:.3g}".replace("-", "−") if abs(value) >= 1e-3 or value == 0 else q_text(value)  # noqa: RUF001


def q_text(value: float) -> str:
    """A power of ten below a thousandth, else two digits."""
    if value >= 1e-3:
        return f"{value:.2g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.replace('-', '−')}×10<sup>{str(int(exponent)).replace('-', '−')}</sup>"  # noqa: RUF001
