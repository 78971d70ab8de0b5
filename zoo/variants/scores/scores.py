"""Scores of a variant: numbers made of the aligned predictions of REF and ALT, each track by itself.

``scores.measures`` has what each score is; here it is chosen for which outputs and over which bins, and what its
columns are called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.models.scale import Scale, scale_of, scales_of
from zoo.outputs import OutputSpec, first_of
from zoo.variants.alleles.allele import Allele
from zoo.variants.scores.columns import Column, column_name
from zoo.variants.scores.genes import Gene, Genes
from zoo.variants.scores.measures import LEVELS, SCORES, Values, default_score, fitting, why_unfit
from zoo.variants.scores.splicing import Splicing
from zoo.variants.windows.aligned import Aligned
from zoo.words import did_you_mean

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["SCORES", "Column", "Scores", "check_score_names", "scores_of_run"]

#: Two places of an indel disagree where a score differs by more than this, and by more than this share of the larger.
DISAGREE, DISAGREE_SHARE = 0.01, 0.1
#: Outputs that an error speaks of.
TOLD = 3


class Scores:
    """The scores of a run: its columns, and their numbers of one variant.

    Args:
        names: keys of ``SCORES``; none for each output's default (``default_score``).
        outputs: the chosen outputs with their chosen tracks.
        scales: output name -> what its numbers are (``scales_of``); by default read of the units.
        span: of a profile, score only the bins that overlap so many bp around the variant's first base.
        exons: of a profile, score only the bins that overlap an exon of the gene.
        splicing: gains and losses of splice sites, behind the scores of ``names``; where it is given and no name is,
            they are alone.
        placed: whether indels are also scored as the leftmost and the rightmost of their places, where a score is
            made base by base (``places_of``).
        length: bp that the model sees, where exons are scored.

    Attributes:
        columns: in order: score by score as asked for, output by output, track by track; those of ``splicing``; the
            leftmost and the rightmost place's, and ``placements_differ``.
        placed: whether any column needs the places of an indel.
        notes: what a user should know of the choice.

    Raises:
        UsageError: an unknown score; one that none of the outputs can have; ``span`` or ``exons`` without a profile.
    """

    def __init__(
        self,
        names: Sequence[str],
        outputs: Sequence[OutputSpec],
        *,
        scales: Mapping[str, Scale] | None = None,
        span: int | None = None,
        exons: bool = False,
        splicing: Splicing | None = None,
        placed: bool = True,
        length: int = 0,
    ) -> None:
        self._scales = {spec.name: (scales or {}).get(spec.name) or scale_of(spec.units) for spec in outputs}
        self._span, self._exons = span, exons
        self.notes: list[str] = []
        self._last_ref: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]] = {}
        _check_window(outputs, span, exons)
        for spec in outputs if span is not None else ():
            if spec.kind == "profile" and span > (whole := spec.bin_size * spec.n_bins):
                self.notes.append(f"--span {span:,}: {spec.name} has {whole:,} bp in all, and these are scored")
        self._bins = _reach(outputs, length)
        self._splicing = splicing
        self._pairs = [] if splicing and not names else self._chosen(list(dict.fromkeys(names)), outputs)
        for spec in {
            one.name: one for score, one in self._pairs if score == "log2fc" and self._scales[one.name].squashed
        }.values():
            self.notes.append(
                f"log2fc of {spec.name} is that of its own numbers ({spec.units}): where these are squashed, it is "
                "smaller than the fold change of what was counted"
            )
        taken: set[str] = set()
        self._slices, columns = self._laid_out(taken)
        columns += _splicing_columns(splicing, taken)
        self._own = len(columns)
        one_base = {spec.name for spec in outputs if spec.kind == "profile" and spec.bin_size == 1}
        self._of_place = [i for i, one in enumerate(columns) if placed and one.output in one_base and _compares(one)]
        self.placed = bool(self._of_place)
        self.columns = tuple(columns + _place_columns([columns[i] for i in self._of_place], taken))

    @property
    def sites(self) -> slice | None:
        """Which columns are those of ``splicing``; None without."""
        if self._splicing is None:
            return None
        return slice(self._own - len(self._splicing.columns()), self._own)

    def genes_of(self, genes: Genes, allele: Allele) -> list[Gene]:
        """The genes in which an allele is scored: a row each.

        Those that it lies in; where exons are scored, those with an exon in the bins of a window around it.
        """
        start = allele.edit.start
        if not self._exons:
            return genes.at(allele.contig, start, allele.edit.end)
        low, high = start + self._bins[0], start + self._bins[1]
        near = genes.at(allele.contig, low, high)
        return [gene for gene in near if any(first < high and last > low for first, last in gene.exons)]

    def _chosen(self, names: Sequence[str], outputs: Sequence[OutputSpec]) -> list[tuple[str, OutputSpec]]:
        """Which score of which output, in the order of the columns."""
        if not names:
            return [(default_score(spec.kind, self._scales[spec.name]), spec) for spec in outputs]
        check_score_names(names)
        found = []
        for name in names:
            fit = [spec for spec in outputs if SCORES[name].fits(spec.kind, self._scales[spec.name])]
            if not fit:
                raise self._unfit(name, outputs)
            if left := [spec.name for spec in outputs if spec not in fit]:
                self.notes.append(f"--score {name}: not of {first_of(left)}, which cannot have it")
            found += [(name, spec) for spec in fit]
        return found

    def _unfit(self, name: str, outputs: Sequence[OutputSpec]) -> UsageError:
        known = [(spec, self._scales[spec.name]) for spec in outputs[:TOLD]]
        why = "; ".join(f"{spec.name} has {why_unfit(name, spec.kind, spec.units, scale)}" for spec, scale in known)
        fits = "; ".join(f"{spec.name}: {', '.join(fitting(spec.kind, scale))}" for spec, scale in known)
        spec, scale = known[0]
        more = f" and {len(outputs) - TOLD:,} more outputs neither" if len(outputs) > TOLD else ""
        best = default_score(spec.kind, scale)
        return UsageError(
            f"--score {name}: {why}{more}", f"what fits {fits}", f"Fix: --score {best}, or another of these"
        )

    def _laid_out(self, taken: set[str]) -> tuple[list[slice], list[Column]]:
        slices, columns = [], []
        by_track = [track for spec in {spec.name: spec for _, spec in self._pairs}.values() for track in spec.tracks]
        alone = len(set(by_track)) == len(by_track)
        for score, spec in self._pairs:
            slices.append(slice(len(columns), len(columns) + len(spec.tracks)))
            for track in spec.tracks:
                name = column_name(f"{score}_{track}" if alone else f"{score}_{spec.name}_{track}", taken)
                columns.append(self._column(name, score, spec, track))
        return slices, columns

    def _column(self, name: str, score: str, spec: OutputSpec, track: str) -> Column:
        entry = SCORES[score]
        where = "" if spec.kind == "scalar" else f", {self._where(spec)}"
        says = f"{entry.says}: {spec.name} {track}{where}"
        return Column(name, score, spec.name, track, entry.units or spec.units or "unknown", says)

    def _where(self, spec: OutputSpec) -> str:
        if self._span is not None:
            return f"{self._span} bp around the variant"
        return "exons of the gene in the window" if self._exons else f"all {spec.n_bins:,} bins"

    def of(
        self,
        aligned: Aligned,
        allele: Allele,
        gene: Gene | None = None,
        placed: Sequence[tuple[Aligned, Allele]] = (),
    ) -> np.ndarray:
        """(columns,) float32 in the order of ``columns``; NaN where there is no such number.

        Args:
            aligned: the predictions of both alleles.
            allele: with an edit.
            gene: whose exons are scored, and whose sites a mask keeps.
            placed: of an indel that has several places, the leftmost and the rightmost (``Places.join``).
        """
        found = np.full(len(self.columns), np.nan, dtype=np.float32)
        found[: self._own] = self._of_one(aligned, allele, gene, allele.edit.start)
        if placed and self.placed:
            chosen, n = self._of_place, len(self._of_place)
            both = np.stack([self._of_one(one, other, gene, allele.edit.start)[chosen] for one, other in placed])
            found[self._own : self._own + 2 * n] = both.ravel()
            scores = np.array([not self.columns[i].integer for i in chosen])
            found[-1] = _disagree(*both[:, scores])
        return found

    def _of_one(self, aligned: Aligned, allele: Allele, gene: Gene | None, origin: int) -> np.ndarray:
        """The first columns, of one place."""
        values = {spec.name: self._values(spec, aligned, allele, gene) for _, spec in self._pairs}
        found = np.full(self._own, np.nan, dtype=np.float32)
        for (score, spec), where in zip(self._pairs, self._slices, strict=True):
            both = values[spec.name]
            if both is not None:
                found[where] = SCORES[score].of(both)
        if self._splicing is not None:
            of_sites = self._splicing.of(aligned, allele, gene, origin)
            found[-len(of_sites) :] = of_sites
        return found

    def _values(self, spec: OutputSpec, aligned: Aligned, allele: Allele, gene: Gene | None) -> Values | None:
        ref, alt = aligned.ref[spec.name], aligned.alt[spec.name]
        scale = self._scales[spec.name]
        if spec.kind == "scalar":
            return Values(ref[:, None], alt[:, None], scale)
        kept = aligned.shared[spec.name]
        if self._span is not None or self._exons:
            kept = kept & self._window(spec, aligned, allele, gene)
        if kept.all():
            return Values(ref, alt, scale, self._made_of_ref(spec.name, ref))
        return Values(ref[:, kept], alt[:, kept], scale) if kept.any() else None

    def _made_of_ref(self, output: str, ref: np.ndarray) -> dict[str, np.ndarray]:
        """What was made of the same array for the ALT before."""
        last = self._last_ref.get(output)
        if last is None or last[0] is not ref:
            last = self._last_ref[output] = ref, {}
        return last[1]

    def _window(self, spec: OutputSpec, aligned: Aligned, allele: Allele, gene: Gene | None) -> np.ndarray:
        """(bins,) bool: those around the variant, or in exons."""
        bins = len(aligned.shared[spec.name])
        if self._span is not None:
            start = allele.edit.start - self._span // 2
            parts: Sequence[tuple[int, int]] = ((start, start + self._span),)
        else:
            parts = gene.exons if gene is not None else ()
        return overlapping(parts, aligned.first[spec.name], spec.bin_size, bins)


def _splicing_columns(splicing: Splicing | None, taken: set[str]) -> list[Column]:
    columns = splicing.columns() if splicing is not None else []
    return [dataclasses.replace(one, name=column_name(one.name, taken)) for one in columns]


def _compares(column: Column) -> bool:
    """Whether a column says what differs between ALT and REF, or where."""
    return column.score not in LEVELS and not column.score.startswith(("REF_", "ALT_"))


def _place_columns(columns: Sequence[Column], taken: set[str]) -> list[Column]:
    if not columns:
        return []
    found = [
        dataclasses.replace(
            one,
            name=column_name(f"{one.name}_{place}", taken),
            description=f"{one.description}; as the {place} of an indel's places, missing where it has one",
        )
        for place in ("leftmost", "rightmost")
        for one in columns
    ]
    says = (
        f"1 where a score of an indel's leftmost and rightmost place differs by more than {DISAGREE:g} and by more "
        f"than {DISAGREE_SHARE:.0%} of the larger, else 0; missing where it has one place"
    )
    return [*found, Column(column_name("placements_differ", taken), "placements_differ", "", "", "", says, True)]


def _disagree(left: np.ndarray, right: np.ndarray) -> bool:
    apart = np.abs(left - right)
    far = (apart > DISAGREE) & (apart > DISAGREE_SHARE * np.maximum(np.abs(left), np.abs(right)))
    return bool((far | (np.isnan(left) != np.isnan(right))).any())


def overlapping(parts: Sequence[tuple[int, int]], first: int, bin_size: int, bins: int) -> np.ndarray:
    """Which bins have a base in common with any of the intervals: (bins,) bool."""
    found = np.zeros(bins, dtype=bool)
    for start, end in parts:
        low, high = (start - first) // bin_size, -((first - end) // bin_size)
        if high > 0:
            found[max(low, 0) : high] = True
    return found


def _reach(outputs: Sequence[OutputSpec], length: int) -> tuple[int, int]:
    """Where all bins of a window lie from the variant's first base on: the first, and behind the last."""
    profiles = [spec for spec in outputs if spec.kind == "profile"]
    low = min((spec.offset for spec in profiles), default=0)
    high = max((spec.offset + spec.n_bins * spec.bin_size for spec in profiles), default=0)
    return low - length // 2, high - length // 2


