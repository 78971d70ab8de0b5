"""Sources: folders and git repositories of Kipoi models that the user added by name.

``kipoi/DeepSEA/predict`` is the model ``DeepSEA/predict`` of the source ``kipoi``. What was added
stands in ``sources.json`` of the configuration folder (``ZOO_CONFIG``); repositories are cloned
into the cache folder (``ZOO_CACHE``). Standard library only: ``zoo list`` reads this.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import FetchError, ModelError, SystemStateError, UsageError
from zoo.files import cache_folder, hold_lock, is_offline
from zoo.paths import refuse_empty
from zoo.results.whole import replacing, replacing_folder

__all__ = [
    "Source",
    "add_source",
    "find_source",
    "remove_source",
    "require_folder",
    "sources",
    "split_name",
    "update_source",
]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# `zoo list --source` gives these words a meaning of its own.
RESERVED = ("all", "bundled", "grelu")
PROTOCOLS = "https:ssh:file"
SCP_LIKE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)\S+")


@dataclass(frozen=True)
class Source:
    """A folder of models.

    Attributes:
        name: what its models' names begin with.
        kind: ``folder`` or ``git``.
        location: absolute path of the folder, or address of the repository.
        trusted: whether Python of its models may run.
    """

    name: str
    kind: str
    location: str
    trusted: bool = False

    @property
    def folder(self) -> Path:
        """Where its models are on this machine."""
        return Path(self.location) if self.kind == "folder" else cache_folder() / "sources" / self.name

    @property
    def commit(self) -> str | None:
        """The commit of a git source, read without running git; None for a folder."""
        if self.kind != "git":
            return None
        git = self.folder / ".git"
        try:
            head = (git / "HEAD").read_text(encoding="ascii").strip()
            if not head.startswith("ref: "):
                return head
            return (git / head.removeprefix("ref: ")).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None


def config_file() -> Path:
    """``sources.json`` in ``ZOO_CONFIG``, or in the user's configuration folder."""
    if given := os.environ.get("ZOO_CONFIG"):
        return Path(given).expanduser() / "sources.json"
    import platformdirs

    return Path(platformdirs.user_config_dir("seqzoo")) / "sources.json"


def sources() -> dict[str, Source]:
    """All sources by name.

    Raises:
        SystemStateError: the configuration cannot be read.
    """
    path = config_file()
    try:
        found = [Source(**item) for item in json.loads(path.read_text(encoding="utf-8"))["sources"]]
        return {source.name: source for source in found}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemStateError(f"{path}: cannot be read: {error}", "", f"Fix: correct it, or rm {path}") from None


def find_source(name: str) -> Source:
    """The source of that name.

    Raises:
        UsageError: there is none.
    """
    known = sources()
    if name not in known:
        raise UsageError(
            f"no source named {name!r}",
            f"known: {', '.join(known) or 'none'}",
            f"Fix: zoo source add {name} FOLDER-OR-GIT-URL",
        )
    return known[name]


def split_name(name: str) -> tuple[Source, str] | None:
    """The source and the name within it of ``source/rest``, or None when no source is called so."""
    first, slash, rest = name.partition("/")
    source = sources().get(first) if slash and rest else None
    return (source, rest.rstrip("/")) if source else None


