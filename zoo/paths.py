"""A path as it was given: the address of a file elsewhere and a Git LFS pointer are told from files, once for all.

Whoever opens what a user names asks here first. ``Path`` makes ``https:/x`` of ``https://x``: both are known.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from zoo.errors import InputError, ModelError, UsageError, ZooError
from zoo.words import did_you_mean

__all__ = [
    "given_path",
    "is_url",
    "near_file",
    "refuse_empty",
    "refuse_pointer",
    "refuse_pointers",
    "refuse_url",
    "refuse_urls",
]

#: Schemes that are known also where a path has swallowed one of the slashes.
SCHEMES = "https?|ftps?|sftp|s3a?|gs|gcs|azure|az|abfss?|wasbs?|hdfs|file|hf|ssh|rsync|dbfs"
_KNOWN = re.compile(rf"(?P<scheme>{SCHEMES}):/+(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_ANY = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)

#: What Git LFS and git-annex leave in the place of a file that was not fetched.
LFS_MAGIC = (b"version https://git-lfs.github.com", b"version https://hawser.github.com")
ANNEX_MAGIC = b"/annex/objects/"
LARGEST_POINTER = 1024  # bytes; git-lfs takes nothing larger for one


def _url(value: Any) -> tuple[str, str] | None:
    """Scheme and address where a value is a URL."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or ":/" not in text:
        return None
    found = _KNOWN.fullmatch(text) or _ANY.fullmatch(text)
    if found is None or os.path.lexists(text):
        return None
    scheme = found["scheme"].lower()
    return scheme, f"{scheme}://{'/' if scheme == 'file' and not _has_host(text) else ''}{found['rest']}"


def _has_host(text: str) -> bool:
    """``file://host/x`` against ``file:///x`` and ``file:/x``."""
    return re.match(r"[A-Za-z]+://[^/]", text) is not None


def is_url(value: Any) -> bool:
    """Whether a value is the address of something elsewhere (``https://``, ``s3://``, ``file://`` ...), not a path."""
    return _url(value) is not None


def refuse_empty(
    value: Any,
    error: type[ZooError] = InputError,
    *,
    option: str = "",
    kind: Literal["file", "folder", "model"] = "file",
) -> None:
    """Raise where a path is the empty text, as of a shell's variable that is not set: ``Path`` makes ``.`` of it.

    Args:
        value: what was given; anything but text passes.
        error, option: as in ``refuse_url``. kind: what it should name.
    """
    if isinstance(value, str) and not value.strip():
        raise error(
            f"{option} {value!r}: is the name of no {kind}".strip(),
            "a variable of the shell that is not set is empty",
            f"Fix: give the name of a {kind}{f' with {option}' if option else ''}"
            f"{'; `zoo list` shows them' if kind == 'model' else ''}",
        )


def refuse_url(value: Any, error: type[ZooError] = InputError, *, option: str = "", written: bool = False) -> None:
    """Raise where a file is wanted and a URL was given.

    Args:
        value: what was given; anything but text and paths passes.
        error: of which kind. option: how the command names it (``-o``), for the error.
        written: whether it is to be written.
    """
    found = _url(value)
    if found is None:
        return
    scheme, url = found
    what = f"{option} {url}: is a URL".strip()
    if written:
        raise error(what, "results are written to files on this machine", f"Fix: {_upload(scheme, url)}")
    how = _of_a_model(url) if issubclass(error, ModelError) else None
    raise error(what, "only files on this machine are read", f"Fix: {how or _download(scheme, url)}")


def refuse_urls(settings: Any, option: str) -> None:
    """``refuse_url`` for the values of ``NAME=VALUE``, lists and mappings included.

    Raises:
        UsageError: one is a URL.
    """
    for name, value in settings.items():
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        for one in inner:
            refuse_url(one, UsageError, option=f"{option} {name}:")


def _download(scheme: str, url: str) -> str:
    quoted, name = shlex.quote(url), shlex.quote(_last_part(url) or "FILE")
    if scheme == "file":
        return f"give the path itself: {shlex.quote('/' + url.removeprefix('file://').lstrip('/'))}"
    if scheme in ("http", "https", "ftp", "ftps", "sftp"):
        command = f"curl -L -o {name} {quoted}" if "?" in url or not _last_part(url) else f"curl -LO {quoted}"
    elif scheme in ("s3", "s3a"):
        command = f"aws s3 cp {shlex.quote('s3' + url[len(scheme) :])} ."
    elif scheme in ("gs", "gcs"):
        command = f"gcloud storage cp {shlex.quote('gs' + url[len(scheme) :])} ."
    else:
        return "download it first, and give the file"
    return f"download it first: {command}"


