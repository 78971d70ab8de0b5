"""``zoo list``: names and facts from the index."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from zoo.cli.style import COMMAND
from zoo.store.registry import entries

__all__ = ["command", "show"]


@click.command("list", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="All facts as JSON.")
def command(as_json: bool) -> None:
    """List the models that are bundled."""
    show(entries(), as_json)


def show(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print entries: JSON, columns on a terminal, tab-separated values in a pipe."""
    if as_json:
        click.echo(json.dumps(list(found), indent=1))
        return
    header = ("name", "version", "assembly", "input_bp", "outputs", "summary")
    rows = [header, *(_row(entry) for entry in found)]
    if not sys.stdout.isatty():
        click.echo("\n".join("\t".join(row) for row in rows))
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(header) - 1)]
    for row in rows:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    outputs = ", ".join(f"{out['name']} ({_extent(out)})" for out in entry["outputs"])
    return (entry["name"], entry["version"], entry["assembly"] or "-", str(entry["input_length"]), outputs, entry["summary"])


def _extent(output: dict[str, Any]) -> str:
    tracks = f"{len(output['tracks'])} track{'s' * (len(output['tracks']) != 1)}"
    return f"{tracks}, {output['bin_size']} bp bins" if output["kind"] == "profile" else tracks
