"""Patterns as MEME and TSV, their seqlets and hits as BED in genome coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from interpret.motifs.grades import grade_pattern, grade_patterns
from interpret.motifs.hits import FARTHEST, SPACING_BINS, partners
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern, places_of

__all__ = [
    "EXPORTS",
    "cwm_meme",
    "hcwm_meme",
    "hits_bed",
    "matrices_tsv",
    "meme",
    "motifs_tsv",
    "partners_tsv",
    "seqlets_bed",
    "subpatterns_tsv",
]

MATRICES = ("probability", "contribution", "hypothetical")
MOTIF_COLUMNS = (
    "pattern",
    "name",
    "consensus",
    "seqlets",
    "mean_core_contribution",
    "best_match_id",
    "best_match",
    "p",
    "q",
    "grade",
    "as_close",
    "composition",
    "reasons",
    "hits",
    "sequences_with_hits",
    "occurrences",
    "expected_occurrences",
    "enrichment_q",
    "effect",
    "effect_standard_error",
    "backgrounds",
)
PARTNER_COLUMNS = ("pattern", "partner", "sequences_with_both", "expected", "q", "spacing_from", "spacing_to", "pairs")
LEAST_SEQLETS = 20  # of a subpattern with a row of its own


def meme(motifs: MotifsFile) -> Iterator[str]:
    """Frequencies of the cores in MEME's minimal format; the second name is a strong match's, else the consensus."""
    yield "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\n"
    yield "A 0.25 C 0.25 G 0.25 T 0.25\n"
    for pattern, known in zip(motifs.patterns, grade_patterns(motifs), strict=True):
        core = pattern.probability[slice(*pattern.core)]
        yield f"\nMOTIF {pattern.name} {known.short_label or pattern.consensus}\n"
        yield f"letter-probability matrix: alength= 4 w= {len(core)} nsites= {len(pattern.seqlets)} E= 0\n"
        for row in core:
            yield " ".join(f"{value:.6f}" for value in row) + "\n"


def weights_meme(motifs: MotifsFile, kind: str) -> Iterator[str]:
    """Contributions of the cores in the same layout, as ``modisco meme -t CWM`` (or hCWM) writes them.

    They are weights of either sign, for programs that take such matrices, not frequencies.
    """
    yield f"MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nweights: {kind}\n"
    for pattern, known in zip(motifs.patterns, grade_patterns(motifs), strict=True):
        core = getattr(pattern, kind)[slice(*pattern.core)]
        yield f"\nMOTIF {pattern.name} {known.short_label or pattern.consensus}\n"
        yield f"letter-probability matrix: alength= 4 w= {len(core)} nsites= {len(pattern.seqlets)} E= 0\n"
        for row in core:
            yield " ".join(f"{value:.6g}" for value in row) + "\n"


def cwm_meme(motifs: MotifsFile) -> Iterator[str]:
    """Mean contributions of the bases that are there."""
    return weights_meme(motifs, "contribution")


def hcwm_meme(motifs: MotifsFile) -> Iterator[str]:
    """Mean hypothetical contributions."""
    return weights_meme(motifs, "hypothetical")


def matrices_tsv(motifs: MotifsFile) -> Iterator[str]:
    """All columns of all matrices: pattern, matrix, position, whether in the core, A, C, G, T."""
    yield "pattern\tmatrix\tposition\tcore\tA\tC\tG\tT\n"
    for pattern in motifs.patterns:
        for kind in MATRICES:
            for i, row in enumerate(getattr(pattern, kind)):
                inside = int(pattern.core[0] <= i < pattern.core[1])
                yield f"{pattern.name}\t{kind}\t{i}\t{inside}\t" + "\t".join(f"{value:.6g}" for value in row) + "\n"


def motifs_tsv(motifs: MotifsFile) -> Iterator[str]:
    """One row a pattern; a match without a grade is left out as no match, and ``reasons`` says why.

    Occurrences are by the bases alone, expected are those in dinucleotide shuffles (``enrichment.py``); the effect is
    that of the consensus inserted into backgrounds (``effects.py``).
    """
    yield "\t".join(MOTIF_COLUMNS) + "\n"
    for index, pattern in enumerate(motifs.patterns):
        yield "\t".join([*_identity(motifs, pattern), *_counts(motifs, index), *_effect(motifs, pattern)]) + "\n"


def subpatterns_tsv(motifs: MotifsFile) -> Iterator[str]:
    """One row a subpattern of at least 20 seqlets, matched by itself: a pattern may hold more than one factor's."""
    yield "\t".join(MOTIF_COLUMNS[: MOTIF_COLUMNS.index("hits")]) + "\n"
    for pattern in motifs.patterns:
        for subpattern in pattern.subpatterns:
            if len(subpattern.seqlets) >= LEAST_SEQLETS:
                yield "\t".join(_identity(motifs, subpattern)) + "\n"


def _identity(motifs: MotifsFile, pattern: Pattern) -> list[str]:
    known = grade_pattern(motifs, pattern)
    best = known.match
    named = (best.motif.id, best.motif.name) if best and known.grade != "none" else (".", "no match")
    numbers = (f"{best.p:.3g}", f"{best.q:.3g}") if best else (".", ".")
    grade = (known.grade, ", ".join(known.as_close) or ".", known.composition or ".", "; ".join(known.reasons) or ".")
    return [
        pattern.name,
        pattern.short_name,
        pattern.consensus,
        str(len(pattern.seqlets)),
        f"{pattern.seqlets.core_contribution.mean():.6g}",
        *named,
        *numbers,
        *grade,
    ]


