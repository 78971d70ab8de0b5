"""Random predictions for the writers, and ways to run a writer over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.writers import Writer, WriterContext, open_writer

CHROM_SIZES = {"chr1": 5_000, "chr10": 3_000, "chr2": 4_000}
SCALAR = OutputSpec("counts", "scalar", ("plus", "minus"), units="log counts")
PROFILE = OutputSpec("profile", "profile", ("plus", "minus"), n_bins=12, bin_size=8, offset=16)


def make_batch(
    seed: int,
    n: int = 7,
    outputs: Sequence[OutputSpec] = (SCALAR, PROFILE),
    chrom_sizes: dict[str, int] = CHROM_SIZES,
    first: int = 0,
    window: int = 128,
) -> PredictionBatch:
    """``n`` random windows (some past a chromosome's end, some reverse) with random values."""
    random = np.random.default_rng(seed)
    chrom = random.choice(list(chrom_sizes), n).astype(object)
    size = np.array([chrom_sizes[c] for c in chrom], dtype=np.int64)
    start = (random.random(n) * (size - 60)).astype(np.int64)
    end = start + random.integers(1, 60, n)
    strand = random.choice(["+", "-", "."], n)
    window_start = (start + end) // 2 - window // 2
    return PredictionBatch(
        region=np.arange(first, first + n),
        chrom=chrom,
        start=start,
        end=end,
        name=np.array([f"peak{first + i}" for i in range(n)], dtype=object),
        score=np.array([str(v) for v in random.integers(0, 1000, n)], dtype=object),
        strand=strand,
        window_start=window_start,
        window_end=window_start + window,
        reverse=strand == "-",
        values={output.name: make_values(random, n, output) for output in outputs},
    )


def make_values(random: np.random.Generator, n: int, output: OutputSpec) -> np.ndarray:
    """Values over many orders of magnitude, exact zeros among them."""
    shape = (n, len(output.tracks)) + ((output.n_bins,) if output.kind == "profile" else ())
    values = random.normal(size=shape) * 10.0 ** random.integers(-6, 6, shape)
    return np.where(random.random(shape) < 0.1, 0, values).astype(np.float32)


def make_batches(seed: int, count: int, **kwargs) -> list[PredictionBatch]:
    """``count`` batches of different lengths; regions are numbered through."""
    sizes = np.random.default_rng(seed).integers(1, 12, count).tolist()
    return [make_batch(seed * 1000 + i, n, first=sum(sizes[:i]), **kwargs) for i, n in enumerate(sizes)]


def make_context(out: Path, outputs: Sequence[OutputSpec] = (SCALAR, PROFILE), **kwargs) -> WriterContext:
    """A context over `CHROM_SIZES`, overlap ``mean``, no swap unless told."""
    defaults = {"chrom_sizes": CHROM_SIZES, "overlap": "mean", "stranded_swap": {}}
    return WriterContext(out=out, outputs=tuple(outputs), **(defaults | kwargs))


def write_all(context: WriterContext, batches: Sequence[PredictionBatch]) -> list[Path]:
    """Run a writer from start to end."""
    writer = open_writer(context)
    writer.open()
    for batch in batches:
        writer.write(batch)
    return writer.finish()


def write_interrupted(
    context: WriterContext, batches: Sequence[PredictionBatch], cut: int, beyond: int, suspend: bool
) -> list[Path]:
    """Checkpoint after ``cut`` batches, write ``beyond`` more, be killed or suspended, resume."""
    first = open_writer(context)
    first.open()
    for batch in batches[:cut]:
        first.write(batch)
    state = first.checkpoint()
    for batch in batches[cut : cut + beyond]:
        first.write(batch)
    if suspend:
        first.suspend()
    else:
        KILLED.append(first)  # not closed and not collected, as if the process had ended
    second = open_writer(context)
    second.open(resume=state)
    for batch in batches[cut:]:
        second.write(batch)
    return second.finish()


KILLED: list[Writer] = []


def with_values(batch: PredictionBatch, **values: np.ndarray) -> PredictionBatch:
    """The batch with other values."""
    return replace(batch, values={name: np.asarray(v, np.float32) for name, v in values.items()})
