"""Build entry folders from published weights in a data folder: ``OUTDIR [NAME ...]``.

    python scripts/build_shared_entries.py /tmp/entries bpnet-k562-ctcf

The weights are not part of the repository; ``--data`` names the folder that holds them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

ENTRIES = {
    "bpnet-k562-ctcf": "shared_entries.bpnet_ctcf",
    "ci-spliceai": "shared_entries.ci_spliceai",
    "kipoi-pyt": "shared_entries.kipoi_pyt",
    "openspliceai-mane-10000nt": "shared_entries.openspliceai",
    "pangolin": "shared_entries.pangolin",
}
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def build(names: list[str], out: Path, data: Path) -> list[Path]:
    """Build the named entries below ``out`` and return their folders."""
    from shared_entries.writer import write_entry

    return [write_entry(importlib.import_module(ENTRIES[name]).build(data), out) for name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENTRIES)}; default all")
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in ENTRIES]:
        parser.error(f"unknown entry {unknown[0]!r}; known: {', '.join(ENTRIES)}")
    if not arguments.data.is_dir():
        parser.error(f"no data folder {arguments.data}; give --data")
    for folder in build(arguments.names or list(ENTRIES), arguments.out, arguments.data):
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
