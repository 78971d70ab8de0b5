"""What a pattern may be called: how well a known motif's name is earned.

One rule for page, tables, MEME, BED and terminal, from ``motifs.h5`` alone, so that older files are graded too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from interpret.motifs.databases import MATCHED_AT, Match
from interpret.motifs.pattern import Pattern, information

if TYPE_CHECKING:
    from interpret.motifs.motifs_file import MotifsFile

__all__ = ["RULE", "Grade", "Name", "grade_pattern", "grade_patterns"]

Grade = Literal["strong", "weak", "none"]

LEAST_BITS, LEAST_OVERLAP = 6.0, 5

RULE = (
    f"A name is strong where the match's q is at most {MATCHED_AT}, at least {LEAST_OVERLAP} columns lie on each other "
    f"and hold {LEAST_BITS:g} bits; weak where q is at most {MATCHED_AT} only; a pattern of low complexity or of "
    "composition only earns none."
)


@dataclass(frozen=True)
class Name:
    """What a pattern may be called.

    Attributes:
        match: the best known motif, whatever its grade; None where no motif was compared.
        grade: ``strong``, ``weak`` or ``none``.
        reasons: why it is not strong, in words for a reader; empty where it is.
        composition: ``low complexity: poly-A``, ``composition only: CG-rich``, or None.
        as_close: names of other known motifs that fit as well as the best one, the nearest first.
    """

    match: Match | None
    grade: Grade
    reasons: tuple[str, ...] = ()
    composition: str | None = None
    as_close: tuple[str, ...] = field(default=())

    @property
    def known(self) -> bool:
        """Whether the name is earned: only then does it label a region, a row of BED or a sentence."""
        return self.grade == "strong"

    @property
    def label(self) -> str | None:
        """``ABF1`` where strong, ``resembles PPR1`` where weak, None without a grade."""
        if self.match is None or self.grade == "none":
            return None
        return self.match.motif.name if self.known else f"resembles {self.match.motif.name}"

    @property
    def long_label(self) -> str | None:
        """The label with how many motifs fit as well: ``FOS::JUN (and 7 more as close)``."""
        if self.label is None or not self.as_close:
            return self.label
        others = self.as_close[0] if len(self.as_close) == 1 else f"{len(self.as_close)} more"
        return f"{self.label} (and {others} as close)"


def grade_patterns(motifs: MotifsFile) -> list[Name]:
    """The name of each pattern of the file, in its order."""
    return [grade_pattern(motifs, pattern) for pattern in motifs.patterns]


def grade_pattern(motifs: MotifsFile, pattern: Pattern) -> Name:
    """The name of a pattern, or of a subpattern, which has no enrichment and no effect of its own."""
    match = next(iter(motifs.matches.get(pattern.name, ())), None)
    if match is None:
        return Name(None, "none", ("no known motif was compared",))
    if not match.significant:
        return Name(match, "none", (f"q {match.q:.2g}: as near as chance has it",))
    bits = aligned_information(pattern, match)
    if bits < LEAST_BITS:
        return Name(match, "weak", (f"{bits:.1f} bits in aligned columns",))
    return Name(match, "strong")


def aligned_information(pattern: Pattern, match: Match) -> float:
    """Bits of the pattern's columns that lie on the known motif."""
    bits = information(pattern.probability)
    start = pattern.core[0] - match.offset
    return float(np.sum(bits[max(start, 0) : max(start + len(match.motif.probability), 0)]))
