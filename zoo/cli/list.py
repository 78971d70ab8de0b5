"""``zoo list``: names and facts from the index."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.store.registry import broken_entries, entries

__all__ = ["command", "show"]

SUMMARY = 160  # letters of a summary that a line shows; --json and `zoo info` give all


@click.command("list", cls=COMMAND, context_settings=CONTEXT)
@click.option("--source", metavar="NAME", help="List another source: a name of `zoo source list`, `grelu`, or `all`.")
@click.option("--verified", is_flag=True, help="Only models whose predictions were compared with the original's.")
@as_json_option
def command(source: str | None, verified: bool, as_json: bool) -> None:
    """List the models that are bundled, or those of a source.

    `checked` says how far predictions were compared with those of the published original; `zoo info` says with what.
    """
    show(entries(source, verified), as_json)
    if source not in ("all", "grelu"):
        _tell_broken(source)


def show(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print entries: JSON, columns on a terminal, tab-separated values in a pipe."""
    if as_json:
        click.echo(json.dumps(list(found), indent=1))
        return
    header = ("name", "version", "assembly", "input_bp", "outputs", "checked", "summary")
    rows = [header, *(_row(entry) for entry in found)]
    if not sys.stdout.isatty():
        click.echo("\n".join("\t".join(row) for row in rows))
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(header) - 1)]
    for row in rows:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))


def _tell_broken(source: str | None) -> None:
    if source in (None, "bundled"):
        broken = broken_entries()
    else:
        from zoo.store.source_index import source_index
        from zoo.store.sources import find_source

        broken = source_index(find_source(source))["broken"]
    if broken:
        note(f"{len(broken)} model(s) cannot be read; first: {broken[0]['problem'].splitlines()[0]}")


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    outputs = ", ".join(f"{out['name']} ({_extent(out)})" for out in entry["outputs"][:4])
    if len(entry["outputs"]) > 4:
        outputs += f", ... ({len(entry['outputs'])} outputs)"
    length = entry["input_length"]
    cells = (
        entry["name"],
        entry["version"],
        entry["assembly"] or "-",
        "-" if length is None else str(length),
        outputs,
        _status(entry),
        _short(entry["summary"]),
    )
    return tuple(" ".join(cell.split()) for cell in cells)


def _status(entry: dict[str, Any]) -> str:
    return (entry.get("verification") or {}).get("status", "-")


def _short(summary: str) -> str:
    return summary if len(summary) <= SUMMARY else summary[: SUMMARY - 4].rpartition(" ")[0] + " ..."


def _extent(output: dict[str, Any]) -> str:
    n = output.get("n_tracks") or len(output["tracks"])
    tracks = f"{n} track{'s' * (n != 1)}"
    if output["bin_size"] is None and output["kind"] == "profile":
        return f"{tracks}, {output.get('n_bins') or '?'} bins"
    return f"{tracks}, {output['bin_size']} bp bins" if output["kind"] == "profile" else tracks