def add_source(name: str, location: str, trust: bool = False) -> Source:
    """Add a folder or clone a repository.

    Args:
        name: letters, digits, ``_``, ``.`` and ``-``.
        location: a folder, or an ``https``, ``ssh`` or ``file`` address for git.
        trust: allow Python of its models to run.

    Raises:
        UsageError: name or location cannot be used. FetchError: git failed.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise UsageError(f"{name!r} cannot name a source", "", "Fix: letters, digits, _ . and -; e.g. `kipoi`")
    known = sources()
    if name in known:
        raise UsageError(
            f"there is a source named {name!r} already", known[name].location, f"Fix: zoo source remove {name}"
        )
    source = _source_of(name, location, trust)
    if source.kind == "git":
        _clone(source)
    _change(lambda known: {**known, name: source})
    return source


def update_source(name: str) -> tuple[Source, str | None, str | None]:
    """Fetch the newest commit of a git source; a folder is its own newest state.

    Returns:
        The source, and its commit before and after.
    """
    source = find_source(name)
    before = source.commit
    if source.kind == "folder":
        return source, None, None
    if not (source.folder / ".git").is_dir():
        _clone(source)
    else:
        _allow_fetch(source)
        _git(source, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "origin", "HEAD")
        _git(source, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    return source, before, source.commit


def remove_source(name: str) -> Source:
    """Forget a source; a clone is removed from the cache, a folder is left as it is."""
    source = find_source(name)
    _change(lambda known: {key: item for key, item in known.items() if key != name})
    if source.kind == "git":
        shutil.rmtree(source.folder, ignore_errors=True)
    return source


def _change(change: Callable[[dict[str, Source]], dict[str, Source]]) -> None:
    """Read the sources, change and write them, one process at a time: a clone takes minutes, and others add too."""
    path = config_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hold_lock(path.with_name(path.name + ".lock"), lambda holder: None):
            items = [dataclasses.asdict(source) for source in change(sources()).values()]
            with replacing(path, shared=True) as partial:
                partial.write_text(json.dumps({"sources": items}, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SystemStateError(
            f"{path}: cannot be written: {error.strerror}", "", "Fix: set ZOO_CONFIG to a folder of yours"
        ) from None


def _source_of(name: str, location: str, trust: bool) -> Source:
    refuse_empty(location, UsageError, kind="folder")
    path = Path(location).expanduser()
    if path.is_dir():
        path = path.resolve()
        bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
        return Source(name, "git", f"file://{path}", trust) if bare else Source(name, "folder", str(path), trust)
    scheme = location.partition("://")[0] if "://" in location else "ssh" if SCP_LIKE.fullmatch(location) else ""
    if scheme in PROTOCOLS.split(":"):
        return Source(name, "git", location, trust)
    if "://" in location or "::" in location:
        raise UsageError(f"{location}: only https, ssh and file addresses are cloned", "", "Fix: use the https address")
    raise UsageError(f"{location}: no such folder", "", "Fix: give a folder of models, or the address of a repository")


def _allow_fetch(source: Source) -> None:
    if is_offline() and not source.location.startswith("file://"):
        raise FetchError(f"{source.location}: not fetched", "ZOO_OFFLINE is set", "Fix: unset ZOO_OFFLINE")


def _clone(source: Source) -> None:
    """Clone into a folder beside the final one, which then gets its name."""
    _allow_fetch(source)
    with replacing_folder(source.folder) as made:
        # An empty template has no hooks; --no-tags and a depth of 1 spare the history.
        _git(
            source,
            "clone",
            "--quiet",
            "--template=",
            "--depth=1",
            "--no-tags",
            "--single-branch",
            "--no-recurse-submodules",
            "--",
            source.location,
            str(made),
            folder=made.parent,
        )


def _git(source: Source, *arguments: str, folder: Path | None = None) -> None:
    settings = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "submodule.recurse=false")
    command = ["git", *(part for setting in settings for part in ("-c", setting)), *arguments]
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    environment = {key: value for key, value in os.environ.items() if key not in elsewhere}
    environment |= {"GIT_LFS_SKIP_SMUDGE": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": PROTOCOLS}
    try:
        done = subprocess.run(
            command,
            cwd=folder or source.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise SystemStateError("the command git is not there", "it clones sources", "Fix: install git") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise FetchError(
            f"{source.location}: git {arguments[0]} failed: {lines[-1]}",
            "the source is as it was before",
            "Fix: check the address and your access to it",
        )


def require_folder(source: Source) -> Path:
    """The source's folder.

    Raises:
        ModelError: it is gone.
    """
    if not source.folder.is_dir():
        fix = "zoo source update" if source.kind == "git" else "restore the folder, or zoo source remove"
        raise ModelError(f"source {source.name}: {source.folder} is not there", "", f"Fix: {fix} {source.name}")
    return source.folder
