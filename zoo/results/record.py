"""``OUT.run.json``: how OUT was made; and what an earlier run left beside it."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo.results.whole import replacing

__all__ = ["genome_fingerprint", "left_behind", "record_beside", "write_run_record"]


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
