"""Whether OUT may be written: asked before the work, and not after it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from zoo.errors import SystemStateError, UsageError
from zoo.paths import refuse_empty, refuse_url
from zoo.words import near_names

__all__ = ["check_folder", "check_out"]

#: What this package writes beside OUT while it works and when it is done.
COMPANIONS = (".partial", ".partial.json", ".partial.lock", ".run.json")
LONGEST = ".partial.json.partial"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Files that an entry is made of, whether or not its YAML names them.
ENTRY_FILES = {"model.yaml", "model.yml", "dataloader.yaml", "dataloader.yml", "README.md", "models.tsv"}


def check_out(
    out: str | Path,
    *,
    inputs: Iterable[str | Path | None] = (),
    suffixes: Sequence[str] = (),
    beside: Callable[[Path], Iterable[Path]] | None = None,
    what: str = "the result",
    option: str = "-o",
    store: tuple[str, str] | None = None,
    stdout: bool = False,
) -> Path:
    """Refuse an OUT that cannot or must not be written, before the work and not after it.

    Args:
        out: as given. A link is followed: what it points to is written, and the link stays.
        inputs: files and folders that are read; None and names that are no path are passed over. OUT may lie in a
            folder that is read, but must not be a file that the YAML there names.
        suffixes: what the name must end with; empty where a format option decides.
        beside: gives, for the path that is written, the other files that the command writes: they must not be inputs
            or folders either.
        what: what is written, for the error: "motifs". option: how the command line names OUT.
        store: ``(file, kind)`` where the result is a folder: an older one, known by that file in it, may be replaced.
        stdout: whether ``-`` is standard output; it is returned as it is.

    Returns:
        The path to write.

    Raises:
        UsageError: an empty name, a folder, a pipe or device, another suffix, an input, a place where no file can
            be made, or ``-`` where standard output is closed.
        SystemStateError: the disk is full.
    """
    if stdout and str(out) == "-":
        _check_stdout(option)
        return Path("-")
    refuse_empty(out, UsageError, option=option)
    refuse_url(out, UsageError, option=option, written=True)
    given, out = Path(out), follow_link(Path(out))
    _check_kind(given, out, store, option, suffixes)
    for name in dict.fromkeys([given, out]):
        _check_suffix(name, suffixes, what, option)
    if suffixes and _suffix(given, suffixes) != _suffix(out, suffixes):
        raise UsageError(
            f"{given}: is a link to {out}, whose name ends otherwise",
            "the suffix says what is written",
            f"Fix: {option} {out}",
        )
    others = [path for path in (beside(out) if beside else ()) if path != out]
    companions = [out.with_name(out.name + suffix) for suffix in COMPANIONS]
    _check_inputs(out, [out, *others, *companions], inputs, f"Fix: give another name with {option}")
    for path in others:
        _check_kind(path, path, None, option)
    _check_place(out, option)
    return out


def _check_stdout(option: str) -> None:
    if getattr(sys.stdout, "closed", True) or getattr(sys.stdout, "lost", False):  # None: started without one
        raise UsageError("-: standard output is closed", "", f"Fix: {option} FILE, or leave out >&-")


def check_folder(
    folder: str | Path, *, inputs: Iterable[str | Path | None] = (), replaced: bool = False, option: str = "-o"
) -> Path:
    """Refuse a folder that cannot be made or written in; one that is missing will be made, with those above it.

    Args:
        folder: as given; a link is followed, as in ``check_out``.
        inputs: files and folders that are read.
        replaced: whether the whole folder is replaced: then it is no input, no part of one, and holds none.
        option: how the command line names it.

    Returns:
        The folder to write.

    Raises:
        UsageError: a file, an input, or no place to write. SystemStateError: the disk is full.
    """
    refuse_empty(folder, UsageError, option=option)
    refuse_url(folder, UsageError, option=option, written=True)
    folder, fix = follow_link(Path(folder)), f"Fix: give another folder with {option}"
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UsageError(f"{folder}: is a file, where a folder is needed", "", fix)
    if replaced:
        inputs = [path for path in inputs if path is not None]
        _check_inputs(folder, [folder], inputs, fix)
        for path in map(Path, inputs):
            if os.path.isdir(folder) and os.path.isdir(path) and path.resolve() in folder.resolve().parents:
                raise UsageError(f"{folder}: is a part of {path}, which is read, and would be replaced", "", fix)
        _refuse_standing(folder, option)
    above = folder.parent if replaced else folder
    while not os.path.lexists(above) and above != above.parent:
        above = above.parent
    if not os.path.isdir(above):
        raise UsageError(f"{folder}: {above} is a file, not a folder", "", fix)
    _probe(folder, above, fix)
    return folder


def _refuse_standing(folder: Path, option: str) -> None:
    """Refuse to replace the folder in which the command was typed: the shell would be left in one that is gone."""
    with contextlib.suppress(OSError):  # it is gone already
        here = Path.cwd().resolve()
        if os.path.isdir(folder) and folder.resolve() in (here, *here.parents):
            raise UsageError(
                f"{folder}: would be replaced, and this command was started in it",
                f"the current folder is {here}",
                f"Fix: cd out of it, or give another name with {option}",
            )


def follow_link(out: Path) -> Path:
    """What a link points to, through further links; any other path as it is.

    Raises:
        UsageError: links that point to each other.
    """
    if not os.path.islink(out) or _is_special(out):
        return out
    try:
        target = out.resolve()
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise for a loop, 3.13 does not
        target = out
    if os.path.islink(target):
        raise UsageError(f"{out}: is a link that leads back to itself", "", f"Fix: rm {out}, or another name with -o")
    return target


def _is_special(path: Path) -> bool:
    """A pipe, device or socket, also behind a link (``/dev/stdout``)."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _check_kind(
    given: Path, out: Path, store: tuple[str, str] | None, option: str, suffixes: Sequence[str] = ()
) -> None:
    if _is_special(out):
        raise UsageError(
            f"{given}: is a pipe or device; a result is a file that gets its name when it is whole",
            "",
            f"Fix: give the name of a file with {option}",
        )
    if store is not None:
        if os.path.lexists(out) and not (out / store[0]).is_file():
            kind = "a folder" if out.is_dir() else "a file"
            raise UsageError(
                f"{given}: is {kind} that is not a {store[1]}", "", f"Fix: give another name with {option}"
            )
        _refuse_standing(out, option)
    elif os.path.isdir(out):
        example = out / f"result{suffixes[0] if suffixes else '.tsv'}"
        raise UsageError(f"{given}: is a folder", "", f"Fix: give the name of a file, e.g. {option} {example}")


