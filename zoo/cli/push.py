"""``zoo push MODEL hf://org/repo``."""

from __future__ import annotations

from dataclasses import asdict

import click

from zoo.cli.options import as_json_option, trust_option
from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.cli.tables import print_json
from zoo.words import counted

__all__ = ["command"]


@click.command("push", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@click.argument("repo", metavar="hf://ORG/REPO")
@click.option("--private", is_flag=True, help="Make the repository private, where it is made.")
@click.option("--dry-run", is_flag=True, help="Only list the files and their sizes; send nothing.")
@trust_option
@as_json_option
def command(model: str, repo: str, private: bool, dry_run: bool, trust: bool, as_json: bool) -> None:
    """Upload the entry MODEL as a repository of Hugging Face, as `zoo export --to hf` writes it.

    `zoo predict hf://ORG/REPO` runs it then. Weights are sent only where their licence permits it. The token is the one
    of `hf auth login`, or HF_TOKEN.

    \b
    zoo push my-model hf://org/my-model --dry-run
    """
    from zoo.entries.push import push

    pushed = push(model, repo, private=private, dry_run=dry_run, trust=trust, report=None if as_json else note)
    if as_json:
        print_json(asdict(pushed) | {"name": pushed.name})
        return
    if dry_run:
        for path, size in pushed.files.items():
            click.echo(f"{size:>12,}  {path}")
        total, count = sum(pushed.files.values()), len(pushed.files)
        note(f"dry run: {counted(count, 'file')}, {total:,} bytes; nothing was sent")
        return
    click.echo(pushed.name)
