"""Texts of an entry: UTF-8, finished, without paths of one machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.check.draft import Draft
from zoo.check.findings import Finding

__all__ = ["check_text"]

LEFT = re.compile(r"\b(TODO|FIXME|XXX|TBD)\b|\bFILL (ME )?IN\b|<(NAME|YOUR[ _-][^>]*)>")
ABSOLUTE = re.compile(r"^(/[\w.-]+(/[\w.-]+)+|~[\w.-]*/.*|[A-Za-z]:[\\/].*|file:/.*)$")


def check_text(draft: Draft) -> Iterator[Finding]:
    """Marks that something is still to be written, bytes that are no UTF-8, and absolute paths in YAML."""
    for path in draft.texts:
        yield from _encoding(draft, path)
        for number, line in enumerate(draft.text(path).splitlines(), start=1):
            if mark := LEFT.search(line):
                yield draft.finding("unfinished", f"{mark[0]} is left: {line.strip()[:80]}", "finish it", path, number)
    for document in (draft.card_document, draft.model, draft.loader):
        if document is not None:
            for location, text in _strings(document.data, ()):
                if ABSOLUTE.match(text):
                    what = f"`{'.'.join(map(str, location))}` is an absolute path: {text[:60]}"
                    yield draft.finding("absolute", what, "name a file of the folder", (document, location))


def _encoding(draft: Draft, path: Path) -> Iterator[Finding]:
    raw = path.read_bytes()
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        if not any(one.path == str(path) and "utf-8" in one.what for one in draft.problems):
            yield draft.finding("text", "is not UTF-8 text", "save it as UTF-8", path, line)


def _strings(data: Any, location: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(data, str):
        yield location, data
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from _strings(value, (*location, key))
