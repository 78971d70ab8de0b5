"""``zoo search``: entries in which every word occurs, best first. Standard library only.

A word is worth most where it is a whole word of the name, then of a track, then of a tag, an author and so on down to
prose; a part of a word is worth less than a whole one of the same or the next place, but for the beginning of a name.
The worths of all words are summed; words that stand in one track, or in one name, are worth more than the same words in
several. Where an entry has tracks whose names are fetched with its weights, its summary speaks for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from zoo.words import near_names

__all__ = ["at_equal_rank", "near_words", "search", "texts_of"]

# Where a word occurs -> its worth as a whole word, at an end of one, within one.
WORTH = {
    "name": (100, 70, 50),
    "target": (95, 65, 45),
    "tag": (80, 55, 40),
    "author": (75, 50, 35),
    "genome": (75, 50, 35),
    "summary": (60, 30, 20),
    "other": (25, 15, 10),
}
BEGINNING = 96  # at least, where the name, or a part of it between slashes, begins with the word
TOGETHER = 30  # more, where one name or track has all words, each whole
# What is asked for in one word may be written in others. Such a word is worth ALIKE wherever it stands.
ALIKE = 75
ALSO = {
    "human": ("homo sapiens", "hg19", "hg38", "grch37", "grch38"),
    "mouse": ("mus musculus", "mm9", "mm10", "mm39", "grcm38"),
    "yeast": ("saccharomyces", "saccer3", "saccer2"),
    "fly": ("drosophila", "dm3", "dm6"),
    "worm": ("caenorhabditis", "ce10", "ce11"),
    "zebrafish": ("danio rerio", "danrer10", "danrer11"),
    "atac-seq": ("atac",),
    "dnase-seq": ("dnase",),
}
CHECKED = {"verified": 0, "partly": 1}

Texts = Mapping[str, Sequence[str]]


def search(
    words: Iterable[str], where: Iterable[dict[str, Any]], fields: Mapping[str, str | None] | None = None
) -> list[dict[str, Any]]:
    """Entries in which every word occurs: in name, tracks, tags, authors, assembly, summary, licence or framework.

    The best are first; of equal ones those that were verified, then those that are bundled, then by name.

    Args:
        where: the entries to look at.
        fields: further words by field, which only leave entries out: ``tag``, ``author``, ``framework`` or ``target``.
    """
    wanted = [_plain(word) for word in words]
    asked = {field: _plain(word) for field, word in (fields or {}).items() if word}
    ranked = []
    for entry in where:
        texts = texts_of(entry)
        if not all(any(word in text for text in texts[field]) for field, word in asked.items()):
            continue
        worth = _worth(wanted, texts)
        if worth is not None:
            ranked.append((-worth, *at_equal_rank(entry), entry))
    return [found[-1] for found in sorted(ranked, key=lambda found: found[:-1])]


def near_words(words: Iterable[str], where: Iterable[dict[str, Any]], n: int = 3) -> list[str]:
    """Words of names, tracks and tags that could be meant by those of ``words`` which occur nowhere, nearest first."""
    known: dict[str, str] = {}
    for entry in where:
        targets = [text for output in entry["outputs"] for text in output["tracks"]]
        for text in (entry["name"], *targets, *entry["tags"]):
            known |= {word.lower(): word for word in re.findall(r"[A-Za-z0-9]+", text)}
    blob = "\n".join(known)
    unknown = [word.lower() for word in words if word.lower() not in blob]
    near = [one for word in unknown for one in near_names(word, known, n)]
    return [known[one] for one in dict.fromkeys(near)]


def at_equal_rank(entry: dict[str, Any]) -> tuple[Any, ...]:
    """By what entries of equal worth are sorted."""
    status = (entry.get("verification") or {}).get("status")
    elsewhere = bool(entry.get("source")) or entry["name"].startswith("grelu/")
    return bool(entry.get("withdrawn")), bool(entry.get("deprecated")), CHECKED.get(status, 2), elsewhere, entry["name"]


def texts_of(entry: dict[str, Any]) -> dict[str, list[str]]:
    """What is looked at, by place, in lower case."""
    unnamed = any(output.get("n_tracks") and not output["tracks"] for output in entry["outputs"])
    tracks = [text for output in entry["outputs"] for text in (output["name"], *output["tracks"])]
    found = {
        "name": [entry["name"]],
        "target": [*tracks, entry["summary"]] if unnamed else tracks,
        "tag": entry["tags"],
        "author": entry["authors"],
        "genome": [entry.get("assembly") or ""],
        "summary": [entry["summary"]],
        "framework": [entry["framework"]],
        "other": [entry.get("license") or "", entry["framework"]],
    }
    return {place: [_plain(text) for text in texts] for place, texts in found.items()}


def _plain(text: str) -> str:
    return text.lower().replace("_", " ")


def _worth(words: Sequence[str], texts: Texts) -> int | None:
    """The worth of an entry, or None where a word does not occur."""
    total = 0
    for word in words:
        worth = max(_worths(word, texts), default=0)
        if worth < ALIKE and any(form in text for form in ALSO.get(word, ()) for text in _all_texts(texts)):
            worth = ALIKE
        if not worth:
            return None
        total += worth
    if len(words) > 1 and any(_has_all(words, text) for place in ("name", "target") for text in texts[place]):
        total += TOGETHER
    return total


def _all_texts(texts: Texts) -> Iterator[str]:
    return (text for place in WORTH for text in texts[place])


def _has_all(words: Sequence[str], text: str) -> bool:
    forms = [[form for form in (word, *ALSO.get(word, ())) if form in text] for word in words]
    return all(forms) and all(any(_fit(form, text) == 0 for form in present) for present in forms)


def _worths(word: str, texts: Texts) -> Iterator[int]:
    """What a word is worth in each place where it occurs."""
    for place, worths in WORTH.items():
        hits = [text for text in texts[place] if word in text]
        if hits:
            yield worths[min(_fit(word, text) for text in hits)]
            if place == "name" and any(part.startswith(word) for part in hits[0].split("/")):
                yield BEGINNING


def _fit(word: str, text: str) -> int:
    """0: a whole word of the text, 1: at an end of one, 2: within one."""
    whole, end = _patterns(word)
    return 0 if whole.search(text) else 1 if end.search(text) else 2


@lru_cache(maxsize=256)
def _patterns(word: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    before, after, it = r"(?<![a-z0-9])", r"(?![a-z0-9])", re.escape(word)
    return re.compile(f"{before}{it}{after}"), re.compile(f"{before}{it}|{it}{after}")