def _check_suffix(name: Path, suffixes: Sequence[str], what: str, option: str) -> None:
    if not suffixes or _suffix(name, suffixes) in suffixes:
        return
    known = " or ".join([", ".join(suffixes[:-1]), suffixes[-1]] if len(suffixes) > 1 else suffixes)
    stem, ending = name.stem if name.suffix or name.name[:1] not in ".-" else "result", name.suffix
    if (inner := _suffix(Path(stem), suffixes)) in suffixes:  # x.vcf.bgz
        stem, ending = stem[: -len(inner)], inner + ending.lower()
        near = near_names(ending, suffixes, 1) or [inner]
    else:
        near = near_names(ending, suffixes, 1) or suffixes
    verb = "are" if what.endswith("s") else "is"
    raise UsageError(f"{name}: {what} {verb} written as {known}", "", f"Fix: {option} {name.with_name(stem + near[0])}")


def _suffix(name: Path, suffixes: Sequence[str]) -> str:
    """The suffix in lower case, the longest of ``suffixes`` that the name ends with, else what follows its last dot."""
    lower = name.name.lower()
    known = [suffix for suffix in suffixes if lower.endswith(suffix) and len(lower) > len(suffix)]
    return max(known, key=len, default=name.suffix.lower())


def _check_inputs(out: Path, written: Sequence[Path], inputs: Iterable[str | Path | None], fix: str) -> None:
    read = [Path(source) for source in inputs if source is not None]
    for path in written:
        for source in read:
            if _takes_from(path, source):
                what = f"{out}: is" if path == out else f"{path}: is written beside {out.name}, and is"
                raise UsageError(f"{what} an input of this command and would be replaced", "", fix)


def _takes_from(path: Path, source: Path) -> bool:
    """Whether writing ``path`` would replace ``source`` or a part of it."""
    if not (os.path.exists(path) and os.path.exists(source)):
        return False
    if path.samefile(source):
        return True
    path, source = path.resolve(), source.resolve()
    if path.is_dir():
        return path in source.parents
    return source.is_dir() and source in path.parents and _is_of_entry(path, source)


def _is_of_entry(path: Path, folder: Path) -> bool:
    """Whether the YAML of an entry (its card is the front matter of README.md) names this file of its folder."""
    if path.parent == folder and path.name in ENTRY_FILES:
        return True
    name = re.compile(rf"(?<![\w./-])(\./)?{re.escape(path.relative_to(folder).as_posix())}(?![\w/-])")
    for file in sorted(ENTRY_FILES):
        with contextlib.suppress(OSError):
            text = (folder / file).read_text(encoding="utf-8", errors="replace")
            if file == "README.md":
                text = text.split("\n---", 1)[0] if text.startswith("---") else ""
            if name.search(text):
                return True
    return False


def _check_place(out: Path, option: str) -> None:
    folder, fix = out.parent, f"Fix: choose another folder with {option}"
    if not os.path.isdir(folder):
        if os.path.lexists(folder):
            raise UsageError(f"{out}: {folder} is not a folder", "", fix)
        raise UsageError(f"{out}: the folder {folder} does not exist", "", f"Fix: mkdir -p {folder}")
    _probe(out, folder, fix)
    if _is_kept(out):
        raise UsageError(f"{out}: belongs to another user, and {folder} lets only its owner replace it", "", fix)


def _probe(out: Path, folder: Path, fix: str) -> None:
    """Make a file in ``folder`` that goes at once."""
    import tempfile

    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(folder / (out.name + LONGEST))  # a name that is too long shows here
        with tempfile.TemporaryFile(dir=folder, prefix=".zoo-probe-"):
            pass
    except OSError as error:
        if error.errno in DISK_FULL:
            raise SystemStateError(f"{out}: the disk is full ({error.strerror})", "", "Fix: free space") from None
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "", fix) from None


def _is_kept(out: Path) -> bool:
    """Whether ``out`` is another user's in a folder like /tmp, where renaming over it would fail in the end."""
    try:
        file, folder = out.lstat(), out.parent.stat()
    except OSError:
        return False
    return bool(folder.st_mode & stat.S_ISVTX) and os.geteuid() not in (0, file.st_uid, folder.st_uid)
