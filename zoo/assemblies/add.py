"""``zoo genome add``: a genome fetched or taken from a file, checked, and kept where its assembly's name finds it.

Nothing of a genome is believed before all of it was read: the lengths of its chromosomes must be those of the assembly,
and the md5 of their letters where it is known. Genomes are fetched by our own transfer (``zoo.store.fetch``), which
goes on where it was interrupted, has mirrors and locks, and keeps to ``ZOO_OFFLINE``.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import hashlib
import json
import os
import re
import shlex
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from zoo.assemblies.sources import Source, blocks_of, given_source, sources_of
from zoo.errors import FetchError, InputError, SystemStateError, UsageError, ZooError
from zoo.files import cache_folder, hold_lock
from zoo.genome.assembly import Assembly
from zoo.genome.fasta_index import ensure_index
from zoo.genome.letters import Checked, Letters, check_letters, count_letters
from zoo.genome.library import KeptGenome, find_genome, folder_of, known_assembly
from zoo.genome.recompress import GROWTH, write_bgzip
from zoo.paths import given_path, is_url, near_file, refuse_url
from zoo.progress import Listener, TransferState, current_listener, human_bytes
from zoo.store.fetch import discard, fetch, is_offline
from zoo.words import counted

__all__ = ["add_genome"]

#: Bytes a base in gzip, with some room: UCSC's hg38.fa.gz has 984 MB for 3.2 Gb. Then of our bgzip copy.
GZIP_A_BASE = 0.33
BGZIP_A_BASE = GZIP_A_BASE * GROWTH
#: The option by which other commands are given a genome, and ours.
IN_OUR_WORDS = (r"(?<!\S)-g(?!\S)", "--from")  # as a word: paths may hold these letters
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)


def add_genome(name: str, source: str | Path | None = None) -> KeptGenome:
    """Fetch the genome of an assembly, or take it from a file, and keep it under the assembly's name.

    Args:
        name: ``sacCer3``, ``hg38``, or what NCBI or Ensembl call them (``R64-1-1``, ``GRCh38``).
        source: a FASTA (plain, gzip, bgzip) or 2bit file, or the http address of one; by default where it is published.

    Returns:
        The kept genome. One that is there already is returned as it is.

    Raises:
        UsageError: no such assembly is known, or its genome is there and a ``source`` was given. InputError: the file
            is of another assembly, or no FASTA. FetchError: it could not be fetched, or the network is switched off.
            SystemStateError: the cache has no room or cannot be written.
    """
    assembly, listener = known_assembly(name), current_listener()
    folder = folder_of(assembly.name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{assembly.name}.lock")
        with hold_lock(lock, lambda who: listener.note(f"waiting for {who}, which adds {assembly.name}")):
            if (folder / f"{assembly.name}.fa.gz").is_file():
                return _there_already(assembly, folder, source)
            if source is None:
                _from_publisher(assembly, listener)
            elif is_url(source):
                refuse_url(None if str(source).startswith(("http://", "https://")) else source, option="--from")
                _from_source(given_source(str(source)), assembly, listener, strict=False)
            else:
                _from_file(given_path(source), assembly, listener)
    except InputError as error:
        raise InputError(error.what, error.extent, re.sub(*IN_OUR_WORDS, error.fix)) from None
    except OSError as error:
        raise SystemStateError(
            f"{folder.parent}: the genome of {assembly.name} cannot be written: {error.strerror or error}",
            "",
            "Fix: make room, or set ZOO_CACHE to a folder with room that can be written",
        ) from None
    kept = _kept(assembly)
    if (first := find_genome(assembly.name)) is not None and first.parent != folder:
        listener.note(f"{first} of $ZOO_GENOMES is taken before it")
    return kept


def _there_already(assembly: Assembly, folder: Path, source: str | Path | None) -> KeptGenome:
    if source is not None and not (is_url(source) and _kept(assembly).source == str(source)):
        raise UsageError(
            f"a genome of {assembly.name} is kept already, from {_kept(assembly).source}",
            f"in {folder}",
            f"Fix: `zoo genome remove {assembly.name}`, then add it again",
        )
    return _kept(assembly)


def _kept(assembly: Assembly) -> KeptGenome:
    path = folder_of(assembly.name) / f"{assembly.name}.fa.gz"
    record = json.loads((path.parent / "source.json").read_text(encoding="utf-8"))
    size = sum(one.stat().st_size for one in path.parent.iterdir())
    return KeptGenome(assembly.name, path, size, time.time(), record["source"], record)


# ---------------------------------------------------------------- where it comes from


def _from_publisher(assembly: Assembly, listener: Listener) -> None:
    sources = sources_of(assembly.name)
    if is_offline():
        raise _network_is_off(assembly, " or ".join(source.label for source in sources))
    failed: list[ZooError] = []
    for source in sources:
        try:
            return _from_source(source, assembly, listener, strict=True)
        except (FetchError, InputError) as error:
            failed.append(error)
            if len(failed) < len(sources):
                listener.note(
                    f"{error.what}: {error.extent or 'no more is known'}; trying {sources[len(failed)].label}"
                )
    raise FetchError(
        f"the genome of {assembly.name} could not be fetched from {counted(len(failed), 'place')}",
        "; ".join(f"{error.what}: {error.extent}" if error.extent else error.what for error in failed),
        f"Fix: check the network and repeat the command; or get the FASTA on another machine, and "
        f"`zoo genome add {assembly.name} --from FILE`",
    )


def _from_source(source: Source, assembly: Assembly, listener: Listener, strict: bool) -> None:
    """Fetch, check and keep; ``strict`` refuses letters that are not those that are known."""
    size = source.file.bytes or int(GZIP_A_BASE * _bases(assembly))
    if is_offline():
        raise _network_is_off(assembly, source.label)
    free = _require(size + BGZIP_A_BASE * _bases(assembly), assembly)
    listener.note(
        f"{assembly.name}: fetching about {human_bytes(size)} from {source.label}; "
        f"{human_bytes(free)} are free in {cache_folder()}"
    )
    with _download(source, assembly, listener) as path:
        try:
            _take(path, source.kind, assembly, source.label, listener, strict)
        except InputError as error:  # the user knows the address, not our copy of what it sent
            raise InputError(error.what.replace(str(path), source.label), error.extent, error.fix) from None


def _network_is_off(assembly: Assembly, where: str) -> FetchError:
    return FetchError(
        f"the genome of {assembly.name} is not here, and the network is switched off",
        f"it would come from {where}",
        f"Fix: unset ZOO_OFFLINE and HF_HUB_OFFLINE; or `zoo genome add {assembly.name} --from FILE`",
    )


def _from_file(path: Path, assembly: Assembly, listener: Listener) -> None:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        hint = near_file(path) or "nothing was added"
        raise InputError(f"{path}: {what}", hint, "Fix: give the path of a FASTA or 2bit file")
    _require(BGZIP_A_BASE * _bases(assembly), assembly)
    listener.note(f"{assembly.name}: reading {path}, {human_bytes(path.stat().st_size)}")
    _take(path, "fasta", assembly, shlex.quote(str(path)), listener, strict=False)


def _bases(assembly: Assembly) -> int:
    return sum(chromosome.length for chromosome in assembly.chromosomes)


def _require(needed: float, assembly: Assembly) -> int:
    """Free bytes where genomes are kept, which must be more than are needed."""
    free = shutil.disk_usage(folder_of(assembly.name).parent).free
    if free < needed:
        raise SystemStateError(
            f"{cache_folder()}: not enough room for the genome of {assembly.name}",
            f"about {human_bytes(needed)} are needed until it is done, {human_bytes(free)} are free",
            "Fix: make room, or set ZOO_CACHE to a folder with room",
        )
    return free


@contextlib.contextmanager
def _download(source: Source, assembly: Assembly, listener: Listener) -> Iterator[Path]:
    """The source's file; what was fetched stays for the next try, unless it turns out to be wrong."""
    key = f"genome-{assembly.name}-{hashlib.sha256(source.file.urls[0].encode()).hexdigest()[:8]}"
    locks, partials = cache_folder() / "locks", cache_folder() / "partial"
    for folder in (locks, partials):
        folder.mkdir(parents=True, exist_ok=True)
    tell = listener.note
    with contextlib.ExitStack() as held:
        for name in (key, f"{key}-whole"):  # `zoo cache prune` leaves alone what is locked
            lock = hold_lock(locks / name, lambda who: tell(f"waiting for {who}, which fetches {assembly.name}"))
            if not held.enter_context(lock):
                key = f"{key}.{os.getpid()}"  # no locks on this file system: no file is shared
        partial, whole = partials / key, partials / f"{key}-whole"
        if not whole.is_file():
            try:
                fetch(source.with_listed_md5().file, partial, listener)
            except FetchError as error:
                raise FetchError(error.what, error.extent, _again(assembly)) from None
            os.replace(partial, whole)
            discard(partial)
        try:
            yield whole
        except InputError:
            whole.unlink(missing_ok=True)
            raise
        whole.unlink(missing_ok=True)


