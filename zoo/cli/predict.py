"""``zoo predict MODEL REGIONS [-g FASTA] [-o OUT]``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import (
    aggregate_option,
    format_option,
    genome_check_options,
    genome_option,
    model_options,
    overlap_option,
    quiet_option,
    rc_average_option,
    resume_options,
    run_options,
    tracks_option,
    window_options,
)
from zoo.cli.shared import COMMAND, CONTEXT, long_run, note
from zoo.progress import pace
from zoo.words import counted

__all__ = ["command"]


@click.command("predict", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@click.argument("regions")
@genome_option
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    help="Result; the suffix gives the format: .tsv[.gz] .bed .bedgraph .bw .h5 .zarr .parquet; default TSV on "
    "standard output.",
)
@click.option(
    "--track-hub",
    metavar="DIR",
    help="In place of OUT: a folder of bigWigs with hub.txt for the UCSC browser and a session for IGV.",
)
@click.option(
    "--hub-genome", metavar="NAME", help="Genome of the hub by UCSC's name, where neither FASTA nor card tells."
)
@window_options
@rc_average_option
@tracks_option
@run_options
@overlap_option
@aggregate_option
@resume_options
@genome_check_options
@model_options
@format_option
@quiet_option
def command(model: str, regions: str, genome: str | None, out: str | None, quiet: bool, **options: Any) -> None:
    """Predict MODEL's outputs for the regions of a BED.

    MODEL is a name of `zoo list` (or name@version, or source/name), a folder with model.yaml,
    a gReLU .ckpt or a Keras .h5 or .keras.
    REGIONS is BED3 to BED12 or narrowPeak, plain or gzip, or - for standard input.

    \b
    zoo predict yeast-atac peaks.bed -g sacCer3.fa -o peaks.tsv
    zoo predict yeast-atac genes.bed -g sacCer3.fa --window tile -o genes.bw
    zoo predict yeast-atac genes.bed -g sacCer3.fa --window tile --track-hub hub
    bedtools slop ... | zoo predict yeast-atac - -g sacCer3.fa | head
    """
    with long_run(quiet) as telling:
        from zoo.run.predict import predict

        out = "-" if out is None and options["track_hub"] is None else out
        result = predict(model, regions, genome, out, **telling, **options)
    if not quiet:
        note(_summary(result, options["dry_run"]))


def _summary(result: Any, dry_run: bool) -> str:
    if dry_run:
        counts = result.counts
        outputs = ", ".join(f"{name} ({counted(n, 'track')})" for name, n in counts["outputs"].items())
        return (
            f"dry run: {counted(result.regions, 'region')}, {counted(result.windows, 'window')} of "
            f"{counts['window_bp']:,} bp on {counts['device']}, {counts['batch_size']} at a time; outputs {outputs}; "
            "nothing was written"
        )
    where = ", ".join(map(str, result.paths)) if result.paths else "standard output"
    rate = pace(result.windows, result.seconds)
    windows, regions = counted(result.windows, "window"), counted(result.regions, "region")
    return f"{windows} of {regions} in {result.seconds:.1f} s ({rate}) -> {where}"
