"""``zoo search WORDS``: entries in which every word occurs."""

from __future__ import annotations

import click

from zoo.cli.list import show
from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.errors import UsageError
from zoo.store.registry import entries, search

__all__ = ["command"]


@click.command("search", cls=COMMAND, context_settings=CONTEXT)
@click.argument("words", nargs=-1)
@click.option("--tag", metavar="TEXT", help="A tag contains TEXT, e.g. 'DNA accessibility'.")
@click.option("--author", metavar="TEXT", help="The name of an author or contributor contains TEXT.")
@click.option("--framework", metavar="TEXT", help="Framework: pytorch, keras, sklearn, tensorflow, custom or grelu.")
@click.option("--target", metavar="TEXT", help="The name of an output or track contains TEXT, e.g. CTCF.")
@click.option(
    "--source",
    default="all",
    show_default=True,
    metavar="NAME",
    help="Where to look: a source, `bundled`, `grelu` or `all`.",
)
@as_json_option
def command(words: tuple[str, ...], source: str, as_json: bool, **fields: str | None) -> None:
    """Find the models that have every one of WORDS in name, summary, tags, authors, tracks, assembly or licence.

    \b
    zoo search yeast
    zoo search --author avsec --framework keras
    zoo search --source kipoi --target CTCF K562
    """
    if not words and not any(fields.values()):
        raise UsageError("nothing to search for", "", "Fix: zoo search WORD, or --tag, --author, --framework, --target")
    found = search(words, entries(source), fields)
    show(found, as_json)
    if not found:
        asked = [*words, *(f"--{name} {value}" for name, value in fields.items() if value)]
        note(f"no model has all of: {' '.join(asked)}")