def check_score_names(names: Sequence[str]) -> None:
    """Refuse what is no score.

    Raises:
        UsageError: near names are given.
    """
    for name in names:
        if name not in SCORES:
            near = did_you_mean(name, SCORES)
            raise UsageError(f"--score {name}: no such score", near, f"Fix: one of {', '.join(SCORES)}")


def scores_of_run(
    model: LoadedModel,
    outputs: Sequence[OutputSpec],
    names: Sequence[str] = (),
    *,
    span: int | None = None,
    genes: bool = False,
    splicing: bool = False,
    distance: int = 50,
    mask: bool = False,
    placed: bool = True,
) -> Scores:
    """The scores of a run of ``zoo variants``, from its options.

    Args:
        model: whose card says what the numbers of its outputs are, and whether it reads a gene's strand.
        outputs: the chosen ones with their chosen tracks.
        names: of ``--score``.
        genes: whether genes are given. A model that reads a strand reads theirs; of any other, exons are scored
            (with ``splicing`` all that is within ``distance``).
        placed: see ``Scores``; no use where all variants are substitutions.

    Raises:
        UsageError: see ``Scores`` and ``Splicing``; or a model that reads a strand, and no genes.
    """
    sense = model.card is not None and any(output.strand == "sense" for output in model.card.outputs)
    if sense and not genes:
        raise UsageError(
            f"{model.name} reads the strand of a gene, says its card (strand: sense)",
            "without genes nothing says which strand a variant is read on",
            "Fix: add --genes FILE, a GTF with exons or a BED12",
        )
    if mask and not genes:
        raise UsageError(
            "--mask: no genes are given, whose sites it keeps", "", "Fix: add --genes FILE, or leave out --mask"
        )
    if splicing and span is not None and not names:
        raise UsageError(
            f"--span {span}: chooses the bins of scores, and --splicing alone has none",
            f"--splicing looks at {distance} bp on each side (--distance)",
            "Fix: leave out --span, or add --score max, say",
        )
    sites = _sites(model, outputs, distance, mask) if splicing else None
    exons = genes and not sense and not splicing
    scales = scales_of(model)
    if model.card is not None:  # of a gReLU checkpoint, which has no units itself
        units = {spec.name: card.units for spec, card in zip(model.outputs, model.card.outputs, strict=False)}
        outputs = [dataclasses.replace(spec, units=spec.units or units.get(spec.name)) for spec in outputs]
    found = Scores(
        names, outputs, scales=scales, span=span, exons=exons, splicing=sites, placed=placed, length=model.length
    )
    if sense and not splicing and not names:
        found.notes += _of_sites(outputs, scales)
    return found


