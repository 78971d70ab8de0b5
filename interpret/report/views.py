"""Data of the region view: contributions, letters and instances, in the genome's direction."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.places import places_of

__all__ = ["view_data"]

STEPS = 32767


def view_data(motifs: MotifsFile) -> list[dict[str, Any]]:
    """One item a region, in the order of the file's views.

    ``values`` are base64 little-endian int16, to be multiplied by ``scale``; ``items`` are
    ``[start, end, pattern index, strand]`` of hits (or seqlets where no hits were looked for), in the genome.
    """
    return [_view(motifs, k, int(sequence)) for k, sequence in enumerate(motifs.views.sequence)]


def _view(motifs: MotifsFile, k: int, sequence: int) -> dict[str, Any]:
    regions = motifs.regions
    letters, values = motifs.views.letters[k], motifs.views.projected[k].astype(float)
    if regions.reverse[sequence]:
        letters, values = np.where(letters < 4, 3 - letters, 4)[::-1], values[::-1]
    scale = max(float(np.abs(values).max()), 1e-30) / STEPS
    return {
        "name": str(regions.name[sequence]), "chrom": str(regions.chrom[sequence]),
        "start": int(regions.window_start[sequence]), "prediction": float(motifs.prediction[sequence]),
        "total": float(motifs.total[sequence]), "letters": "".join("ACGTN"[i] for i in letters), "scale": scale,
        "values": base64.b64encode(np.round(values / scale).astype("<i2").tobytes()).decode(),
        "items": _items(motifs, sequence),
    }


def _items(motifs: MotifsFile, sequence: int) -> list[list[Any]]:
    hits = motifs.hits
    if hits is not None:
        chosen = np.flatnonzero(hits.sequence == sequence)
        here = [(hits.pattern[chosen], hits.start[chosen], hits.end[chosen], hits.reverse[chosen])]
    else:
        here = []
        for index, pattern in enumerate(motifs.patterns):
            chosen = np.flatnonzero(pattern.seqlets.sequence == sequence)
            start, end = pattern.seqlets.core(pattern.core)
            here.append((np.full(len(chosen), index), start[chosen], end[chosen], pattern.seqlets.reverse[chosen]))
    items = []
    for indices, start, end, reverse in here:
        places = places_of(motifs.regions, np.full(len(indices), sequence), start, end, reverse)
        items += [[int(a), int(b), int(i), str(s)]
                  for a, b, i, s in zip(places.start, places.end, indices, places.strand, strict=True)]
    return sorted(items)
