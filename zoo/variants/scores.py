"""Scores of a variant: numbers made of the aligned predictions of REF and ALT, each track by itself.

Bins of a profile are first made one number: counts and probabilities are summed; logarithms become the logarithm of the
sum of what they are of; logits, which do not add up, are averaged. ``SCORES`` has what is made of these numbers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.outputs import OutputSpec, first_of
from zoo.variants.aligned import Aligned
from zoo.variants.allele import Allele
from zoo.variants.genes import Gene, Genes
from zoo.variants.scale import Scale, scale_of, scales_of
from zoo.variants.splicing import Splicing
from zoo.words import did_you_mean

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["SCORES", "Column", "Scores", "default_score", "fitting", "scores_of_run"]

#: Tracks of a profile whose distributions are compared at once: Borzoi has 7,611 of 6,144 bins.
TRACKS_AT_ONCE = 256
_TINY = np.finfo(np.float64).tiny
#: Two places of an indel disagree where a score differs by more than this, and by more than this share of the larger.
DISAGREE, DISAGREE_SHARE = 0.01, 0.1
#: Outputs that an error speaks of.
TOLD = 3
#: Scores that are no comparison of ALT with REF: they do not depend on the place of an indel, or hardly.
LEVELS = ("ref", "alt", "active")


@dataclass(frozen=True)
class Column:
    """One number of a row of scores.

    Attributes:
        name: as in files: letters, digits and ``_``, so that it is a key of INFO, too; unique in a run.
        score: a key of ``SCORES``, or one of ``zoo.variants.splicing``.
        output, track: of the model, as the card writes them.
        units: of the number.
        description: a sentence for the header of a file.
        integer: whether it is a whole number.
    """

    name: str
    score: str
    output: str
    track: str
    units: str
    description: str
    integer: bool = False


@dataclass(frozen=True)
class _Values:
    """One output's predictions of both alleles in the bins that are scored: (tracks, bins) float32, bins >= 1."""

    ref: np.ndarray
    alt: np.ndarray
    scale: Scale


@dataclass(frozen=True)
class _Score:
    """One score.

    Attributes:
        of: values -> (tracks,) float64; NaN where there is no such number.
        fits: whether an output of this kind and scale has it.
        says: what it is, for headers.
        units: of the number, where they are not the output's.
    """

    of: Callable[[_Values], np.ndarray]
    fits: Callable[[str, Scale], bool]
    says: str
    units: str | None = None


# ---------------- bins to one number


def _total(values: np.ndarray, scale: Scale) -> np.ndarray:
    """(tracks, bins) -> (tracks,) float64."""
    if scale.kind == "logit":
        return values.mean(axis=1, dtype=np.float64)
    if scale.kind == "log" and values.shape[1] > 1:
        return _log_of_sum(values, scale)
    return values.sum(axis=1, dtype=np.float64)


def _log_of_sum(values: np.ndarray, scale: Scale) -> np.ndarray:
    """The logarithm of the sum of what the bins are logarithms of, in the same base."""
    natural = values.astype(np.float64) * np.log(scale.base)
    if scale.plus_one:
        return np.log1p(np.expm1(natural).sum(axis=1)) / np.log(scale.base)
    top = natural.max(axis=1)
    return (top + np.log(np.exp(natural - top[:, None]).sum(axis=1))) / np.log(scale.base)


def _ref(both: _Values) -> np.ndarray:
    return _total(both.ref, both.scale)


def _alt(both: _Values) -> np.ndarray:
    return _total(both.alt, both.scale)


def _active(both: _Values) -> np.ndarray:
    return np.maximum(_ref(both), _alt(both))


def _diff(both: _Values) -> np.ndarray:
    if both.scale.kind == "log" and both.ref.shape[1] > 1:
        return _alt(both) - _ref(both)
    # Bin by bin: what is equal gives exactly 0, and small changes of a large sum are kept.
    return _total(both.alt - both.ref, both.scale)


def _log2fc(both: _Values) -> np.ndarray:
    if both.scale.kind == "log":
        return _diff(both) * np.log2(both.scale.base)
    ref, alt = _ref(both), _alt(both)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((ref > 0) & (alt > 0), np.log2(alt) - np.log2(ref), np.nan)


# ---------------- bin by bin


def _logit(both: _Values) -> np.ndarray:
    inside = (both.ref > 0) & (both.ref < 1) & (both.alt > 0) & (both.alt < 1)
    ref = np.where(inside, both.ref, 0.5).astype(np.float64)
    alt = np.where(inside, both.alt, 0.5).astype(np.float64)
    moved = (np.log(alt) - np.log(ref)) - (np.log1p(-alt) - np.log1p(-ref))
    bins = inside.sum(axis=1)
    return np.where(bins > 0, moved.sum(axis=1) / np.maximum(bins, 1), np.nan)


