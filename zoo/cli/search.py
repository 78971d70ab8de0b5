"""``zoo search WORDS``: entries in which every word occurs, best first."""

from __future__ import annotations

import click

from zoo.cli.list import show
from zoo.cli.options import listing_options
from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.cli.tables import on_a_terminal
from zoo.errors import UsageError
from zoo.store.registry import entries
from zoo.store.search import near_words, search

__all__ = ["command"]

FIRST = 20  # lines on a terminal, so that the best are still to be seen


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
@listing_options
def command(words: tuple[str, ...], source: str, all: bool, plain: bool, as_json: bool, **fields: str | None) -> None:
    """Find the models that have every one of WORDS: protein, cell type, assay, species, track, tag, author ...

    The best are first: a whole word counts more than a part, name and tracks more than prose; of equal ones those that
    were verified, then those that are bundled. A terminal shows the first 20.

    \b
    zoo search CTCF
    zoo search K562 DNase
    zoo search --author avsec --framework keras
    zoo search --source kipoi --target CTCF K562
    """
    words = tuple(" ".join(words).split())  # `zoo search "K562 DNase"` asks for two words
    if not words and not any(fields.values()):
        raise UsageError("nothing to search for", "", "Fix: zoo search WORD, or --tag, --author, --framework, --target")
    where = entries(source)
    found = search(words, where, fields)
    few = on_a_terminal() and not (all or plain or as_json)
    show(found[:FIRST] if few else found, as_json, plain)
    if few and len(found) > FIRST:
        note(f"{len(found) - FIRST:,} more: a further word leaves fewer, --all shows them")
    if not found:
        asked = [*words, *(f"--{name} {value}" for name, value in fields.items() if value)]
        near = near_words(words, where)
        hint = f"; near words: {', '.join(near)}" if near else ""
        note(f"no model has all of: {' '.join(asked)}{hint}")
