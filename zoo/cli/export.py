"""``zoo export MODEL --to grelu|hf|kipoi DIR``."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.options import FilePath, trust_option
from zoo.cli.shared import COMMAND, CONTEXT

__all__ = ["command"]


@click.command("export", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@click.option("--to", type=click.Choice(["grelu", "hf", "kipoi"]), required=True, help="Program that will load it.")
@click.argument("folder", type=FilePath(file_okay=False), metavar="DIR")
@trust_option
@click.option("--force", is_flag=True, help="Replace DIR if it exists.")
def command(model: str, to: str, folder: Path, trust: bool, force: bool) -> None:
    """Write MODEL into a new folder DIR, for another program to load.

    \b
    grelu   model.ckpt for grelu.resources.load_model, with card and example
    hf      a Hugging Face repo: the whole entry, its card with their metadata
    kipoi   a complete Kipoi model folder

    \b
    zoo export yeast-atac --to hf yeast-atac-model
    """
    from zoo.entries.export import export

    click.echo(str(export(model, to, folder, trust=trust, force=force)))
