"""``zoo gallery``: the entries as a static site."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from zoo.cli.options import FilePath, as_json_option, quiet_option
from zoo.cli.shared import COMMAND, CONTEXT, notes_unless
from zoo.cli.tables import print_json

__all__ = ["command"]


@click.command("gallery", cls=COMMAND, context_settings=CONTEXT)
@click.option(
    "-o",
    "--out",
    "out",
    type=FilePath(),
    metavar="DIR",
    default=Path("site"),
    show_default=True,
    help="Folder to write; an older gallery there is replaced.",
)
@click.option(
    "--source",
    multiple=True,
    metavar="NAME",
    help="Show these entries too: a name of `zoo source list`, `grelu`, or `all`.",
)
@click.option(
    "--reports",
    type=FilePath(),
    metavar="DIR",
    help="Motif reports of `zoo report` to link: NAME.html for the entry NAME.",
)
@click.option(
    "--examples/--no-examples",
    default=True,
    show_default=True,
    help="Draw the predictions of the entries' examples, or not.",
)
@as_json_option
@quiet_option
def command(
    out: Path, source: tuple[str, ...], reports: Path | None, examples: bool, as_json: bool, quiet: bool
) -> None:
    """Write a static site to browse the models: a searchable list, a page an entry, a comparison.

    It opens from disk or any host, and loads nothing from elsewhere. No model is run.

    \b
    zoo gallery -o site
    zoo gallery -o site --source kipoi --reports reports
    """
    from zoo.gallery.gallery import gallery
    from zoo.progress import human_bytes
    from zoo.words import counted

    made = gallery(out, source=source, reports=reports, examples=examples, report=notes_unless(quiet))
    if as_json:
        print_json(asdict(made) | {"index": made.index})
        return
    models = f"{counted(made.models, 'model')} on {counted(made.cards, 'page')}"
    click.echo(f"{models}, {human_bytes(made.bytes)}: open {made.index}")
