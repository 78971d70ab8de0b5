"""``zoo list``: names and facts from the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from zoo.cli.options import listing_options
from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.cli.tables import Column, on_a_terminal, print_json, print_table, width_of_terminal
from zoo.errors import UsageError
from zoo.store.listing import cells_of, folded, plain_lines
from zoo.store.registry import below, broken_entries, entries
from zoo.words import counted

__all__ = ["command", "show"]

COLUMNS = [
    Column("name"),
    Column("what", prose=True, brief="kind"),
    Column("species"),
    Column("input bp", right=True, leaves=18),
    Column("checked", leaves=16),
    Column("assembly", leaves=44),
    Column("outputs", leaves=60),
]


@click.command("list", cls=COMMAND, context_settings=CONTEXT)
@click.argument("group", required=False)
@click.option("--source", metavar="NAME", help="List another source: a name of `zoo source list`, `grelu`, or `all`.")
@click.option("--verified", is_flag=True, help="Only models whose predictions were compared with the original's.")
@listing_options
def command(group: str | None, source: str | None, verified: bool, all: bool, plain: bool, as_json: bool) -> None:
    """List the models that are bundled, or those of a source, or of a GROUP.

    On a terminal a group of many models is one line; `zoo list GROUP` shows its models, --all those of every group.
    In a pipe each model has a line of tab-separated values.

    `checked` says how far predictions were compared with those of the published original; `zoo info` says with what.

    \b
    zoo list
    zoo list deepbind/Homo_sapiens
    zoo list --source kipoi --plain | grep CTCF
    """
    found = entries(source, verified) if group is None else below(group, source, verified)
    hidden = show(found, as_json, plain, fold=group is None and not all)
    if hidden:
        note(f"a name with /... is a group: `zoo list {hidden[0]}` shows its models")
    if source not in ("all", "grelu") and group is None:
        _tell_broken(source)


def show(found: Sequence[dict[str, Any]], as_json: bool, plain: bool, fold: bool = False) -> list[str]:
    """Print entries: JSON, a table on a terminal, tab-separated values in a pipe or where they are asked for.

    Args:
        fold: whether a table has a group of models in one line.

    Returns:
        The groups of which the models were not shown.
    """
    if as_json and plain:
        raise UsageError("--json and --plain are two formats", "", "Fix: give one of them")
    if as_json:
        print_json(list(found))
        return []
    if plain or not on_a_terminal():
        click.echo("\n".join(plain_lines(found)))
        return []
    shown = folded(found) if fold else found
    if shown:
        print_table(COLUMNS, [cells_of(one) for one in shown])
    if any(len(one["name"]) > width_of_terminal() for one in shown):
        note("names that are longer than a line have … in their middle: --plain and --json print them whole")
    return [one["group"] for one in shown if "folds" in one]


def _tell_broken(source: str | None) -> None:
    if source in (None, "bundled"):
        broken = broken_entries()
    else:
        from zoo.store.source_index import source_index
        from zoo.store.sources import find_source

        broken = source_index(find_source(source))["broken"]
    if broken:
        note(f"{counted(len(broken), 'model')} cannot be read; first: {broken[0]['problem'].splitlines()[0]}")
