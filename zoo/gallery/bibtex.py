"""A BibTeX record of a model, of what its entry states: no year, title of a paper or page is looked up or guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zoo.gallery.prose import is_web_address

__all__ = ["bibtex", "doi_of"]

# LaTeX's own characters, and what prints them.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def bibtex(record: Mapping[str, Any], name: str | None = None) -> str:
    """``@misc`` with authors, what they ask to cite, and the model's name and version."""
    name = name or record["name"]
    version = record.get("version")
    fields = {
        "author": " and ".join(_escaped(author) for author in record["authors"]),
        "title": _escaped(f"{name}: a sequence-to-function model"),
        "version": _escaped(version) if version not in (None, "-", "") else "",
    }
    cited = " ".join(str(record.get("cite_as") or "").split())
    if doi := doi_of(cited):
        fields["doi"] = doi
        fields["url"] = f"https://doi.org/{doi}"
    elif is_web_address(cited) and not re.search(r"[\s{}]", cited):
        fields["url"] = cited
    elif cited:
        fields["note"] = _escaped(cited)
    lines = [f"  {key} = {{{value}}}" for key, value in fields.items() if value]
    return f"@misc{{{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')},\n" + ",\n".join(lines) + "\n}"


def doi_of(text: str | None) -> str | None:
    """The DOI in a text of nothing else: ``https://doi.org/10.1/x``, ``doi:10.1/x`` or ``10.1/x``."""
    match = re.fullmatch(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/[^\s{}\"<>]+)", str(text or "").strip())
    return match[1] if match else None


def _escaped(text: Any) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(str(text).split()))
