"""A result: whether OUT may be written, by one process at a time, and a name only for what is whole.

    OUT.partial         what is being written: a file, or a folder
    OUT.partial.json    the journal of an interrupted run (``zoo.run.file_run.Journal``)
    OUT.partial.lock    held while a process writes OUT (``sole_writer``)
    OUT.run.json        how OUT was made (``write_run_record``)

Every command calls ``check_out`` before its work and writes to the path that it returns. A link given as OUT is
followed first: its target is written, the link stays, and all of the above lie beside the target.

Nothing is flushed to the disk by force (``fsync``): a process that dies, however it dies, leaves no half file under a
final name; after a power cut it is up to the file system.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from zoo.errors import SystemStateError, UsageError
from zoo.files import hold_lock
from zoo.paths import refuse_empty, refuse_url
from zoo.words import near_names

__all__ = [
    "allocate",
    "check_folder",
    "check_out",
    "fresh_folder",
    "genome_fingerprint",
    "left_behind",
    "open_at",
    "partial_of",
    "put_folder",
    "record_beside",
    "refuse_full",
    "remove",
    "rename_all",
    "replacing",
    "replacing_all",
    "replacing_folder",
    "require_room",
    "sole_writer",
    "write_run_record",
]

#: What this package writes beside OUT while it works and when it is done.
COMPANIONS = (".partial", ".partial.json", ".partial.lock", ".run.json")
LONGEST = ".partial.json.partial"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Files that an entry is made of, whether or not its YAML names them.
ENTRY_FILES = {"model.yaml", "model.yml", "dataloader.yaml", "dataloader.yml", "README.md", "models.tsv"}


# ---------------------------------------------------------------- may OUT be written?


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


def refuse_full(path: Path) -> None:
    """Raise what the system says to more bytes of a file that another library could not write: it seldom says why.

    Nothing is raised where there is room; the file is then longer by what was tried.

    Raises:
        OSError: of a full disk, or a limit of the size of files.
    """
    with path.open("ab") as file:
        file.write(bytes(1 << 16))
        file.flush()
        os.fsync(file.fileno())


def _is_kept(out: Path) -> bool:
    """Whether ``out`` is another user's in a folder like /tmp, where renaming over it would fail in the end."""
    try:
        file, folder = out.lstat(), out.parent.stat()
    except OSError:
        return False
    return bool(folder.st_mode & stat.S_ISVTX) and os.geteuid() not in (0, file.st_uid, folder.st_uid)


# ---------------------------------------------------------------- one process at a time


_held: ContextVar[frozenset[Path]] = ContextVar("zoo_results_held", default=frozenset())


@contextmanager
def sole_writer(out: str | Path) -> Iterator[None]:
    """Hold OUT's lock, so that two runs never write the same result; ``-`` needs none.

    The steps of a command may ask again for what it holds already. Where the file system has no locks, nothing is
    held.

    Raises:
        UsageError: another run holds it.
    """
    if str(out) == "-":
        yield
        return
    partial = partial_of(Path(out))
    lock = partial.with_name(partial.name + ".lock")
    mine = lock.resolve()
    if mine in _held.get():
        yield
        return

    def refuse(holder: str) -> None:
        raise UsageError(
            f"{out}: is being written by another run",
            f"{holder} holds its lock",
            "Fix: wait for it, stop it, or write to another place",
        )

    with hold_lock(lock, refuse):
        token = _held.set(_held.get() | {mine})
        try:
            yield
        finally:
            _held.reset(token)


# ---------------------------------------------------------------- whole or not at all


def partial_of(out: Path) -> Path:
    """``OUT.partial``."""
    return out.with_name(out.name + ".partial")


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a name to write to; what is written there becomes ``path`` at the end, or goes when the block fails.

    Args:
        shared: whether other processes may write ``path`` meanwhile (a cache, an index): each then has a temporary
            name of its own, and the last one stays. Otherwise it is ``path.partial``, for who holds the lock.
    """
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}.partial") if shared else partial_of(path)
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):  # a folder of that name is not ours
            partial.unlink()
        raise


@contextmanager
def replacing_all(finals: Sequence[Path]) -> Iterator[list[Path]]:
    """Give a name to write to for each of the files of a result, the one that ``-o`` names last.

    They lie in the folder ``OUT.partial`` and have the suffixes of the final names, which they get together at the end.
    """
    folder = partial_of(finals[-1])
    fresh_folder(folder)
    try:
        parts = [folder / f"result.{i}{final.suffix}" for i, final in enumerate(finals)]
        yield parts
        rename_all(list(zip(parts, finals, strict=True)))
    finally:
        remove(folder)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give the name of a folder to make; it becomes ``path`` at the end, and an older one goes only then.

    It lies in a scratch folder beside ``path``, which is free for other files and goes in any case.
    """
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".zoo-{path.name}-") as scratch:
        made = Path(scratch) / path.name
        yield made
        put_folder(made, path, Path(scratch) / ".older")


