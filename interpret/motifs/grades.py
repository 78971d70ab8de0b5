"""What a pattern may be called: whether a known motif's name is earned, and what else there is to say of its bases.

One rule for page, tables, MEME, BED and terminal, from ``motifs.h5`` alone, so that older files are graded too.

The limits of composition and repeats were measured on known motifs and on noise (``tests/interpret/motifs/
test_grades.py`` measures them again). ``CLEAR_BITS``: one in a hundred motifs of JASPAR (vertebrates, fungi) or
HOCOMOCO 12 has fewer than 6.2 bits in columns of half a bit or more, and no more than one in a hundred of all of JASPAR
has fewer than 5; noise of ten columns around any composition (concentration 20 and above) has less than 2. On 400 yeast
promoters REB1 has 7.7, a CG-rich pattern 3.5. ``REPEATED``: in one of a hundred motifs a repeat of one base or of two
in turn holds more than 0.78 of the core's bits, in poly-A and TATATA patterns of yeast promoters 0.93 and 0.92.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Literal

import numpy as np

from interpret.motifs.databases import MATCHED_AT, Match
from interpret.motifs.pattern import Effect, Pattern, information

if TYPE_CHECKING:
    from interpret.motifs.enrichment import Enrichment
    from interpret.motifs.motifs_file import MotifsFile

__all__ = ["RULE", "Grade", "Name", "aligned_information", "composition_of", "grade_pattern", "grade_patterns"]

Grade = Literal["strong", "weak", "none"]

SURE_AT = 1e-4
CLEAR_COLUMN, CLEAR_BITS = 0.5, 5.0
REPEATED = 0.85
LEAST_COLUMNS, LEAST_BITS, LEAST_SHARE = 5, 6.0, 0.5
LEAST_ERRORS = 2.0
AS_CLOSE = 0.8
SKEWED = 0.6

RULE = (
    f"A known motif's name is strong where all of this holds: its q is at most {MATCHED_AT:g}; at least "
    f"{LEAST_COLUMNS} columns lie on each other, with {LEAST_BITS:g} bits or more of the pattern and half of the bits "
    "of either, and their contributions have the pattern's sign; the bases are more frequent than in shuffled "
    f"sequences (q at most {MATCHED_AT:g}; not asked where the match has a q of {SURE_AT:g} or less); and the "
    f"consensus, inserted into shuffled sequences, moves the prediction in the pattern's direction by "
    f"{LEAST_ERRORS:g} standard errors. It is weak ('resembles') where q is at most {MATCHED_AT:g} but something else "
    "is missing, or where the bases are composition only (less than "
    f"{CLEAR_BITS:g} bits in columns of {CLEAR_COLUMN:g} bits or more) or of low complexity (a repeat of one base, or "
    f"of two in turn, holds {REPEATED:.0%} of the bits). Otherwise there is no name. What was not measured is not "
    "asked. Motifs that fit as well as the best one are listed beside it."
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
        not_asked: what the rule did without, ``effects were not measured``.
    """

    match: Match | None
    grade: Grade
    reasons: tuple[str, ...] = ()
    composition: str | None = None
    as_close: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()

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
        """The label with what fits as well: ``FOS::JUN (and 7 more as close)``."""
        if self.label is None or not self.as_close:
            return self.label
        others = self.as_close[0] if len(self.as_close) == 1 else f"{len(self.as_close)} more"
        return f"{self.label} (and {others} as close)"

    @property
    def short_label(self) -> str | None:
        """A strong name in one word, for BED and MEME: ``FOS::JUN+7``; None otherwise."""
        if not self.known:
            return None
        return "_".join(self.label.split()) + (f"+{len(self.as_close)}" if self.as_close else "")


def grade_patterns(motifs: MotifsFile) -> list[Name]:
    """The name of each pattern of the file, in its order."""
    return [grade_pattern(motifs, pattern) for pattern in motifs.patterns]


def grade_pattern(motifs: MotifsFile, pattern: Pattern) -> Name:
    """The name of a pattern, or of a subpattern, which has no enrichment and no effect of its own."""
    index = next((i for i, other in enumerate(motifs.patterns) if other.name == pattern.name), None)
    enrichment = None if index is None else motifs.enrichment
    effect = (motifs.effects or {}).get(pattern.name)
    not_asked = [text for found, text in ((enrichment, "enrichment"), (effect, "the effect")) if found is None]
    asked = tuple(f"{text} was not measured" for text in not_asked)
    composition = composition_of(pattern)
    matches = motifs.matches.get(pattern.name, [])
    if not matches:
        return Name(None, "none", ("no known motif was compared",), composition, not_asked=asked)
    best = matches[0]
    if not best.significant:
        reasons = (f"q {best.q:.2g}: shuffled columns fit as well",)
        return Name(best, "none", reasons + ((composition,) if composition else ()), composition, not_asked=asked)
    reasons = [
        *([composition] if composition else []),
        *_likeness_reasons(pattern, best),
        *([] if enrichment is None or best.q <= SURE_AT else _enrichment_reasons(enrichment, index)),
        *([] if effect is None else _effect_reasons(pattern, effect)),
    ]
    close = _as_close(best, matches[1:])
    return Name(best, "weak" if reasons else "strong", tuple(reasons), composition, close, asked)


