"""``zoo pull MODEL...``: fetch everything that models need, so that they run offline."""

from __future__ import annotations

import click

from zoo.cli.style import COMMAND
from zoo.errors import ZooError

__all__ = ["command"]


@click.command("pull", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no progress.")
def command(models: tuple[str, ...], quiet: bool) -> None:
    """Fetch the files of each MODEL into the cache; what is there is only checked.

    Prints a line for each file: model, argument or path, size, place. A model whose files cannot be fetched
    does not keep the others from being fetched; the exit code is that of the first failure.
    """
    failed: list[tuple[str, ZooError]] = []
    for model in models:
        try:
            _pull(model, quiet)
        except ZooError as error:
            failed.append((model, error))
            if len(models) > 1:
                click.echo(f"zoo: {model}: {error.what}", err=True)
    if failed:
        model, error = failed[0]
        if len(models) > 1:
            names = ", ".join(name for name, _ in failed)
            error.extent = f"{len(failed)} of {len(models)} models failed: {names}; first: {error.extent or error.what}"
        raise error


def _pull(model: str, quiet: bool) -> None:
    from zoo.models.entry import open_entry
    from zoo.store.cache import Cache
    from zoo.store.remote import remote_files
    from zoo.store.transfer import Silent, StderrListener

    entry = open_entry(model)  # which fetches hf:// and grelu/ names whole
    if entry.path.is_file():
        click.echo(f"{model}\tcheckpoint\t{entry.path.stat().st_size}\t{entry.path}")
        return
    files = remote_files(entry.description, entry.card) if entry.description else {}
    if not files and not quiet:
        click.echo(f"zoo: {model}: nothing to fetch, its files are local", err=True)
    for name, file in files.items():
        path = Cache().get(file, user=entry.path.resolve().name, listener=Silent() if quiet else StderrListener())
        click.echo(f"{model}\t{name}\t{path.stat().st_size}\t{path}")