def put_folder(made: Path, path: Path, aside: Path) -> None:
    """Rename a folder to ``path``; an older one is put ``aside``, and comes back when that fails."""
    older = os.path.lexists(path)
    if older:
        os.rename(path, aside)
    try:
        os.rename(made, path)
    except BaseException:
        if older:
            os.rename(aside, path)
        raise


def rename_all(pairs: Sequence[tuple[Path, Path]]) -> list[Path]:
    """Rename complete results to their final names, each atomically; return the final names."""
    for source, final in pairs:
        os.replace(source, final)
    return [final for _, final in pairs]


def remove(path: Path) -> None:
    """Remove a file or folder if it is there; never raises, because it runs while errors are handled."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def fresh_folder(path: Path) -> None:
    """Make ``path`` an empty folder; what an earlier run left there goes."""
    remove(path)
    path.mkdir()


def open_at(path: Path, size: int | None) -> BinaryIO:
    """Open for appending: a new file when ``size`` is None, else the old one cut to ``size`` bytes.

    Raises:
        SystemStateError: the file of the checkpoint is gone or shorter than it was.
    """
    if size is None:
        return open(path, "wb")  # the writer closes it
    if not path.is_file() or path.stat().st_size < size:
        raise SystemStateError(
            f"cannot resume: {path} is missing or shorter than its checkpoint",
            f"{size} bytes expected",
            "run again without --resume",
        )
    handle = open(path, "r+b")  # noqa: SIM115  (the writer closes it)
    handle.truncate(size)
    handle.seek(size)
    return handle


# ---------------------------------------------------------------- room


def allocate(path: Path, size: int) -> None:
    """Make a file of ``size`` bytes that the disk has room for.

    Writing to a mapped file without room kills the process (SIGBUS); here it raises ``OSError``.
    """
    with open(path, "wb") as file:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            require_room(path.parent, size)
            file.truncate(size)


def require_room(folder: Path, n_bytes: int, *, one_file: bool = True) -> None:
    """Raise ``OSError`` (ENOSPC or EFBIG) unless ``n_bytes`` more can be written in ``folder``, to one file or to many.

    The HDF5 and bigWig libraries corrupt memory after a failed write (abort, or a
    segmentation fault when Python exits), so they must not be let run into a full disk.
    """
    if shutil.disk_usage(folder).free < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    limit = _file_size_limit() if one_file else None
    if limit is not None and limit < n_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(folder))


def _file_size_limit() -> int | None:
    """Bytes that a file of this process may have (``ulimit -f``); None when unlimited or not POSIX."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit


# ---------------------------------------------------------------- the run record


def write_run_record(out: Path, record: dict[str, Any]) -> Path:
    """Write the record beside a result; returns its path."""
    path = out.with_name(out.name + ".run.json")
    full = {
        "command": sys.argv,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "platform": " ".join(platform.uname()[i] for i in (0, 2, 4)),
    } | record
    with replacing(path) as partial:
        partial.write_text(json.dumps(full, indent=1, default=str) + "\n", encoding="utf-8")
    return path


def record_beside(out: Path, record: dict[str, Any]) -> list[str]:
    """``write_run_record`` where the result is whole already: that the record failed is a note, no error."""
    try:
        write_run_record(out, record)
    except OSError as error:
        return [f"{out}.run.json, the record of this run, could not be written: {error.strerror}"]
    return []


def left_behind(out: Path, written: Iterable[Path], also: Iterable[Path] = ()) -> list[str]:
    """A note on files beside OUT that look like a part of it, and are of an earlier run; ask before the new record.

    Args:
        written: the files of this run.
        also: further names that an earlier run may have written; the record of that run names its own.
    """
    path = out.with_name(out.name + ".run.json")
    try:
        earlier = [Path(file) for file in json.loads(path.read_text(encoding="utf-8")).get("files", [])]
    except (OSError, ValueError, AttributeError, TypeError):  # none, or a file that is not ours
        earlier = []
    mine = {_place(file) for file in written}
    found = {_place(file): file.name for file in [*earlier, *also] if os.path.lexists(file)}
    names = sorted(name for place, name in found.items() if place not in mine and place.parent == out.parent.resolve())
    if not names:
        return []
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")
    return [f"of an earlier run, not of this one: {shown} beside {out.name} (delete what is not needed)"]


def _place(path: Path) -> Path:
    """Where a file lies; a link is itself."""
    return path.parent.resolve() / path.name


def _versions() -> dict[str, str]:
    """Versions of what ran. Loaded modules are asked: reading the metadata of torch alone takes 20 ms."""
    found = {"python": platform.python_version(), "seqzoo": metadata.version("seqzoo")}
    for name in ("torch", "numpy", "grelu", "kipoi"):
        if version := getattr(sys.modules.get(name), "__version__", None):
            found[name] = str(version)
    return found


def genome_fingerprint(sizes: dict[str, int], path: Path) -> dict[str, Any]:
    """What identifies a genome file without reading its 3 GB: size, date, contigs and their lengths."""
    stat = path.stat()
    return {
        "path": str(path.resolve()),
        "bytes": stat.st_size,
        "modified": stat.st_mtime,
        "contigs": len(sizes),
        "total_bp": sum(sizes.values()),
    }
