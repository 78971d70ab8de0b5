"""A motif's own section: whole logos, known motifs, effect, instances, partners, seqlets as a picture."""

from __future__ import annotations

from html import escape

import numpy as np

from interpret.motifs.hits import FARTHEST, partners_of
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.bars import number, q_text, sparkline
from interpret.report.letters_png import letters_png
from interpret.report.logo import logo, probability_heights
from interpret.report.numbers import Enriched, Row
from interpret.report.table import signed

__all__ = ["SHOWN", "motif_section"]

SHOWN, HEAT_ROWS, PARTNERS = 10, 150, 3


def motif_section(motifs: MotifsFile, index: int, row: Row, shown: int, counted: Enriched | None = None) -> str:
    """HTML of one pattern, folded until asked for; ``shown`` is the number of regions that the page draws."""
    pattern = motifs.patterns[index]
    title = f"{signed(pattern)} {row.named.motif.name if row.named else 'no match'}"
    start, end = pattern.core
    facts = (
        f"Core {escape(pattern.consensus)}, columns {start + 1} to {end} of {len(pattern.contribution)}; "
        f"{row.bits:.1f} bits; GC {row.gc:.0%}."
        + (
            " Strands are those of this orientation; the table shows the reverse complement, as the known motif has it."
            if row.named and row.named.reverse
            else ""
        )
    )
    left = (
        _whole(pattern)
        + _effect(row)
        + _counted(counted)
        + _matches(motifs, pattern)
        + _instances(motifs, pattern, shown)
        + _partners(motifs, index)
    )
    body = f'<div class="sides"><div>{left}</div>{_heat_map(pattern)}</div>'
    return (
        f'<details class="motif" id="{pattern.name.replace(".", "-")}"><summary><b>{escape(title)}</b> '
        f"<small>{row.seqlets:,} seqlets</small></summary><p>{facts}</p>{body}</details>"
    )


def _whole(pattern: Pattern) -> str:
    tracks = {"contribution": pattern.contribution, "frequency": probability_heights(pattern.probability)}
    return (
        '<div class="whole">'
        + "".join(
            f"<figure>{logo(heights, f'whole pattern, {title}', top=2.0 if title == 'frequency' else None)}"
            f"<figcaption>{title}</figcaption></figure>"
            for title, heights in tracks.items()
        )
        + "</div>"
    )


def _effect(row: Row) -> str:
    """The sentence on marginalization and the spread over backgrounds."""
    effect = row.effect
    if effect is None:
        return ""
    low, high = min(0.0, float(effect.values.min())), max(0.0, float(effect.values.max()))
    counts = np.histogram(effect.values, bins=24, range=(low, high) if low < high else (0.0, 1.0))[0]
    zero = -low / (high - low) if low < high else 0.0
    return (
        f'<p class="effect">{sparkline(counts, "effects in the backgrounds", zero)} Inserted into '
        f"{len(effect.values):,} background sequences, <code>{escape(effect.consensus)}</code> changes the explained "
        f"output by {number(effect.mean)} on average (95% interval {number(effect.low)} to {number(effect.high)}; "
        f"from {number(low)} to {number(high)} in the picture, the tick is 0).</p>"
    )


def _counted(counted: Enriched | None) -> str:
    if counted is None:
        return ""
    return (
        f"<p>Whatever they contribute, its bases occur {counted.occurrences:,.0f} times in the sequences and "
        f"{number(counted.expected)} times in shuffles of them (q {q_text(counted.q)}).</p>"
    )


def _matches(motifs: MotifsFile, pattern: Pattern) -> str:
    found = [match for match in motifs.matches[pattern.name] if match.significant]
    if not found:
        return "<p>No known motif with q ≤ 0.05.</p>"
    rows = "".join(
        f"<tr><td>{escape(match.motif.name)}</td><td>{escape(match.motif.id)}</td><td class=num>{q_text(match.q)}</td>"
        f"<td class=num>{match.overlap}</td></tr>"
        for match in found[:5]
    )
    capped = f"<p><small>5 of at least {len(found)} known motifs with q ≤ 0.05.</small></p>" if len(found) > 5 else ""
    return (
        '<div class="scroll"><table class="small"><thead><tr><th>Known motif</th><th>Id</th><th class=num>q</th>'
        f"<th class=num>Columns</th></tr></thead><tbody>{rows}</tbody></table></div>{capped}"
    )


