"""BED6 with a value column a track (UCSC's BED, further columns allowed as in "BED6+")."""

from __future__ import annotations

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.writers.base import WriterContext
from zoo.writers.text import REGION, TextWriter, format_rows, row_fields, track_names
from zoo.writers.window_spool import place

__all__ = ["AGGREGATES", "BedWriter", "aggregated"]

#: Values of ``--aggregate``; the first is what is taken where nothing is said.
AGGREGATES = ("mean", "sum", "max")
CHUNK = 1 << 20  # values in float64 at once


class BedWriter(TextWriter):
    """``chrom start end name score strand``, then one column a track. The header line starts with ``#``.

    A row's ``start`` and ``end`` are of the bases that its values are about, see ``aggregated``: the region, a tile's
    part of it, or what the model predicts of it. The bins of a profile there become one value, by ``--aggregate``.
    As in bigWig, reversed windows are turned to the genome's strands.
    """

    aggregates = True

    def header(self) -> bytes:
        tracks = [name for names in track_names(self.context).values() for name in names]
        return ("#" + "\t".join([*REGION, *tracks]) + "\n").encode()

    def lines(self, batch: PredictionBatch) -> list[bytes]:
        start, end, values = aggregated(batch, self.context.outputs, self.context)
        rows = zip(row_fields(batch, start, end), format_rows(values), strict=True)
        return [fields.encode() + row for fields, row in rows]

    @property
    def needs_places(self) -> bool:
        return any(output.kind == "profile" for output in self.context.outputs)


# ---------------------------------------------------------------- one value a row and track


def aggregated(
    batch: PredictionBatch, outputs: tuple[OutputSpec, ...], context: WriterContext
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bases that each row is about, and one value a track over them.

    These are the bases of the region that every output predicts: with tiles the tile's part of the region. Bins count
    by the share of them that lies in these bases: ``mean`` is the mean over bases (what ``bigWigAverageOverBed`` and
    pyBigWig's ``stats(exact=True)`` make of the bigWig of a run without overlaps), ``sum`` adds each bin's value times
    its share, ``max`` is that of all bins that touch them. Places, strands and stranded tracks are those of the genome.

    Returns:
        start, end: (n,) int64; the region itself where none of its bases is predicted.
        values: (n, tracks) float32, tracks of all outputs in order; NaN for the bins of a region without any.
    """
    unknown = np.zeros(len(batch), np.int64)  # numbers of the chromosomes are not asked for
    placed = [place(batch, output, unknown, context) for output in outputs]
    start = np.maximum.reduce([batch.start, *(windows["start"] for windows, _ in placed)])
    end = np.minimum.reduce([batch.end, *(windows["end"] for windows, _ in placed)])
    none = end <= start
    columns = [
        values[:, :, 0] if output.kind == "scalar" else _over(values, windows["start"], start, end, output, context)
        for output, (windows, values) in zip(outputs, placed, strict=True)
    ]
    values = np.concatenate(columns, axis=1, dtype=np.float32)
    return np.where(none, batch.start, start), np.where(none, batch.end, end), values


def _over(
    values: np.ndarray,
    origin: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    output: OutputSpec,
    context: WriterContext,
) -> np.ndarray:
    """(n, tracks, bins) from ``origin`` (n,) on -> (n, tracks) float64 over the bases ``start`` to ``end`` (n,)."""
    low, high, width = start - origin, np.maximum(end, start) - origin, output.bin_size
    first = low // width
    touched = int(max((-(-high // width) - first).max(initial=0), 1))
    bins = first[:, None] + np.arange(touched)
    shares = np.minimum(high[:, None], (bins + 1) * width) - np.maximum(low[:, None], bins * width)
    shares = np.maximum(shares, 0) / width
    picked = np.clip(bins, 0, output.n_bins - 1)[:, None]
    found = np.empty(values.shape[:2])
    step = max(1, CHUNK // max(1, bins.size))
    for track in range(0, values.shape[1], step):
        part = slice(track, track + step)
        chosen = np.take_along_axis(values[:, part], picked, axis=2).astype(np.float64)
        found[:, part] = _reduced(chosen, shares[:, None], context.aggregate)
    found[high <= low] = np.nan
    return found


def _reduced(values: np.ndarray, shares: np.ndarray, how: str) -> np.ndarray:
    """(n, tracks, k) and the share of each bin that counts, (n, 1, k) -> (n, tracks). No bin of share 0 has a say."""
    inside = shares > 0
    if how == "max":
        return np.where(inside, values, -np.inf).max(2)
    total = np.multiply(values, shares, out=np.zeros_like(values), where=inside).sum(2)
    if how == "sum":
        return total
    with np.errstate(invalid="ignore"):  # no share at all: NaN, put there by the caller too
        return total / shares.sum(2)
