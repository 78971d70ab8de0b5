"""Entries as lines of text: tab-separated for scripts, or a table that fits a terminal. Standard library only.

Names are never cut: what cannot be typed is of no use. Columns that find no room are left out, prose first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

__all__ = ["folded", "plain_lines", "table_lines"]

COLUMNS = ("name", "version", "assembly", "input_bp", "outputs", "checked", "summary")
SUMMARY = 160  # letters of a summary in tab-separated lines; --json and `zoo info` give all
FEW = 10  # models of a group that are shown each
ROOM = 30  # letters that a summary needs to be worth a column
WIDE = 44  # letters that must be left for it before there are further columns
GAP = 2


def plain_lines(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A header and a line a model, tab-separated."""
    yield "\t".join(COLUMNS)
    for entry in found:
        cells = _cells(entry)
        cells["summary"] = _short(cells["summary"], SUMMARY)
        yield "\t".join(cells[name] for name in COLUMNS)


def folded(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with each group of many models in one record, which stands where its first model did."""
    members: dict[str, list[dict[str, Any]]] = {}
    for entry in found:
        if entry.get("group"):
            members.setdefault(entry["group"], []).append(entry)
    seen, records = set(), []
    for entry in found:
        group = entry.get("group")
        if group is None or len(members[group]) <= FEW:
            records.append(entry)
        elif group not in seen:
            seen.add(group)
            records.append(_as_one(group, members[group]))
    return records


def _as_one(group: str, members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    statuses = [_status(one) for one in members]
    n = statuses.count("verified")
    summaries = [one["summary"].split() for one in members]
    alike = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*summaries, strict=False))
    about = " ".join(words[0] for words in alike)
    if any(" ".join(words) != about for words in summaries):
        about += " ..."
    facts = {
        "name": f"{group}/...",
        "folds": len(members),
        "summary": f"{len(members):,} models: {about}",
        "checked": statuses[0] if len(set(statuses)) == 1 else f"{n:,} of {len(members):,}",
    }
    for name in ("version", "assembly", "input_length"):
        values = {one[name] for one in members}
        facts[name] = values.pop() if len(values) == 1 else None
    return members[0] | facts


def table_lines(found: Sequence[dict[str, Any]], width: int) -> Iterator[str]:
    """A header and a line a model, in columns; no line is longer than ``width``, unless a name alone is."""
    if not found:
        return
    rows = [{name: name for name in COLUMNS}, *map(_cells, found)]
    natural = {name: max(len(row[name]) for row in rows) for name in COLUMNS}
    shown, left = _columns(natural, width)
    for row in rows:
        cells = [
            row[name].rjust(natural[name]) if name == "input_bp" else row[name].ljust(natural[name]) for name in shown
        ]
        if left:
            cells.append(_short(row["summary"], left))
        yield (" " * GAP).join(cells).rstrip()


def _columns(natural: dict[str, int], width: int) -> tuple[list[str], int]:
    """The columns that find room, and how many letters there are for the summary."""
    shown, left = {"name"}, width - natural["name"]
    for name, needed in (("checked", 0), ("input_bp", ROOM), ("assembly", WIDE), ("outputs", WIDE)):
        rest = left - GAP - natural[name]
        if rest >= (needed + GAP if left >= ROOM + GAP else 0):
            shown.add(name)
            left = rest
    return [name for name in COLUMNS if name in shown], left - GAP if left - GAP >= ROOM else 0


def _cells(entry: dict[str, Any]) -> dict[str, str]:
    outputs = ", ".join(f"{out['name']} ({_extent(out)})" for out in entry["outputs"][:4])
    if len(entry["outputs"]) > 4:
        outputs += f", ... ({len(entry['outputs'])} outputs)"
    length = entry["input_length"]
    cells = {
        "name": entry["name"],
        "version": entry["version"] or "-",
        "assembly": entry["assembly"] or "-",
        "input_bp": "-" if length is None else str(length),
        "outputs": outputs,
        "checked": entry.get("checked") or _status(entry),
        "summary": entry["summary"],
    }
    return {name: " ".join(cell.split()) for name, cell in cells.items()}


def _status(entry: dict[str, Any]) -> str:
    """How far it was checked; that it should not be used comes before that."""
    for mark in ("withdrawn", "deprecated"):
        if entry.get(mark):
            return mark
    return (entry.get("verification") or {}).get("status", "-")


def _short(text: str, room: int) -> str:
    """The text, or as many whole words of it as there is room for."""
    if len(text) <= room:
        return text
    words = itertools.accumulate(text.split(" "), lambda begun, word: f"{begun} {word}")
    fitting = [begun for begun in words if len(begun) + len(" ...") <= room]
    return f"{fitting[-1]} ..." if fitting else text[:room]


def _extent(output: dict[str, Any]) -> str:
    n = output.get("n_tracks") or len(output["tracks"])
    tracks = f"{n} track{'s' * (n != 1)}"
    if output["bin_size"] is None and output["kind"] == "profile":
        return f"{tracks}, {output.get('n_bins') or '?'} bins"
    return f"{tracks}, {output['bin_size']} bp bins" if output["kind"] == "profile" else tracks