def _sites(model: LoadedModel, outputs: Sequence[OutputSpec], distance: int, mask: bool) -> Splicing:
    """Those of the chosen tracks.

    Raises:
        UsageError: as ``Splicing``; what ``--tracks`` left out is told as such.
    """
    try:
        return Splicing(outputs, distance, mask)
    except UsageError:
        if not (whole := _output_with_sites(model.outputs)) or _output_with_sites(outputs):
            raise
    raise UsageError(
        f"--splicing: --tracks leaves out a track of {whole.name} that it needs: acceptor and donor",
        f"tracks that are scored: {first_of([track for spec in outputs for track in spec.tracks])}",
        "Fix: leave out --tracks, or choose both",
    )


def _output_with_sites(outputs: Sequence[OutputSpec]) -> OutputSpec | None:
    """The output of which ``--splicing`` could be had."""
    try:
        return Splicing(outputs, 0).output
    except UsageError:
        return None


def _of_sites(outputs: Sequence[OutputSpec], scales: Mapping[str, Scale]) -> list[str]:
    """What could be had of a model of splice sites where nobody asked for a score."""
    sites = _output_with_sites(outputs)
    if sites is None or scales[sites.name].kind != "probability":
        return []
    return [
        f"{sites.name} has acceptors and donors: --splicing gives the largest gain and loss of each near the variant, "
        f"and where; this is {default_score(sites.kind, scales[sites.name])}, the default of such an output"
    ]


def _check_window(outputs: Sequence[OutputSpec], span: int | None, exons: bool) -> None:
    if span is None and not exons:
        return
    asked = "--span" if span is not None else "--genes"
    if span is not None and exons:
        raise UsageError(
            "--span and --genes: give one of them",
            "bins around the variant are scored, or those of the exons of each gene",
            "Fix: leave out --span, or --genes",
        )
    if span is not None and span < 1:
        raise UsageError(f"--span {span}: must be 1 bp or more", "", "Fix: e.g. --span 501")
    profiles = [spec for spec in outputs if spec.kind == "profile"]
    if not profiles:
        names = first_of([spec.name for spec in outputs])
        raise UsageError(
            f"{asked}: {names} has one number a window, not bins",
            "there is nothing to choose bins from",
            f"Fix: leave out {asked}",
        )
    if unplaced := [spec.name for spec in profiles if not spec.placed]:
        raise UsageError(
            f"{asked}: where the bins of {first_of(unplaced)} lie is not known",
            "neither bin size nor offset is given",
            f"Fix: leave out {asked}, or give bin_size and offset in a card",
        )
