"""``zoo search WORDS``: entries in which every word occurs."""

from __future__ import annotations

import click

from zoo.cli.list import show
from zoo.cli.style import COMMAND
from zoo.store.registry import search

__all__ = ["command"]


@click.command("search", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("words", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="All facts as JSON.")
def command(words: tuple[str, ...], as_json: bool) -> None:
    """Find models by words in name, summary, tags, authors, tracks, assembly or licence."""
    found = search(words)
    show(found, as_json)
    if not found:
        click.echo(f"zoo: no model has all of: {' '.join(words)}", err=True)
