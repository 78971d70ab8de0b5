"""The index of the bundled entries, ``zoo/index.json``: made with a wheel, and in a checkout when a card changed.

A checkout's index says of each folder of ``model_cards/`` in which state of its files it was made; only what has
changed is read again, so that listing a thousand entries costs a look at dates and one JSON file.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo.errors import ModelError

__all__ = ["described_files", "read_index", "write_index"]

# Files that records are made of; Python and weights may change without the list changing.
SUFFIXES = (".yaml", ".yml", ".tsv", ".txt", ".csv", ".md")

INDEX_VERSION = 4
PROGRAM = Path(__file__).resolve().parent.parent  # its reading of cards is part of an index's state
READING = ("cards", "store/index.py", "store/remote.py", "store/versions.py")


def read_index(path: Path, folder: Path) -> dict[str, Any]:
    """``entries``, ``older`` versions of them, and ``broken`` ones with their problems, as of now.

    Args:
        path: the index file. One that came with a wheel does not say in which state it was made, and is final.
        folder: of the entries.
    """
    kept = _read(path) or {}
    if kept and "states" not in kept:
        return kept
    states = _states(folder)
    if kept.get("states") == states:
        return kept
    if not os.access(path.parent, os.W_OK):  # a checkout that is not one's own
        path = _elsewhere(path)
        kept = _read(path) or kept
        if kept.get("states") == states:
            return kept
    made = _made(folder, states, kept)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, made)
    return made


def _elsewhere(path: Path) -> Path:
    import hashlib

    from zoo.files import cache_folder

    return cache_folder() / "sources" / f"bundled.{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.index.json"


def write_index(path: Path, folder: Path) -> int:
    """Write the index of a wheel; return how many entries it has.

    Raises:
        ModelError: an entry is broken, or two bear the same name.
    """
    made = _made(folder, dict.fromkeys(_states(folder), ""), {})
    if made["broken"]:
        what, *more = made["broken"][0]["problem"].splitlines()
        extent = f"{len(made['broken'])} bundled entries are broken; first: {made['broken'][0]['name']}"
        raise ModelError(what, extent, more[-1] if more else "Fix: correct the card")
    _write(path, {"index_version": INDEX_VERSION, "entries": made["entries"], "older": made["older"], "broken": []})
    return len(made["entries"])


def _made(folder: Path, states: dict[str, str], kept: dict[str, Any]) -> dict[str, Any]:
    """The index, with what has not changed taken from the one that was kept."""
    from zoo.store.index import describe_all
    from zoo.store.versions import set_apart

    same = {name for name, state in states.items() if kept.get("states", {}).get(name) == state}
    known = [*kept.get("entries", ()), *kept.get("older", ())]
    entries = [one for one in known if one["path"].partition("/")[0] in same]
    broken = [one for one in kept.get("broken", ()) if one["name"].partition("/")[0] in same]
    for name in sorted(states.keys() - same):
        found, faults = describe_all(folder / name)
        *sides, misplaced = set_apart(found)
        entries += [one for side in sides for one in side]
        broken += faults + misplaced
    entries, older, _ = set_apart(entries)
    entries.sort(key=lambda one: one["path"])
    seen: set[str] = set()
    for one in entries:
        if one["name"] in seen:
            what = f"{one['path']}: another entry is called {one['name']!r} too"
            broken.append({"name": one["path"], "problem": f"{what}\nFix: names of cards are unique"})
        seen.add(one["name"])
    return {"index_version": INDEX_VERSION, "states": states, "entries": entries, "older": older, "broken": broken}


def _states(folder: Path) -> dict[str, str]:
    """Folder of an entry or group -> names, sizes and dates of its files, and of the program that reads them."""
    program = "".join(
        _state(path, path.parent)
        for part in READING
        for path in sorted((PROGRAM / part).glob("*.py")) or [PROGRAM / part]
    )
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {
        path.name: f"{INDEX_VERSION} {program}" + "".join(_state(one, folder) for one in _described(path))
        for path in folders
    }


def _state(path: str | Path, folder: Path) -> str:
    stat = os.stat(path)
    return f"{str(path)[len(str(folder)) + 1 :]} {stat.st_size} {stat.st_mtime_ns}\n"


def described_files(folder: Path) -> Iterator[Path]:
    """Files below a folder by name; hidden folders and Kipoi's downloads are left out, links cannot loop."""
    return map(Path, _described(folder))


def _described(folder: Path) -> Iterator[str]:
    """As text: this is asked whenever a name is looked up, and making paths of them took most of its time."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "downloaded")
        for name in sorted(files):
            path = os.path.join(root, name)
            if name.endswith(SUFFIXES) and os.path.isfile(path):
                yield path


def _read(path: Path) -> dict[str, Any] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return _parsed(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=2)
def _parsed(path: Path, *_: int) -> dict[str, Any] | None:
    """An index as it was at that time: a thousand entries are not parsed again for each name that is looked up."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept if isinstance(kept["entries"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, index: dict[str, Any]) -> None:
    from zoo.results.whole import replacing

    with replacing(path, shared=True) as partial:
        partial.write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
