"""The table of motifs: one row a pattern, its logos aligned with the known motif it resembles, subpatterns below.

Every part of the page shows a pattern in one orientation: that of the known motif where there is one, else that of the
file (``Row.turned``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from interpret.motifs.grades import Name, grade_pattern
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.drawing import logo, probability_heights, sparkline
from interpret.report.numbers import Enriched, Row, like_another, order_of

__all__ = ["Figure", "Subpattern", "TableRow", "aligned_logos", "core_logo", "letters", "oriented", "table_rows"]


@dataclass(frozen=True)
class Figure:
    """A picture and what stands beside it."""

    title: str
    picture: Markup


@dataclass(frozen=True)
class Subpattern:
    """A subpattern's contributions, its number of seqlets and what it may be called."""

    picture: Markup
    seqlets: int
    name: Name


@dataclass(frozen=True)
class TableRow:
    """One pattern in the table; see ``assets/table.html``.

    Attributes:
        rank: from 1, by what drives the model most. numbers: those of the pattern.
        counted: its occurrences against shuffles, or None.
        sort: what the page's script sorts by. words: what it searches.
        logos, positions: pictures. subpatterns: empty where there is one alone.
        like: an earlier pattern of the same shape.
    """

    pattern: Pattern
    rank: int
    numbers: Row
    counted: Enriched | None
    sort: dict[str, object]
    words: str
    logos: list[Figure]
    positions: Markup
    subpatterns: list[Subpattern]
    like: Pattern | None


def table_rows(motifs: MotifsFile, rows: Sequence[Row], counted: Sequence[Enriched | None]) -> list[TableRow]:
    """Rows of the table, those that drive the model most first."""
    return [_row(motifs, index, rank, rows[index], counted[index]) for rank, index in enumerate(order_of(rows), 1)]


def _row(motifs: MotifsFile, index: int, rank: int, row: Row, counted: Enriched | None) -> TableRow:
    pattern = motifs.patterns[index]
    counted = counted if counted and counted.expected else None
    return TableRow(
        pattern=pattern,
        rank=rank,
        numbers=row,
        counted=counted,
        sort=_sort_values(index, rank, row, counted),
        words=_words(pattern, row),
        logos=aligned_logos(pattern, row),
        positions=sparkline(row.positions),
        subpatterns=_subpatterns(motifs, pattern, row.turned),
        like=like_another(motifs.patterns, index),
    )


def _sort_values(index: int, rank: int, row: Row, counted: Enriched | None) -> dict[str, object]:
    """Names without a match come last, and so does what was not counted or measured."""
    match = row.name.match
    return {
        "pattern": index,
        "rank": rank,
        "name": _name(row).lower() or "~",
        "q": match.q if match else 2,
        "seqlets": row.seqlets,
        "contribution": row.contribution,
        "distance": row.distance,
        "hits": -1 if row.hits is None else row.hits,
        "enrichment": "nan" if counted is None else counted.occurrences / counted.expected,
        "effect": row.effect.mean if row.effect else "nan",
    }


def _name(row: Row) -> str:
    """The known motif's name, whether earned or not; the brace sorts those that are not behind those that are."""
    if row.shown is None:
        return ""
    return row.shown.motif.name if row.name.known else f"{{{row.shown.motif.name}"


def _words(pattern: Pattern, row: Row) -> str:
    match, name = row.shown, row.name
    known = (match.motif.name, match.motif.id, name.grade) if match else ("no match",)
    kinds = (*known, name.composition or "", *row.holds)
    return " ".join([pattern.short_name, pattern.name, *kinds, letters(pattern, row.turned)]).lower()


def _subpatterns(motifs: MotifsFile, pattern: Pattern, turned: bool) -> list[Subpattern]:
    if len(pattern.subpatterns) < 2:
        return []
    return [
        Subpattern(
            logo(oriented(child.contribution[slice(*child.core)], turned), "subpattern"),
            len(child.seqlets),
            grade_pattern(motifs, child),
        )
        for child in pattern.subpatterns
    ]


def oriented(matrix: np.ndarray, turned: bool) -> np.ndarray:
    """(W, 4) as it is, or its reverse complement."""
    return matrix[::-1, ::-1] if turned else matrix


COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")


def letters(pattern: Pattern, turned: bool) -> str:
    """The core's consensus in the page's orientation."""
    return pattern.consensus.translate(COMPLEMENT)[::-1] if turned else pattern.consensus


def core_logo(pattern: Pattern, row: Row) -> Figure:
    """The core's contributions alone."""
    return _figure("contribution", oriented(pattern.contribution[slice(*pattern.core)], row.turned), 0, None, None)


def aligned_logos(pattern: Pattern, row: Row) -> list[Figure]:
    """Contribution, frequency and known motif over each other, in the known motif's orientation."""
    match, turned = row.shown, row.turned  # the pattern is turned rather than the motif that readers know
    contribution, probability = (
        oriented(matrix[slice(*pattern.core)], turned) for matrix in (pattern.contribution, pattern.probability)
    )
    width = len(contribution)
    known, lead, known_lead = None, 0, 0
    if match:
        known = match.motif.probability
        offset = len(known) - match.offset - width if turned else match.offset
        lead, known_lead = max(offset, 0), max(-offset, 0)
    columns = max(lead + width, known_lead + (0 if known is None else len(known)))
    figures = [
        _figure("contribution", contribution, lead, columns, None),
        _figure("frequency", probability_heights(probability), lead, columns, 2.0),
    ]
    if known is not None and match:
        figures.append(_figure(match.motif.name, probability_heights(known), known_lead, columns, 2.0))
    return figures


def _figure(title: str, heights: np.ndarray, lead: int, columns: int | None, top: float | None) -> Figure:
    read = "".join("ACGT"[column.argmax()] if column.any() else "n" for column in np.abs(heights))
    return Figure(title, logo(heights, f"{title} {read}", lead=lead, columns=columns, top=top))
