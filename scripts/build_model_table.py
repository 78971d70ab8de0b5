"""Build the shared entries, compare each with the program that it came from, and fill the README's table of models.

    python scripts/build_model_table.py [NAME ...] --print   # to look
    python scripts/build_model_table.py                      # all entries, into README.md

An entry's module in ``shared_entries`` names its comparison: ``check(folder, data) -> Comparison``.
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

HEADER = ["Model", "Published for", "Runs here as", "Checked against", "Largest difference"]
LIMIT = 1e-5  # of scale


def table(names: list[str], data: Path) -> str:
    """Markdown, a row an entry.

    Raises:
        SystemExit: a difference is over the limit: such a table is not for the README.
    """
    rows = [HEADER, ["---"] * len(HEADER)]
    with tempfile.TemporaryDirectory() as out:
        for name in names:
            comparison, n_entries = worst(name, Path(out), data)
            if comparison.difference > LIMIT * comparison.scale:
                difference = f"{comparison.difference:.1e} of {comparison.scale:.3g}"
                raise SystemExit(f"{name}: {difference} is more than {LIMIT:.0e}")
            rows.append(row(name, comparison, n_entries))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def worst(name: str, out: Path, data: Path) -> tuple[Comparison, int]:
    """Build one entry or group; its comparison with the largest difference, and the number of entries."""
    check = importlib.import_module(ENTRIES[name].partition(":")[0]).check
    comparisons = [check(folder, data) for folder in build([name], out, data)]
    return max(comparisons, key=lambda item: item.difference / item.scale), len(comparisons)


def row(name: str, comparison: Comparison, n_entries: int) -> list[str]:
    """The cells of one row."""
    entries = f"`{name}`" if n_entries == 1 else f"`{name}`, {n_entries} entries"
    difference = f"{comparison.difference:.0e} (values up to {comparison.scale:.3g})" if comparison.difference else "0"
    return [comparison.family, comparison.framework, entries, comparison.against, difference]


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
