"""Run by `test_full_disk` in a process of its own: write until the disk is full, then say what happened.

Usage: full_disk_run OUT BATCHES LIMIT   (LIMIT: bytes a file may have, 0 for none)
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from writer_batches import PROFILE, make_batch, make_context

from zoo.errors import SystemStateError
from zoo.outputs import OutputSpec
from zoo.writers import open_writer

SIZES = {"chr1": 3_000_000}
OUTPUT = OutputSpec("profile", "profile", ("t",), n_bins=PROFILE.n_bins, bin_size=8)


def batches(count: int):
    for i in range(count):
        yield make_batch(i, 200, [OUTPUT], SIZES, first=200 * i, window=96)


def fill(out: Path, count: int, limit: int) -> dict:
    """What went wrong, and which files there are before and after ``discard``."""
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    writer = open_writer(make_context(out, [OUTPUT], chrom_sizes=SIZES))
    error = None
    try:
        writer.open()
        for batch in batches(count):
            writer.write(batch)
        writer.finish()
    except (OSError, SystemStateError) as caught:
        error = type(caught).__name__
    before = [path.name for path in out.parent.iterdir()]
    writer.suspend()
    writer.discard()
    return {"error": error, "before": before, "after": [path.name for path in out.parent.iterdir()]}


def main() -> None:
    sys.stdout.write(json.dumps(fill(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
