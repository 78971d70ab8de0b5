"""Compare entries with the programs that they came from: what their cards say under ``verification``.

    python -m scripts.verify_entries                               # all that have a comparison
    python -m scripts.verify_entries spliceai mmsplice-donor --data ../shared/data
    python -m scripts.verify_entries --table                       # as Markdown, with what the cards say beside it

Predictions of the original programs are kept in ``tests/shared/oracles``; their windows of hg38 are made of the data
folder. Weights come from the cache, or are fetched; files of the data folder that are an entry's, known by their
checksums, are taken into the cache first.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.shared_entries.comparison import Comparison
from zoo.errors import InputError
from zoo.store.registry import entries, members_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LIMIT = 1e-5  # of scale

#: Name of an entry or of a group -> the module of `shared_entries` whose ``check(name, data)`` compares it.
CHECKS = {
    "bpnet-k562-ctcf": "bpnet_ctcf",
    "ci-spliceai": "splice_entry",
    "deepbind": "deepbind",
    "mini-borzoi": "mini_borzoi",
    "mmsplice-acceptor": "mmsplice",
    "mmsplice-donor": "mmsplice",
    "mmsplice-exon": "mmsplice",
    "mmsplice-intron3": "mmsplice",
    "mmsplice-intron5": "mmsplice",
    "mpra-dragonn": "mpra_dragonn",
    "mtsplice": "mmsplice_tissues",
    "openspliceai": "splice_entry",
    "pangolin": "splice_entry",
    "spliceai": "splice_entry",
    "xpresso-human": "xpresso",
    "xpresso-mouse": "xpresso",
}


def family(name: str) -> str | None:
    """The key of ``CHECKS`` that an entry belongs to."""
    return next((key for key in CHECKS if name == key or name.startswith((f"{key}/", f"{key}-"))), None)


def verifiable() -> list[str]:
    """Names of the bundled entries that have a comparison."""
    return [one["name"] for one in entries() if family(one["name"])]


def verify(names: list[str], data: Path) -> Iterator[tuple[str, Comparison]]:
    """Compare the entries; one of which the original's predictions were not kept (most of a large group) gives none."""
    for name in names:
        module = importlib.import_module(f"scripts.shared_entries.{CHECKS[family(name)]}")
        if found := module.check(name, data):
            yield name, found


def seed(data: Path) -> None:
    """Take the files of entries that lie in the data folder into the cache."""
    from zoo.entries.cache_add import cache_add

    try:
        cache_add(data)
    except InputError:  # none of them is an entry's
        return


def described(name: str, found: Comparison) -> str:
    """A line on an entry."""
    verdict = "equal" if agrees(found) else f"DIFFERENT, over {LIMIT:g} of the largest value"
    return (
        f"{name}: largest difference {found.difference:.2g} where values go up to {found.scale:.3g}: {verdict} "
        f"({found.against})"
    )


def agrees(found: Comparison) -> bool:
    """Whether the difference is within the limit."""
    return found.difference <= LIMIT * found.scale


def table(compared: list[tuple[str, Comparison]]) -> str:
    """Markdown, a row an entry, with the difference that its card records."""
    cards = {one["name"]: one.get("verification") or {} for one in entries()}
    rows = [["Entry", "Checked against", "Largest difference", "On the card"], ["---"] * 4]
    for name, found in compared:
        recorded = cards[name].get("largest_difference")
        cells = (f"`{name}`", found.against, f"{found.difference:.2g} of {found.scale:.3g}")
        rows.append([*cells, "-" if recorded is None else f"{recorded:.2g}"])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="entries or groups; default all that have a comparison"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of windows of hg38, and of weights")
    parser.add_argument("--table", action="store_true", help="print a table in Markdown")
    given = parser.parse_args()
    known = verifiable()
    names = [one for name in given.names or known for one in members_of(name) or [name]]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no comparison for {unknown[0]!r}; there is one for {', '.join(sorted(CHECKS))}")
    if not given.data.is_dir():
        parser.error(f"no data folder {given.data}; give --data")
    seed(given.data)
    compared = []
    for name, found in verify(names, given.data):
        compared.append((name, found))
        if not given.table:
            sys.stdout.write(described(name, found) + "\n")
            sys.stdout.flush()
    if given.table:
        sys.stdout.write(table(compared) + "\n")
    return 0 if all(agrees(found) for _, found in compared) else 1


if __name__ == "__main__":
    sys.exit(main())
