"""``zoo report MOTIFS [MOTIFS ...] -o REPORT``, or all at once ``zoo report MODEL REGIONS -g FASTA -o REPORT``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import (
    as_json_option,
    explain_options,
    genome_check_options,
    genome_option,
    given_options,
    model_options,
    motif_options,
    quiet_option,
    report_window_option,
    resume_options,
    run_options,
    seed_option,
    strand_options,
)
from zoo.cli.shared import COMMAND, CONTEXT, lines_unless, long_run
from zoo.cli.tables import print_json
from zoo.doctor import check_import_names
from zoo.errors import UsageError

__all__ = ["command"]


@click.command("report", cls=COMMAND, context_settings=CONTEXT)
@click.argument("source", nargs=-1, metavar="MOTIFS... | MODEL REGIONS")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT.html",
    help="The page: one file, no network needed; - is standard output.",
)
@click.option(
    "--genes", metavar="FILE", help="Genes to draw along the regions: BED6, BED12, GTF or GFF3, plain or gzip."
)
@click.option(
    "--look-for",
    multiple=True,
    metavar="NAME|[NAME=]BASES",
    help="A known motif, or bases: the page says whether they were found; may be repeated or joined by commas.",
)
@click.option(
    "--contribs",
    metavar="CONTRIBS",
    help="With MOTIFS and --region: the contributions that MOTIFS was made from; default as recorded.",
)
@click.option("--figures", metavar="FOLDER", help="Also save the logos of each pattern in FOLDER, as figures.")
@click.option(
    "--figure-format",
    type=click.Choice(["pdf", "svg", "png"]),
    default="pdf",
    show_default=True,
    help="Format of the figures.",
)
@genome_option
@explain_options
@motif_options
@seed_option
@report_window_option
@strand_options
@run_options
@resume_options
@genome_check_options
@model_options
@as_json_option
@quiet_option
@click.pass_context
def command(context: click.Context, source: tuple[str, ...], **_: Any) -> None:
    """Write a page of motifs: of a file of `zoo motifs`, or of a model's predictions for the regions of a BED.

    Several files of motifs stand side by side on one page, which says which motifs they share. With MODEL and
    REGIONS it runs `zoo attribute` and `zoo motifs` first, with the options of both. What they write stays beside
    the page: report.contribs.h5, report.motifs.h5, report.motifs.seqlets.bed and so on.

    \b
    zoo report motifs.h5 -o report.html
    zoo report k562.h5 hepg2.h5 -o compared.html
    zoo report yeast-atac peaks.bed -g sacCer3.fa \\
      --database jaspar:fungi --central 500 -o report.html
    """
    check_import_names()
    several = _are_files(source)
    if not source or (len(source) > 2 and not several):
        raise click.UsageError(
            f"takes one or more files of motifs, or a model and its regions; {len(source)} were given", context
        )
    given = given_options(context)
    del given["source"]
    quiet, as_json = given.pop("quiet", False), given.pop("as_json", False)
    if as_json and given["out"] == "-":
        raise UsageError("--json and -o -: both are for standard output", "", "Fix: -o report.html")
    with long_run(quiet) as telling:
        from interpret.report.report import report

        what = (list(source),) if several else source
        done = report(*what, **given, **telling, lines=lines_unless(quiet))
    if as_json:
        print_json(_facts(done, given.get("look_for", ())))


def _facts(done: Any, look_for: tuple[str, ...]) -> dict[str, Any]:
    """Where the page and the figures are, and of one run what it found."""
    from interpret.report.ending import facts_of
    from interpret.report.report import words_of

    found = {} if done.motifs is None else facts_of(done.motifs, words_of(look_for))
    page = None if done.path is None else str(done.path)
    return {"page": page, "figures": list(map(str, done.figures))} | found


def _are_files(source: tuple[str, ...]) -> bool:
    """Whether they are several files of motifs, and not MODEL REGIONS: no regions are in HDF5, some models are."""
    return any(name.lower().endswith((".h5", ".hdf5")) for name in source[1:])