def _again(assembly: Assembly) -> str:
    return (
        "Fix: check address and network, and repeat the command (it goes on where it stopped); or get the FASTA "
        f"on another machine, and `zoo genome add {assembly.name} --from FILE`"
    )


# ---------------------------------------------------------------- checked, indexed, kept


def _take(path: Path, kind: str, assembly: Assembly, what: str, listener: Listener, strict: bool) -> None:
    """Write the bgzip copy with its indexes, and put it in its place once everything about it is right."""
    final = folder_of(assembly.name)
    work = final.with_name(f".{assembly.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        fasta, found = work / f"{assembly.name}.fa.gz", {}
        try:
            blocks = _told(path, kind, assembly, listener)
            write_bgzip(_of_assembly(count_letters(blocks, found), found, assembly, what), fasta)
        except DAMAGED:
            raise InputError(
                f"{what}: the compressed file is cut off or damaged", "nothing of it was kept", "Fix: fetch it again"
            ) from None
        checked = check_letters(assembly, found, what)
        if strict and checked.other_letters:
            raise _wrong_letters(assembly, checked, what)
        ensure_index(fasta, compressed=True)
        record = _record(assembly, found, checked, what)
        (work / "source.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        os.replace(work, final)
    finally:
        listener.finished()
        shutil.rmtree(work, ignore_errors=True)
    for note in _notes(assembly, checked, what):
        listener.note(note)


def _told(path: Path, kind: str, assembly: Assembly, listener: Listener) -> Iterator[bytes]:
    """The blocks of a source, with what was read of it shown."""
    started, total, done = time.monotonic(), path.stat().st_size, [0]
    for block in blocks_of(path, kind, assembly, done):
        yield block
        seconds = time.monotonic() - started
        listener.progress(TransferState(f"{assembly.name}, checked and indexed", done[0], total, done[0], seconds))


def _of_assembly(blocks: Iterator[bytes], found: dict[str, Letters], assembly: Assembly, what: str) -> Iterator[bytes]:
    """Pass blocks on until a chromosome ends that has another length: another assembly need not be read to its end."""
    seen = 0
    for block in blocks:
        yield block
        for name in list(found)[seen:] if len(found) > seen else ():
            candidates = assembly.candidates(name)
            if candidates and all(one.length != found[name].length for one in candidates):
                check_letters(assembly, found, what)
        seen = len(found)


def _wrong_letters(assembly: Assembly, checked: Checked, what: str) -> InputError:
    contig = checked.other_letters[0]
    return InputError(
        f"{what}: {contig} has the length that it has in {assembly.name}, and other letters",
        f"{len(checked.other_letters)} of {counted(checked.chromosomes, 'chromosome')}; the md5 is none that is known",
        f"Fix: if that is meant, get the file, and `zoo genome add {assembly.name} --from FILE`",
    )


def _record(assembly: Assembly, found: dict[str, Letters], checked: Checked, what: str) -> dict[str, object]:
    return {
        "assembly": assembly.name,
        "source": what,
        "added": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "bases": sum(one.length for one in found.values()),
        "sequences": len(found),
        "checked": asdict(checked),
        "md5": {name: one.md5 for name, one in found.items() if assembly.candidates(name)},
    }


def _notes(assembly: Assembly, checked: Checked, what: str) -> Iterator[str]:
    yield f"{assembly.name}: {checked.sentence()}"
    if checked.missing:
        some = ", ".join(checked.missing[:6]) + (", ..." if len(checked.missing) > 6 else "")
        source = sources_of(assembly.name)[-1].file.urls[0]
        elsewhere = "" if what == source else f"; {source} has it all (`zoo genome remove`, then --from that address)"
        yield f"{assembly.name}: {some} {'is' if len(checked.missing) == 1 else 'are'} not in it{elsewhere}"
    if checked.other_letters:
        some = ", ".join(checked.other_letters[:6]) + (", ..." if len(checked.other_letters) > 6 else "")
        yield (
            f"{assembly.name}: the letters of {some} are not those of which the md5 is known (masked with N, or "
            "another patch?); it is kept as you gave it"
        )
    if checked.style != "ucsc":
        yield f"{assembly.name}: chromosomes are named in {checked.style} style; --translate-chroms joins other names"
