"""``zoo cache ls|add|verify|prune|path``: the files that were fetched."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, GROUP, note
from zoo.errors import FetchError
from zoo.files import cache_folder
from zoo.genome.recompress import Copy, copies
from zoo.progress import human_bytes
from zoo.store.cache import Blob, Cache

__all__ = ["command"]


@click.group("cache", cls=GROUP, context_settings=CONTEXT)
def command() -> None:
    """List, add, check and delete files that were fetched, and bgzip copies of genomes.

    They lie in $ZOO_CACHE, or in the user's cache folder.
    """


@command.command("path", cls=COMMAND, context_settings=CONTEXT)
def path() -> None:
    """Print the folder of the cache."""
    click.echo(str(cache_folder()))


@command.command("ls", cls=COMMAND, context_settings=CONTEXT)
@as_json_option
def ls(as_json: bool) -> None:
    """List cached files and the models that use them."""
    cache, genomes = Cache(), copies()
    blobs, leftovers = cache.blobs(), cache.leftovers()
    if as_json:
        rows = [asdict(blob) | {"path": str(blob.path), "used": _time(blob)} for blob in blobs]
        left = [{"path": str(item.path), "bytes": item.bytes} for item in leftovers]
        made = [{"path": str(copy.path), "bytes": copy.bytes, "used": _time(copy)} for copy in genomes]
        found = {"folder": str(cache.folder), "blobs": rows, "unfinished": left, "genomes": made}
        click.echo(json.dumps(found, indent=1))
        return
    rows = [("size", "used", "sha256", "name", "models")]
    rows += [
        (human_bytes(blob.bytes), _time(blob)[:10], blob.sha256[:12], blob.path.name, ", ".join(blob.users) or "-")
        for blob in blobs
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        if sys.stdout.isatty():
            click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]))
        else:
            click.echo("\t".join(row))
    total = f"{len(blobs)} file(s), {human_bytes(sum(blob.bytes for blob in blobs))} in {cache.folder}"
    unfinished = f"; {len(leftovers)} unfinished, {human_bytes(sum(i.bytes for i in leftovers))}" if leftovers else ""
    note(f"{total}{unfinished}")
    for copy in genomes:
        note(f"{human_bytes(copy.bytes)}, used {_time(copy)[:10]}: {copy.path}, the bgzip copy of a genome")


@command.command("add", cls=COMMAND, context_settings=CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE_OR_FOLDER...")
@click.option(
    "--for",
    "models",
    multiple=True,
    metavar="FOLDER",
    help="Also take files of the model in FOLDER, which `zoo list` does not name; may be repeated.",
)
def add(paths: tuple[Path, ...], models: tuple[str, ...]) -> None:
    """Take files of models into the cache, known by checksum alone.

    What they are called does not matter. Folders, wheels, zips and tar archives are looked into. Prints a line for
    each file that was recognised: where it was, size, name, models.
    """
    from zoo.entries.cache_add import cache_add

    result = cache_add(
        paths,
        models,
        done=lambda one: click.echo(f"{one.found}\t{one.bytes}\t{one.name}\t{_some(one.models)}"),
    )
    complete = [model for model, missing in result.missing.items() if not missing]
    note(
        f"{len(result.added):,} file(s) recognised; {len(complete):,} model(s) have all their files: {_some(complete)}"
    )
    for model, missing in result.missing.items():
        if missing:
            note(f"{model} still lacks {_some(missing)}")
    for model, licence in result.licences.items():  # who fetches the files is told so too
        note(f"{model}: licence {licence}")
    if result.unknown:
        note(f"{len(result.unknown):,} file(s) are no known model's: {_some(result.unknown)}")


def _some(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:4]) + (f", ... ({len(names):,})" if len(names) > 4 else "") or "-"


@command.command("verify", cls=COMMAND, context_settings=CONTEXT)
@click.option("--repair", is_flag=True, help="Delete damaged files; they are fetched again when next used.")
def verify(repair: bool) -> None:
    """Read every cached file and compare it with its checksum.

    Exit code 5 when a damaged file was found and not deleted.
    """
    damaged, n = [], 0
    for blob, intact in Cache().verify(repair):
        n += 1
        if not intact:
            damaged.append(blob)
            click.echo(f"{'removed' if repair else 'damaged'}\t{blob.path}\t{', '.join(blob.users) or '-'}")
    note(f"{n - len(damaged)} of {n} file(s) are intact")
    if damaged and not repair:
        raise FetchError(
            f"{damaged[0].path}: the checksum is not that of its name",
            f"{len(damaged)} of {n} cached file(s) are damaged",
            "Fix: zoo cache verify --repair",
        )


@command.command("prune", cls=COMMAND, context_settings=CONTEXT)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Also delete files that no model has used for DAYS days, and copies of genomes; 0 deletes all.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")
def prune(older_than: float | None, dry_run: bool) -> None:
    """Delete unfinished downloads and, if asked, unused files.

    A file that is being fetched stays.
    """
    old, leftovers = Cache().prune(older_than, dry_run)
    for blob in old:
        click.echo(f"{human_bytes(blob.bytes)}\t{_time(blob)[:10]}\t{blob.path}\t{', '.join(blob.users) or '-'}")
    for leftover in leftovers:
        click.echo(f"{human_bytes(leftover.bytes)}\tunfinished\t{leftover.path}\t-")
    limit = None if older_than is None else time.time() - older_than * 86400
    unused = [one for one in copies() if limit is not None and one.used <= limit]
    for one in unused:
        click.echo(f"{human_bytes(one.bytes)}\t{_time(one)[:10]}\t{one.path}\tcopy of a genome")
        if not dry_run:
            one.remove()
    freed = sum(item.bytes for item in [*old, *leftovers, *unused])
    done = "would be removed" if dry_run else "removed"
    note(f"{len(old) + len(leftovers) + len(unused)} file(s), {human_bytes(freed)} {done}")


def _time(blob: Blob | Copy) -> str:
    return datetime.datetime.fromtimestamp(blob.used).isoformat(timespec="seconds")
