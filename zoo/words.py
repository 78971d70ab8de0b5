"""Words of messages: a count with its noun, and what a mistyped name could have meant. Standard library only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["counted", "counted_of", "did_you_mean", "near_names", "plural_of"]

LIKE = 0.6  # similarity of letters (difflib's ratio) from which a name may have been meant
SWAPPED = 0.95  # of the same letters in another order
BEHIND = 0.08  # what is so much less like than the nearest name was not meant


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """A count and its noun: ``1 region``, ``3,000 regions``, ``0 regions``.

    Args:
        noun: the singular; of several words the last is what is counted (``prior art``), so give ``plural`` where
            that is wrong (``file of a model``, ``files of a model``).
        plural: where ``plural_of`` would not find it.
    """
    return f"{n:,} {noun if n == 1 else plural or plural_of(noun)}"


def counted_of(n: int, total: int, noun: str, verb: str = "") -> str:
    """How many of all: ``1 of 1 region``, ``2 of 3,000 regions``; with a verb ``1 of 3 regions has``.

    Args:
        noun: the singular; the total says its number. verb: as of several (have, are, lie); ``n`` says its number.
    """
    said = f"{n:,} of {counted(total, noun)}"
    return f"{said} {_of_one(verb) if n == 1 else verb}" if verb else said


def _of_one(verb: str) -> str:
    return {"have": "has", "are": "is", "were": "was", "do": "does", "cannot": "cannot", "miss": "misses"}.get(
        verb, f"{verb}s"
    )


def plural_of(noun: str) -> str:
    """The regular English plural: regions, entries, boxes, matches."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


def near_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Names that a typo could have meant, nearest first; a name that holds the whole of ``name`` is one, too.

    Letters are compared, not their case. Empty where nothing is like it.
    """
    lower = {item.lower(): item for item in known}
    given = name.lower()
    likeness = _likeness(given, lower)
    least = max(likeness.values(), default=0.0) - BEHIND
    hits = [item for item in sorted(likeness, key=likeness.__getitem__, reverse=True) if likeness[item] >= least]
    hits += [item for item in lower if _holds(item, given) and item not in hits]
    return [lower[item] for item in hits[:n]]


def _holds(name: str, given: str) -> bool:
    """Whether a name holds all that was typed; two letters are in many, so they must begin it."""
    return given in name if len(given) > 2 else len(given) == 2 and name.startswith(given)


def _likeness(given: str, names: Iterable[str]) -> dict[str, float]:
    """Of the names that are like ``given``, how much they are."""
    matcher = difflib.SequenceMatcher(b=given)
    found = {}
    for name in names:
        matcher.set_seq1(name)
        if sorted(name) == sorted(given):  # letters in another order: `rl` has none in a place of `lr`
            found[name] = SWAPPED
        # The first two are quick upper bounds of the third.
        elif all(ratio() >= LIKE for ratio in (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)):
            found[name] = matcher.ratio()
    return found


def did_you_mean(name: str, names: Iterable[str], n: int = 3) -> str:
    """``did you mean predict?``, ``did you mean list, lift or test?``, or "" when nothing is near."""
    near = near_names(name, names, n)
    if not near:
        return ""
    *first, last = near
    return f"did you mean {' or '.join(part for part in (', '.join(first), last) if part)}?"
