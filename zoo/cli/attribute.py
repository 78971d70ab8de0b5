"""``zoo attribute MODEL REGIONS [-g FASTA] -o contribs.h5``."""

from __future__ import annotations

import os
from typing import Any

import click

from zoo.cli.doctor import check_import_names
from zoo.cli.signals import interrupted_once
from zoo.cli.style import COMMAND

__all__ = ["command"]


@click.command("attribute", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.argument("regions", required=False)
@click.option("-g", "--genome", metavar="FASTA", help="Plain or bgzip FASTA; default $ZOO_GENOMES/<assembly>.fa.")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    help="The result; the suffix gives the format: .h5 .npz .bw, and .tsv[.gz] for marginalize.",
)
@click.option(
    "--format",
    type=click.Choice(["h5", "modisco-npz", "chrombpnet-h5", "bw"]),
    help="Another format for the suffix: chrombpnet-h5 is an .h5 too.",
)
@click.option(
    "--method",
    default="deepliftshap",
    show_default=True,
    metavar="METHOD",
    help="deepliftshap, integrated_gradients, ism, ablation, saliency, inputxgradient or marginalize.",
)
@click.option(
    "--motif",
    metavar="LETTERS|FILE.meme[:NAME]",
    help="Of marginalize; N leaves the background's base, a matrix gives its consensus.",
)
@click.option("--output", metavar="NAME", help="The model's output that is explained.")
@click.option(
    "--tracks",
    multiple=True,
    metavar="NAME",
    help="Its tracks, added up: name, glob or number; may be repeated or hold commas.",
)
@click.option("--bins", metavar="A:B", help="Its bins A to B-1, from 0; default all.")
@click.option(
    "--reduce",
    type=click.Choice(["sum", "max", "profile"]),
    default="sum",
    show_default=True,
    help="One number of the bins; profile weights them as BPNet does.",
)
@click.option(
    "--explain",
    type=click.Choice(["logits", "predictions"]),
    default="logits",
    show_default=True,
    help="What enters the model's last activation, or what leaves it.",
)
@click.option(
    "--references",
    default="20",
    show_default=True,
    metavar="N|uniform|zeros|FILE.npz",
    help="N dinucleotide shuffles of each window, or other references.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the shuffles.")
@click.option("--rc-average", is_flag=True, help="Average with the contributions found on the other strand.")
@click.option(
    "--fallback",
    type=click.Choice(["ism", "integrated_gradients"]),
    help="Method for a model with an operation that deepliftshap has no rule for.",
)
@click.option("--allow-incomplete", is_flag=True, help="Keep contributions that do not add up.")
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
@click.option(
    "--overlap",
    type=click.Choice(["mean", "max", "error"]),
    default="mean",
    show_default=True,
    help="Where windows overlap in a bigWig.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted run of the same command.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|mps", help="Where to run.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N regions.")
@click.option("--translate-chroms", is_flag=True, help="Join chromosome names of different styles (chr1, 1, NC_...).")
@click.option("--any-genome", is_flag=True, help="Accept a FASTA that is not the assembly of the card.")
@click.option("--trust", is_flag=True, help="Run Python files of a model folder that is not bundled.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no progress.")
def command(
    model: str, regions: str | None, genome: str | None, out: str, quiet: bool, tracks: tuple[str, ...], **options: Any
) -> None:
    """Attribute MODEL's output to the bases of the regions of a BED.

    Contributions that do not add up to the difference between a window and its references are refused.
    A contribs.h5 in the place of MODEL, without REGIONS, is written in another format.

    \b
    zoo attribute yeast-atac peaks.bed -g sacCer3.fa -o contribs.h5
    zoo attribute contribs.h5 -o contribs.bw
    zoo attribute basset peaks.bed -g hg19.fa --tracks K562 --method ism -o contribs.h5
    zoo attribute yeast-atac peaks.bed -g sacCer3.fa --method marginalize --motif TTACCCG -o effects.tsv
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    check_import_names()
    from interpret.attribution import attribute
    from interpret.convert import convert
    from zoo.progress import stderr_progress
    from zoo.store.transfer import Silent, StderrListener, listening

    names = [part for item in tracks for part in item.split(",") if part]
    if tracks and not names:
        raise click.BadParameter("names no track (is a variable of the shell empty?)", param_hint="'--tracks'")
    say = None if quiet else lambda note: click.echo(f"zoo: {note}", err=True)
    with interrupted_once(), listening(Silent() if quiet else StderrListener()):
        if regions is None:
            _refuse_idle_options()
            result = convert(model, out, options["format"], options["overlap"])
        else:
            result = attribute(
                model,
                regions,
                genome,
                out,
                tracks=names,
                report=say,
                progress=None if quiet else stderr_progress,
                **options,
            )
    if not quiet:
        where = ", ".join(map(str, result.paths))
        did = "written" if regions is None else "explained"
        click.echo(f"zoo: {result.windows:,} windows {did} in {result.seconds:.1f} s -> {where}", err=True)


def _refuse_idle_options() -> None:
    """Without regions a contribs.h5 is rewritten, and options of a model's run would be ignored in silence."""
    context = click.get_current_context()
    used = {"model", "regions", "out", "format", "overlap", "quiet"}
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
        if given and parameter.name not in used:
            raise click.UsageError(f"{parameter.opts[-1]} has no effect without REGIONS", context)
