"""The pages of a gallery: Python computes, the templates in ``assets/`` write.

Whatever a card, a folder or a track is called is escaped by the templates; the prose of a card passes through
``zoo.gallery.prose``. Every link is relative, or an address of the web that somebody clicks; nothing is loaded from
elsewhere, and the pages' policy forbids it.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from zoo.gallery.bases import ancestry
from zoo.gallery.bibtex import bibtex
from zoo.gallery.charts import WIDTH, charts_of, number, shared_charts
from zoo.gallery.collect import Item
from zoo.gallery.commands import snippets_of
from zoo.gallery.drawing import spans_of
from zoo.gallery.facets import FACETS, facet_values, statuses
from zoo.gallery.facts import columns_of, facts_of, files_of, n_parameters, parameters_of, runs_of, warnings_of
from zoo.gallery.prose import first_paragraph, html_of
from zoo.gallery.search_data import search_data
from zoo.gallery.track import HEIGHT, ScalarExample, examples_of
from zoo.words import counted

__all__ = ["ASSETS", "pages", "places_of", "safe_name"]

ASSETS = ("style.css", "gallery.js", "page.js", "compare.js")
SUMMARY = 300  # letters of a summary on a card of the list
LONGEST = 100  # letters of a part of a path; a file system takes 255
CHIPS = 3  # values of a facet on a card


@dataclass(frozen=True)
class CardOfList:
    """What the list shows of an item."""

    item: Item
    href: str
    summary: str
    chips: tuple[tuple[str, str], ...]
    checked: tuple[tuple[str, int], ...]
    comparable: bool


def pages(
    items: Sequence[Item],
    version: str,
    reports: Mapping[str, str],
    examples: bool = True,
) -> Iterator[tuple[str, str]]:
    """Path below the site's folder and text of each page and asset.

    Args:
        version: of this program, which the pages name.
        reports: name of an item -> path of its motif report below the site's folder.
        examples: whether predictions for the examples are drawn.
    """
    files = places_of([item.name for item in items])
    places = _addresses(items, files)
    values = {record["name"]: facet_values(item, record) for item in items for record in item.records}
    shared = {"version": version, "n_models": sum(len(item.records) for item in items), "n_items": len(items)}
    records = [record for item in items for record in item.records]
    comparable = shared_charts(records, places)
    compared = {bar.model for charts in comparable.values() for chart in charts for bar in chart.bars if bar.model}
    cards = [_card(item, files[item.name], values, item.records[0]["name"] in compared) for item in items]

    for name in ASSETS:
        yield f"assets/{name}", _source(name)
    yield "assets/data.js", search_data(items, files, values)
    yield "index.html", _render("index.html", "", cards=cards, facets=FACETS, **shared)
    yield (
        "compare.html",
        _render(
            "compare.html",
            "",
            metrics=comparable,
            compared=[(name, values[name]) for name in sorted(compared)],
            facets=FACETS,
            places=places,
            width=WIDTH,
            **shared,
        ),
    )
    yield "contribute.html", _render("contribute.html", "", **shared)
    for item in items:
        path = files[item.name]
        root = "../" * path.count("/")
        yield (
            path,
            _render(
                "entry.html",
                root,
                width=WIDTH,
                height=HEIGHT,
                report=reports.get(item.name),
                **_entry(item, items, places, values, comparable, examples, root),
                **shared,
            ),
        )


def _entry(
    item: Item,
    items: Sequence[Item],
    places: Mapping[str, str],
    values: Mapping[str, Mapping[str, list[str]]],
    comparable: Mapping[str, Any],
    examples: bool,
    root: str,
) -> dict[str, Any]:
    """What the page of an entry or a group is made of; a group speaks by a model of it that was verified, if any."""
    usable = [one for one in item.records if not one.get("withdrawn")] or item.records
    record = next((one for one in usable if _checked(one) == "verified"), usable[0])
    from_here = {name: root + address for name, address in places.items()}
    chain, made = ancestry(item, items, from_here)
    own = [values[one["name"]] for one in item.records]
    charts = charts_of(item.records, from_here if item.is_group else None)
    return {
        "item": item,
        "record": record,
        "summary": record["summary"] if not item.is_group else _about(item),
        "warnings": warnings_of(item, record),
        "checked": statuses(item),
        "facets": [(facet, _joined(own, facet.key)) for facet in FACETS],
        "spans": (spans := spans_of(item, record)),
        "drawn_bins": any(span.n_bins is not None and 1 < span.n_bins <= 128 for span in spans),
        "charts": charts,
        "comparable": sorted({chart.title for chart in charts} & comparable.keys()),
        "snippets": snippets_of(item, record) if not record.get("withdrawn") else [],
        "facts": facts_of(item, record),
        "files": files_of(item, record),
        "parameters": parameters_of(item),
        "runs": runs_of(item.folder) if not item.is_group else [],
        "n_parameters": n_parameters(item.folder) if not item.is_group else None,
        "chain": chain,
        "made": made,
        "bibtex": bibtex(record, item.name if item.is_group else None),
        "examples": examples_of(item, record) if examples else [],
        "is_scalar": lambda example: isinstance(example, ScalarExample),
        "prose": html_of(item.prose),
        "columns": columns_of(item, own, {facet.key: facet.label for facet in FACETS}) if item.is_group else [],
        "members": [(_rest(one["name"], item), _anchor(_rest(one["name"], item))) for one in item.records],
        "prefix": record["name"].removesuffix(_rest(record["name"], item)),
    }


def _card(item: Item, href: str, values: Mapping[str, Mapping[str, list[str]]], comparable: bool) -> CardOfList:
    own = [values[record["name"]] for record in item.records]
    chips = []
    for key in ("species", "assay", "cell", "architecture", "licence"):
        found = _joined(own, key)
        if found:
            more = f" and {len(found) - CHIPS} more" if len(found) > CHIPS else ""
            chips.append((next(facet.label for facet in FACETS if facet.key == key), ", ".join(found[:CHIPS]) + more))
    lengths = sorted({record["input_length"] for record in item.records if record["input_length"]})
    if lengths:
        between = f"{lengths[0]:,} to {lengths[-1]:,}" if len(lengths) > 1 else f"{lengths[0]:,}"
        chips.insert(0, ("Input", f"{between} bp"))
    chips[:0] = [("Status", text) for text in _marks(item)]
    summary = _about(item) if item.is_group else item.records[0]["summary"]
    return CardOfList(item, href, _short(summary), tuple(chips), tuple(statuses(item).items()), comparable)


def _marks(item: Item) -> Iterator[str]:
    """Why a model is not to be chosen, or not any more; of a group, of how many models that is true."""
    for mark in ("withdrawn", "deprecated"):
        n = sum(bool(record.get(mark)) for record in item.records)
        if n:
            yield mark if n == len(item.records) else f"{counted(n, 'model')} {mark}"


def _about(item: Item) -> str:
    """What the models of a group have in common: the first paragraph of its prose, or how their summaries begin."""
    if paragraph := first_paragraph(item.prose):
        return f"{paragraph[:-1]} …" if paragraph.endswith(":") else paragraph  # before a list
    summaries = [record["summary"].split() for record in item.records]
    alike = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*summaries, strict=False))
    return " ".join(words[0] for words in alike)


def _short(text: str) -> str:
    """The text, or as many whole words of it as there is room for."""
    if len(text) <= SUMMARY:
        return text
    return f"{text[:SUMMARY].rsplit(' ', 1)[0]} …"


def _joined(values: Sequence[Mapping[str, list[str]]], key: str) -> list[str]:
    """The values of several models, the most frequent first."""
    counts: dict[str, int] = {}
    for value in itertools.chain.from_iterable(one[key] for one in values):
        counts[value] = counts.get(value, 0) + 1
    return sorted(counts, key=lambda value: (-counts[value], value))


def _checked(record: Mapping[str, Any]) -> str:
    return (record.get("verification") or {}).get("status", "")


# ---------------------------------------------------------------- addresses


def places_of(names: Sequence[str]) -> dict[str, str]:
    """Path of each page, of letters that no address and no file system changes; two never differ in case alone."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        stem = "/".join(["models", *map(safe_name, name.split("/"))])
        path = f"{stem}.html"
        for i in itertools.count(2):
            if path.lower() not in taken:
                break
            path = f"{stem}-{i}.html"
        taken.add(path.lower())
        found[name] = path
    return found


