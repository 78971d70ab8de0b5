"""``zoo source add|list|update|remove``: folders and repositories of Kipoi models, by name."""

from __future__ import annotations

import click

from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, GROUP, note
from zoo.cli.tables import Column, print_json, print_table
from zoo.store.source_index import source_index
from zoo.store.sources import Source, add_source, find_source, remove_source, sources, update_source
from zoo.words import counted

__all__ = ["command"]

COLUMNS = [
    Column("name"),
    Column("kind", leaves=30),
    Column("location", leaves=0),
    Column("commit", leaves=40),
    Column("trusted", leaves=20),
]


@click.group("source", cls=GROUP, context_settings=CONTEXT)
def command() -> None:
    """Folders and git repositories of Kipoi models, by name.

    \b
    zoo source add kipoi https://github.com/kipoi/models
    zoo list --source kipoi
    zoo predict kipoi/Basset peaks.bed -g hg19.fa --trust
    """


@command.command("add", cls=COMMAND, context_settings=CONTEXT)
@click.argument("name")
@click.argument("location", metavar="FOLDER|GIT-URL")
@click.option("--trust", is_flag=True, help="Let Python files of its models run.")
def add(name: str, location: str, trust: bool) -> None:
    """Add the models of a folder or a git repository.

    A repository is cloned.
    """
    source = add_source(name, location, trust)
    try:
        _tell(source)
    except BaseException:
        remove_source(name)
        raise


@command.command("list", cls=COMMAND, context_settings=CONTEXT)
@as_json_option
def list_sources(as_json: bool) -> None:
    """List the sources that were added."""
    rows = [
        {"name": one.name, "kind": one.kind, "location": one.location, "commit": one.commit, "trusted": one.trusted}
        for one in sources().values()
    ]
    if as_json:
        print_json(rows)
        return
    cells = [
        row | {"commit": (row["commit"] or "-")[:12], "trusted": "yes" if row["trusted"] else "no"} for row in rows
    ]
    print_table(COLUMNS, cells)


@command.command("update", cls=COMMAND, context_settings=CONTEXT)
@click.argument("names", nargs=-1)
def update(names: tuple[str, ...]) -> None:
    """Fetch the newest commit of git sources.

    Without NAMES, of all. Their models are listed again.

    The name grelu stands for gReLU's collection on Hugging Face.
    """
    for name in names or tuple(sources()):
        if name == "grelu":
            from zoo.store.hub import refresh_grelu_listing

            click.echo(f"grelu: {counted(len(refresh_grelu_listing()), 'checkpoint')}", err=True)
            continue
        source, before, after = update_source(name)
        if before != after:
            click.echo(f"{name}: {(before or 'nothing')[:12]} -> {(after or 'nothing')[:12]}", err=True)
            if source.trusted:
                note(f"{name} is trusted: new Python of its models may run")
        _tell(source)


@command.command("remove", cls=COMMAND, context_settings=CONTEXT)
@click.argument("name")
def remove(name: str) -> None:
    """Forget a source. A clone is deleted; a folder of yours is not touched."""
    source = remove_source(name)
    kept = f"{source.location} is left as it is" if source.kind == "folder" else "its clone was removed"
    click.echo(f"{name}: removed; {kept}", err=True)


def _tell(source: Source) -> None:
    index = source_index(find_source(source.name))
    trusted = "its Python may run" if source.trusted else "not trusted: its Python runs only with --trust"
    click.echo(f"{source.name}: {counted(len(index['entries']), 'model')}; {trusted}", err=True)
    if index["needs"]:
        click.echo(f"{source.name}: its own models and dataloaders need {', '.join(index['needs'])}", err=True)
    if index["broken"]:
        first = index["broken"][0]
        note(f"{len(index['broken'])} cannot be read; first: {first['name']}: {first['problem']}")
