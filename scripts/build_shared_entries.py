"""Build entry folders from published weights in a data folder: ``OUTDIR [NAME ...]``.

    python scripts/build_shared_entries.py /tmp/entries bpnet-k562-ctcf xpresso-human

The weights are not part of the repository; ``--data`` names the folder that holds them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

# Name -> module that makes it, and the function where that is not `build`.
ENTRIES = {
    "bpnet-k562-ctcf": "shared_entries.bpnet_ctcf",
    "kipoi-pyt": "shared_entries.kipoi_pyt",
    "mini-borzoi": "shared_entries.mini_borzoi",
    "mmsplice-acceptor": "shared_entries.mmsplice:acceptor",
    "mmsplice-donor": "shared_entries.mmsplice:donor",
    "mmsplice-exon": "shared_entries.mmsplice:exon",
    "mmsplice-intron3": "shared_entries.mmsplice:intron3",
    "mmsplice-intron5": "shared_entries.mmsplice:intron5",
    "mpra-dragonn": "shared_entries.mpra_dragonn",
    "mtsplice": "shared_entries.mmsplice_tissues",
    "xpresso-human": "shared_entries.xpresso:human",
    "xpresso-mouse": "shared_entries.xpresso:mouse",
}
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def build(names: list[str], out: Path, data: Path) -> Iterator[Path]:
    """Build the named entries below ``out``; yields each folder.

    Raises:
        LookupError: a group has no entry of that name.
    """
    from scripts.shared_entries.writer import KerasEntry, write_entry, write_keras_entry

    for base in dict.fromkeys(name.split("/")[0] for name in names):
        wanted = {name for name in names if name.split("/")[0] == base}
        module, _, function = ENTRIES[base].partition(":")
        made = getattr(importlib.import_module(module), function or "build")(data)
        for entry in made if isinstance(made, Iterator) else [made]:
            if base in wanted or entry.name in wanted:
                wanted.discard(entry.name)
                yield write_keras_entry(entry, out) if isinstance(entry, KerasEntry) else write_entry(entry, out)
        if missing := wanted - {base}:
            raise LookupError(f"{base} has no entry {min(missing)!r}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENTRIES)}; default all")
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name.split("/")[0] not in ENTRIES]:
        parser.error(f"unknown entry {unknown[0]!r}; known: {', '.join(ENTRIES)}")
    if not arguments.data.is_dir():
        parser.error(f"no data folder {arguments.data}; give --data")
    try:
        for folder in build(arguments.names or list(ENTRIES), arguments.out, arguments.data):
            print(folder)
    except LookupError as error:
        parser.error(error.args[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
