"""Entries as rows of a table: what each column says of them. Standard library only."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from zoo.words import counted

__all__ = ["cells_of", "folded", "plain_lines"]

COLUMNS = ("name", "version", "assembly", "input_bp", "outputs", "checked", "summary")
SUMMARY = 160  # letters of a summary in tab-separated lines; --json and `zoo info` give all
FEW = 10  # models of a group that are shown each
#: How assemblies of a species begin, and words of a model's name that say it.
SPECIES = {
    "human": r"hg\d|hs1|GRCh|T2T|human|Homo_sapiens",
    "mouse": r"mm\d|GRCm|mouse|Mus_musculus",
    "rat": r"rn\d|Rattus_norvegicus",
    "fish": r"danRer|GRCz|zebrafish|Danio_rerio",
    "fly": r"dm\d|BDGP|Drosophila_melanogaster",
    "worm": r"ce\d|WBcel|Caenorhabditis_elegans",
    "yeast": r"sacCer|R64|yeast|Saccharomyces_cerevisiae",
    "plant": r"TAIR|arabidopsis|Arabidopsis_thaliana",
}
CHECKED = {"verified": "yes", "unverified": "no"}


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
    about = _in_common([one["summary"].split() for one in members])
    facts = {
        "name": f"{group}/...",
        "folds": len(members),
        "summary": f"{counted(len(members), 'model')}: {about}",
        "checked": statuses[0] if len(set(statuses)) == 1 else f"{n:,} of {len(members):,}",
    }
    for name in ("version", "assembly", "input_length"):
        values = {one[name] for one in members}
        facts[name] = values.pop() if len(values) == 1 else None
    facts["tags"] = [tag for tag, _ in Counter(tag for one in members for tag in one["tags"]).most_common()]
    species = {_species(one) for one in members}
    facts["species"] = species.pop() if len(species) == 1 else "several"
    return members[0] | facts


def _in_common(summaries: Sequence[Sequence[str]]) -> str:
    """The words with which all begin and end, and ``...`` for what differs between them."""

    def alike(lines: Sequence[Sequence[str]]) -> list[str]:
        return [
            words[0] for words in itertools.takewhile(lambda words: len(set(words)) == 1, zip(*lines, strict=False))
        ]

    begin = alike(summaries)
    rest = [words[len(begin) :] for words in summaries]
    if not any(rest):
        return " ".join(begin)
    return " ".join([*begin, "...", *reversed(alike([words[::-1] for words in rest]))])


def cells_of(entry: dict[str, Any]) -> dict[str, str]:
    """What a table on a terminal says of an entry, by column."""
    cells = _cells(entry)
    length = entry["input_length"]
    return cells | {
        "what": _without_name(cells["name"], cells["summary"]),
        "kind": _kind(entry),
        "species": _species(entry),
        "input bp": "-" if length is None else f"{length:,}",
        "checked": CHECKED.get(cells["checked"], cells["checked"]),
    }


def _kind(entry: dict[str, Any]) -> str:
    """A few words for what is predicted: the tags, after the number of models of a group."""
    tags = ", ".join(entry["tags"])
    return f"{entry['folds']:,} x {tags}" if "folds" in entry and tags else tags


def _without_name(name: str, summary: str) -> str:
    """A summary that begins with the model's name, as names do in lists: ``SpliceAI, splice acceptors ...``."""
    first, mark, rest = summary.partition(", ") if ", " in summary[:24] else summary.partition(": ")
    plain = [re.sub(r"[^a-z0-9]", "", text.lower()) for text in (first, name)]
    repeated = mark and plain[0] and plain[1].startswith(plain[0])
    told = rest if repeated else summary
    return told if told.endswith("...") else told.removesuffix(".")


def _species(entry: dict[str, Any]) -> str:
    """The species of the assembly, else the one that the name says; ``-`` where neither does."""
    if entry.get("species"):
        return entry["species"]
    for text in filter(None, (entry["assembly"], entry["name"])):
        for species, patterns in SPECIES.items():
            if re.search(rf"(?<![A-Za-z])(?:{patterns})(?![A-Za-z])", text):
                return species
    return "-"


def _cells(entry: dict[str, Any]) -> dict[str, str]:
    outputs = ", ".join(f"{out['name']} ({_extent(out)})" for out in entry["outputs"][:4])
    if len(entry["outputs"]) > 4:
        outputs += f", ... ({counted(len(entry['outputs']), 'output')})"
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
    tracks = counted(n, "track")
    if output["bin_size"] is None and output["kind"] == "profile":
        n_bins = output.get("n_bins")
        return f"{tracks}, {counted(n_bins, 'bin') if n_bins else 'bins'}"
    return f"{tracks}, {output['bin_size']} bp bins" if output["kind"] == "profile" else tracks
