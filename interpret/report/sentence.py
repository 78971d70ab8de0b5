"""One sentence for page and terminal: which motifs drive the model, in which direction, and how much they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from interpret.motifs.explained import ExplainedSign
from interpret.motifs.grades import Name
from interpret.motifs.motifs_file import MotifsFile
from interpret.report.numbers import Row, order_of
from zoo.words import counted

__all__ = ["NUMBERS", "listed", "percent", "plain_name", "sentence"]

NAMED, STRONGEST = 5, 3  # of a direction: how many are said; how many of them whatever they are called
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sentence(motifs: MotifsFile, rows: Sequence[Row], called: str) -> str:
    """What drives the model, with names.

    Args:
        rows: one a pattern, in the file's order. called: what is predicted, as ``words.called`` says it.
    """
    if not rows:
        where = f"TF-MoDISco found no pattern in {_regions(len(motifs.regions))}"
        return f"{where}, so nothing here names what drives {called}."
    clauses, held, subjects = [], [], []
    for positive in (True, False):
        found = _subjects(motifs, rows, positive)
        if not found:
            continue
        verb = ("raise" if positive else "lower") + ("s" if _singular(found) else "")
        clauses.append(f"{listed([words for words, _ in found])} {verb} {'it' if clauses else called}")
        members = [i for _, some in found for i in some]
        subjects += found
        if share := _share(motifs, positive, members):
            held.append(f"{share} of {'positive' if positive else 'negative'} contribution")
    said = ", and ".join(clauses)
    if held:
        said += f"; {'its' if _singular(subjects) else 'their'} instances hold {listed(held)}"
    if not any(row.earned for row in rows):
        said += "; none earns the name of a known motif" if len(rows) > 1 else "; it earns no known motif's name"
    return f"{_capital(said)}."


def _subjects(motifs: MotifsFile, rows: Sequence[Row], positive: bool) -> list[tuple[str, list[int]]]:
    """What raises (or lowers): words and the patterns they stand for, earned names first, each group strongest first.

    Those are earned names, also of subpatterns, and of the other patterns those among the strongest few; no more than
    ``NAMED`` in all. A name that two patterns earn stands once, and speaks of both. What includes a name stands last:
    what came behind it would be read as included too.
    """
    order = [i for i in order_of(rows) if motifs.patterns[i].positive == positive]
    earned: dict[str, list[int]] = {}
    others: dict[str, list[int]] = {}
    for rank, i in enumerate(order):
        if rows[i].earned or rank < STRONGEST:
            (earned if rows[i].earned else others).setdefault(plain_name(rows[i].name, rows[i].holds), []).append(i)
    said = [*list(earned.items())[: NAMED - len(others)], *others.items()]
    said.sort(key=lambda item: not rows[item[1][0]].name.known and bool(rows[item[1][0]].holds))
    return [(_many(words, len(members)), members) for words, members in said]


def plain_name(name: Name, holds: Sequence[str] = ()) -> str:
    """``ABF1``, ``a motif that includes REB1``, ``a motif like PPR1``, ``poly-A`` or ``an unnamed motif``."""
    if name.known and name.match:
        return name.match.motif.name
    if holds:  # earned by its subpatterns
        return f"a motif that includes {listed(holds)}"
    if name.composition:
        return _composition(name.composition)
    return f"a motif like {name.match.motif.name}" if name.grade == "weak" and name.match else "an unnamed motif"


def _composition(text: str) -> str:
    """``low complexity: poly-A`` -> ``poly-A``; ``composition only: CG-rich`` -> ``CG-rich sequence``.

    What no base stands out of is ``a faint motif``.
    """
    words = text.rpartition(": ")[2].strip()
    if words.endswith("-rich"):
        return f"{words} sequence"
    return words if words.startswith("poly-") or words.endswith(" repeat") else "a faint motif"


def _many(words: str, count: int) -> str:
    if count == 1 or not words.startswith(("a ", "an ")):
        return words
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    return f"{number} {re.sub('^an? ', '', words).replace('motif', 'motifs', 1)}"


def _singular(found: Sequence[tuple[str, list[int]]]) -> bool:
    return len(found) == 1 and "motifs" not in found[0][0].split()


def _share(motifs: MotifsFile, positive: bool, members: Sequence[int]) -> str:
    """Of the contribution of a sign, what lies in the instances of the patterns; empty where it is not known."""
    if motifs.explained is None:
        return ""
    side: ExplainedSign = motifs.explained.positive if positive else motifs.explained.negative
    return "" if side.by_pattern is None else percent(float(sum(side.by_pattern[i] for i in members)))


def percent(share: float) -> str:
    """``36%``; ``less than 1%`` for what is not nothing; with a real minus sign."""
    if 0 < share < 0.005:
        return "less than 1%"
    if 0.995 <= share < 1:
        return "more than 99%"
    return f"{share:.0%}".replace("-", "−")


def listed(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _regions(count: int) -> str:
    return counted(count, "region")


def _capital(text: str) -> str:
    """A capital at the start of a word of ours; a motif's name stays as it is written."""
    ours = ("a ", "an ", "poly", *(f"{number} " for number in NUMBERS))
    return text[0].upper() + text[1:] if text.startswith(ours) else text
