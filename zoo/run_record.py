"""``OUT.run.json``: what was run, with which versions and files, and what was counted."""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo.results import replacing

__all__ = ["genome_fingerprint", "write_run_record"]


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
