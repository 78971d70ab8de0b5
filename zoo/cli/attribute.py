"""``zoo attribute MODEL REGIONS [-g FASTA] -o contribs.h5``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import (
    explain_options,
    genome_check_options,
    genome_option,
    given_options,
    model_options,
    overlap_option,
    quiet_option,
    resume_options,
    run_options,
    seed_option,
    window_options,
)
from zoo.cli.shared import COMMAND, CONTEXT, long_run, note
from zoo.doctor import check_import_names
from zoo.words import counted

__all__ = ["command"]

#: What a file of contributions that is written in another format takes.
OF_A_FILE = {"model", "regions", "out", "format", "overlap", "quiet"}


@click.command("attribute", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@click.argument("regions", required=False)
@genome_option
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    help="Result; the suffix gives the format: .h5 .npz .bw, and .tsv[.gz] for marginalize.",
)
@click.option(
    "--format",
    type=click.Choice(["h5", "modisco-npz", "chrombpnet-h5", "bw"]),
    help="Output format, where the suffix does not tell: chrombpnet-h5 is an .h5 too.",
)
@explain_options
@click.option(
    "--motif",
    metavar="LETTERS|FILE.meme[:NAME]",
    help="With --method marginalize: the motif to insert; N keeps what is there, a matrix gives its consensus.",
)
@seed_option
@window_options
@run_options
@overlap_option
@resume_options
@genome_check_options
@model_options
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    model: str,
    regions: str | None,
    genome: str | None,
    out: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Find what each base of the regions of a BED contributes to MODEL's output.

    Contributions that do not add up to the difference between a window and its references are refused.
    A contribs.h5 in the place of MODEL, without REGIONS, is written in another format.

    \b
    zoo attribute yeast-atac peaks.bed -g sacCer3.fa -o contribs.h5
    zoo attribute contribs.h5 -o contribs.bw
    zoo attribute basset peaks.bed -g hg19.fa --tracks K562 --method ism -o c.h5
    zoo attribute yeast-atac peaks.bed -g sacCer3.fa \\
      --method marginalize --motif TTACCCG -o effects.tsv
    """
    check_import_names()
    if regions is None:
        _refuse_idle_options(context)
    with long_run(quiet) as telling:
        from interpret.attribute.attribute import attribute, convert

        if regions is None:
            result = convert(model, out, options["format"], options["overlap"])
            for sentence in () if quiet else result.notes:
                note(sentence)
        else:
            result = attribute(model, regions, genome, out, **telling, **options)
    if quiet:
        return
    if options["dry_run"]:
        note(f"dry run: {counted(result.windows, 'window')} to explain; nothing was written")
    else:
        note(result.summary("written" if regions is None else "explained"))


def _refuse_idle_options(context: click.Context) -> None:
    """Without regions a contribs.h5 is rewritten, and options of a model's run would be ignored in silence."""
    for name in given_options(context):
        if name not in OF_A_FILE:
            option = next(one for one in context.command.params if one.name == name)
            raise click.UsageError(f"{option.opts[-1]} has no effect without REGIONS", context)
