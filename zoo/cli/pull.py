"""``zoo pull MODEL...``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.options import FilePath, as_json_option, quiet_option
from zoo.cli.shared import COMMAND, CONTEXT, long_run, note
from zoo.cli.tables import RowPrinter

__all__ = ["command"]


@click.command("pull", cls=COMMAND, context_settings=CONTEXT)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--to",
    type=FilePath(),
    metavar="FOLDER",
    help="Write the files to FOLDER, for `zoo cache add FOLDER` on a machine without a network.",
)
@as_json_option
@quiet_option
def command(models: tuple[str, ...], to: Path | None, quiet: bool, as_json: bool) -> None:
    """Fetch the files of each MODEL (or of all models of a group) into the cache; what is there is only checked.

    Prints a line for each file: model, argument or path, size, place. A model whose files cannot be fetched
    does not keep the others from being fetched; the exit code is that of the first failure.
    """
    lines = RowPrinter((), as_json=as_json)

    def tell(file: Any) -> None:
        facts = {"model": file.model, "name": file.name, "bytes": file.bytes, "path": str(file.path)}
        lines.add(facts, (file.model, file.name, str(file.bytes), str(file.path)))

    with long_run(quiet) as telling:
        from zoo.entries.pull import pull

        pull(
            models,
            to=to,
            failed=None if len(models) == 1 else lambda model, error: note(f"{model}: {error.what}"),
            done=tell,
            report=telling["report"],
        )
    lines.finish()
