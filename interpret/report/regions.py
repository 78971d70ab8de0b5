"""Data of the view of regions, in the genome's direction; ``assets/regions.js`` draws it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interpret.contribs.central import read_rows
from interpret.contribs.file import open_contribs
from interpret.motifs.motifs_file import MotifsFile, letters_of, regions_named
from interpret.motifs.pattern import places_of
from interpret.report.genes import Gene, genes_within
from zoo.errors import InputError
from zoo.words import counted, counted_of

__all__ = ["GENES", "Opening", "check_belongs", "opening_of", "view_data", "views_shown", "with_regions"]

STEPS = 32767
BYTES = 4_000_000  # of all views of a page: letters, and contributions and track in two bytes, as base64
GENES = 60  # of one region


def views_shown(motifs: MotifsFile) -> int:
    """How many of the file's views fit into a page."""
    track = _track(motifs)
    bins = 0 if track is None else track.shape[1]
    a_view = motifs.length * (1 + 8 / 3) + bins * 8 / 3
    return min(len(motifs.views.sequence), max(1, int(BYTES // a_view)))


def view_data(
    motifs: MotifsFile, genes: Sequence[Gene] = (), turned: Sequence[bool] | None = None
) -> list[dict[str, Any]]:
    """One item a region, in the order of the file's views.

    ``values`` are base64 little-endian int16, to be multiplied by ``scale``, and so is ``track``; ``items`` are
    ``[start, end, pattern index, strand, contribution]`` of hits (or seqlets where no hits were looked for), in the
    genome; ``genes`` are ``[start, end, name, strand, exons]``.

    Args:
        turned: of each pattern, whether the page shows its reverse complement: strands are those of what is shown.
    """
    turn = np.array(turned if turned is not None else [False] * len(motifs.patterns), bool)
    return [_view(motifs, k, int(motifs.views.sequence[k]), genes, turn) for k in range(views_shown(motifs))]


def _track(motifs: MotifsFile) -> np.ndarray | None:
    return motifs.views.track


def _view(motifs: MotifsFile, k: int, sequence: int, genes: Sequence[Gene], turned: np.ndarray) -> dict[str, Any]:
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
        "items": _items(motifs, sequence, turned),
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


def _items(motifs: MotifsFile, sequence: int, turned: np.ndarray) -> list[list[Any]]:
    hits = motifs.hits
    if hits is not None:
        chosen = np.flatnonzero(hits.sequence == sequence)
        names = ("pattern", "start", "end", "reverse", "contribution")
        here = [tuple(getattr(hits, name)[chosen] for name in names)]
    else:
        here = []
        for index, pattern in enumerate(motifs.patterns):
            seqlets = pattern.seqlets
            chosen = np.flatnonzero(seqlets.sequence == sequence)
            start, end = seqlets.core(pattern.core)
            parts = (start, end, seqlets.reverse, seqlets.core_contribution)
            here.append((np.full(len(chosen), index), *(part[chosen] for part in parts)))
    items = []
    for indices, start, end, reverse, contribution in here:
        shown = reverse ^ turned[indices]
        places = places_of(motifs.regions, np.full(len(indices), sequence), start, end, shown)
        items += [
            [int(a), int(b), int(i), str(s), float(f"{c:.3g}")]
            for a, b, i, s, c in zip(places.start, places.end, indices, places.strand, contribution, strict=True)
        ]
    return sorted(items)


@dataclass(frozen=True)
class Opening:
    """What the view of regions shows at first: a view's index, and where in the genome the instance begins and ends."""

    view: int
    start: int
    end: int


def opening_of(views: Sequence[dict[str, Any]], order: Sequence[int]) -> Opening | None:
    """The instance that contributes most of the first pattern in ``order`` that has one in the views."""
    for pattern in order:
        found = [(abs(i[4]), -k, i) for k, view in enumerate(views) for i in view["items"] if i[2] == pattern]
        if found:
            _, minus, item = max(found, key=lambda one: one[:2])
            return Opening(-minus, item[0], item[1])
    return None


# ---------------- regions to draw that a file of motifs does not hold


def with_regions(motifs: MotifsFile, names: Sequence[str], contribs: str | Path | None = None) -> MotifsFile:
    """The same motifs with the named regions first among those that a report draws.

    Regions that the file holds keep their predicted track; those read from the contributions have none (NaN).

    Args:
        names: names of regions, or ``chrom:start-end``.
        contribs: default the file named in the record of ``motifs``.

    Raises:
        UsageError: no such region. InputError: the contributions are missing, or belong to other motifs.
    """
    chosen, views = regions_named(motifs.regions, names), motifs.views
    held = views.sequence.tolist()
    if new := [row for row in chosen if row not in held]:
        path = Path(contribs or motifs.run.get("contribs", ""))
        if not path.is_file():
            raise InputError(
                f"{path}: no such file",
                f"{motifs.path.name} lacks {counted(len(new), 'region')} of --region",
                "Fix: --contribs FILE, the contributions that it was made from",
            )
        check_belongs(motifs, path)
        one_hot, projected = read_rows(path, np.array(new))
        views = replace(
            views,
            sequence=np.concatenate([views.sequence, new]),
            letters=np.concatenate([views.letters, letters_of(one_hot.transpose(0, 2, 1))]),
            projected=np.concatenate([views.projected, projected]),
            track=None if views.track is None else np.pad(views.track, ((0, len(new)), (0, 0)), constant_values=np.nan),
        )
    order = sorted(range(len(views.sequence)), key=lambda k: _rank(int(views.sequence[k]), chosen))
    track = None if views.track is None else views.track[order]
    arrays = {name: getattr(views, name)[order] for name in ("sequence", "letters", "projected")}
    return replace(motifs, views=replace(views, **arrays, track=track))


def _rank(sequence: int, chosen: list[int]) -> int:
    """Named regions in their order, then the others as they were (the sort is stable)."""
    return chosen.index(sequence) if sequence in chosen else len(chosen)


# ---------------- was this file of motifs made from these contributions?


def check_belongs(motifs: MotifsFile, contribs: str | Path) -> None:
    """Compare regions, windows, explained predictions and the model of the two.

    Raises:
        InputError: another number of regions, other regions, or another model; or ``contribs`` is no such file.
    """
    fix = f"Fix: the file that {motifs.path.name} was made from, {motifs.run.get('contribs', 'not recorded')}"
    with open_contribs(contribs) as file:
        n = len(motifs.regions)
        if len(file) != n:
            raise InputError(
                f"{contribs}: not what {motifs.path} was made from",
                f"{counted(len(file), 'region')} there, {n:,} here",
                fix,
            )
        try:
            columns, windows = file.regions(), file.windows()
        except KeyError as error:
            what = f"{contribs}: its regions are incomplete: {error.args[0]}"
            raise InputError(what, counted(n, "region"), fix) from None
        ours = motifs.regions
        same = (columns["chrom"] == ours.chrom) & (columns["start"] == ours.start) & (columns["end"] == ours.end)
        same &= (windows["start"] == ours.window_start) & (windows["reverse"] == ours.reverse)
        if not same.all():
            raise InputError(
                f"{contribs}: not what {motifs.path} was made from",
                f"{counted_of(int((~same).sum()), n, 'region', 'differ')}, first region {int(same.argmin())}",
                fix,
            )
        model, own = (run.get("model", {}) for run in (file.run, motifs.run.get("contributions", {})))
        if model != own or not np.array_equal(file.prediction[:], motifs.prediction, equal_nan=True):
            raise InputError(
                f"{contribs}: of another model or output than {motifs.path}",
                f"{model.get('name')} there, {own.get('name')} here, or other predictions",
                fix,
            )
