"""Which of the motifs that a user looks for came out, and which did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.bars import q_text
from interpret.report.table import signed

__all__ = ["LookedFor", "look_for", "looked_for_html"]

LEAST_SEQLETS, LEAST_BASES = 20, 6
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class LookedFor:
    """A motif looked for.

    Attributes:
        word: name of a known motif, or bases.
        pattern: where it was found; None if nowhere. inside: whether in a subpattern of it.
        q: of the match; None for bases, which are found in the consensus or not.
    """

    word: str
    pattern: Pattern | None = None
    inside: bool = False
    q: float | None = None


def look_for(motifs: MotifsFile, words: Sequence[str]) -> list[LookedFor]:
    """Each word's best place: the smallest q, at most 0.05, of a pattern or of a subpattern with 20 seqlets.

    Six or more of the letters ACGT are bases, looked for in the cores' consensus on either strand; so are those
    behind the sign in ``poly-A=AAAAAAAA``, under the name before it.
    """
    return [_look_for(motifs, word) for word in words]


def _look_for(motifs: MotifsFile, word: str) -> LookedFor:
    name, _, bases = word.rpartition("=")
    if name or (len(bases) >= LEAST_BASES and not set(bases.upper()) - set("ACGT")):
        return _bases(motifs, name or bases, bases.upper())
    return _name(motifs, word)


def _bases(motifs: MotifsFile, word: str, bases: str) -> LookedFor:
    turned = bases.translate(COMPLEMENT)[::-1]
    for pattern in motifs.patterns:
        if bases in pattern.consensus.upper() or turned in pattern.consensus.upper():
            return LookedFor(word, pattern)
    return LookedFor(word)


def _name(motifs: MotifsFile, word: str) -> LookedFor:
    found = []
    for pattern in motifs.patterns:
        for part in (pattern, *(child for child in pattern.subpatterns if len(child.seqlets) >= LEAST_SEQLETS)):
            found += [
                (match.q, part is not pattern, pattern)
                for match in motifs.matches[part.name]
                if match.significant and match.motif.name.upper() == word.upper()
            ]
    if not found:
        return LookedFor(word)
    q, inside, pattern = min(found, key=lambda item: item[:2])
    return LookedFor(word, pattern, inside, q)


def looked_for_html(found: Sequence[LookedFor]) -> str:
    """One sentence for those that came out and one for the others."""
    if not found:
        return ""
    there = [
        f'{escape(item.word)} (<a href="#{item.pattern.name.replace(".", "-")}">'
        f"{'in ' if item.inside else ''}{signed(item.pattern)}</a>"
        f"{'' if item.q is None else ', q ' + q_text(item.q)})"
        for item in found
        if item.pattern
    ]
    absent = [escape(item.word) for item in found if not item.pattern]
    return (
        f'<p class="looked">Looked for and found: {", ".join(there) or "none"}. '
        f"Looked for and not found: {', '.join(absent) or 'none'}.</p>"
    )
