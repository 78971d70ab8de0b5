"""``zoo report MOTIFS -o REPORT`` and, all at once, ``zoo report MODEL REGIONS -g FASTA -o REPORT``."""

from __future__ import annotations

import copy
from typing import Any

import click
from click.core import ParameterSource

from zoo.cli.attribute import command as attribute
from zoo.cli.doctor import check_import_names
from zoo.cli.motifs import command as motifs
from zoo.cli.style import COMMAND

__all__ = ["command"]

# Options of the two earlier steps that this command sets itself, or that make no sense in one step.
NOT_TAKEN = {
    attribute.name: {"-o", "-q", "--window", "--stride", "--overlap", "--format", "--motif", "--resume"},
    motifs.name: {"-o", "-q", "--model", "--trust", "--resume", "--seed"},
}


#: Options that a file of finished motifs takes.
OWN = ("out", "genes", "look_for", "contribs", "motifs_regions", "figures", "figure_format", "quiet")


def _options_of(step: click.Command) -> list[click.Option]:
    """Its options under ``step_name``: both steps may have one of the same name."""
    found = []
    for option in step.params:
        if isinstance(option, click.Option) and not NOT_TAKEN[step.name] & set(option.opts):
            option = copy.copy(option)
            option.name = f"{step.name}_{option.name}"
            found.append(option)
    return found


@click.command("report", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", nargs=-1, metavar="MOTIFS | MODEL REGIONS")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT.html",
    help="The page: one file, no network needed; - is standard output.",
)
@click.option("--genes", metavar="FILE", help="Genes for the view of regions: BED6, BED12, GTF or GFF3, plain or gzip.")
@click.option(
    "--look-for",
    multiple=True,
    metavar="NAME|[NAME=]BASES",
    help="A known motif, or bases, that the page says came out or did not; may be repeated or hold commas.",
)
@click.option(
    "--contribs", metavar="CONTRIBS", help="With MOTIFS and --region: what MOTIFS was made from; default as recorded."
)
@click.option("--figures", metavar="FOLDER", help="Also save the logos of each pattern there, drawn by logomaker.")
@click.option(
    "--figure-format",
    type=click.Choice(["pdf", "svg", "png"]),
    default="pdf",
    show_default=True,
    help="Of the figures.",
)
@click.option("--resume", is_flag=True, help="Keep what an earlier run of the same command has finished.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no progress.")
@click.pass_context
def command(
    ctx: click.Context,
    source: tuple[str, ...],
    out: str,
    genes: str | None,
    look_for: tuple[str, ...],
    contribs: str | None,
    figures: str | None,
    figure_format: str,
    resume: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Write a page of motifs: of a file of `zoo motifs`, or of a model's predictions for the regions of a BED.

    With MODEL and REGIONS it runs `zoo attribute`, `zoo motifs` and itself, with the options of both. What they
    write stays beside the page: report.contribs.h5, report.motifs.h5, report.motifs.seqlets.bed and so on.

    \b
    zoo report motifs.h5 -o report.html
    zoo report yeast-atac peaks.bed -g sacCer3.fa --database jaspar:fungi --window 500 -o report.html
    """
    words = [word.strip() for item in look_for for word in item.split(",") if word.strip()]
    if figures is not None:
        _check_figures()
    if len(source) == 1:
        _refuse_options_of_steps(ctx, source[0])
        made = _with_regions(source[0], options["motifs_regions"], contribs)
    elif len(source) == 2:
        if contribs is not None:
            raise click.UsageError("--contribs: MODEL REGIONS makes its own", ctx)
        made = _all_at_once(ctx, *source, out, genes, resume, quiet, options)
    else:
        raise click.UsageError(f"takes one file of motifs, or a model and its regions; {len(source)} were given", ctx)
    _write(made, out, genes, words, quiet)
    if figures is not None:
        _save_figures(made, figures, figure_format, quiet)


command.params += [*_options_of(attribute), *_options_of(motifs)]


def _refuse_options_of_steps(ctx: click.Context, source: str) -> None:
    given = [
        option.opts[0]
        for option in ctx.command.params
        if isinstance(option, click.Option)
        and option.name not in OWN
        and ctx.get_parameter_source(option.name) not in (ParameterSource.DEFAULT, None)
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)}: for MODEL REGIONS; {source} is one file of finished motifs", ctx)


def _with_regions(motifs_file: str, regions: tuple[str, ...], contribs: str | None) -> Any:
    """The file's path, or its content with more regions to draw."""
    check_import_names()
    from interpret.motifs.more_views import with_regions
    from interpret.motifs.motifs_file import read_motifs

    if not regions:
        if contribs is not None:
            raise click.UsageError("--contribs: is read for --region, and none is given")
        return motifs_file
    return with_regions(read_motifs(motifs_file), regions, contribs)


def _write(motifs_file: Any, out: str, genes: str | None, words: list[str], quiet: bool) -> None:
    check_import_names()
    from interpret.report.page import report_text, write_report

    if out == "-":
        click.echo(report_text(motifs_file, genes, words), nl=False)
        return
    path = write_report(motifs_file, out, genes, words)
    if not quiet:
        click.echo(f"zoo: {path.stat().st_size / 1e6:.1f} MB -> {path}", err=True)


def _check_figures() -> None:
    from interpret.report.figures import require_packages

    require_packages()


def _save_figures(motifs_file: Any, folder: str, format: str, quiet: bool) -> None:
    from interpret.report.figures import save_figures

    saved = save_figures(motifs_file, folder, format)
    if not quiet:
        click.echo(f"zoo: {len(saved)} figures -> {folder}", err=True)


def _all_at_once(
    ctx: click.Context,
    model: str,
    regions: str,
    out: str,
    genes: str | None,
    resume: bool,
    quiet: bool,
    options: dict[str, Any],
) -> str:
    """Run what has to be run of the two earlier steps; returns the file of motifs."""
    if out == "-":
        raise click.UsageError("-o -: the contributions and motifs need a place beside the page", ctx)
    check_import_names()
    from interpret.report.steps import Steps, check_first

    chosen = {
        step.name: {
            name.removeprefix(f"{step.name}_"): value
            for name, value in options.items()
            if name.startswith(f"{step.name}_")
        }
        for step in (attribute, motifs)
    }
    check_first(regions, out, chosen[motifs.name]["database"], chosen[motifs.name].get("options", ()), genes)
    steps = Steps(out, model, regions, chosen[attribute.name]["genome"], resume)
    tell = (lambda note: None) if quiet else (lambda note: click.echo(f"zoo: {note}", err=True))
    with steps.step("attribute", steps.contribs, chosen[attribute.name], tell) as needed:
        if needed:
            ctx.invoke(
                attribute,
                model=model,
                regions=regions,
                out=str(steps.contribs),
                quiet=quiet,
                resume=resume,
                **chosen[attribute.name],
            )
    with steps.step("motifs", steps.motifs, chosen[motifs.name], tell) as needed:
        if needed:
            shared = {name: chosen[attribute.name][name] for name in ("trust", "seed")}
            ctx.invoke(
                motifs,
                contribs=str(steps.contribs),
                out=str(steps.motifs),
                quiet=quiet,
                model=model,
                **chosen[motifs.name],
                **shared,
            )
    return str(steps.motifs)
