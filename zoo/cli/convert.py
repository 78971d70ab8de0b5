"""``zoo convert FILE -o OUT``."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.options import FilePath
from zoo.cli.shared import COMMAND, CONTEXT, note

__all__ = ["command"]


@click.command("convert", cls=COMMAND, options_metavar="-o OUT", context_settings=CONTEXT)
@click.argument("file", type=FilePath())
@click.option(
    "-o",
    "--out",
    type=FilePath(),
    required=True,
    metavar="OUT",
    help="Result: .safetensors, or .pth for Kipoi.",
)
def command(file: Path, out: Path) -> None:
    """Write the tensors of a pickled model as data, without running the pickle.

    FILE is a whole torch module or checkpoint (torch.save), or a pickled linear model of scikit-learn. Its classes
    need not be installed.

    \b
    zoo convert model.torch -o weights.pth
    """
    from zoo.convert.convert import convert

    done = convert(file, out)
    for text in (f"{file}: sha256 {done.sha256}; nothing of it was run", *done.notes):
        note(text)
    click.echo(str(done.path))
