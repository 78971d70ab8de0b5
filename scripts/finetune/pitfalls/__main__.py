"""Write the pages and print the table: ``python -m scripts.finetune.pitfalls --data ../shared/data -o FOLDER``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from scripts.finetune.pitfalls import confounding, dependence, distributions, imbalance, leakage
from scripts.finetune.pitfalls.page import table, write

#: In the order of the paper.
PITFALLS = {
    "distributions": distributions.show,
    "dependence": dependence.show,
    "confounding": confounding.show,
    "leakage": leakage.show,
    "imbalance": imbalance.show,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.finetune.pitfalls", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PITFALLS)}; default all")
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the pages")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in PITFALLS]:
        parser.error(f"unknown pitfall {unknown[0]!r}; known: {', '.join(PITFALLS)}")
    if not given.data.is_dir():
        parser.error(f"no data folder {given.data}")
    shown = []
    for name in given.names or PITFALLS:
        begun = time.perf_counter()
        shown.append(PITFALLS[name](given.data))
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    for path in write(shown, given.out):
        print(path, file=sys.stderr)
    print(table(shown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
