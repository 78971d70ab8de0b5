"""``zoo variants MODEL VARIANTS [-g FASTA] [-o OUT]``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import (
    edges_option,
    format_option,
    genome_check_options,
    genome_option,
    model_options,
    pass_options,
    quiet_option,
    rc_average_option,
    resume_options,
    tracks_option,
    variant_options,
)
from zoo.cli.shared import COMMAND, CONTEXT, long_run, note

__all__ = ["command"]


@click.command("variants", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@click.argument("variants", required=False)
@genome_option
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    help="Result; the suffix gives the format: .vcf[.gz] .bcf .tsv[.gz] .parquet .h5; default TSV on standard output.",
)
@variant_options
@edges_option
@rc_average_option
@tracks_option
@pass_options
@resume_options
@genome_check_options
@model_options
@format_option
@quiet_option
def command(model: str, variants: str | None, genome: str | None, out: str | None, quiet: bool, **options: Any) -> None:
    """Score what variants do to MODEL's predictions: ALT against REF.

    MODEL is a name of `zoo list`, or a folder or file as in `zoo predict`.
    VARIANTS is a VCF, BCF or a TSV with the columns chrom pos ref alt, plain or gzip,
    - for standard input, or one variant in quotes: 'chr7:1000:A>G'.

    \b
    zoo variants yeast-atac 'chrI:100000:A>G' -g sacCer3.fa
    zoo variants yeast-atac calls.vcf -g sacCer3.fa -o scores.tsv
    zoo variants yeast-atac calls.vcf -g sacCer3.fa --score l2 -o scored.vcf.gz
    bcftools view calls.vcf | zoo variants yeast-atac - -g sacCer3.fa | head
    """
    with long_run(quiet) as telling:
        from zoo.variants.score_variants import score_variants

        result = score_variants(model, variants, genome, "-" if out is None else out, **telling, **options)
    if not quiet:
        note(result.summary())
