"""What ``zoo report`` and ``zoo motifs`` say at their end: the page's first sentence, names with grades, effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from interpret.motifs.grades import grade_patterns
from interpret.motifs.motifs_file import MotifsFile
from interpret.report.card import find_card
from interpret.report.head import LookedFor, look_for, missed, unit_of
from interpret.report.numbers import Row, order_of, row_of
from interpret.report.sentence import percent, sentence
from interpret.report.words import called
from zoo.words import counted

__all__ = ["ending", "facts_of"]

LINES = 8  # patterns that are told; of more than that, all that earn a name


def ending(motifs: MotifsFile, words: Sequence[str] = ()) -> list[str]:
    """Lines for a terminal.

    Args:
        motifs: what was found. words: known motifs, or bases, that were looked for.
    """
    record = motifs.run["contributions"]
    card = find_card(record)
    rows = [row_of(motifs, index, name) for index, name in enumerate(grade_patterns(motifs))]
    lines = [sentence(motifs, rows, called(record, card)), *_patterns(motifs, rows)]
    if any(row.effect for row in rows):
        unit = unit_of(motifs, card)
        lines.append(
            f"effect: of the consensus in shuffled regions, with its 95% interval{f', in {unit}' if unit else ''}"
        )
    return lines + _looked_for(look_for(motifs, words))


def facts_of(motifs: MotifsFile, words: Sequence[str] = ()) -> dict[str, Any]:
    """The facts of ``ending``, of all patterns and with all digits, as plain data; what is not known is None or NaN."""
    record = motifs.run["contributions"]
    card = find_card(record)
    rows = [row_of(motifs, index, name) for index, name in enumerate(grade_patterns(motifs))]
    return {
        "sentence": sentence(motifs, rows, called(record, card)),
        "motifs": str(motifs.path),
        "database": motifs.run["database"],
        "regions": len(motifs.regions),
        "unit": unit_of(motifs, card),
        "patterns": [_facts(motifs, index, rows[index]) for index in order_of(rows)],
        "looked_for": [
            {
                "word": one.word,
                "found": one.pattern is not None,
                "pattern": one.pattern.name if one.pattern is not None else None,
                "in_subpattern": one.inside,
                "q": one.q,
                "name_earned": one.pattern is not None and not one.weak,
                "lacking": one.lacking or None,
            }
            for one in look_for(motifs, words)
        ],
    }


def _facts(motifs: MotifsFile, index: int, row: Row) -> dict[str, Any]:
    pattern, name, effect = motifs.patterns[index], row.name, row.effect
    best = name.match if name.grade != "none" else None
    return {
        "pattern": pattern.name,
        "called": pattern.short_name,
        "consensus": pattern.consensus,
        "name": name.label,
        "grade": name.grade,
        "match": {"id": best.motif.id, "name": best.motif.name, "p": float(best.p), "q": float(best.q)}
        if best
        else None,
        "composition": name.composition,
        "includes": list(row.holds),
        "reasons": list(name.reasons),
        "effect": effect and {key: float(getattr(effect, key)) for key in ("mean", "low", "high")},
        "contribution": float(row.contribution),
        "seqlets": int(row.seqlets),
        "hits": None if row.hits is None else int(row.hits),
        "frequency": float(row.frequency),
    }


def _patterns(motifs: MotifsFile, rows: Sequence[Row]) -> Iterator[str]:
    """A line a pattern, those that drive the model most first."""
    order = order_of(rows)
    named = [i for i in order if rows[i].earned]
    others = [i for i in order if not rows[i].earned][: max(LINES - len(named), 0)]
    for i in sorted([*named, *others], key=order.index):
        yield f"{motifs.patterns[i].short_name} {_name(rows[i])}: {', '.join(_numbers(motifs, rows[i]))}"
    if left := len(rows) - len(named) - len(others):
        yield f"and {counted(left, 'pattern')} without an earned name"


def _name(row: Row) -> str:
    """``ABF1``, ``resembles PPR1``, ``no name``; behind it what is low in complexity, and names of subpatterns."""
    name = row.name
    beside = [name.composition] if name.composition and not name.known else []
    beside += [f"{'subpatterns' if row.holds[1:] else 'subpattern'} {', '.join(row.holds)}"] if row.holds else []
    return f"{name.label or 'no name'} ({'; '.join(beside)})" if beside else name.label or "no name"


def _numbers(motifs: MotifsFile, row: Row) -> Iterator[str]:
    if row.effect is not None:
        yield f"effect {row.effect.mean:+.3g} ({row.effect.low:.3g} to {row.effect.high:.3g})"
    else:
        yield f"contribution {row.contribution:+.3g} a seqlet"
    number, what = (row.seqlets, "seqlet") if row.hits is None else (row.hits, "hit")
    yield f"{counted(number, what)} in {percent(row.frequency)} of {counted(len(motifs.regions), 'region')}"


def _looked_for(found: Sequence[LookedFor]) -> list[str]:
    if not found:
        return []
    there = ", ".join(_where(item) for item in found if item.pattern is not None)
    return [f"looked for and found: {there or 'none'}; {missed(found)}"]


def _where(item: LookedFor) -> str:
    place = f"{'in ' if item.inside else ''}{item.pattern.short_name if item.pattern else ''}"
    q = "" if item.q is None else f", q {item.q:.2g}"
    return f"{item.word} ({place}{q}{', name not earned' if item.weak else ''})"
