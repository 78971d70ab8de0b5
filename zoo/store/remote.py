"""Which files of a model lie elsewhere, where, and by what checksum they are known.

Two places name them: ``{url, md5}`` among the arguments of Kipoi's ``model.yaml``, and ``files``
of the card, which adds sha256, size and further mirrors for a file of the same md5 or URL. A file of the card may also
be one that is made of others: of the tensors that published files hold.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from zoo.cards.card import card_of
from zoo.store.packages import member_of

if TYPE_CHECKING:
    from zoo.cards.kipoi import ModelDescription
    from zoo.cards.schema import Card, FileEntry
    from zoo.cards.schema import FileSource as SourceEntry

__all__ = ["FileSource", "MadeFile", "RemoteFile", "argument_files", "parts_of", "remote_argument", "remote_files"]


@dataclass(frozen=True)
class RemoteFile:
    """A file known by its checksum.

    Attributes:
        name: file name, which keeps the suffix that readers go by.
        urls: mirrors, tried in order.
        sha256, md5: hex checksums; at least one, or ``asks_hub``.
        bytes: size, or None where nobody says.
        asks_hub: nobody published a checksum; it is the one that Hugging Face gives when the file is first fetched.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str | None = None
    md5: str | None = None
    bytes: int | None = None
    asks_hub: bool = False

    @property
    def key(self) -> str | None:
        """The checksum that names unfinished downloads and locks."""
        return self.sha256 or self.md5

    @property
    def hosts(self) -> str:
        """Where it lies, in words."""
        return ", ".join(dict.fromkeys(_place(url) for url in self.urls))


@dataclass(frozen=True)
class FileSource:
    """A file whose tensors become part of another: how they are read, and what stands before their names."""

    file: RemoteFile
    reader: str
    prefix: str = ""


@dataclass(frozen=True)
class MadeFile:
    """A safetensors file that is made of the tensors of published files.

    Attributes:
        name: file name.
        sources: what it is made of.
        tensors_sha256: checksum over names, dtypes, shapes and bytes of the tensors.
    """

    name: str
    sources: tuple[FileSource, ...]
    tensors_sha256: str

    @property
    def key(self) -> str:
        """What it is known by: its tensors and what they come from."""
        made_of = [(one.file.sha256, one.reader, one.prefix) for one in self.sources]
        return hashlib.sha256(json.dumps([self.tensors_sha256, *made_of]).encode()).hexdigest()


def parts_of(wanted: RemoteFile | MadeFile) -> tuple[RemoteFile, ...]:
    """The files that are fetched for one: itself, or what it is made of."""
    return tuple(one.file for one in wanted.sources) if isinstance(wanted, MadeFile) else (wanted,)


def remote_files(model: ModelDescription, card: Card | None = None) -> dict[str, RemoteFile | MadeFile]:
    """Every file that a model needs and that is not here, by the argument of model.yaml or the path of the card.

    Args:
        card: the entry's card; read from its folder when None.

    Raises:
        ModelError: a URL without checksum, with ``file:line``.
    """
    card = card or card_of(model.component)
    arguments = argument_files(model, card)
    known = {part.key for part in arguments.values()} | {part.md5 for part in arguments.values()}
    urls = {url for part in arguments.values() for url in part.urls}
    found: dict[str, RemoteFile | MadeFile] = dict(arguments)
    for entry in card.files if card else ():
        here = (model.folder / entry.path).exists()
        asked = not urls.isdisjoint(entry.mirrors)
        elsewhere = entry.mirrors or entry.made_from
        if elsewhere and not here and not asked and not {entry.sha256, entry.md5} & (known - {None}):
            found[entry.path] = _from_card(entry)
    return found


def argument_files(model: ModelDescription, card: Card | None) -> dict[str, RemoteFile]:
    """The files that arguments of model.yaml name by ``url``, with what a card adds to them.

    Raises:
        ModelError: a URL without checksum, with ``file:line``.
    """
    return {".".join(location): _from_argument(model, location, value, card) for location, value in _walk(model.args)}


def remote_argument(model: ModelDescription, name: str) -> RemoteFile | MadeFile | None:
    """The file elsewhere that argument ``name`` of model.yaml stands for, or None for a local path.

    A local path that is absent and that the card's ``files`` list with mirrors, or with what it is made of, is such.

    Raises:
        ModelError: a URL without checksum, with ``file:line``.
    """
    value = model.args.get(name)
    if isinstance(value, Mapping) and "url" in value:
        return _from_argument(model, (name,), value, card_of(model.component))
    if isinstance(value, str) and not (model.folder / value).exists():
        card = card_of(model.component)
        for entry in card.files if card else ():
            if entry.path == value and (entry.mirrors or entry.made_from):
                return _from_card(entry)
    return None


def _walk(
    args: Mapping[str, Any], location: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for name, value in args.items():
        if isinstance(value, Mapping) and isinstance(value.get("url"), str):
            yield (*location, name), value
        elif isinstance(value, Mapping):
            yield from _walk(value, (*location, name))


def _from_argument(
    model: ModelDescription, location: tuple[str, ...], value: Mapping[str, Any], card: Card | None
) -> RemoteFile:
    # Some of Kipoi's models have it as Zenodo shows it: `md5: md5:18119aa2...`.
    url, md5 = str(value["url"]), str(value.get("md5") or "").lower().removeprefix("md5:") or None
    where = ("args", *location)
    if host_of(url) is None:
        raise model.document.error((*where, "url"), f"{url!r} is no http or https address", "correct the address")
    file = RemoteFile(file_name(str(value.get("name") or url)), (url,), md5=md5)
    for entry in card.files if card else ():
        if (md5 and entry.md5 == md5) or url in entry.mirrors:
            mirrors = tuple(dict.fromkeys([url, *entry.mirrors]))
            file = replace(
                file,
                urls=mirrors,
                sha256=entry.sha256,
                md5=md5 or entry.md5,
                bytes=entry.bytes,
                asks_hub=entry.checksum is not None,
            )
    if file.md5 and not re.fullmatch(r"[0-9a-f]{32}", file.md5):
        raise model.document.error((*where, "md5"), f"{md5!r} is no md5 checksum", "give its 32 hexadecimal digits")
    if file.key is None and not file.asks_hub:
        raise model.document.error(where, f"{url} has no checksum", "add `md5:`; nothing is fetched unchecked")
    return file


def _from_card(entry: FileEntry) -> RemoteFile | MadeFile:
    name = file_name(entry.path)
    if entry.made_from:
        return MadeFile(name, tuple(_source(one) for one in entry.made_from), str(entry.tensors_sha256))
    asks_hub = entry.checksum is not None
    return RemoteFile(name, tuple(entry.mirrors), entry.sha256, entry.md5, entry.bytes, asks_hub)


def _source(one: SourceEntry) -> FileSource:
    name = file_name(member.path if (member := member_of(one.mirrors[0])) else one.mirrors[0])
    return FileSource(RemoteFile(name, tuple(one.mirrors), one.sha256, bytes=one.bytes), one.reader, one.prefix)


def _place(mirror: str) -> str:
    """A mirror as a person names it: a host, or a release of a package."""
    if member := member_of(mirror):
        return f"the wheel of {member.package} {member.version}"
    return host_of(mirror) or mirror


def host_of(url: str) -> str | None:
    """Host of an http or https address; None for anything else."""
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:  # an unclosed bracket
        return None


def file_name(url: str) -> str:
    """The last part of a URL or path as a file name that stays in its folder."""
    last = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".") or "file"
