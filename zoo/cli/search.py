"""``zoo search WORDS``: entries in which every word occurs."""

from __future__ import annotations

import click

from zoo.cli.list import show
from zoo.cli.style import COMMAND
from zoo.errors import UsageError
from zoo.store.registry import entries, search

__all__ = ["command"]


@click.command("search", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("words", nargs=-1)
@click.option("--tag", metavar="TEXT", help="One of the tags holds it, e.g. 'DNA accessibility'.")
@click.option("--author", metavar="TEXT", help="One of the authors' or contributors' names holds it.")
@click.option("--framework", metavar="TEXT", help="pytorch, keras, sklearn, tensorflow, custom, grelu.")
@click.option("--target", metavar="TEXT", help="The name of an output or of one of its tracks holds it, e.g. CTCF.")
@click.option("--source", default="all", show_default=True, metavar="NAME", help="A source, `bundled` or `grelu`.")
@click.option("--json", "as_json", is_flag=True, help="All facts as JSON.")
def command(words: tuple[str, ...], source: str, as_json: bool, **fields: str | None) -> None:
    """Find models by words in name, summary, tags, authors, tracks, assembly, licence or framework.

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
        click.echo(f"zoo: no model has all of: {' '.join(asked)}", err=True)
