"""Regions to draw that a file of motifs does not hold, read from the contributions that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from interpret.contribs.central import read_rows
from interpret.contribs.file import open_contribs
from interpret.motifs.motifs_file import MotifsFile, letters_of, regions_named
from zoo.errors import InputError

__all__ = ["check_belongs", "with_regions"]


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
                f"{motifs.path.name} lacks {len(new):,} region(s) of --region",
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
                f"{contribs}: not what {motifs.path} was made from", f"{len(file):,} regions there, {n:,} here", fix
            )
        try:
            columns, windows = file.regions(), file.windows()
        except KeyError as error:
            what = f"{contribs}: its regions are incomplete: {error.args[0]}"
            raise InputError(what, f"{n:,} regions", fix) from None
        ours = motifs.regions
        same = (columns["chrom"] == ours.chrom) & (columns["start"] == ours.start) & (columns["end"] == ours.end)
        same &= (windows["start"] == ours.window_start) & (windows["reverse"] == ours.reverse)
        if not same.all():
            raise InputError(
                f"{contribs}: not what {motifs.path} was made from",
                f"{int((~same).sum()):,} of {n:,} regions differ, first region {int(same.argmin())}",
                fix,
            )
        model, own = (run.get("model", {}) for run in (file.run, motifs.run.get("contributions", {})))
        if model != own or not np.array_equal(file.prediction[:], motifs.prediction, equal_nan=True):
            raise InputError(
                f"{contribs}: of another model or output than {motifs.path}",
                f"{model.get('name')} there, {own.get('name')} here, or other predictions",
                fix,
            )
