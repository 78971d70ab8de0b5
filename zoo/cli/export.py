"""``zoo export MODEL --to grelu|hf|kipoi DIR``."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.style import COMMAND

__all__ = ["command"]


@click.command("export", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.option("--to", type=click.Choice(["grelu", "hf", "kipoi"]), required=True, help="For whom.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option("--trust", is_flag=True, help="Run Python files of a model folder that is not bundled.")
@click.option("--force", is_flag=True, help="Replace DIR.")
def command(model: str, to: str, folder: Path, trust: bool, force: bool) -> None:
    """Write MODEL into the new folder DIR for another program.

    \b
    grelu   model.ckpt for grelu.resources.load_model, with card and example
    hf      a Hugging Face repo: everything of the entry, the card with their metadata
    kipoi   a complete Kipoi model folder

    \b
    zoo export yeast-atac --to hf yeast-atac-model
    """
    from zoo.export.export import export

    click.echo(str(export(model, to, folder, trust=trust, force=force)))
