"""Gain and loss of splice sites around a variant: SpliceAI's delta scores, of any model with acceptors and donors.

``DS_AG`` and ``DS_AL`` are the largest rise and fall of the probability of an acceptor within a distance of the
variant, ``DS_DG`` and ``DS_DL`` those of a donor, as in SpliceAI (Illumina/SpliceAI, ``spliceai/utils.py``,
``get_delta_scores``). ``DP_*`` say where: bp from the first base of the trimmed alleles to the site along the plus
strand, whatever the gene's strand; and the probabilities of REF and ALT there stand beside them.

Where this is other than SpliceAI: of sites that change alike the nearest to the variant is told, the left one of two
(SpliceAI's argmax takes the leftmost, so that a variant without any effect lies "50 bp away"). And a mask is laid on
each site before the largest is looked for, acceptors against acceptors; SpliceAI masks the largest only, so that a
masked one hides all others, and knows of one exon boundary, the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.errors import UsageError
from zoo.outputs import OutputSpec, first_of
from zoo.variants.alleles.allele import Allele
from zoo.variants.scores.columns import Column
from zoo.variants.scores.genes import Gene
from zoo.variants.windows.aligned import Aligned

__all__ = ["EVENTS", "Splicing", "counted_from_pos"]


@dataclass(frozen=True)
class Event:
    """One of the four: a kind of site, and whether it is gained or lost."""

    code: str
    site: str
    gain: bool

    def __str__(self) -> str:
        return f"{'gain' if self.gain else 'loss'} of {'an' if self.site == 'acceptor' else 'a'} {self.site}"


#: In SpliceAI's order.
EVENTS = (
    Event("AG", "acceptor", True),
    Event("AL", "acceptor", False),
    Event("DG", "donor", True),
    Event("DL", "donor", False),
)

SITES = ("acceptor", "donor")


class Splicing:
    """Delta scores of one output.

    Args:
        outputs: the chosen outputs; one of them has a track ``acceptor`` and a track ``donor``, a base a bin.
        distance: bp on each side of the variant's first base.
        mask: gains at annotated and losses at other sites count as nothing; each gene has its own sites.

    Raises:
        UsageError: no output has both tracks, or its bins are wider than a base, or fewer than the distance
            asks for.
    """

    def __init__(self, outputs: Sequence[OutputSpec], distance: int = 50, mask: bool = False) -> None:
        self.output = _output(outputs)
        self.distance, self.mask = distance, mask
        self._tracks = [_track(self.output, site) for site in SITES]
        _check_reach(self.output, distance)

    def columns(self) -> list[Column]:
        """What each number is: ``DS_*``, ``DP_*``, ``REF_*``, ``ALT_*``, each in the order of ``EVENTS``."""
        within = f"within {self.distance} bp of the variant"
        found = []
        for event in EVENTS:
            masked = f"; 0 {'at' if event.gain else 'but at'} annotated sites" if self.mask else ""
            found.append(self._column(f"DS_{event.code}", event, "probability", f"Largest {event} {within}{masked}"))
        for event in EVENTS:
            says = f"From the first changed base to the {event}, along the plus strand"
            found.append(self._column(f"DP_{event.code}", event, "bp", says, integer=True))
        for allele in ("REF", "ALT"):
            for event in EVENTS:
                says = f"Probability of the {event.site} at DP_{event.code} in {allele}"
                found.append(self._column(f"{allele}_{event.code}", event, "probability", says))
        return found

    def _column(self, name: str, event: Event, units: str, says: str, integer: bool = False) -> Column:
        track = self.output.tracks[self._tracks[SITES.index(event.site)]]
        return Column(name, name, self.output.name, track, units, says, integer)

    def of(self, aligned: Aligned, allele: Allele, gene: Gene | None, origin: int | None = None) -> np.ndarray:
        """(16,) float32 in the order of ``columns``; NaN where no base around the variant has a prediction.

        Args:
            gene: whose sites a mask keeps; without one no site is annotated.
            origin: what ``DP_*`` are counted from; None is the allele's first base.
        """
        name, start = self.output.name, allele.edit.start
        origin = start if origin is None else origin
        first, shared = aligned.first[name], aligned.shared[name]
        low = max(start - self.distance - first, 0)
        high = min(start + self.distance + 1 - first, len(shared))
        found = np.full((4, 4), np.nan, dtype=np.float32)
        places = low + np.flatnonzero(shared[low:high]) if low < high else np.empty(0, int)
        if len(places):
            places = places[np.argsort(np.abs(places + first - start), kind="stable")]  # the nearest first
            for row, event in enumerate(EVENTS):
                track = self._tracks[SITES.index(event.site)]
                ref, alt = aligned.ref[name][track, places], aligned.alt[name][track, places]
                moved = alt - ref if event.gain else ref - alt
                if self.mask:
                    known = np.isin(places + first, _annotated(gene, event.site))
                    moved = np.where(known == event.gain, np.float32(0), moved)
                at = int(moved.argmax())
                found[:, row] = moved[at], places[at] + first - origin, ref[at], alt[at]
        return found.reshape(-1)


def _annotated(gene: Gene | None, site: str) -> tuple[int, ...]:
    if gene is None:
        return ()
    return gene.acceptors if site == "acceptor" else gene.donors


def _output(outputs: Sequence[OutputSpec]) -> OutputSpec:
    fitting = [spec for spec in outputs if spec.kind == "profile" and all(_has(spec, site) for site in SITES)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(spec.name for spec in fitting)
    if fitting:
        raise UsageError(
            f"--splicing: {len(fitting)} outputs have acceptors and donors: {names}",
            "",
            f"Fix: choose one, e.g. --tracks {fitting[0].name}",
        )
    tracks = [track for spec in outputs for track in spec.tracks]
    raise UsageError(
        "--splicing: no profile has both a track named acceptor and one named donor",
        f"tracks that are scored: {first_of(tracks)}",
        "Fix: use a model with both, e.g. openspliceai-mane-10000nt; of one that does not tell acceptors from donors, "
        "as pangolin, `--score max` has the largest change at a base",
    )


def _has(spec: OutputSpec, site: str) -> bool:
    return [track.lower() for track in spec.tracks].count(site) == 1


def _track(spec: OutputSpec, site: str) -> int:
    return [track.lower() for track in spec.tracks].index(site)


def _check_reach(spec: OutputSpec, distance: int) -> None:
    if not spec.placed or spec.bin_size != 1:
        size = f"{spec.bin_size} bp wide" if spec.placed else "at places that are not known"
        raise UsageError(
            f"--splicing: the bins of {spec.name} are {size}", "", "Fix: leave out --splicing, use --score max"
        )
    if distance < 0:
        raise UsageError(f"--distance {distance}: is below 0", "", "Fix: --distance 50")
    if distance > (most := (spec.n_bins - 1) // 2):
        raise UsageError(
            f"--distance {distance}: {spec.name} has {spec.n_bins:,} bases around a variant",
            f"that is {most:,} on each side",
            f"Fix: --distance {most} or less",
        )


def counted_from_pos(values: np.ndarray, columns: Sequence[Column], alleles: Sequence[Allele]) -> np.ndarray:
    """Rows of scores with ``DP_*`` counted from POS of the record, as readers of SpliceAI's INFO add them to it.

    They differ where alleles begin with bases that both share, or were moved left.

    Args:
        values: (rows, columns).
        alleles: of the rows.
    """
    places = [i for i, column in enumerate(columns) if column.score.startswith("DP_")]
    if not places:
        return values
    moved = [one.edit.start - one.record.pos if one.edit is not None else 0 for one in alleles]
    values = values.copy()
    values[:, places] += np.array(moved, np.float32)[:, None]
    return values