def _likeness_reasons(pattern: Pattern, match: Match) -> list[str]:
    bits, ours, theirs = aligned_information(pattern, match)
    reasons = []
    if match.overlap < LEAST_COLUMNS:
        reasons.append(f"{match.overlap} columns lie on each other")
    if bits < LEAST_BITS:
        reasons.append(f"{bits:.1f} bits in the columns that lie on each other")
    if ours < LEAST_SHARE:
        reasons.append(f"the known motif covers {ours:.0%} of the pattern's bits")
    if theirs < LEAST_SHARE:
        reasons.append(f"the pattern covers {theirs:.0%} of the known motif's bits")
    first, last = _aligned(pattern, match)
    if pattern.contribution[first:last].sum() * (1 if pattern.positive else -1) < 0:
        reasons.append(f"the columns of the known motif {'lower' if pattern.positive else 'raise'} the prediction")
    return reasons


def _enrichment_reasons(enrichment: Enrichment, index: int) -> list[str]:
    q = float(enrichment.q[index])
    if q <= MATCHED_AT:
        return []
    found, expected = int(enrichment.occurrences[index]), int(enrichment.expected[index])
    return [f"{found:,} occurrences against {expected:,} in shuffled sequences, q {q:.2g}"]


def _effect_reasons(pattern: Pattern, effect: Effect) -> list[str]:
    error = effect.standard_error
    if not np.isfinite(error):  # of one background
        return []
    size = effect.mean if pattern.positive else -effect.mean
    if size > LEAST_ERRORS * error:
        return []
    verb = "raise" if pattern.positive else "lower"
    return [f"inserting its consensus does not {verb} the prediction ({effect.mean:.2g} ± {error:.1g})"]


def aligned_information(pattern: Pattern, match: Match) -> tuple[float, float, float]:
    """Bits of the pattern's compared columns that lie on the known motif, and their share of either's bits."""
    ours = np.maximum(information(pattern.probability), 0)
    theirs = np.maximum(information(match.motif.probability), 0)
    theirs = theirs[::-1] if match.reverse else theirs
    first, last = _aligned(pattern, match)
    begin = pattern.core[0] - match.offset
    bits, covered = float(ours[first:last].sum()), float(theirs[first - begin : last - begin].sum())
    compared = float(ours[slice(*pattern.query)].sum())
    return bits, bits / max(compared, 1e-9), covered / max(float(theirs.sum()), 1e-9)


def _aligned(pattern: Pattern, match: Match) -> tuple[int, int]:
    """Columns of the pattern (half-open), among those compared, that lie on the known motif."""
    begin = pattern.core[0] - match.offset  # on which the known motif's first column lies
    first = max(pattern.query[0], begin)
    return first, max(first, min(pattern.query[1], begin + len(match.motif.probability)))


def _as_close(best: Match, others: list[Match]) -> tuple[str, ...]:
    """Other names whose p-value is no worse than the best one's to the power of 0.8: paralogues share their motif."""
    least = AS_CLOSE * log(max(best.p, 1e-300))
    names = dict.fromkeys(
        other.motif.name for other in others if other.significant and log(max(other.p, 1e-300)) <= least
    )
    return tuple(name for name in names if name.upper() != best.motif.name.upper())


# ---------------- low complexity and composition: said of the bases, whatever they match


def composition_of(pattern: Pattern) -> str | None:
    """``low complexity: poly-A``, ``composition only: CG-rich``, or None; of the core."""
    core = pattern.probability[slice(*pattern.core)]
    bits = information(core)
    if bits[bits >= CLEAR_COLUMN].sum() < CLEAR_BITS:
        return f"composition only: {_composition_word(core.mean(axis=0))}"
    if (period := _repeat(core)) is None:
        return None
    letters = ["ACGT"[core[i::period].mean(axis=0).argmax()] for i in range(period)]
    if len(set(letters)) == 1:
        return f"low complexity: poly-{min(letters[0], letters[0].translate(_TURNED))}"
    return f"low complexity: {''.join(letters)} repeat"


_TURNED = str.maketrans("ACGT", "TGCA")


def _repeat(core: np.ndarray) -> int | None:
    """1 or 2 where a repeat of so many columns holds nearly all of the core's bits."""
    bits = np.maximum(information(core), 0).sum()
    for period in (1, 2):
        phases = [core[i::period] for i in range(period)]
        if min(map(len, phases)) < 3:
            continue
        held = sum(len(phase) * float(information(phase.mean(axis=0, keepdims=True))[0]) for phase in phases)
        if held >= REPEATED * bits:
            return period
    return None


def _composition_word(mean: np.ndarray) -> str:
    if mean.max() >= SKEWED:
        return f"{'ACGT'[mean.argmax()]}-rich"
    if mean[1] + mean[2] >= SKEWED:
        return "CG-rich"
    if mean[0] + mean[3] >= SKEWED:
        return "AT-rich"
    return "no base stands out"
