"""Measure entries on the data folder: the figures of ours in ``evaluation`` of their cards.

    python -m scripts.evaluate_entries                            # all for which there is data
    python -m scripts.evaluate_entries mini-borzoi --yaml         # as a card has them
    python -m scripts.evaluate_entries spliceai --check           # do the card's figures come out again?

Metrics and intervals are those of `zoo evaluate`; a baseline is the best of what needs no model. Weights come from the
cache, or are fetched; files of the data folder that are an entry's, known by their checksums, are taken into the cache
first. A group is named as a whole or by its models.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import yaml

from scripts.verify_entries import DATA, seed
from zoo.store.registry import entries, info, members_of

#: Name of an entry or of a group -> the module of `entry_figures` whose ``figures(name, data)`` measures it.
MEASURED = {
    "bpnet-k562-ctcf": "ctcf_peaks",
    "ci-spliceai": "splice_sites",
    "deepbind": "bound_sequences",
    "mini-borzoi": "coverage",
    "mmsplice-acceptor": "splice_motifs",
    "mmsplice-donor": "splice_motifs",
    "openspliceai": "splice_sites",
    "pangolin": "splice_sites",
    "spliceai": "splice_sites",
    "xpresso-human": "promoters",
}
COMMAND = "python -m scripts.evaluate_entries"
#: How far a figure may be from the card's: machines round differently, and a card keeps three digits.
NEAR = 0.002


def family(name: str) -> str | None:
    """The key of ``MEASURED`` that an entry belongs to."""
    return next((key for key in MEASURED if name == key or name.startswith((f"{key}/", f"{key}-"))), None)


def records(name: str, data: Path) -> list[dict[str, Any]]:
    """The figures of an entry as a card has them; none where the data folder has nothing for this one of a group."""
    module = importlib.import_module(f"scripts.entry_figures.{MEASURED[str(family(name))]}")
    return [figure.record(f"{COMMAND} {name}") for figure in module.figures(name, data)]


def on_card(name: str) -> list[dict[str, Any]]:
    """What the card has that this command measured."""
    return [one for one in info(name)["evaluation"] if (one.get("command") or "").startswith(COMMAND)]


def differences(found: list[dict[str, Any]], recorded: list[dict[str, Any]]) -> list[str]:
    """What is not the same, in words; nothing where the card's figures come out again."""
    keys = ("metric", "split", "output")
    ours, cards = ({tuple(one[key] for key in keys): one for one in part} for part in (found, recorded))
    said = [f"not on the card: {' | '.join(key)}" for key in ours.keys() - cards.keys()]
    said += [f"on the card, and not measured: {' | '.join(key)}" for key in cards.keys() - ours.keys()]
    for key in ours.keys() & cards.keys():
        one, other = _numbers(ours[key]), _numbers(cards[key])
        said += [
            f"{key[0]}: {what} is {one.get(what)}, on the card {other.get(what)}"
            for what in sorted(one.keys() | other.keys())
            if not _near(one.get(what), other.get(what))
        ]
        if ours[key]["baseline"]["name"] != (cards[key].get("baseline") or {}).get("name"):
            said.append(f"{key[0]}: the best baseline is {ours[key]['baseline']['name']}")
    return said


def _numbers(record: dict[str, Any]) -> dict[str, float]:
    numbers = {"value": record["value"], "n": record.get("n"), "baseline": (record.get("baseline") or {}).get("value")}
    for what, value in zip(("low", "high"), record.get("ci") or (), strict=False):
        numbers[what] = value
    return {what: value for what, value in numbers.items() if value is not None}


def _near(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= NEAR


def described(name: str, record: dict[str, Any]) -> str:
    """A line on a figure."""
    low_high = " ({:.3f} to {:.3f})".format(*record["ci"]) if "ci" in record else ""
    base = record["baseline"]
    return (
        f"{name}: {record['metric']} {record['value']:.3f}{low_high}, {base['name']} {base['value']:.3f}; "
        f"n {record['n']:,}; {record['split']}"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries or groups; default all that are measured")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of data, and of weights")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--yaml", action="store_true", help="print `evaluation` as a card has it")
    form.add_argument("--check", action="store_true", help="compare with the cards; 1 where a figure differs")
    given = parser.parse_args(arguments)
    known = [one["name"] for one in entries() if family(one["name"])]
    names = [one for name in given.names or known for one in members_of(name) or [name]]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"nothing is measured of {unknown[0]!r}; there is data for {', '.join(sorted(MEASURED))}")
    if not given.data.is_dir():
        parser.error(f"no data folder {given.data}; give --data")
    seed(given.data)
    differing = 0
    for name in names:
        found = records(name, given.data)
        if given.yaml and found:
            sys.stdout.write(yaml.safe_dump(found, sort_keys=False, width=110, allow_unicode=True))
        elif given.check:
            said = differences(found, on_card(name))
            differing += bool(said)
            sys.stdout.writelines(f"{name}: {line}\n" for line in said or (["as on the card"] if found else []))
        else:
            sys.stdout.writelines(described(name, record) + "\n" for record in found)
        sys.stdout.flush()
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
