"""``zoo predict MODEL REGIONS [-g FASTA] [-o OUT]``."""

from __future__ import annotations

import os
from typing import Any

import click

from zoo.cli.signals import interrupted_once
from zoo.cli.style import COMMAND

__all__ = ["command"]


@click.command("predict", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.argument("regions")
@click.option("-g", "--genome", metavar="FASTA", help="Plain or bgzip FASTA; default $ZOO_GENOMES/<assembly>.fa.")
@click.option(
    "-o",
    "--out",
    default="-",
    metavar="OUT",
    show_default="standard output, TSV",
    help="Result; the suffix gives the format: .tsv[.gz] .bed .bedgraph .bw .h5 .zarr .parquet.",
)
@click.option(
    "--window",
    type=click.Choice(["center", "tile"]),
    default="center",
    show_default=True,
    help="One window centred on each region, or enough to cover it.",
)
@click.option(
    "--stride",
    type=click.IntRange(min=1),
    metavar="BP",
    help="Distance of tiles; default the length that the model predicts.",
)
@click.option(
    "--edges",
    type=click.Choice(["pad", "skip", "error"]),
    default="pad",
    show_default=True,
    help="Windows that pass the end of their chromosome: N outside, leave out, or stop.",
)
@click.option(
    "--strand",
    type=click.Choice(["auto", "use", "ignore"]),
    default="auto",
    show_default=True,
    help="Reverse-complement regions on '-'; auto is what the model's dataloader says.",
)
@click.option("--rc-average", is_flag=True, help="Average with the prediction for the other strand.")
@click.option(
    "--tracks",
    multiple=True,
    metavar="NAME",
    help="Only these tracks: name, glob or number (0, 3-7); may be repeated or hold commas.",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|mps", help="Where to run.")
@click.option("--batch-size", default="auto", show_default=True, metavar="N", help="Windows a forward pass.")
@click.option(
    "--precision", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", show_default=True
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N regions.")
@click.option(
    "--overlap",
    type=click.Choice(["mean", "max", "error"]),
    default="mean",
    show_default=True,
    help="Where windows overlap in bigWig and bedGraph.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted run of the same command.")
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be done, write nothing.")
@click.option("--translate-chroms", is_flag=True, help="Join chromosome names of different styles (chr1, 1, NC_...).")
@click.option("--any-genome", is_flag=True, help="Accept a FASTA that is not the assembly of the card.")
@click.option("--trust", is_flag=True, help="Run Python files of a model folder that is not bundled.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument of the model's dataloader; the value is YAML; may be repeated.",
)
@click.option("--format", "format", metavar="FMT", help="Output format, where the suffix does not tell.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no progress.")
def command(
    model: str,
    regions: str,
    genome: str | None,
    out: str,
    quiet: bool,
    tracks: tuple[str, ...],
    settings: tuple[str, ...],
    **options: Any,
) -> None:
    """Predict MODEL's outputs for the regions of a BED.

    MODEL is a name of `zoo list` (or name@version, or source/name), a folder with model.yaml, or a gReLU .ckpt.
    REGIONS is BED3-BED12 or narrowPeak, plain or gzip, or - for standard input.

    \b
    zoo predict yeast-atac peaks.bed -g sacCer3.fa -o peaks.tsv
    zoo predict yeast-atac genes.bed -g sacCer3.fa --window tile -o genes.bw
    bedtools slop ... | zoo predict yeast-atac - -g sacCer3.fa | head
    """
    # OpenMP threads that spin while they wait take the core from reading and writing: on two cores
    # a small net costs 20 times less CPU when they sleep (scripts/bench_predict.py).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from zoo.models.entry import parse_settings
    from zoo.progress import stderr_progress
    from zoo.run.predict import predict
    from zoo.store.transfer import Silent, StderrListener, listening

    options["settings"] = parse_settings(settings)
    options["tracks"] = [name for item in tracks for name in _split(item)]
    if tracks and not options["tracks"]:
        raise click.BadParameter("names no track (is a variable of the shell empty?)", param_hint="'--tracks'")
    with interrupted_once(), listening(Silent() if quiet else StderrListener()):
        result = predict(
            model,
            regions,
            genome,
            out,
            report=None if quiet else lambda note: click.echo(f"zoo: {note}", err=True),
            progress=None if quiet else stderr_progress,
            **options,
        )
    if not quiet:
        click.echo(f"zoo: {_summary(result, options['dry_run'])}", err=True)


def _split(item: str) -> list[str]:
    return [part for part in item.split(",") if part]


def _summary(result: Any, dry_run: bool) -> str:
    if dry_run:
        counts = result.counts
        outputs = ", ".join(f"{name} ({n} track{'s' * (n > 1)})" for name, n in counts["outputs"].items())
        return (
            f"dry run: {result.regions:,} regions, {result.windows:,} windows of {counts['window_bp']:,} bp on "
            f"{counts['device']}, {counts['batch_size']} at a time; outputs {outputs}; nothing was written"
        )
    rate = result.windows / result.seconds if result.seconds else 0
    where = ", ".join(map(str, result.paths)) if result.paths else "standard output"
    return (
        f"{result.windows:,} windows of {result.regions:,} regions in {result.seconds:.1f} s ({rate:,.0f}/s) -> {where}"
    )
