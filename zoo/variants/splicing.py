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

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.errors import UsageError
from zoo.outputs import OutputSpec, first_of
from zoo.variants.aligned import Aligned
from zoo.variants.allele import Allele
from zoo.variants.genes import Gene

__all__ = ["EVENTS", "Splicing", "spliceai_description", "spliceai_field"]


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

    Attributes:
        columns: names, units, descriptions and whether whole: ``DS_*``, ``DP_*``, then ``REF_*`` and ``ALT_*``, each in
            the order of ``EVENTS``.

    Raises:
        UsageError: no output has both tracks, or its bins are wider than a base or do not reach that far.
    """

    def __init__(self, outputs: Sequence[OutputSpec], distance: int = 50, mask: bool = False) -> None:
        self.output = _output(outputs)
        self.distance, self.mask = distance, mask
        self._tracks = [_track(self.output, site) for site in SITES]
        _check_reach(self.output, distance)

    def columns(self) -> list[tuple[str, str, str, str, bool]]:
        """(name, track, units, description, integer) of each number."""
        within = f"within {self.distance} bp of the variant"
        masked = f"; 0 {'{}'} annotated sites" if self.mask else ""
        rows = []
        for event in EVENTS:
            note = masked.format("at" if event.gain else "but at") if masked else ""
            rows.append((f"DS_{event.code}", event, "probability", f"Largest {event} {within}{note}", False))
        for event in EVENTS:
            rows.append((f"DP_{event.code}", event, "bp", f"From the first changed base to the {event}, on +", True))
        for allele in ("REF", "ALT"):
            for event in EVENTS:
                says = f"Probability of the {event.site} at DP_{event.code} in {allele}"
                rows.append((f"{allele}_{event.code}", event, "probability", says, False))
        tracks = dict(zip(SITES, self._tracks, strict=True))
        return [
            (name, self.output.tracks[tracks[one.site]], units, says, whole) for name, one, units, says, whole in rows
        ]

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


# ---------------- SpliceAI's own field


def spliceai_description() -> str:
    """What the header of a VCF says of the field; the format is the one that readers of SpliceAI's parse."""
    return (
        "Delta scores (DS) and positions (DP, from POS) of acceptor gain (AG), acceptor loss (AL), donor gain (DG) and "
        "donor loss (DL). Format: ALLELE|SYMBOL|DS_AG|DS_AL|DS_DG|DS_DL|DP_AG|DP_AL|DP_DG|DP_DL"
    )


def spliceai_field(allele: Allele, gene: Gene | None, values: np.ndarray | None) -> str:
    """One gene's item of INFO's ``SpliceAI``: ``T|SLC5A1|0.00|0.00|0.00|0.93|2|-1|5|-1``.

    Positions are counted from POS of the record, as SpliceAI does: where the file's alleles begin with bases that both
    share, they are larger by these than ``DP_*`` of the columns.

    Args:
        values: of ``Splicing.of``, or the first eight of them; None where the allele has no scores.
    """
    name = re.sub(r"[|,;=\s]", "_", gene.name) if gene is not None else "."
    if values is None or np.isnan(values[:8]).any():
        return "|".join([allele.alt, name, *"." * 8])
    shift = allele.edit.start - allele.record.pos
    scores = [f"{round(score, 2) + 0.0:.2f}" for score in values[:4].tolist()]  # no -0.00
    return "|".join([allele.alt, name, *scores, *(str(round(at) + shift) for at in values[4:8].tolist())])
