"""The columns of the table formats (TSV, BED, Parquet): their names, and their values in that order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.writers.base import WriterContext

__all__ = ["REGION", "WINDOW", "flat_values", "region_columns", "safe_text", "track_names", "value_names"]

REGION = ("chrom", "start", "end", "name", "score", "strand")
WINDOW = ("window_start", "window_end")


def region_columns(context: WriterContext) -> tuple[str, ...]:
    """Names of the columns before the values; the window is there when a region can have several."""
    return REGION + WINDOW if context.tiled else REGION


def track_names(context: WriterContext) -> dict[str, tuple[str, ...]]:
    """Output name -> one unique column name a track.

    With several outputs each name is ``<output>/<track>``. With one output it is the track's
    name, unless that repeats or is the name of a region column; what still repeats gets a number.
    """
    taken = Counter(REGION + WINDOW)
    taken.update(track for output in context.outputs for track in output.tracks)
    used: set[str] = set(REGION + WINDOW)
    return {o.name: tuple(_unique(o, taken, used, len(context.outputs) > 1)) for o in context.outputs}


def _unique(output: OutputSpec, taken: Counter[str], used: set[str], several: bool) -> Iterator[str]:
    for track in output.tracks:
        base = f"{output.name}/{track}" if several or taken[track] > 1 else track
        base = name = base.translate(BREAKS)
        number = 2
        while name in used:
            name, number = f"{base}.{number}", number + 1
        used.add(name)
        yield name


def value_names(context: WriterContext) -> list[str]:
    """One name a value: the track, or ``<track>/<bin>`` for each bin of a profile in numeric order."""
    names = track_names(context)
    return [
        f"{track}/{i}" if output.kind == "profile" else track
        for output in context.outputs
        for track in names[output.name]
        for i in range(output.n_bins if output.kind == "profile" else 1)
    ]


def flat_values(batch: PredictionBatch, outputs: tuple[OutputSpec, ...]) -> np.ndarray:
    """(n, values) float32 in the order of `value_names`."""
    n = len(batch)
    blocks = [batch.values[output.name].reshape(n, -1) for output in outputs]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


BREAKS = str.maketrans("\t\n\r", "   ")


def safe_text(fields: np.ndarray) -> list[str]:
    """Fields without the characters that would break a line of text apart (they become spaces)."""
    joined = "".join(fields)
    if any(c in joined for c in "\t\n\r"):
        return [field.translate(BREAKS) for field in fields]
    return fields.tolist()
