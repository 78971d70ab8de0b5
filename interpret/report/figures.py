"""Logos as figures for a paper or a talk, one file a pattern, drawn by logomaker.

Tareen & Kinney 2020, doi:10.1093/bioinformatics/btz921. The page draws its own: a second a logo is too long for a table
of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from interpret.motifs.motifs_file import MotifsFile, read_motifs
from interpret.motifs.pattern import Pattern
from interpret.report.drawing import probability_heights
from zoo.errors import UsageError
from zoo.extras import needs, require
from zoo.results.check_out import check_folder
from zoo.results.whole import replacing
from zoo.words import counted

__all__ = ["FORMATS", "require_packages", "save_figures"]

FORMATS = ("pdf", "svg", "png")
WHAT = "a figure of a logo"
COLUMN, ROW = 0.22, 1.1  # inches a column and a logo
COLOURS = {"A": "#1a8a3c", "C": "#1f5fd0", "G": "#e08a00", "T": "#d0302f"}


def require_packages() -> None:
    """Stop before the work where a package that draws is not installed.

    Raises:
        SystemStateError: one is missing.
    """
    require(WHAT, "logomaker", "matplotlib", "pandas")


def save_figures(motifs: str | Path | MotifsFile, folder: str | Path, format: str = "pdf") -> list[Path]:
    """Write the contribution logo above the frequency logo of each pattern's core.

    Args:
        motifs: ``motifs.h5``, or what ``read_motifs`` returned.
        folder: made if missing; ``pos_patterns.pattern_0.pdf`` and so on, those of the same name are replaced.
        format: one of ``FORMATS``; letters of pdf and svg stay vectors.

    Returns:
        The files, in the order of the patterns.

    Raises:
        InputError: no motifs file. UsageError: another format, or ``folder`` is a file.
        SystemStateError: logomaker is not installed.
    """
    if format not in FORMATS:
        raise UsageError(f"figures as {format}: not known", "", f"Fix: one of {', '.join(FORMATS)}")
    folder = check_folder(folder, option="--figures")
    require_packages()
    found = motifs if isinstance(motifs, MotifsFile) else read_motifs(motifs)
    folder.mkdir(parents=True, exist_ok=True)
    return [_save(pattern, folder / f"{pattern.name}.{format}") for pattern in found.patterns]


def _save(pattern: Pattern, path: Path) -> Path:
    with needs("matplotlib", WHAT):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    core = slice(*pattern.core)
    contribution, heights = pattern.contribution[core], probability_heights(pattern.probability[core])
    figure = Figure(figsize=(1 + COLUMN * len(heights), 2 * ROW + 0.5), layout="constrained")
    FigureCanvasAgg(figure)  # no window, and no state of matplotlib.pyplot is touched
    above, below = figure.subplots(2, 1, sharex=True)
    _draw(contribution, above, "contribution")
    _draw(heights, below, "bits", top=2.0)
    figure.suptitle(f"{pattern.short_name}, {counted(len(pattern.seqlets), 'seqlet')}", fontsize=9)
    with replacing(path, shared=True) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=300)
    return path


def _draw(heights: np.ndarray, axes: object, label: str, top: float | None = None) -> None:
    with needs("logomaker", WHAT):
        import logomaker
    with needs("pandas", WHAT):
        import pandas
    logo = logomaker.Logo(pandas.DataFrame(heights, columns=list("ACGT")), ax=axes, color_scheme=COLOURS)
    logo.style_spines(visible=False)
    logo.style_spines(spines=["left"], visible=True)
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_xticks([])
    if top is not None:
        axes.set_ylim(0, top)
