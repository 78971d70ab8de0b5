"""Write ``zoo/index.json`` from the entries in ``model_cards/``; ``--check`` only compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.store.index import build_index
from zoo.store.registry import INDEX, entries_folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    arguments = parser.parse_args()
    text = build_index(Path(entries_folder()))
    if arguments.check:
        same = INDEX.is_file() and INDEX.read_text(encoding="utf-8") == text
        print(f"{INDEX}: {'up to date' if same else 'differs; run scripts/build_index.py'}", file=sys.stderr)
        return 0 if same else 1
    INDEX.write_text(text, encoding="utf-8")
    print(f"{INDEX}: {len(text):,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
