"""How much the motifs explain: of the contributions, of the seqlets, of the prediction's variance; what is left out.

Three questions, each with its own numbers and a number beside it that chance or something simpler reaches:

- *Where does the contribution lie?* The share of the positive and of the negative contribution in the window looked at
  that lies in instances (``hits``), beside the share of positions that they cover, which is what instances strewn at
  random would hold. Instances were chosen for their contributions, so that a share above chance proves no motif; it
  says how much of the picture the instances leave out.
- *How many of TF-MoDISco's seqlets are in a pattern?*
- *What could be predicted from the motifs alone?* The share of the prediction's variance over regions that counts of
  instances explain in regions that the fit has not seen. Here instances are counted by the bases alone, as for
  enrichment: a hit needs a large contribution, which a large prediction brings along, so that a count of hits would
  hold part of the answer (on 300 yeast promoters 34% in place of 26%). What leaks still: the patterns themselves were
  found in all regions, the held-out ones too. Base composition alone, which many models follow, is fitted in the same
  way beside it, and both together.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interpret.contribs.central import Contributions, Regions
from interpret.motifs.discover import capped, modisco_options
from interpret.motifs.enrichment import count_occurrences
from interpret.motifs.held_out import NotHeldOut, held_out_prediction, interval, share_explained, split_regions
from interpret.motifs.hits import Hits
from interpret.motifs.pattern import Pattern
from zoo.outputs import OutputSpec, first_of
from zoo.words import counted, counted_of

__all__ = ["Explained", "ExplainedSign", "ExplainedVariance", "how_much"]

BLOCK = 1 << 22  # positions in memory at a time
MOST = 20_000  # regions of the fit, evenly chosen of more
LEAST_VARIANCE = 1e-10  # of the squared mean: rounding


@dataclass(frozen=True)
class ExplainedSign:
    """What the motifs hold of the contributions of one sign, in the window looked at.

    Attributes:
        contribution: sum over all sequences and positions, in the unit of the explained output; 0 where there is none.
        share: of it in instances of any pattern, 0 to 1; None where hits were not looked for or there is none of it.
        by_pattern: (patterns,) share of it in each pattern's instances, in the file's order; their sum is ``share``,
            since no position belongs to two. None as ``share``.
        seqlets: of this sign, as TF-MoDISco has it, that are in a pattern.
        seqlets_found: seqlets of this sign that TF-MoDISco clustered; None where they were too few to look at.
    """

    contribution: float
    share: float | None
    by_pattern: np.ndarray | None
    seqlets: int
    seqlets_found: int | None


@dataclass(frozen=True)
class ExplainedVariance:
    """Share of the prediction's variance over regions, in regions held out of the fit; below 0 is worse than the mean.

    Attributes:
        instances: by the numbers of instances, counted by their bases. low, high: its 95% interval over regions.
        composition: by the shares of dinucleotides, which hold GC content, alone. both: by both.
        regions: how many, at most 20,000. folds: in how many parts they were held out.
        by_chromosome: whether the parts are whole chromosomes; else they are stretches of neighbouring regions.
    """

    instances: float
    low: float
    high: float
    composition: float
    both: float
    regions: int
    folds: int
    by_chromosome: bool


@dataclass(frozen=True)
class Explained:
    """How much the motifs of a file explain.

    Attributes:
        positive, negative: of the contributions of each sign.
        covered: share of the window's positions that lie in instances, what chance would hold of either sign; None
            where hits were not looked for. covered_by_pattern: (patterns,) the same of each pattern.
        variance: of the prediction over regions, or None, and then no_variance says why.
        left_out: sentences on what the numbers and the patterns do not speak of.
    """

    positive: ExplainedSign
    negative: ExplainedSign
    covered: float | None
    covered_by_pattern: np.ndarray | None
    variance: ExplainedVariance | None
    no_variance: str
    left_out: tuple[str, ...]

    def as_json(self) -> str:
        """The same as text, for a file."""
        return json.dumps(dataclasses.asdict(self), default=np.ndarray.tolist)

    @classmethod
    def from_json(cls, text: str) -> Explained:
        """What ``as_json`` wrote."""
        held = json.loads(text)
        for sign in ("positive", "negative"):
            held[sign] = ExplainedSign(**held[sign] | {"by_pattern": _array(held[sign]["by_pattern"])})
        variance = held["variance"] and ExplainedVariance(**held["variance"])
        changed = {"covered_by_pattern": _array(held["covered_by_pattern"]), "variance": variance}
        return cls(**held | changed | {"left_out": tuple(held["left_out"])})


def _array(values: list[float] | None) -> np.ndarray | None:
    return None if values is None else np.array(values, dtype=float)


def how_much(
    contributions: Contributions,
    patterns: Sequence[Pattern],
    hits: Hits | None,
    said: str = "",
    options: Mapping[str, Any] | None = None,
    outputs: Sequence[OutputSpec] = (),
) -> Explained:
    """How much the motifs explain.

    Args:
        contributions: the window that was looked at. patterns: found in it.
        hits: their instances, none on another; None where they were not looked for.
        said: what TF-MoDISco printed. options: those it was given.
        outputs: of the model, where it is at hand, to say which of them were not explained.
    """
    held = _held(contributions, hits, len(patterns))
    options = modisco_options() | dict(options or {})
    signs = [_sign(sign, held, patterns, said, hits is not None) for sign in (1, -1)]
    positions = contributions.one_hot.shape[0] * contributions.window
    covered = None if hits is None else held.positions / positions
    variance, why = _variance(contributions, patterns)
    left_out = _left_out(contributions, patterns, hits, signs, held, said, options)
    return Explained(
        *signs,
        None if covered is None else float(covered.sum()),
        covered,
        variance,
        why,
        (*_not_explained(contributions.run, outputs), *left_out),
    )


# ---------------- shares of the contributions


@dataclass(frozen=True)
class _Held:
    """total: (2,) contribution of each sign, both positive. inside: (2, patterns) of it. positions: (patterns,)."""

    total: np.ndarray
    inside: np.ndarray
    positions: np.ndarray


def _held(contributions: Contributions, hits: Hits | None, patterns: int) -> _Held:
    total, inside, positions = np.zeros(2), np.zeros((2, patterns)), np.zeros(patterns)
    n, width = len(contributions.regions), contributions.window
    step = max(1, BLOCK // width)
    for first in range(0, n, step):
        rows = slice(first, min(first + step, n))
        projected = np.einsum(
            "nal,nal->nl", contributions.hypothetical[rows], contributions.one_hot[rows], dtype=np.float32
        ).ravel()
        signs = [np.maximum(turn * projected, 0).astype(float) for turn in (1, -1)]
        total += [values.sum() for values in signs]
        if hits is not None and patterns:
            owner = _owners(hits, rows, contributions.offset, width)
            taken = np.flatnonzero(owner >= 0)
            positions += np.bincount(owner[taken], minlength=patterns)
            inside += [np.bincount(owner[taken], values[taken], minlength=patterns) for values in signs]
    return _Held(total, inside, positions)


def _owners(hits: Hits, rows: slice, offset: int, width: int) -> np.ndarray:
    """(sequences x positions,) index of the pattern whose instance has the position, or -1."""
    owner = np.full((rows.stop - rows.start) * width, -1, np.int64)
    chosen = np.flatnonzero((hits.sequence >= rows.start) & (hits.sequence < rows.stop))
    start = np.clip(hits.start[chosen] - offset, 0, width)
    size = np.clip(hits.end[chosen] - offset, 0, width) - start
    first = (hits.sequence[chosen] - rows.start) * width + start
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    owner[np.repeat(first, size) + within] = np.repeat(hits.pattern[chosen], size)
    return owner


def _sign(sign: int, held: _Held, patterns: Sequence[Pattern], said: str, looked: bool) -> ExplainedSign:
    total, inside = (array[0 if sign > 0 else 1] for array in (held.total, held.inside))
    by_pattern = inside / total if looked and total > 0 else None
    return ExplainedSign(
        sign * float(total),
        None if by_pattern is None else float(by_pattern.sum()),
        by_pattern,
        sum(len(pattern.seqlets) for pattern in patterns if pattern.name.startswith("pos") == (sign > 0)),
        _clustered(said, "positive" if sign > 0 else "negative"),
    )


def _clustered(said: str, sign: str) -> int | None:
    found = re.search(rf"(\d+) {sign} seqlets", said)
    return int(found[1]) if found else None


# ---------------- the prediction's variance


def _variance(contributions: Contributions, patterns: Sequence[Pattern]) -> tuple[ExplainedVariance | None, str]:
    if not patterns:
        return None, "there are no patterns"
    n = len(contributions.regions)
    chosen = np.linspace(0, n - 1, min(MOST, n)).astype(int)
    values, one_hot = contributions.prediction[chosen].astype(float), contributions.one_hot[chosen]
    if not np.isfinite(values).all():
        return None, f"the prediction is not finite in {counted(int((~np.isfinite(values)).sum()), 'region')}"
    try:
        folds = split_regions(Regions(*(column[chosen] for column in vars(contributions.regions).values())))
    except NotHeldOut as reason:
        return None, str(reason)
    if values.var() <= LEAST_VARIANCE * max(values.mean() ** 2, np.finfo(float).tiny):
        return None, "the prediction is the same in all regions"
    counts, composition = count_occurrences(one_hot, patterns), _composition(one_hot)
    features = (counts, composition, np.hstack([counts, composition]))
    by_counts, *others = (held_out_prediction(array.astype(float), values, folds) for array in features)
    shares = [share_explained(values, predicted) for predicted in others]
    low, high = interval(values, by_counts, folds.unit)
    explained = share_explained(values, by_counts)
    return ExplainedVariance(explained, low, high, *shares, len(values), folds.n, folds.by_chromosome), ""


def _composition(one_hot: np.ndarray) -> np.ndarray:
    """(n, 16) share of each pair of neighbouring bases, that and its reverse complement together."""
    shares = np.empty((len(one_hot), 16), np.float32)
    step = max(1, BLOCK // one_hot.shape[2])
    for first in range(0, len(one_hot), step):
        letters = one_hot[first : first + step].astype(np.float32)
        pairs = letters[:, :, :-1] @ letters[:, :, 1:].transpose(0, 2, 1)
        pairs += pairs[:, ::-1, ::-1].transpose(0, 2, 1)
        shares[first : first + step] = (pairs / np.maximum(pairs.sum(axis=(1, 2), keepdims=True), 1)).reshape(-1, 16)
    return shares


# ---------------- what neither the patterns nor the numbers speak of


def _left_out(
    contributions: Contributions,
    patterns: Sequence[Pattern],
    hits: Hits | None,
    signs: Sequence[ExplainedSign],
    held: _Held,
    said: str,
    options: Mapping[str, Any],
) -> Iterator[str]:
    yield from _outside(contributions, held)
    yield from _unknown(contributions.one_hot)
    if note := capped(said, dict(options)):
        yield note
    for word, verb, sign in zip(("positive", "negative"), ("raises", "lowers"), signs, strict=True):
        yield from _not_in_patterns(word, verb, sign, options)
    if hits is None:
        yield "Instances were not looked for (--no-hits)."
    elif idle := [p.short_name for i, p in enumerate(patterns) if not (hits.pattern == i).any()]:
        yield f"No instance of {', '.join(idle)} was found: where one could be, another pattern explains more."


def _not_explained(run: Mapping[str, Any], outputs: Sequence[OutputSpec]) -> Iterator[str]:
    """Tracks, bins and outputs of the model that the contributions do not speak of."""
    output = next((item for item in outputs if item.name == run.get("output")), None)
    tracks, bins, parts = run.get("tracks"), run.get("bins"), []
    if output and isinstance(tracks, list | tuple) and 0 < len(tracks) < len(output.tracks):
        parts.append(f"{len(tracks):,} of {len(output.tracks):,} tracks")
    if bins and not (output and bins[1] - bins[0] >= output.n_bins):
        parts.append(f"bins {bins[0]:,} to {bins[1] - 1:,}" + (f" of {output.n_bins:,}" if output else ""))
    if parts:
        yield f"Of the output {run.get('output')}, {' and '.join(parts)} were explained."
    if output and (others := [item.name for item in outputs if item is not output]):
        yield f"Other outputs of the model were not explained: {first_of(others)}."


def _outside(contributions: Contributions, held: _Held) -> Iterator[str]:
    if contributions.window == contributions.length:
        return
    size, inside = float(contributions.size.astype(float).sum()), float(held.total.sum())
    yield (
        f"Only the central {contributions.window:,} of {contributions.length:,} bp were looked at: the others hold "
        f"{max(1 - inside / size, 0):.0%} of the contribution, whatever its sign."
    )


def _unknown(one_hot: np.ndarray) -> Iterator[str]:
    unknown = (~one_hot.any(axis=1)).sum(axis=1)
    if unknown.any():
        yield (
            f"{counted_of(int((unknown > 0).sum()), len(unknown), 'region', 'have')} unknown bases, "
            f"{int(unknown.sum()):,} in the window looked at: what the model makes of them belongs to no base "
            "and is not counted."
        )


def _not_in_patterns(word: str, verb: str, sign: ExplainedSign, options: Mapping[str, Any]) -> Iterator[str]:
    if sign.seqlets_found is None and not sign.seqlets:
        yield (
            f"No pattern {verb} the prediction: TF-MoDISco clusters more than {options['min_metacluster_size']} "
            f"{word} seqlets, and there were no more."
        )
    elif sign.seqlets_found is not None and sign.seqlets < sign.seqlets_found:
        left = sign.seqlets_found - sign.seqlets
        yield (
            f"{counted_of(left, sign.seqlets_found, f'{word} seqlet', 'are')} in no pattern: "
            f"{'it is' if left == 1 else 'they are'} like too few others, or in a cluster of fewer than "
            f"{options['final_min_cluster_size']}."
        )