def _counts(motifs: MotifsFile, index: int) -> list[str]:
    hits, enrichment = motifs.hits, motifs.enrichment
    mine = None if hits is None else hits.sequence[hits.pattern == index]
    counted = [".", "."] if mine is None else [str(len(mine)), str(len(np.unique(mine)))]
    if enrichment is None:
        return [*counted, ".", ".", "."]
    return [*counted, str(enrichment.occurrences[index]), str(enrichment.expected[index]), f"{enrichment.q[index]:.3g}"]


def _effect(motifs: MotifsFile, pattern: Pattern) -> list[str]:
    effect = (motifs.effects or {}).get(pattern.name)
    if effect is None:
        return [".", ".", "."]
    return [f"{effect.mean:.6g}", f"{effect.standard_error:.3g}", str(len(effect.values))]


def partners_tsv(motifs: MotifsFile) -> Iterator[str]:
    """Patterns with hits in the same sequences more often than by chance, and the spacing that is most frequent."""
    yield "\t".join(PARTNER_COLUMNS) + "\n"
    if motifs.hits is None:
        return
    edges = np.linspace(-FARTHEST, FARTHEST, SPACING_BINS + 1).astype(int)
    found = partners(motifs.hits, len(motifs.patterns), len(motifs.regions))
    for pattern, own in zip(motifs.patterns, found, strict=True):
        for partner in own:
            fullest = int(partner.spacing.argmax())
            yield (
                "\t".join(
                    [
                        pattern.name,
                        motifs.patterns[partner.pattern].name,
                        str(partner.both),
                        f"{partner.expected:.1f}",
                        f"{partner.q:.3g}",
                        str(edges[fullest]),
                        str(edges[fullest + 1]),
                        str(partner.spacing[fullest]),
                    ]
                )
                + "\n"
            )


def seqlets_bed(motifs: MotifsFile, patterns: Iterable[Pattern] | None = None) -> Iterator[str]:
    """BED8 and three columns: seqlets, their cores as thickStart and thickEnd, contribution, region, pattern.

    The name is a known motif's where that is strong, else the pattern's.
    """
    yield "#chrom\tstart\tend\tname\tscore\tstrand\tthickStart\tthickEnd\tcontribution\tregion\tpattern\n"
    for pattern in motifs.patterns if patterns is None else patterns:
        whole, core = motifs.places(pattern)
        seqlets, name = pattern.seqlets, grade_pattern(motifs, pattern).short_label or pattern.name
        scores = _scores(seqlets.contribution)
        for i in np.lexsort((whole.start, whole.chrom.astype(str))):
            yield (
                f"{whole.chrom[i]}\t{max(whole.start[i], 0)}\t{whole.end[i]}\t{name}\t{scores[i]}\t"
                f"{whole.strand[i]}\t{max(core.start[i], 0)}\t{core.end[i]}\t{seqlets.contribution[i]:.6g}\t"
                f"{motifs.regions.name[seqlets.sequence[i]]}\t{pattern.name}\n"
            )


def hits_bed(motifs: MotifsFile) -> Iterator[str]:
    """BED6 and five columns: hits, contribution, similarity, match (log2 odds), region, pattern; named as seqlets."""
    yield "#chrom\tstart\tend\tname\tscore\tstrand\tcontribution\tsimilarity\tmatch\tregion\tpattern\n"
    hits = motifs.hits
    if hits is None:
        return
    names = [
        known.short_label or pattern.name
        for known, pattern in zip(grade_patterns(motifs), motifs.patterns, strict=True)
    ]
    places = places_of(motifs.regions, hits.sequence, hits.start, hits.end, hits.reverse)
    for i in np.lexsort((places.start, places.chrom.astype(str))):
        yield (
            f"{places.chrom[i]}\t{max(places.start[i], 0)}\t{places.end[i]}\t{names[hits.pattern[i]]}\t"
            f"{round(1000 * float(np.clip(hits.similarity[i], 0, 1)))}\t{places.strand[i]}\t"
            f"{hits.contribution[i]:.6g}\t{hits.similarity[i]:.4f}\t{hits.match[i]:.3f}\t{motifs.regions.name[hits.sequence[i]]}\t"
            f"{motifs.patterns[hits.pattern[i]].name}\n"
        )


def _scores(contribution: np.ndarray) -> np.ndarray:
    """BED's 0-1000, the largest of the pattern as 1000."""
    size = np.abs(contribution)
    return np.round(1000 * size / max(float(size.max()), 1e-30)).astype(int)


EXPORTS = {
    ".meme": meme,
    ".cwm.meme": cwm_meme,
    ".hcwm.meme": hcwm_meme,
    ".motifs.tsv": motifs_tsv,
    ".subpatterns.tsv": subpatterns_tsv,
    ".partners.tsv": partners_tsv,
    ".matrices.tsv": matrices_tsv,
    ".seqlets.bed": seqlets_bed,
    ".hits.bed": hits_bed,
}
