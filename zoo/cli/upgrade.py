"""``zoo upgrade [MODEL]...``: rewrite cards in the newest version."""

from __future__ import annotations

from dataclasses import asdict

import click

from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.cli.tables import print_json
from zoo.words import counted_of

__all__ = ["command"]


def _the_others(n: int) -> str:
    return f"; the {'other is' if n == 1 else 'others are'} of the newest version" if n else ""


@click.command("upgrade", cls=COMMAND, context_settings=CONTEXT)
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--dry-run", is_flag=True, help="Only say which cards would change.")
@as_json_option
def command(models: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Rewrite the card of each MODEL (a name, or a folder of an entry or a group) in the newest version.

    Without MODEL, those of all bundled entries. Comments and prose stay. Cards of older versions keep working as they
    are: they are upgraded as they are read.

    \b
    zoo upgrade --dry-run
    zoo upgrade model_cards/my-model
    """
    from zoo.entries.upgrade import upgrade

    found = upgrade(models, dry_run=dry_run)
    if as_json:
        print_json([asdict(one) | {"path": str(one.path)} for one in found])
        return
    changed = [one for one in found if one.old != one.new]
    for one in changed:
        click.echo(f"{one.path}\tversion {one.old} -> {one.new}")
        if not one.kept:
            note(f"{one.path}: comments of the front matter {'would be' if dry_run else 'were'} lost")
    what = "would change" if dry_run else "changed"
    note(f"{counted_of(len(changed), len(found), 'card')} {what}{_the_others(len(found) - len(changed))}")
