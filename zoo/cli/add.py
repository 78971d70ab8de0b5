"""``zoo add SOURCE --name N``: draft an entry."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.shared import COMMAND, CONTEXT, note

__all__ = ["command"]


@click.command("add", cls=COMMAND, context_settings=CONTEXT)
@click.argument("source")
@click.option("--name", required=True, metavar="NAME", help="Name of the entry and of its folder.")
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    metavar="DIR",
    show_default="current folder",
    help="Folder in which the folder NAME is made.",
)
@click.option(
    "-g",
    "--genome",
    type=click.Path(path_type=Path),
    metavar="FASTA",
    help="Genome that the example is cut from, with --regions; without them it is random sequence.",
)
@click.option(
    "--regions", type=click.Path(path_type=Path), metavar="BED", help="Regions of the example; the first few are used."
)
@click.option("--force", is_flag=True, help="Replace an existing entry of that name.")
def command(source: str, name: str, out: Path, genome: Path | None, regions: Path | None, force: bool) -> None:
    """Draft an entry of SOURCE: model.yaml, dataloader.yaml, card, weights, example and expected predictions.

    SOURCE is a gReLU .ckpt, a folder with model.yaml or a checkpoint, or hf://org/repo[@revision][/file].
    What SOURCE does not say is marked TODO in the card. None of its code is run.

    \b
    zoo add model.ckpt --name my-model -g hg38.fa --regions peaks.bed
    zoo add hf://org/repo --name their-model
    """
    from zoo.entries.add import add

    folder = add(source, name, out, genome=genome, regions=regions, force=force)
    click.echo(str(folder))
    card = folder / "README.md"
    todo = card.read_text(encoding="utf-8").count("TODO") if card.is_file() else 0
    if not card.is_file():
        note(f"{folder} has no card (README.md)")
    elif todo:
        note(f"{todo} TODO in {card}")
    note(f"check it with `zoo test {folder} --trust`")
