"""The table of motifs: one row a pattern, its logos aligned with the known motif it resembles, subpatterns below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from interpret.motifs.databases import Match
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.drawing import logo, probability_heights, sparkline
from interpret.report.numbers import Enriched, Row, like_another, within

__all__ = ["Figure", "Subpattern", "TableRow", "aligned_logos", "table_rows"]


@dataclass(frozen=True)
class Figure:
    """A picture and what stands beside it."""

    title: str
    picture: Markup


@dataclass(frozen=True)
class Subpattern:
    """A subpattern's contributions, its number of seqlets and its best match, if that is significant."""

    picture: Markup
    seqlets: int
    match: Match | None


@dataclass(frozen=True)
class TableRow:
    """One pattern in the table; see ``assets/table.html``.

    Attributes:
        numbers: those of the pattern. counted: its occurrences against shuffles, or None.
        sort: what the page's script sorts by. words: what it searches.
        logos, positions: pictures. subpatterns: empty where there is one alone.
        within: known motifs of subpatterns. like: an earlier pattern of the same shape.
    """

    pattern: Pattern
    numbers: Row
    counted: Enriched | None
    sort: dict[str, object]
    words: str
    logos: list[Figure]
    positions: Markup
    subpatterns: list[Subpattern]
    within: list[str]
    like: Pattern | None


def table_rows(motifs: MotifsFile, rows: Sequence[Row], counted: Sequence[Enriched | None]) -> list[TableRow]:
    """Rows of the table, in the order of the file's patterns."""
    return [_row(motifs, index, row, counted[index]) for index, row in enumerate(rows)]


def _row(motifs: MotifsFile, index: int, row: Row, counted: Enriched | None) -> TableRow:
    pattern, inside = motifs.patterns[index], within(motifs, index)
    return TableRow(
        pattern=pattern,
        numbers=row,
        counted=counted if counted and counted.expected else None,
        sort=_sort_values(index, row),
        words=_words(pattern, row.named, inside),
        logos=aligned_logos(pattern, row.named),
        positions=sparkline(row.positions),
        subpatterns=_subpatterns(motifs, pattern),
        within=inside,
        like=like_another(motifs.patterns, index),
    )


def _sort_values(index: int, row: Row) -> dict[str, object]:
    """Names without a match come last, and so does what was not counted or measured."""
    return {
        "pattern": index,
        "name": row.named.motif.name.lower() if row.named else "~",
        "q": row.match.q if row.match else 2,
        "seqlets": row.seqlets,
        "contribution": row.contribution,
        "distance": row.distance,
        "hits": -1 if row.hits is None else row.hits,
        "effect": row.effect.mean if row.effect else "nan",
    }


def _words(pattern: Pattern, match: Match | None, inside: Sequence[str]) -> str:
    known = (match.motif.name, match.motif.id) if match else ("", "no match")
    return " ".join([pattern.short_name, pattern.name, *known, pattern.consensus, *inside]).lower()


def _subpatterns(motifs: MotifsFile, pattern: Pattern) -> list[Subpattern]:
    if len(pattern.subpatterns) < 2:
        return []
    found = []
    for child in pattern.subpatterns:
        best = next(iter(motifs.matches[child.name]), None)
        picture = logo(child.contribution[slice(*child.core)], "subpattern")
        found.append(Subpattern(picture, len(child.seqlets), best if best and best.significant else None))
    return found


def aligned_logos(pattern: Pattern, match: Match | None) -> list[Figure]:
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
    figures = [
        _figure("contribution", contribution, lead, columns, None),
        _figure("frequency", probability_heights(probability), lead, columns, 2.0),
    ]
    if known is not None and match:
        figures.append(_figure(match.motif.name, probability_heights(known), known_lead, columns, 2.0))
    return figures


def _figure(title: str, heights: np.ndarray, lead: int, columns: int, top: float | None) -> Figure:
    letters = "".join("ACGT"[column.argmax()] if column.any() else "n" for column in np.abs(heights))
    return Figure(title, logo(heights, f"{title} {letters}", lead=lead, columns=columns, top=top))
