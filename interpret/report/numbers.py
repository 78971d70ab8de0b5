"""The numbers that the page shows, computed from ``motifs.h5`` alone, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from interpret.motifs.databases import Match
from interpret.motifs.grades import Name, grade_pattern
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import ALIKE, Pattern, information, likeness
from zoo.extras import needs

__all__ = [
    "EffectNumbers",
    "Enriched",
    "Row",
    "core_contribution",
    "effect_of",
    "enriched",
    "like_another",
    "number",
    "order_of",
    "q_text",
    "row_of",
    "within",
]

BINS = 24
LEAST_SEQLETS = 20


@dataclass(frozen=True)
class EffectNumbers:
    """What inserting a pattern into background sequences did to the explained output.

    Attributes:
        consensus: the letters inserted. values: (n,) output with them less output without.
        mean: of the values. low, high: 95% interval of the mean by Student's t; nan for a single value.
    """

    consensus: str
    values: np.ndarray
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Enriched:
    """Occurrences of a pattern's bases in the sequences, and as many as their shuffles have; q of the difference."""

    occurrences: float
    expected: float
    q: float


@dataclass(frozen=True)
class Row:
    """What the table says of a pattern.

    Attributes:
        name: what it may be called.
        seqlets: their number. regions: sequences with at least one.
        contribution: mean over the seqlets of the summed contribution of their core. spread: their standard deviation.
        gc: share of G and C in the core, 0 to 1. bits: information of the core.
        distance: median distance in bp of the cores' centres from the window's centre.
        positions: (24,) seqlets by the position of their core's centre in the window looked at.
        hits: their number, or None. with_hits: regions with at least one, or None.
        frequency: share of the regions with an instance, 0 to 1: a hit, or a seqlet where hits were not looked for.
        effect: None where it was not measured.
        turned: whether the page shows the reverse complement of what is in the file, in all its parts.
        holds: names that a subpattern earns and the pattern does not.
    """

    name: Name
    seqlets: int
    regions: int
    contribution: float
    spread: float
    gc: float
    bits: float
    distance: float
    positions: np.ndarray
    hits: int | None
    with_hits: int | None
    frequency: float
    effect: EffectNumbers | None = None
    turned: bool = False
    holds: tuple[str, ...] = ()

    @property
    def shown(self) -> Match | None:
        """The known motif that is drawn beside the pattern, whose orientation the page gives it: strong or weak."""
        return _shown(self.name)

    @property
    def earned(self) -> bool:
        """Whether a known motif's name is earned, by the pattern or by a subpattern of it."""
        return self.name.known or bool(self.holds)

    @property
    def strength(self) -> float:
        """What an instance does to the explained output: measured by insertion, else its mean contribution."""
        return self.effect.mean if self.effect else self.contribution

    @property
    def drive(self) -> float:
        """Strength times frequency, by which patterns are ordered."""
        return abs(self.strength) * self.frequency


def row_of(motifs: MotifsFile, index: int, name: Name) -> Row:
    """Numbers of one pattern."""
    pattern = motifs.patterns[index]
    seqlets = pattern.seqlets
    start, end = seqlets.core(pattern.core)
    centre = (start + end) / 2
    first = motifs.window_offset
    positions = np.histogram(centre, bins=BINS, range=(first, first + motifs.window))[0]
    core = pattern.probability[slice(*pattern.core)]
    regions = len(np.unique(seqlets.sequence))
    hits = None if motifs.hits is None else motifs.hits.sequence[motifs.hits.pattern == index]
    with_hits = None if hits is None else len(np.unique(hits))
    return Row(
        name,
        len(seqlets),
        regions,
        float(seqlets.core_contribution.mean()),
        float(seqlets.core_contribution.std(ddof=1)) if len(seqlets) > 1 else 0.0,
        float(core[:, 1:3].sum() / core.sum()),
        float(information(core).sum()),
        float(np.median(np.abs(centre - motifs.length / 2))),
        positions,
        None if hits is None else len(hits),
        with_hits,
        (regions if with_hits is None else with_hits) / len(motifs.regions),
        effect_of(motifs, pattern),
        _turned(pattern, name),
        tuple(within(motifs, index, name)),
    )


