"""``zoo add SOURCE --name NAME``: ``zoo new NAME --from SOURCE``, as it was called before."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.new import asking, draft_options, tell_draft
from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, note

__all__ = ["command"]


@click.command("add", cls=COMMAND, context_settings=CONTEXT)
@click.argument("source")
@click.option("--name", required=True, metavar="NAME", help="Name of the entry and of its folder.")
@draft_options
@as_json_option
def command(source: str, name: str, as_json: bool, **options: Any) -> None:
    """Draft an entry of SOURCE: the same as `zoo new NAME --from SOURCE`.

    \b
    zoo add model.ckpt --name my-model -g hg38.fa --regions peaks.bed
    zoo add hf://org/repo --name their-model
    """
    from zoo.entries.new import new

    draft = new(name, source, ask=asking(), report=note, **options)
    tell_draft(draft.folder, draft.marks, as_json)
