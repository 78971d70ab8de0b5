"""The file that an argument of ``model.yaml`` stands for: in the folder, fetched, or made of what is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.card import card_of
from zoo.errors import FetchError, ModelError
from zoo.progress import current_listener, human_bytes
from zoo.store.cache import Cache
from zoo.store.fetch import is_offline
from zoo.store.packages import member_of, wheels_kept
from zoo.store.remote import MadeFile, RemoteFile, parts_of, remote_argument, remote_files

if TYPE_CHECKING:
    from zoo.cards.kipoi import ModelDescription

__all__ = ["argument_path", "here"]


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
            _announce(model, cache)
        return cache.get(wanted, user)
    if (path := cache.find_made(wanted)) is not None:
        cache.note_use(path, user)
        return path
    if any(cache.find(part) is None for part in parts_of(wanted)):
        _announce(model, cache)
    with wheels_kept():
        sources = [cache.get(part, user) for part in parts_of(wanted)]
    return cache.keep_made(wanted, user, lambda target: _make(wanted, sources, target))


def user_of(model: ModelDescription) -> str:
    """The model as `zoo cache ls` names it."""
    name = model.folder.resolve().name
    return f"{name}/{model.member}" if model.member else name


# ---------------------------------------------------------------- what is to be fetched, in one line

_told: set[tuple[Any, ...]] = set()


def _announce(model: ModelDescription, cache: Cache) -> None:
    card = card_of(model.component)
    if is_offline():  # the error that follows says what is missing
        return
    missing = [
        part
        for one in remote_files(model, card).values()
        if isinstance(one, RemoteFile) or cache.find_made(one) is None
        for part in parts_of(one)
        if cache.find(part) is None
    ]
    about = (str(cache.folder), str(model.component), frozenset(part.key for part in missing))
    if not missing or any(about[:2] == one[:2] and about[2] <= one[2] for one in _told):
        return
    _told.add(about)
    sizes = [part.bytes for part in missing]
    amount = f", {human_bytes(sum(filter(None, sizes)))}" if all(size is not None for size in sizes) else ""
    files = missing[0].name if len(missing) == 1 else f"{len(missing)} files"
    hosts = ", ".join(dict.fromkeys(part.hosts for part in missing))
    whole = " (pip fetches all of it)" if any(member_of(url) for part in missing for url in part.urls[:1]) else ""
    licence = f"; licence {model.info['license']}" if model.info.get("license") else "; no licence is stated"
    limits = f" ({card.licence_note})" if card is not None and card.licence_note else ""
    current_listener().note(f"{user_of(model)}: fetching {files}{amount} from {hosts}{whole}{licence}{limits}")


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
                f"{len(twice)} names come twice; the second time from {source.file.name}",
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