def _upload(scheme: str, url: str) -> str:
    name = shlex.quote(_last_part(url) or "OUT")
    if scheme == "file":
        return f"give the path itself: {shlex.quote('/' + url.removeprefix('file://').lstrip('/'))}"
    if scheme in ("s3", "s3a"):
        return f"write a file, then: aws s3 cp {name} {shlex.quote('s3' + url[len(scheme) :])}"
    if scheme in ("gs", "gcs"):
        return f"write a file, then: gcloud storage cp {name} {shlex.quote('gs' + url[len(scheme) :])}"
    return f"write a file ({name}), and copy it there"


def _last_part(url: str) -> str:
    """The name of the file, without what a server is asked."""
    path = url.split("?")[0].split("#")[0].partition("://")[2]
    return path.rpartition("/")[2] if "/" in path else ""


def _of_a_model(url: str) -> str | None:
    """Where a whole repository is meant, there are better ways than a download."""
    if url.startswith("hf://"):
        return f"`zoo pull {url}` fetches it and prints the place of its files; give that"
    host, _, path = url.partition("://")[2].partition("/")
    parts = [part for part in path.split("/") if part]
    if host in ("huggingface.co", "hf.co") and len(parts) >= 2 and parts[0] not in ("datasets", "spaces"):
        return f"give hf://{parts[0]}/{parts[1]}"
    if url.endswith(".git") or (host in ("github.com", "gitlab.com") and len(parts) == 2):
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", parts[-1].removesuffix(".git")) if parts else "NAME"
        return f"`zoo source add {name} {url}`, then {name}/MODEL"
    return None


def refuse_pointers(paths: Iterable[Path], error: type[ZooError] = ModelError) -> None:
    """Raise for a file in whose place Git LFS or git-annex left a pointer, which a clone or a download may hold."""
    for path in paths:
        try:
            if os.stat(path).st_size > LARGEST_POINTER or not path.is_file():
                continue
            head = path.read_bytes()
        except OSError:  # who opens it says so
            continue
        refuse_pointer(path, head, error)


def refuse_pointer(path: Path, content: bytes, error: type[ZooError] = ModelError) -> None:
    """``refuse_pointers`` for who has read the file already.

    Args:
        content: of the file; of a long one its beginning serves.
    """
    if content.startswith(LFS_MAGIC):
        raise _pointer(path, content[:LARGEST_POINTER], error)
    if content.startswith(ANNEX_MAGIC):
        fix = f"Fix: (cd {shlex.quote(str(path.parent))} && git annex get {shlex.quote(path.name)})"
        raise error(f"{path}: is a git-annex pointer; the file itself was not fetched", "", fix)


def _pointer(path: Path, head: bytes, error: type[ZooError]) -> ZooError:
    facts = dict(line.partition(" ")[::2] for line in head.decode("ascii", "replace").splitlines())
    size, digest = facts.get("size", ""), facts.get("oid", "").partition(":")[2]
    extent = f"the file has {int(size):,} bytes" if size.isdecimal() else ""
    if any((folder / ".git").exists() for folder in path.absolute().parents):
        where = "" if path.parent == Path() else f"-C {shlex.quote(str(path.parent))} "
        fix = f"install git-lfs, then: git {where}lfs pull -I {shlex.quote(path.name)}"
    else:
        known = f" (sha256 {digest})" if digest else ""
        fix = f"`git lfs pull` in the clone that it is from, or download the file itself{known}"
    return error(f"{path}: is a Git LFS pointer; the file itself was not fetched", extent, f"Fix: {fix}")


def near_file(path: str | Path) -> str:
    """``did you mean peaks.bed?``: what lies in the folder of a path where there is nothing; "" where nothing is near.

    Where the folder itself is not there, the folder that may have been meant.
    """
    wanted = Path(path).expanduser()
    while not wanted.parent.is_dir() and wanted.parent != wanted:
        wanted = wanted.parent
    try:
        names = sorted(os.listdir(wanted.parent))
    except OSError:  # not ours to read
        return ""
    given = Path(path).parent if wanted.name == Path(path).name else wanted.parent
    return did_you_mean(str(given / wanted.name), [str(given / name) for name in names], n=2)


def given_path(value: str | Path, error: type[ZooError] = InputError) -> Path:
    """The path of a file to read, as it was given.

    Raises:
        ZooError: of the kind ``error``: nothing at all, no text and no path, a URL, or a Git LFS pointer. Whether it
            is there is seen by who opens it.
    """
    if not isinstance(value, str | os.PathLike):
        what = f"{str(value)[:40]}: is of the type {type(value).__name__}, where a file is named"
        raise error(what, "text or a path names one", "Fix: give the name of a file")
    refuse_empty(value, error)
    refuse_url(value, error)
    path = Path(value)
    refuse_pointers((path,), error)
    return path
