"""Projected contributions as a bigWig: a value a base at its place in the genome, by the writer of predictions.

Reversed windows are turned; where windows overlap, ``--overlap`` says what is written (the mean by default).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from interpret.contribs.file import ContribBlock, Source
from zoo.outputs import OutputSpec, PredictionBatch
from zoo.writers.base import WriterContext
from zoo.writers.bigwig import BigWigWriter

__all__ = ["finals", "write"]


def finals(out: Path) -> list[Path]:
    """One file."""
    return [out]


def write(source: Source, paths: list[Path], run: dict[str, Any], overlap: str) -> None:
    """Place, sort and merge the windows."""
    spec = OutputSpec("projected", "profile", ("contribution",), source.length)
    writer = BigWigWriter(WriterContext(paths[0], (spec,), source.chrom_sizes, overlap, {}))
    try:
        writer.open()
        for block in source.blocks():
            writer.write(_batch(block))
        writer.finish()
    except BaseException:
        writer.discard()
        raise


def _batch(block: ContribBlock) -> PredictionBatch:
    regions, windows = block.regions, block.windows
    return PredictionBatch(
        region=np.arange(block.first, block.first + len(block)),
        chrom=regions["chrom"],
        start=regions["start"],
        end=regions["end"],
        name=regions["name"],
        score=regions["score"],
        strand=regions["strand"],
        window_start=windows["start"],
        window_end=windows["end"],
        reverse=windows["reverse"],
        values={"projected": block.projected[:, None]},
    )