def _instances(motifs: MotifsFile, pattern: Pattern, shown: int) -> str:
    seqlets = pattern.seqlets
    _, core = motifs.places(pattern)
    order = pattern.strongest[:SHOWN]
    view_of = {int(sequence): k for k, sequence in enumerate(motifs.views.sequence[:shown])}
    rows = []
    for i in order:
        place = f"{core.chrom[i]}:{core.start[i] + 1:,}–{core.end[i]:,}"
        view = view_of.get(int(seqlets.sequence[i]))
        if view is not None:
            place = f'<a href="#regions" data-view="{view}" data-at="{core.start[i]}">{place}</a>'
        region = escape(str(motifs.regions.name[seqlets.sequence[i]]))
        rows.append(
            f"<tr><td>{place}</td><td>{core.strand[i].replace('-', '−')}</td><td>{region}</td>"
            f"<td class=num>{number(float(seqlets.core_contribution[i]))}</td></tr>"
        )
    linked = sum("data-view" in row for row in rows)
    capped = (
        f"{len(order)} of {len(seqlets):,} seqlets, those whose core contributes most; all are in the BED. "
        f"Links ({linked}) lead to the regions drawn below."
    )
    return (
        '<div class="scroll"><table class="small"><thead><tr><th>Core in the genome (1-based)</th><th>Strand</th>'
        f"<th>Region</th><th class=num>Contribution</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"<p><small>{capped}</small></p>"
    )


def _partners(motifs: MotifsFile, index: int) -> str:
    if motifs.hits is None:
        return ""
    found = partners_of(motifs.hits, index, len(motifs.patterns), len(motifs.regions))
    if not found:
        return "<p>No other pattern lies in the same regions more often than by chance (q ≤ 0.05).</p>"
    rows = "".join(
        f"<tr><td>{_title(motifs, partner.pattern)}</td><td class=num>{partner.both:,}</td>"
        f"<td class=num>{partner.expected:,.0f}</td><td class=num>{q_text(partner.q)}</td>"
        f"<td>{sparkline(partner.spacing, 'spacing')}</td></tr>"
        for partner in found[:PARTNERS]
    )
    more = f"{min(PARTNERS, len(found))} of {len(found)} partners. " if len(found) > PARTNERS else ""
    return (
        '<div class="scroll"><table class="small"><thead><tr><th>Partner</th><th class=num>Regions with both</th>'
        f"<th class=num>By chance</th><th class=num>q</th><th>Spacing ±{FARTHEST} bp</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div><p><small>{more}From hits that do not overlap; spacing of centres, "
        "downstream of this pattern to the right.</small></p>"
    )


def _title(motifs: MotifsFile, index: int) -> str:
    pattern = motifs.patterns[index]
    best = next((match for match in motifs.matches[pattern.name] if match.significant), None)
    return signed(pattern) + (f" {escape(best.motif.name)}" if best else "")


def _heat_map(pattern: Pattern) -> str:
    """The strongest seqlets, one a row, aligned."""
    letters = pattern.seqlets.letters[pattern.strongest[:HEAT_ROWS]]
    count = f"{len(letters):,} of {len(pattern.seqlets):,} seqlets as they were found, one a row, the strongest on top"
    return (
        f'<div class="heat"><img alt="bases of the seqlets" src="{letters_png(letters)}"><p><small>{count}</small></p>'
        '<p class="key"><b class="kA">A</b> <b class="kC">C</b> <b class="kG">G</b> <b class="kT">T</b></p></div>'
    )
