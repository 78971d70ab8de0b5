"""A motif's own section: whole logos, known motifs, effect, instances, partners, seqlets as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from interpret.motifs.databases import Match
from interpret.motifs.grades import Name
from interpret.motifs.hits import FARTHEST, Partner
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.drawing import letters_png, logo, probability_heights, sparkline
from interpret.report.numbers import EffectNumbers, Enriched, Row
from interpret.report.table import COMPLEMENT, Figure, letters, oriented

__all__ = ["FARTHEST", "SHOWN", "EffectPicture", "Instance", "PartnerRow", "Section", "section_of"]

SHOWN, HEAT_ROWS, PARTNERS, MATCHES = 10, 150, 3, 5


@dataclass(frozen=True)
class EffectPicture:
    """An effect and its spread over the backgrounds; low, high: the ends of the picture, of which 0 is inside."""

    numbers: EffectNumbers
    picture: Markup
    low: float
    high: float


@dataclass(frozen=True)
class Instance:
    """A seqlet. place: its core in the genome, 1-based. at: the same 0-based. view: index of its region, if drawn."""

    place: str
    at: int
    view: int | None
    strand: str
    region: str
    contribution: float


@dataclass(frozen=True)
class PartnerRow:
    """A pattern that lies in the same regions, and what it may be called."""

    pattern: Pattern
    name: Name
    numbers: Partner
    spacing: Markup


@dataclass(frozen=True)
class Section:
    """One pattern in its own section; see ``assets/section.html``.

    Attributes:
        consensus: of the core, as the page shows it. inserted: the letters of the effect, turned like it.
        matches, partners: those shown. all_matches, all_partners: how many there are; partners None where no hits
            were looked for.
        heat: data URI of the seqlets' bases. heat_rows: how many of them.
    """

    pattern: Pattern
    numbers: Row
    counted: Enriched | None
    consensus: str
    inserted: str
    logos: list[Figure]
    effect: EffectPicture | None
    matches: list[Match]
    all_matches: int
    instances: list[Instance]
    partners: list[PartnerRow] | None
    all_partners: int
    heat: str
    heat_rows: int


def section_of(
    motifs: MotifsFile,
    index: int,
    rows: Sequence[Row],
    shown: int,
    counted: Enriched | None,
    partners: list[Partner] | None,
) -> Section:
    """Section of one pattern; ``shown`` is the number of regions that the page draws."""
    pattern, row = motifs.patterns[index], rows[index]
    matches = [match for match in motifs.matches[pattern.name] if match.significant]
    heat = pattern.seqlets.letters[pattern.strongest[:HEAT_ROWS]]
    if row.turned:
        heat = np.where(heat < 4, 3 - heat, 4)[:, ::-1]
    inserted = row.effect.consensus if row.effect else ""
    return Section(
        pattern=pattern,
        numbers=row,
        counted=counted,
        consensus=letters(pattern, row.turned),
        inserted=inserted.translate(COMPLEMENT)[::-1] if row.turned else inserted,
        logos=_whole(pattern, row.turned),
        effect=_effect(row.effect) if row.effect else None,
        matches=matches[:MATCHES],
        all_matches=len(matches),
        instances=_instances(motifs, pattern, shown, row.turned),
        partners=None if partners is None else [_partner(motifs, rows, p, row.turned) for p in partners[:PARTNERS]],
        all_partners=len(partners or ()),
        heat=letters_png(heat),
        heat_rows=len(heat),
    )


def _whole(pattern: Pattern, turned: bool) -> list[Figure]:
    frequency = probability_heights(oriented(pattern.probability, turned))
    return [
        Figure("contribution", logo(oriented(pattern.contribution, turned), "whole pattern, contribution")),
        Figure("frequency", logo(frequency, "whole pattern, frequency", top=2.0)),
    ]


def _effect(effect: EffectNumbers) -> EffectPicture:
    low, high = min(0.0, float(effect.values.min())), max(0.0, float(effect.values.max()))
    counts = np.histogram(effect.values, bins=24, range=(low, high) if low < high else (0.0, 1.0))[0]
    zero = -low / (high - low) if low < high else 0.0
    return EffectPicture(effect, sparkline(counts, "effects in the backgrounds", zero), low, high)


def _instances(motifs: MotifsFile, pattern: Pattern, shown: int, turned: bool) -> list[Instance]:
    """The seqlets whose cores contribute most; their strand is that of the orientation that the page shows."""
    seqlets = pattern.seqlets
    _, core = motifs.places(pattern)
    view_of = {int(sequence): k for k, sequence in enumerate(motifs.views.sequence[:shown])}
    return [
        Instance(
            f"{core.chrom[i]}:{core.start[i] + 1:,}–{core.end[i]:,}",
            int(core.start[i]),
            view_of.get(int(seqlets.sequence[i])),
            "+-"[(core.strand[i] == "-") ^ turned],
            str(motifs.regions.name[seqlets.sequence[i]]),
            float(seqlets.core_contribution[i]),
        )
        for i in pattern.strongest[:SHOWN]
    ]


def _partner(motifs: MotifsFile, rows: Sequence[Row], partner: Partner, turned: bool) -> PartnerRow:
    spacing = partner.spacing[::-1] if turned else partner.spacing  # downstream of what is shown, to the right
    return PartnerRow(
        motifs.patterns[partner.pattern], rows[partner.pattern].name, partner, sparkline(spacing, "spacing")
    )
