"""What the script of the list searches: the texts that `zoo search` looks at, each once, and what they are worth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.gallery.collect import Item
from zoo.gallery.facets import FACETS, NOT_STATED
from zoo.store import search

__all__ = ["search_data"]

PLACES = tuple(place for place in search.WORTH if place != "name")


class _Table:
    """Values that are named by their number: each is written once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        key = value if isinstance(value, str) else json.dumps(value)
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]


def search_data(items: Sequence[Item], files: Mapping[str, str], values: Mapping[str, Mapping[str, list[str]]]) -> str:
    """A script that sets ``GALLERY``; a file of JSON could not be read from disk by a page.

    A model is ``[item, name, texts, facets, rank]``: ``texts`` and ``facets`` are numbers of rows of these tables,
    which hold for each place numbers of ``strings``, and for each facet numbers of its ``values``; ``rank`` is its
    place among models of equal worth.
    """
    strings, texts, facets = _Table(), _Table(), _Table()
    facet_tables = {facet.key: _Table() for facet in FACETS}
    for facet, known in _by_frequency(values).items():
        for value in known:
            facet_tables[facet].number(value)
    records = [record for item in items for record in item.records]
    order = sorted(range(len(records)), key=lambda i: search.at_equal_rank(records[i]))
    ranks = {i: rank for rank, i in enumerate(order)}
    models = []
    for place, (index, record) in enumerate(_numbered(items)):
        found = search.texts_of(record)
        row = [[strings.number(text) for text in found[name]] for name in PLACES]
        chosen = [
            [facet_tables[facet.key].number(value) for value in values[record["name"]][facet.key] or [NOT_STATED]]
            for facet in FACETS
        ]
        models.append([index, record["name"], texts.number(row), facets.number(chosen), ranks[place]])
    data = {
        "items": [[item.name, files[item.name], len(item.records), int(item.is_group)] for item in items],
        "models": models,
        "strings": strings.values,
        "texts": texts.values,
        "facets": facets.values,
        "facetNames": [[facet.key, facet.label, facet.rule, facet_tables[facet.key].values] for facet in FACETS],
        "places": list(PLACES),
        "worth": search.WORTH,
        "beginning": search.BEGINNING,
        "together": search.TOGETHER,
        "alike": search.ALIKE,
        "also": search.ALSO,
        "notStated": NOT_STATED,
    }
    return f"window.GALLERY = {json.dumps(data, separators=(',', ':'))};\n"


def _numbered(items: Sequence[Item]) -> Iterable[tuple[int, dict[str, Any]]]:
    return ((index, record) for index, item in enumerate(items) for record in item.records)


def _by_frequency(values: Mapping[str, Mapping[str, list[str]]]) -> dict[str, list[str]]:
    """Values of each facet, the most frequent first, lengths from short to long; what is not stated stands last."""
    from zoo.gallery.facets import LENGTHS, LONGER

    counts: dict[str, dict[str, int]] = {facet.key: {} for facet in FACETS}
    for one in values.values():
        for key, found in one.items():
            for value in found:
                counts[key][value] = counts[key].get(value, 0) + 1
    ordered = {key: sorted(found, key=lambda value: (-found[value], value)) for key, found in counts.items()}
    by_length = [label for _, label in LENGTHS] + [LONGER]
    ordered["length"] = [label for label in by_length if label in counts["length"]]
    return {key: [*found, NOT_STATED] for key, found in ordered.items()}
