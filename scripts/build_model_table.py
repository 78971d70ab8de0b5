"""Build the shared entries, compare each with the program that it came from, and fill the README's table of models.

    python scripts/build_model_table.py [NAME ...] --print   # to look
    python scripts/build_model_table.py                      # all entries, into README.md

An entry's module in ``shared_entries`` names its comparison: ``check(folder, data) -> Comparison``. The difference
itself is rounding and differs between machines and with the number of threads: it goes to standard error; the table
has a bound that holds on all of them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from build_readme import README, fill
from build_shared_entries import DATA, ENTRIES, build

from shared_entries.comparison import Comparison

HEADER = ["Model", "Published for", "Runs here as", "Checked against", "Largest difference, of the largest value"]
LIMIT = 1e-5  # of scale


def table(names: list[str], data: Path) -> str:
    """Markdown, a row an entry.

    Raises:
        SystemExit: a difference is over the limit: such a table is not for the README.
    """
    rows = [HEADER, ["---"] * len(HEADER)]
    with tempfile.TemporaryDirectory() as out:
        for name in names:
            check = importlib.import_module(ENTRIES[name].partition(":")[0]).check
            comparisons = [check(folder, data) for folder in build([name], Path(out), data)]
            rows.append(row(name, comparisons))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def row(name: str, comparisons: list[Comparison | None]) -> list[str]:
    """The cells of an entry, or of a group: there the comparison with the largest difference; None was not compared."""
    compared = [item for item in comparisons if item]
    worst = max(compared, key=lambda item: item.difference / item.scale)
    if worst.difference > LIMIT * worst.scale:
        raise SystemExit(f"{name}: {worst.difference:.1e} of {worst.scale:.3g} is more than {LIMIT:.0e}")
    entries = f"`{name}`" if len(comparisons) == 1 else f"`{name}/...`, {len(comparisons)} entries"
    against = worst.against if len(comparisons) == 1 else f"{worst.against} of each of {len(compared)}"
    sys.stderr.write(f"{name}: {worst.difference:.1e} where values go up to {worst.scale:.3g}\n")
    return [worst.family, worst.framework, entries, against, f"< {order(worst):.0e} of {worst.scale:.3g}"]


def order(worst: Comparison) -> float:
    """What the difference stays below in proportion to the largest value: half the limit, where it does."""
    return LIMIT / 2 if worst.difference < LIMIT / 2 * worst.scale else LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENTRIES)}; default all")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--print", action="store_true", help="print the table, leave README.md as it is")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in ENTRIES]:
        parser.error(f"unknown entry {unknown[0]!r}; known: {', '.join(ENTRIES)}")
    if arguments.names and not arguments.print:
        parser.error("the README lists all entries: add --print, or leave out the names")
    content = table(arguments.names or list(ENTRIES), arguments.data)
    if arguments.print:
        sys.stdout.write(content + "\n")
    else:
        README.write_text(fill(README.read_text(encoding="utf-8"), "models", content), encoding="utf-8")


if __name__ == "__main__":
    main()
