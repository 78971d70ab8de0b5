"""``pull``: fetch everything that models need, so that they run offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.store.packages import wheels_kept

__all__ = ["PulledFile", "pull"]


@dataclass(frozen=True)
class PulledFile:
    """A file of a model that is on this machine now.

    Attributes:
        model: as it was asked for. name: the argument or path in the entry. bytes: its size. path: where it lies.
    """

    model: str
    name: str
    bytes: int
    path: Path


def pull(
    models: str | Iterable[str],
    *,
    done: Callable[[PulledFile], None] | None = None,
    failed: Callable[[str, ZooError], None] | None = None,
    report: Callable[[str], None] | None = None,
) -> list[PulledFile]:
    """Fetch the files of models into the cache; what is there is only checked.

    A model whose files cannot be fetched does not keep the others from being fetched.

    Args:
        models: a name, or several.
        done: takes each file when it is there. failed: takes each model that failed, and why. report: takes notes.

    Raises:
        ZooError: that of the first model that failed, after all were tried; ``extent`` counts and names the others.
    """
    names = [models] if isinstance(models, str) else list(models)
    pulled: list[PulledFile] = []
    failures: list[tuple[str, ZooError]] = []
    with wheels_kept():  # of which several models may take files
        for model in names:
            try:
                for file in _files_of(model, report):
                    pulled.append(file)
                    if done:
                        done(file)
            except ZooError as error:
                failures.append((model, error))
                if failed:
                    failed(model, error)
    if failures:
        _, error = failures[0]
        if len(names) > 1:
            which = ", ".join(name for name, _ in failures)
            error.extent = (
                f"{len(failures)} of {len(names)} models failed: {which}; first: {error.extent or error.what}"
            )
        raise error
    return pulled


def _files_of(model: str, report: Callable[[str], None] | None) -> Iterator[PulledFile]:
    from zoo.models.entry import open_entry
    from zoo.models.files import here
    from zoo.store.remote import remote_files

    entry = open_entry(model)  # which fetches hf:// and grelu/ names whole
    if entry.path.is_file():
        yield PulledFile(model, "checkpoint", entry.path.stat().st_size, entry.path)
        return
    files = remote_files(entry.description, entry.card) if entry.description else {}
    if not files and report:
        report(f"{model}: nothing to fetch, its files are local")
    for name, file in files.items():
        path = here(entry.description, file)
        yield PulledFile(model, name, path.stat().st_size, path)
