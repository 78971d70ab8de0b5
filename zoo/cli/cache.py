"""``zoo cache ls|add|verify|prune|path``: the files that were fetched."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from zoo.cli.options import FilePath, as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, GROUP, note
from zoo.cli.tables import Column, RowPrinter, print_json, print_table
from zoo.errors import FetchError
from zoo.files import cache_folder
from zoo.genome.library import KeptGenome, genomes
from zoo.genome.recompress import Copy, copies
from zoo.progress import human_bytes
from zoo.store.cache import Blob, Cache
from zoo.words import counted

__all__ = ["command"]

FILES = [
    Column("size"),
    Column("used", leaves=18),
    Column("sha256", leaves=30),
    Column("name", leaves=16),
    Column("models", prose=True),
]


@click.group("cache", cls=GROUP, context_settings=CONTEXT)
def command() -> None:
    """List, add, check and delete files that were fetched, and bgzip copies of genomes.

    They lie in $ZOO_CACHE, or in the user's cache folder. Genomes of `zoo genome add` are listed, and stay until
    `zoo genome remove`.
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
        added = [{"path": str(one.path), "bytes": one.bytes, "used": _time(one)} for one in added_genomes()]
        print_json(
            {"folder": str(cache.folder), "blobs": rows, "unfinished": left, "genomes": made, "added_genomes": added}
        )
        return
    cells = [
        (human_bytes(blob.bytes), _time(blob)[:10], blob.sha256[:12], blob.path.name, ", ".join(blob.users) or "-")
        for blob in blobs
    ]
    print_table(FILES, [dict(zip((one.name for one in FILES), row, strict=True)) for row in cells])
    total = f"{counted(len(blobs), 'file')}, {human_bytes(sum(blob.bytes for blob in blobs))} in {cache.folder}"
    unfinished = f"; {len(leftovers)} unfinished, {human_bytes(sum(i.bytes for i in leftovers))}" if leftovers else ""
    note(f"{total}{unfinished}")
    for copy in genomes:
        note(f"{human_bytes(copy.bytes)}, used {_time(copy)[:10]}: {copy.path}, the bgzip copy of a genome")
    for one in added_genomes():
        note(f"{human_bytes(one.bytes)}, used {_time(one)[:10]}: {one.path}, until `zoo genome remove {one.assembly}`")


@command.command("add", cls=COMMAND, context_settings=CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=FilePath(), metavar="FILE_OR_FOLDER...")
@click.option(
    "--for",
    "models",
    multiple=True,
    metavar="FOLDER",
    help="Also take files of the model in FOLDER, which `zoo list` does not name; may be repeated.",
)
@as_json_option
def add(paths: tuple[Path, ...], models: tuple[str, ...], as_json: bool) -> None:
    """Take files of models into the cache, known by checksum alone.

    What they are called does not matter. Folders, wheels, zips and tar archives are looked into. Prints a line for
    each file that was recognised: where it was, size, name, models.
    """
    from zoo.entries.cache_add import cache_add

    lines = RowPrinter((), as_json=as_json)

    def tell(one: Any) -> None:
        facts = {"found": str(one.found), "bytes": one.bytes, "name": one.name, "models": list(one.models)}
        lines.add(facts, (str(one.found), str(one.bytes), one.name, _some(one.models)))

    result = cache_add(paths, models, done=tell)
    lines.finish()
    complete = [model for model, missing in result.missing.items() if not missing]
    whole = counted(len(complete), "model has all its files", "models have all their files")
    note(f"{counted(len(result.added), 'file')} recognised; {whole}: {_some(complete)}")
    for model, missing in result.missing.items():
        if missing:
            note(f"{model} still lacks {_some(missing)}")
    for model, licence in result.licences.items():  # who fetches the files is told so too
        note(f"{model}: licence {licence}")
    if result.unknown:
        note(f"{counted(len(result.unknown), 'file is', 'files are')} no known model's: {_some(result.unknown)}")


def _some(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:4]) + (f", ... ({len(names):,})" if len(names) > 4 else "") or "-"


@command.command("verify", cls=COMMAND, context_settings=CONTEXT)
@click.option("--repair", is_flag=True, help="Delete damaged files; they are fetched again when next used.")
@as_json_option
def verify(repair: bool, as_json: bool) -> None:
    """Read every cached file and compare it with its checksum.

    Exit code 5 when a damaged file was found and not deleted.
    """
    damaged, n = [], 0
    lines = RowPrinter((), as_json=as_json)
    for blob, intact in Cache().verify(repair):
        n += 1
        if not intact:
            damaged.append(blob)
            state = "removed" if repair else "damaged"
            facts = {"state": state, "path": str(blob.path), "models": list(blob.users)}
            lines.add(facts, (state, str(blob.path), ", ".join(blob.users) or "-"))
    lines.finish()
    note(f"{n - len(damaged):,} of {counted(n, 'file is', 'files are')} intact")
    if damaged and not repair:
        raise FetchError(
            f"{damaged[0].path}: the checksum is not that of its name",
            f"{len(damaged):,} of {counted(n, 'cached file is', 'cached files are')} damaged",
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
@as_json_option
def prune(older_than: float | None, dry_run: bool, as_json: bool) -> None:
    """Delete unfinished downloads and, if asked, unused files.

    A file that is being fetched stays.
    """
    old, leftovers = Cache().prune(older_than, dry_run)
    lines = RowPrinter((), as_json=as_json)

    def tell(one: Any, used: str, what: str) -> None:
        facts = {"path": str(one.path), "bytes": one.bytes, "used": used, "what": what}
        lines.add(facts, (human_bytes(one.bytes), used[:10], str(one.path), what))

    for blob in old:
        tell(blob, _time(blob), ", ".join(blob.users) or "-")
    for leftover in leftovers:
        tell(leftover, "unfinished", "-")
    limit = None if older_than is None else time.time() - older_than * 86400
    unused = [one for one in copies() if limit is not None and one.used <= limit]
    for one in unused:
        tell(one, _time(one), "copy of a genome")
        if not dry_run:
            one.remove()
    lines.finish()
    freed = sum(item.bytes for item in [*old, *leftovers, *unused])
    done = "would be removed" if dry_run else "removed"
    note(f"{counted(len(old) + len(leftovers) + len(unused), 'file')}, {human_bytes(freed)} {done}")


def added_genomes() -> list[KeptGenome]:
    """Genomes of `zoo genome add`; their owner removes them, not `prune`."""
    return [one for one in genomes() if one.record]


def _time(blob: Blob | Copy | KeptGenome) -> str:
    return datetime.datetime.fromtimestamp(blob.used).isoformat(timespec="seconds")
