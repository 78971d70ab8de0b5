"""``zoo report MOTIFS -o REPORT``."""

from __future__ import annotations

import click

from zoo.cli.doctor import check_import_names
from zoo.cli.style import COMMAND

__all__ = ["command"]


@click.command("report", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("motifs")
@click.option("-o", "--out", required=True, metavar="OUT.html", help="The page: one file, no network needed.")
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
def command(motifs: str, out: str, quiet: bool) -> None:
    """Write a page of the motifs in MOTIFS, a file of `zoo motifs`.

    \b
    zoo report motifs.h5 -o report.html
    """
    check_import_names()
    from interpret.report.page import write_report

    path = write_report(motifs, out)
    if not quiet:
        click.echo(f"zoo: {path.stat().st_size / 1e6:.1f} MB -> {path}", err=True)
