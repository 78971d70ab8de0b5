"""``cache_add``: take files into the cache that somebody else fetched, known by their checksums alone."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from zoo.errors import InputError, ModelError
from zoo.files import digests_of
from zoo.paths import given_path
from zoo.store.cache import SPARE_BYTES, Cache
from zoo.store.registry import all_entries, info, older_entries
from zoo.store.remote import RemoteFile
from zoo.words import counted

__all__ = ["AddedFile", "CacheAddition", "cache_add"]

ZIPS, TARS = (".whl", ".zip"), (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class AddedFile:
    """A file that was recognised and is in the cache now.

    Attributes:
        found: where it was; of a member of an archive ``ARCHIVE/MEMBER``.
        name: as its models call it. sha256, bytes: of it. path: in the cache. models: whose file it is.
    """

    found: str
    name: str
    sha256: str
    bytes: int
    path: Path
    models: tuple[str, ...]


@dataclass
class CacheAddition:
    """What came of it.

    Attributes:
        added: files that are some model's.
        unknown: those that are no model's, by place; an archive counts when nothing in it was known.
        missing: model of which a file was added -> names of its files that are still not in the cache.
        licences: those of these models whose licence forbids or asks for something -> the licence, and what that is.
    """

    added: list[AddedFile] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)


def cache_add(
    paths: str | Path | Iterable[str | Path],
    models: Iterable[str] = (),
    *,
    done: Callable[[AddedFile], None] | None = None,
) -> CacheAddition:
    """Take files into the cache that are those of some model by sha256 or md5, whatever they are called.

    Args:
        paths: files, and folders with files at any depth. Wheels, zips and tar archives are looked into.
        models: models whose files are known besides those of `zoo list --source all`: folders with a model.yaml.
        done: takes each file when it is in the cache.

    Raises:
        InputError: a path is not there, or nothing was recognised.
        SystemStateError: the cache cannot be written.
    """
    given = [given_path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    known, result, cache = _known(models), CacheAddition(), Cache()
    with cache.working("add") as copy:
        for path in _files(given):
            before = len(result.added)
            for found, source in _candidates(path, cache):
                if file := _recognised(found, source, known, cache, copy):
                    result.added.append(file)
                    if done:
                        done(file)
            if len(result.added) == before:
                result.unknown.append(str(path))
    if not result.added:
        raise InputError(
            f"{', '.join(map(str, given))}: no file of a known model",
            f"{counted(len(result.unknown), 'file was', 'files were')} compared with "
            f"the checksums of {len(known.files):,}",
            "Fix: give what `zoo pull MODEL --to FOLDER` wrote; `--for FOLDER` names a model that `zoo list` does not",
        )
    result.missing = _missing(known, result.added, cache)
    result.licences = {model: known.licences[model] for model in result.missing if model in known.licences}
    return result


# ---------------------------------------------------------------- what is known


@dataclass
class _Known:
    """Checksum -> the file and its models; model -> its files; model -> its licence, where that asks for something."""

    files: dict[str, RemoteFile] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    of_model: dict[str, list[RemoteFile]] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)


def _known(models: Iterable[str]) -> _Known:
    known = _Known()
    for facts in [*all_entries(), *older_entries(), *(info(model) for model in models)]:
        for one in facts.get("remote") or ():
            _note(known, facts["name"], one)
        if limits := facts.get("licence_note"):
            known.licences[facts["name"]] = f"{facts.get('license') or 'not stated'} ({limits})"
    return known


def _note(known: _Known, model: str, one: dict[str, Any]) -> None:
    file = RemoteFile(one["name"], (), one["sha256"], one["md5"], one["bytes"])
    if file.key is None:  # its checksum is asked of Hugging Face when it is fetched
        return
    known.of_model.setdefault(model, []).append(file)
    for checksum in filter(None, (file.sha256, file.md5)):
        known.files.setdefault(checksum, file)
        known.users.setdefault(checksum, []).append(model)


def _missing(known: _Known, added: list[AddedFile], cache: Cache) -> dict[str, list[str]]:
    models = dict.fromkeys(model for file in added for model in file.models)
    return {model: [one.name for one in known.of_model[model] if cache.find(one) is None] for model in models}


# ---------------------------------------------------------------- what is there


def _files(paths: list[Path]) -> Iterator[Path]:
    """Every file once, by name."""
    seen: set[str] = set()
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder", "", "Fix: give what `zoo pull MODEL --to FOLDER` wrote")
        inside = [path]
        if path.is_dir():
            inside = sorted(Path(root, name) for root, _, names in os.walk(path) for name in names)
        for one in inside:
            if one.is_file() and (real := os.path.realpath(one)) not in seen:
                seen.add(real)
                yield one


def _candidates(path: Path, cache: Cache) -> Iterator[tuple[str, Callable[[Path], None] | Path]]:
    """The file itself, then the members of an archive: its place, and the file or what writes it."""
    yield str(path), path
    name = path.name.lower()
    try:
        if name.endswith(ZIPS):
            yield from _zip_members(path)
        elif name.endswith(TARS):
            yield from _tar_members(path, shutil.disk_usage(_existing(cache.folder)).free - SPARE_BYTES)
    except (*DAMAGED, OSError) as error:
        raise InputError(f"{path}: is damaged: {error}", "", "Fix: copy it again, or leave it out") from None


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())


def _zip_members(path: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    with zipfile.ZipFile(path) as archive:
        for item in archive.infolist():
            if not item.is_dir() and not item.flag_bits & 1:
                yield f"{path}/{item.filename}", lambda target, item=item: _write(archive.open(item), target)


def _tar_members(path: Path, room: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    with tarfile.open(path, "r|*") as archive:
        for item in archive:
            if item.isfile() and item.size <= room:
                yield f"{path}/{item.name}", lambda target, item=item: _write(archive.extractfile(item), target)


def _write(source: BinaryIO, target: Path) -> None:
    with source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)


def _recognised(
    found: str, source: Callable[[Path], None] | Path, known: _Known, cache: Cache, copy: Path
) -> AddedFile | None:
    """The file in the cache, if it is some model's; ``copy`` is where it may be written meanwhile."""
    if isinstance(source, Path):
        try:
            digests = digests_of(source)
        except ModelError:  # it may not be read
            return None
        if not {digests.sha256, digests.md5} & known.files.keys():
            return None
        shutil.copyfile(source, copy)
    else:
        source(copy)
    digests = digests_of(copy)
    checksum = next((one for one in (digests.sha256, digests.md5) if one in known.files), None)
    if checksum is None:
        return None
    path = cache.take(copy, known.files[checksum].name, digests, found)
    users = tuple(dict.fromkeys(known.users.get(digests.sha256, []) + known.users.get(digests.md5, [])))
    return AddedFile(found, path.name, digests.sha256, digests.bytes, path, users)