def _max(both: _Values) -> np.ndarray:
    moved = both.alt - both.ref
    at = np.abs(moved).argmax(axis=1)
    return moved[np.arange(len(moved)), at].astype(np.float64)


def _l2(both: _Values) -> np.ndarray:
    moved = (both.alt - both.ref).astype(np.float64)
    return np.sqrt(np.einsum("tb,tb->t", moved, moved))


def _jsd(both: _Values) -> np.ndarray:
    blocks = range(0, len(both.ref), TRACKS_AT_ONCE)
    parts = [slice(low, low + TRACKS_AT_ONCE) for low in blocks]
    return np.concatenate([_divergence(both.ref[part], both.alt[part], both.scale) for part in parts])


def _divergence(ref: np.ndarray, alt: np.ndarray, scale: Scale) -> np.ndarray:
    p, q = _distribution(ref, scale), _distribution(alt, scale)
    middle = np.maximum((p + q) / 2, _TINY)
    bits = _apart(p, middle) + _apart(q, middle)
    return np.clip(bits / 2, 0, 1)


def _apart(p: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence in bits, (tracks,); a share of 0 counts for nothing."""
    return np.einsum("tb,tb->t", p, np.log2(np.maximum(p, _TINY) / middle))


def _distribution(values: np.ndarray, scale: Scale) -> np.ndarray:
    """(tracks, bins) that sum to 1 in each track; NaN where there is nothing to share out."""
    values = values.astype(np.float64)
    if scale.kind in ("log", "logit"):
        natural = values * (np.log(scale.base) if scale.kind == "log" else 1)
        weights = np.expm1(natural) if scale.plus_one else np.exp(natural - natural.max(axis=1, keepdims=True))
    else:
        weights = values
    sums = weights.sum(axis=1, keepdims=True)
    fit = (sums > 0) & (weights.min(axis=1, keepdims=True) >= 0)
    return weights / np.where(fit, sums, np.nan)


def _any(kind: str, scale: Scale) -> bool:
    return True


SCORES: Mapping[str, _Score] = {
    "diff": _Score(_diff, _any, "ALT minus REF"),
    "log2fc": _Score(
        _log2fc,
        lambda kind, scale: scale.non_negative or scale.kind == "log",
        "log2 of ALT over REF, without a pseudocount; missing where one of them is 0",
        "log2 fold change",
    ),
    "logit": _Score(
        _logit,
        lambda kind, scale: scale.kind == "probability",
        "log-odds (natural) of ALT minus those of REF, the mean over bins; bins of exactly 0 or 1 have none",
        "log-odds ratio",
    ),
    "l2": _Score(_l2, _any, "root of the sum over bins of the squared difference"),
    "jsd": _Score(
        _jsd,
        lambda kind, scale: kind == "profile" and (scale.non_negative or scale.kind in ("log", "logit")),
        "Jensen-Shannon divergence (base 2) of the two profiles, each shared out over its bins",
        "bits",
    ),
    "max": _Score(_max, _any, "ALT minus REF, with its sign, at the bin where it is largest"),
    "ref": _Score(_ref, _any, "REF"),
    "alt": _Score(_alt, _any, "ALT"),
    "active": _Score(_active, _any, "the larger of REF and ALT"),
}


def fitting(kind: str, scale: Scale) -> list[str]:
    """The scores that an output of this kind and scale can have."""
    return [name for name, score in SCORES.items() if score.fits(kind, scale)]


def default_score(kind: str, scale: Scale) -> str:
    """The score of an output where none is asked for.

    Counts and logarithms: ``log2fc``. Probabilities: ``logit`` of a scalar, and of a profile ``max``, the change at one
    site. Logits of a profile: ``jsd``. All else: ``diff``.
    """
    if scale.kind in ("counts", "log"):
        return "log2fc"
    if scale.kind == "probability":
        return "max" if kind == "profile" else "logit"
    return "jsd" if scale.kind == "logit" and kind == "profile" else "diff"


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
        _check_window(outputs, span, exons)
        self._bins = _reach(outputs, length)
        self._splicing = splicing
        self._pairs = [] if splicing and not names else self._chosen(list(dict.fromkeys(names)), outputs)
        taken: set[str] = set()
        self._slices, columns = self._laid_out(taken)
        columns += _splicing_columns(splicing, taken)
        self._own = len(columns)
        one_base = {spec.name for spec in outputs if spec.kind == "profile" and spec.bin_size == 1}
        self._of_place = [i for i, one in enumerate(columns) if placed and one.output in one_base and _compares(one)]
        self.placed = bool(self._of_place)
        self.columns = tuple(columns + _place_columns([columns[i] for i in self._of_place], taken))

    @property
    def spliceai(self) -> slice | None:
        """Which columns ``spliceai_field`` takes; None without splicing."""
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
        found = []
        for name in names:
            if name not in SCORES:
                near = did_you_mean(name, SCORES)
                raise UsageError(f"--score {name}: no such score", near, f"Fix: one of {', '.join(SCORES)}")
            fit = [spec for spec in outputs if SCORES[name].fits(spec.kind, self._scales[spec.name])]
            if not fit:
                raise self._unfit(name, outputs)
            if left := [spec.name for spec in outputs if spec not in fit]:
                self.notes.append(f"--score {name}: not of {first_of(left)}, which cannot have it")
            found += [(name, spec) for spec in fit]
        return found

    def _unfit(self, name: str, outputs: Sequence[OutputSpec]) -> UsageError:
        known = [(spec, self._scales[spec.name]) for spec in outputs[:TOLD]]
        why = "; ".join(f"{spec.name} has {_why_unfit(name, spec, scale)}" for spec, scale in known)
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

    def _values(self, spec: OutputSpec, aligned: Aligned, allele: Allele, gene: Gene | None) -> _Values | None:
        ref, alt = aligned.ref[spec.name], aligned.alt[spec.name]
        scale = self._scales[spec.name]
        if spec.kind == "scalar":
            return _Values(ref[:, None], alt[:, None], scale)
        kept = aligned.shared[spec.name] & self._window(spec, aligned, allele, gene)
        if kept.all():
            return _Values(ref, alt, scale)
        return _Values(ref[:, kept], alt[:, kept], scale) if kept.any() else None

    def _window(self, spec: OutputSpec, aligned: Aligned, allele: Allele, gene: Gene | None) -> np.ndarray:
        """(bins,) bool."""
        bins = len(aligned.shared[spec.name])
        if self._span is not None:
            start = allele.edit.start - self._span // 2
            parts: Sequence[tuple[int, int]] = ((start, start + self._span),)
        elif self._exons:
            parts = gene.exons if gene is not None else ()
        else:
            return np.ones(bins, dtype=bool)
        return overlapping(parts, aligned.first[spec.name], spec.bin_size, bins)


def _why_unfit(name: str, spec: OutputSpec, scale: Scale) -> str:
    """What an output has that ``name`` cannot be made of."""
    if name == "jsd" and spec.kind == "scalar":
        return "one number a window, not a profile"
    units = f" ({spec.units})" if spec.units else ""
    if name == "logit":
        done = scale.kind == "logit"
        return f"{scale}{units}, {'whose difference is one of log-odds already' if done else 'no probabilities'}"
    return f"{scale}{units}, which may be negative"


def _splicing_columns(splicing: Splicing | None, taken: set[str]) -> list[Column]:
    if splicing is None:
        return []
    output = splicing.output.name
    return [
        Column(column_name(name, taken), name, output, track, units, description, integer)
        for name, track, units, description, integer in splicing.columns()
    ]


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


def column_name(text: str, taken: set[str]) -> str:
    """A name of letters, digits and ``_`` that is not taken yet, which it then is.

    A ``+`` or ``-`` that ends a word is a strand, and told by name: ``CNhs10853+`` is ``CNhs10853_plus``.
    """
    text = re.sub(r"\+(?=\W|$)", "_plus", re.sub(r"-(?=\)|\]|\s|$)", "_minus", text))
    name = wanted = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    number = 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name


def _reach(outputs: Sequence[OutputSpec], length: int) -> tuple[int, int]:
    """Where all bins of a window lie from the variant's first base on: the first, and behind the last."""
    profiles = [spec for spec in outputs if spec.kind == "profile"]
    low = min((spec.offset for spec in profiles), default=0)
    high = max((spec.offset + spec.n_bins * spec.bin_size for spec in profiles), default=0)
    return low - length // 2, high - length // 2


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
) -> Scores:
    """The scores of a run of ``zoo variants``, from its options.

    Args:
        model: whose card says what the numbers of its outputs are, and whether it reads a gene's strand.
        outputs: the chosen ones with their chosen tracks.
        names: of ``--score``.
        genes: whether genes are given. A model that reads a strand reads theirs; of any other, exons are scored
            (with ``splicing`` all that is within ``distance``).

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
    sites = Splicing(outputs, distance, mask) if splicing else None
    exons = genes and not sense and not splicing
    scales = scales_of(model)
    return Scores(names, outputs, scales=scales, span=span, exons=exons, splicing=sites, length=model.length)


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
