"""What a genome file must hold, base by base, in plain Python: slow and short."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.writers import WriterContext

Bases = dict[tuple[str, int], list[float]]


def covering_values(
    batches: Sequence[PredictionBatch], output: OutputSpec, track: int, context: WriterContext
) -> Bases:
    """(chromosome, base) -> the values, NaN left out, that cover it."""
    bases: Bases = defaultdict(list)
    for batch in batches:
        for row in range(len(batch)):
            chrom = batch.chrom[row]
            for start, end, value in _bins(batch, row, output, track, context):
                for base in range(max(0, start), min(end, context.chrom_sizes[chrom])):
                    if not math.isnan(value):
                        bases[chrom, base].append(value)
    return bases


def _bins(batch, row, output, track, context):
    reverse = bool(batch.reverse[row])
    swap = context.stranded_swap.get(output.name)
    channel = int(swap[track]) if reverse and swap is not None else track
    values = batch.values[output.name][row, channel]
    if output.kind == "scalar":
        start, end = int(batch.start[row]), int(batch.end[row])
        if context.tiled:
            start, end = max(start, int(batch.window_start[row])), min(end, int(batch.window_end[row]))
        yield start, end, float(values)
        return
    for i, value in enumerate(values.tolist()):
        if reverse:
            end = int(batch.window_end[row]) - output.offset - i * output.bin_size
            yield end - output.bin_size, end, value
        else:
            start = int(batch.window_start[row]) + output.offset + i * output.bin_size
            yield start, start + output.bin_size, value


def merged(bases: Bases, overlap: str) -> dict[tuple[str, int], np.float32]:
    """One float32 a base."""
    one = max if overlap == "max" else lambda values: math.fsum(values) / len(values)
    return {place: np.float32(one(values)) for place, values in bases.items()}