def _shown(name: Name) -> Match | None:
    return None if name.grade == "none" else name.match


def _turned(pattern: Pattern, name: Name) -> bool:
    """As the known motif lies; without one, ``poly-A`` is shown as A, whichever strand TF-MoDISco took."""
    if match := _shown(name):
        return match.reverse
    base = (name.composition or "").rpartition("poly-")[2]
    if base not in ("A", "C", "G", "T"):
        return False
    core = pattern.probability[slice(*pattern.core)].mean(axis=0)
    return bool(core[3 - "ACGT".index(base)] > core["ACGT".index(base)])


def order_of(rows: Sequence[Row]) -> list[int]:
    """Indices of the patterns, those that drive the model most first."""
    return sorted(range(len(rows)), key=lambda i: (-rows[i].drive, i))


def effect_of(motifs: MotifsFile, pattern: Pattern) -> EffectNumbers | None:
    """The measured effect of a pattern, if the file has it."""
    with needs("scipy", "an interval of effects"):
        from scipy.special import stdtrit  # the quantile of Student's t: scipy.stats takes a second to import

    effect = (motifs.effects or {}).get(pattern.name)
    if effect is None:
        return None
    values = np.asarray(effect.values, dtype=float)
    n, mean = len(values), float(np.mean(values))
    half = float(stdtrit(n - 1, 0.975) * values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    return EffectNumbers(effect.consensus, values, mean, mean - half, mean + half)


def enriched(motifs: MotifsFile) -> list[Enriched | None]:
    """Enrichment of each pattern, as in the table of motifs beside the file; None where it was not counted."""
    counted = motifs.enrichment
    if counted is None:
        return [None] * len(motifs.patterns)
    columns = zip(counted.occurrences, counted.expected, counted.q, strict=True)
    return [Enriched(*map(float, values)) for values in columns]


def within(motifs: MotifsFile, index: int, name: Name) -> list[str]:
    """Names that a subpattern earns and the pattern itself does not.

    TF-MoDISco merges what it finds alike: on yeast promoters REB1 and RSC3 are subpatterns of one pattern.
    Subpatterns of fewer than 20 seqlets are left out; a matrix of so few resembles many.
    """
    children = [child for child in motifs.patterns[index].subpatterns if len(child.seqlets) >= LEAST_SEQLETS]
    earned = [found for found in (grade_pattern(motifs, child) for child in children) if found.known]
    own = name.match.motif.name if name.known and name.match else None
    return [text for text in dict.fromkeys(found.match.motif.name for found in earned if found.match) if text != own]


def like_another(patterns: tuple[Pattern, ...], index: int) -> Pattern | None:
    """An earlier pattern of the same sign whose contributions correlate with this one's, either way round."""
    own = core_contribution(patterns[index])
    for other in patterns[:index]:
        if other.positive == patterns[index].positive and likeness(own, core_contribution(other)) >= ALIKE:
            return other
    return None


def core_contribution(pattern: Pattern) -> np.ndarray:
    """(W, 4) contributions of the core's columns."""
    return pattern.contribution[slice(*pattern.core)]


def number(value: float) -> str:
    """Three significant digits with a real minus sign; a dash for what is no number."""
    if value != value:
        return "–"
    if abs(value) >= 999.5:  # three digits of it are 1e+03
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−") if abs(value) >= 1e-3 or value == 0 else q_text(value)


def q_text(value: float) -> str:
    """A power of ten below a thousandth, else two digits. ``Markup`` where the power stands in a ``sup``."""
    if value >= 1e-3 or value == 0:
        return f"{value:.2g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    power = Markup("{}×10<sup>{}</sup>")
    return power.format(mantissa.replace("-", "−"), str(int(exponent)).replace("-", "−"))
