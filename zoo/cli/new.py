"""``zoo new NAME --from SOURCE``: a complete draft of an entry."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from zoo.cli.options import FilePath, as_json_option, folder_options, options_together
from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.cli.tables import print_json

__all__ = ["asking", "command", "draft_options", "tell_draft"]


def _listed(_: click.Context, __: click.Parameter, items: tuple[str, ...]) -> tuple[str, ...]:
    """Names that are repeated or joined by commas."""
    return tuple(name.strip() for item in items for name in item.split(",") if name.strip())


def _settings(_: click.Context, __: click.Parameter, items: tuple[str, ...]) -> dict[str, Any]:
    from zoo.models.entry import parse_settings

    return parse_settings(items) if items else {}


def _chroms(part: str) -> Any:
    text = f"Chromosomes of {part}; may be repeated or joined by commas."
    return click.option(f"--{part}-chroms", part, multiple=True, callback=_listed, metavar="CHROM", help=text)


draft_options = options_together(
    click.option(
        "--weights",
        type=FilePath(),
        metavar="FILE",
        help="Weights of the class: state dict, safetensors.",
    ),
    folder_options,
    click.option(
        "--set",
        "settings",
        multiple=True,
        callback=_settings,
        metavar="NAME=VALUE",
        help="An argument that the class is built with; may be repeated.",
    ),
    click.option("--length", type=click.IntRange(min=1), metavar="BP", help="Length of the input."),
    click.option("--axes", type=click.Choice(["4xL", "Lx4"]), help="Input of (4, length) or of (length, 4)."),
    click.option("--output", metavar="NAME", help="Name of the output, where the module gives none."),
    click.option(
        "--tracks", multiple=True, callback=_listed, metavar="NAME", help="Names of its tracks, in channel order."
    ),
    click.option("--units", metavar="TEXT", help="What a value counts or measures."),
    click.option("--bin-size", type=click.IntRange(min=1), metavar="BP", help="Size of a profile's bins."),
    click.option(
        "--offset", type=click.IntRange(min=0), metavar="BP", help="Where the first bin begins in the window."
    ),
    click.option("--summary", metavar="TEXT", help="One sentence on what is predicted."),
    click.option("--authors", multiple=True, metavar="NAME", help="An author of the model; may be repeated."),
    click.option("--licence", metavar="SPDX", help="Licence of the weights, such as MIT."),
    click.option(
        "--assembly", metavar="NAME", help="Assembly that it was trained on; else as the FASTA's lengths say."
    ),
    _chroms("train"),
    _chroms("validation"),
    _chroms("test"),
)


@click.command("new", cls=COMMAND, context_settings=CONTEXT)
@click.argument("name")
@click.option(
    "--from", "source", metavar="SOURCE", help="MODULE.py:Class, .h5, .keras, .ckpt, folder or hf://org/repo."
)
@draft_options
@as_json_option
def command(name: str, source: str | None, as_json: bool, **options: Any) -> None:
    """Draft the entry NAME: YAML, card, module, weights, example, expected predictions and checksums.

    What is not given is asked on a terminal, and marked TODO in the card elsewhere. MODULE.py is your file and is run;
    of all other sources nothing is.

    \b
    zoo new my-model --from net.py:Net --weights net.pth --length 1000 --axes 4xL
    zoo new my-model --from model.h5 -g hg38.fa --regions peaks.bed
    zoo new my-model --from model.ckpt
    zoo new my-model --from hf://org/repo
    """
    from zoo.entries.new import new

    draft = new(name, source, ask=asking(), report=note, **options)
    tell_draft(draft.folder, draft.marks, as_json)


def asking() -> Any:
    """What asks questions; None where nobody is there to answer them."""
    streams = (sys.stdin, sys.stderr)
    return _ask if all(one is not None and one.isatty() for one in streams) else None


def _ask(question: str, choices: Sequence[str]) -> str:
    kind = click.Choice(list(choices)) if choices else None
    return str(
        click.prompt(
            question, default=None if choices else "", show_default=False, type=kind, prompt_suffix=" ", err=True
        )
    ).strip()


def tell_draft(folder: Path, marks: Sequence[Any], as_json: bool = False) -> None:
    """Say where the draft is, which lines must still be written, and how to try it."""
    if as_json:
        print_json({"folder": str(folder), "todo": [asdict(mark) for mark in marks]})
        return
    click.echo(str(folder))
    for mark in marks:
        click.echo(f"  {mark}", err=True)
    if marks:
        note(f"write {'this line' if len(marks) == 1 else f'these {len(marks)} lines'}, marked TODO")
    note(f"try it with `zoo test {_typed(folder)}`")


def _typed(folder: Path) -> str:
    """What stands for the entry on a command line: its name, where it is one of the bundled."""
    from zoo.store.registry import entries_folder

    if folder.absolute().parent == entries_folder().absolute():
        return folder.name
    return f"{folder if os.sep in str(folder) else f'.{os.sep}{folder}'} --trust"
