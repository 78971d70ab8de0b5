"""Names to entry folders, from the generated ``zoo/index.json``; standard library only.

``zoo list`` and ``zoo info`` read nothing else, so that they start without torch or numpy.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from zoo.errors import ModelError

__all__ = ["entries", "entries_folder", "find_entry", "near_names", "search"]

PACKAGE = Path(__file__).resolve().parent.parent
INDEX = PACKAGE / "index.json"


def entries_folder() -> Path:
    """The folder of bundled entries: ``model_cards/`` of a checkout, or what the wheel carries."""
    checkout = PACKAGE.parent / "model_cards"
    return checkout if checkout.is_dir() else PACKAGE / "_entries"


@cache
def _index() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(INDEX.read_text(encoding="utf-8"))["entries"])


def entries() -> list[dict[str, Any]]:
    """All bundled entries as plain dicts, by name."""
    return list(_index())


def find_entry(name: str) -> tuple[Path, dict[str, Any]]:
    """The folder and index record of ``name`` or ``name@version``.

    Raises:
        ModelError: no entry of that name (with near names), or not in that version.
    """
    bare, _, version = name.partition("@")
    for entry in _index():
        if entry["name"] == bare:
            if version and version != entry["version"]:
                raise ModelError(
                    f"{bare} has no version {version}", f"this installation has {entry['version']}",
                    f"Fix: zoo predict {bare}@{entry['version']} ...",
                )
            return entries_folder() / entry["path"], entry
    names = [entry["name"] for entry in _index()]
    near = near_names(bare, names)
    raise ModelError(
        f"no model named {bare!r}",
        f"near names: {', '.join(near)}" if near else f"{len(names)} model(s) are known, and it is no path",
        "Fix: `zoo list` shows all names; a folder with model.yaml or a gReLU .ckpt also serves",
    )


def near_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Names that a typo could have meant, nearest first."""
    known = list(known)
    lower = {item.lower(): item for item in known}
    hits = difflib.get_close_matches(name.lower(), lower, n=n, cutoff=0.5)
    hits += [key for key in lower if name.lower() in key and key not in hits]
    return [lower[key] for key in hits[:n]]


def search(words: Iterable[str]) -> list[dict[str, Any]]:
    """Entries in which every word occurs: in name, summary, tags, authors, tracks, assembly or licence."""
    wanted = [word.lower() for word in words]
    return [entry for entry in _index() if all(word in _haystack(entry) for word in wanted)]


def _haystack(entry: dict[str, Any]) -> str:
    parts = [entry["name"], entry["summary"], entry.get("assembly") or "", entry.get("license") or "", entry["framework"]]
    parts += entry["tags"] + entry["authors"]
    for output in entry["outputs"]:
        parts += [output["name"], *output["tracks"][:5000]]
    return "\n".join(parts).lower()
