"""Data of the view of regions, in the genome's direction; ``assets/regions.js`` draws it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import places_of
from interpret.report.genes import Gene, genes_within

__all__ = ["GENES", "view_data", "views_shown"]

STEPS = 32767
BYTES = 4_000_000  # of all views of a page: letters, and contributions and track in two bytes, as base64
GENES = 60  # of one region


def views_shown(motifs: MotifsFile) -> int:
    """How many of the file's views fit into a page."""
    track = _track(motifs)
    bins = 0 if track is None else track.shape[1]
    a_view = motifs.length * (1 + 8 / 3) + bins * 8 / 3
    return min(len(motifs.views.sequence), max(1, int(BYTES // a_view)))


def view_data(motifs: MotifsFile, genes: Sequence[Gene] = ()) -> list[dict[str, Any]]:
    """One item a region, in the order of the file's views.

    ``values`` are base64 little-endian int16, to be multiplied by ``scale``, and so is ``track``; ``items`` are
    ``[start, end, pattern index, strand]`` of hits (or seqlets where no hits were looked for), in the genome;
    ``genes`` are ``[start, end, name, strand, exons]``.
    """
    return [_view(motifs, k, int(motifs.views.sequence[k]), genes) for k in range(views_shown(motifs))]


def _track(motifs: MotifsFile) -> np.ndarray | None:
    return motifs.views.track


def _view(motifs: MotifsFile, k: int, sequence: int, genes: Sequence[Gene]) -> dict[str, Any]:
    regions = motifs.regions
    letters, values = motifs.views.letters[k], motifs.views.projected[k].astype(float)
    reverse = bool(regions.reverse[sequence])
    if reverse:
        letters, values = np.where(letters < 4, 3 - letters, 4)[::-1], values[::-1]
    chrom, start = str(regions.chrom[sequence]), int(regions.window_start[sequence])
    view = {
        "name": str(regions.name[sequence]),
        "chrom": chrom,
        "start": start,
        "prediction": float(motifs.prediction[sequence]),
        "total": float(motifs.total[sequence]),
        "letters": "".join("ACGTN"[i] for i in letters),
        **_packed(values),
        "items": _items(motifs, sequence),
    }
    track = _track(motifs)
    if track is not None and np.isfinite(track[k]).all():  # a region that was added later has none
        view["track"] = _track_of(motifs, k, reverse)
    if genes:
        found, total = genes_within(list(genes), chrom, start, start + motifs.length, GENES)
        view["genes"] = [[g.start, g.end, g.name, g.strand, g.exons] for g in found]
        view["more_genes"] = total - len(found)
    return view


def _packed(values: np.ndarray) -> dict[str, Any]:
    scale = max(float(np.abs(values).max()), 1e-30) / STEPS
    return {"scale": scale, "values": base64.b64encode(np.round(values / scale).astype("<i2").tobytes()).decode()}


def _track_of(motifs: MotifsFile, k: int, reverse: bool) -> dict[str, Any]:
    """Bins in the genome's direction; ``offset`` is bp from the left end of the window to the leftmost bin."""
    views = motifs.views
    values, size, offset = views.track[k].astype(float), views.track_bin, views.track_offset
    if reverse:
        values, offset = values[::-1], motifs.length - offset - len(values) * size
    return {"name": views.track_name, "bin": size, "offset": offset, **_packed(values)}


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
        items += [
            [int(a), int(b), int(i), str(s)]
            for a, b, i, s in zip(places.start, places.end, indices, places.strand, strict=True)
        ]
    return sorted(items)