def safe_name(text: str) -> str:
    """A part of a path: letters, digits and ``. _ -``; others as their code. It begins with a letter or digit."""
    kept = re.sub(r"[^A-Za-z0-9._-]", lambda match: f"~{ord(match[0]):x}".replace("~", "_x"), text)
    kept = kept if kept[:1].isalnum() else f"x{kept}"
    if len(kept) <= LONGEST:
        return kept
    return f"{kept[:LONGEST]}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _addresses(items: Sequence[Item], files: Mapping[str, str]) -> dict[str, str]:
    """Name of a model or item -> address of its page, of a group's model with the row in it."""
    found = dict(files)
    for item in items:
        if item.is_group:
            for record in item.records:
                found[record["name"]] = f"{files[item.name]}#{_anchor(_rest(record['name'], item))}"
    return found


def _rest(name: str, item: Item) -> str:
    """The name of a model within its group."""
    for before in (f"{item.name}/", f"{item.name}-"):
        if name.startswith(before):
            return name[len(before) :]
    return name


def _anchor(rest: str) -> str:
    """The id of a model's row; gallery.js makes the same."""
    return f"m-{re.sub(r'[^A-Za-z0-9._-]', '-', rest)}"


# ---------------------------------------------------------------- templates


def _render(template: str, root: str, **values: Any) -> str:
    return _templates().get_template(template).render(root=root, page=template, **values)


def _source(name: str) -> str:
    made = _templates()
    return made.loader.get_source(made, name)[0]


@cache
def _templates() -> Environment:
    """What templates are given is escaped, and a name that is not given is an error."""
    made = Environment(
        loader=PackageLoader("zoo.gallery", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"number": number, "counted": counted, "grouped": lambda value: f"{value:,}"}
    made.filters |= {"minus": lambda text: str(text).replace("-", "−"), "slug": safe_name}
    return made
