"""``pull``: fetch everything that models need, so that they run offline, here or on another machine."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import UsageError, ZooError
from zoo.files import Digests, digests_of
from zoo.results.whole import replacing
from zoo.store.registry import members_of
from zoo.store.remote import MadeFile, RemoteFile, parts_of
from zoo.words import counted_of

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
    to: str | Path | None = None,
    done: Callable[[PulledFile], None] | None = None,
    failed: Callable[[str, ZooError], None] | None = None,
    report: Callable[[str], None] | None = None,
) -> list[PulledFile]:
    """Fetch the files of models into the cache; what is there is only checked.

    A model whose files cannot be fetched does not keep the others from being fetched.

    Args:
        models: a name, or several; that of a group stands for all its models.
        to: a folder to write the files to, for a machine without a network (``cache_add`` takes them there). They lie
            in a folder for each model; of a file that is made of published ones, these. A file that is in the folder
            already, by checksum and under whatever name, is not fetched.
        done: takes each file when it is there. failed: takes each model that failed, and why. report: takes notes.

    Raises:
        ZooError: that of the first model that failed, after all were tried; ``extent`` counts and names the others.
    """
    from zoo.models.files import wheels_shared

    given = [models] if isinstance(models, str) else list(models)
    groups = {name: members_of(name) for name in given}
    names = [one for name in given for one in groups[name] or [name]]
    folder = None if to is None else _Folder(Path(to))
    pulled: list[PulledFile] = []
    failures: list[tuple[str, ZooError]] = []
    with wheels_shared():  # of which several models may take files
        for name, members in groups.items():
            _announce(name, members)
        for model in names:
            try:
                for file in _files_of(model, folder, report, of_group=model not in groups):
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
            which = ", ".join(name for name, _ in failures[:8]) + (", ..." if len(failures) > 8 else "")
            error.extent = (
                f"{counted_of(len(failures), len(names), 'model')} failed: {which}; first: {error.extent or error.what}"
            )
        raise error
    return pulled


def _announce(group: str, members: list[str]) -> None:
    """One line for all models of a group; those that cannot be read say so when it is their turn."""
    from zoo.models.entry import open_entry
    from zoo.models.files import announce

    described = []
    for name in members:
        with contextlib.suppress(ZooError):
            described.append(open_entry(name).description)
    announce([one for one in described if one is not None], group)


def _files_of(
    model: str, folder: _Folder | None, report: Callable[[str], None] | None, of_group: bool
) -> Iterator[PulledFile]:
    from zoo.models.entry import open_entry
    from zoo.models.files import here, user_of
    from zoo.store.hub import is_hub_name
    from zoo.store.remote import remote_files

    if folder is not None and is_hub_name(model):
        raise UsageError(
            f"{model}: --to is for entries, and this is a repository of Hugging Face",
            "",
            f"Fix: `zoo pull {model}` fetches it; a checkpoint runs by its path wherever it is copied to",
        )
    entry = open_entry(model, withdrawn=of_group)  # which fetches hf:// and grelu/ names whole
    if entry.card is not None and entry.card.withdrawn is not None:  # of a group, the others are fetched
        if report:
            report(f"{model}: was withdrawn and is left out: {entry.card.withdrawn}")
        return
    if entry.description is None:
        yield PulledFile(model, "checkpoint", entry.path.stat().st_size, entry.path)
        return
    files = remote_files(entry.description, entry.card)
    if not files and report:
        report(f"{model}: nothing to fetch, its files are local")
    for name, wanted in files.items():
        if folder is None:
            path = here(entry.description, wanted)
            yield PulledFile(model, name, path.stat().st_size, path)
            continue
        for part in parts_of(wanted):
            path = folder.find(part)
            if path is None:
                path = folder.put(here(entry.description, part), user_of(entry.description), part.name)
            yield PulledFile(model, part.name if isinstance(wanted, MadeFile) else name, path.stat().st_size, path)


class _Folder:
    """What files lie in a folder, by checksum."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digests: dict[Path, Digests] = {}
        if path.exists() and not path.is_dir():
            raise UsageError(f"--to {path}: is a file", "", "Fix: give a folder, which may be there or not")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._files = {one: one.stat().st_size for one in sorted(path.rglob("*")) if one.is_file()}
        except OSError as error:
            raise UsageError(f"--to {path}: {error.strerror}", "", "Fix: give a folder that can be written") from None

    def find(self, file: RemoteFile) -> Path | None:
        """The file if it is there, whatever it is called."""
        for path, size in self._files.items():
            if file.key is None or (file.bytes is not None and size != file.bytes):
                continue
            if path not in self._digests:
                self._digests[path] = digests_of(path)
            found = self._digests[path]
            if found.sha256 == file.sha256 or (file.sha256 is None and found.md5 == file.md5):
                return path
        return None

    def put(self, source: Path, model: str, name: str) -> Path:
        """Copy a file of the cache to ``MODEL/NAME``."""
        target = self.path / model / name
        if target.exists():
            raise UsageError(
                f"{target}: is there, and is not {name} of {model}",
                "its checksum is another",
                "Fix: move it away, or give another folder",
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as partial:
                shutil.copyfile(source, partial)
        except OSError as error:
            raise UsageError(f"{target}: cannot be written: {error.strerror}", "", "Fix: make room") from None
        self._files[target] = target.stat().st_size
        return target
