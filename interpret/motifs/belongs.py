"""Whether a file of motifs was made from a file of contributions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from interpret.contribs import open_contribs
from interpret.motifs.motifs_file import MotifsFile
from zoo.errors import InputError

__all__ = ["check_belongs"]


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
