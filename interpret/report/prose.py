"""The prose of a card as headings, paragraphs, list items and code: the little of Markdown that cards use, as text.

Whatever else it holds stays as it is written; the templates escape all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Block", "blocks_of"]


@dataclass(frozen=True)
class Block:
    """kind: ``heading``, ``paragraph``, ``item`` or ``code``. parts: (text, whether it is code) of a line."""

    kind: str
    parts: tuple[tuple[str, bool], ...]


def blocks_of(text: str) -> list[Block]:
    """Blocks in their order."""
    return list(_blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    for index, piece in enumerate(re.split(r"^```[^\n]*$", text, flags=re.M)):
        if index % 2:
            yield Block("code", ((piece.strip("\n"), True),))
            continue
        for block in re.split(r"\n\s*\n", piece.strip("\n")):
            yield from _lines(block)


def _lines(block: str) -> Iterator[Block]:
    kept: list[str] = []
    kind = "paragraph"
    for line in block.split("\n"):
        heading, item = re.match(r"#{1,6}\s+(.*)", line), re.match(r"\s*[-*]\s+(.*)", line)
        if heading or item:
            yield from _block(kind, kept)
            kind, kept = ("heading" if heading else "item"), [(heading or item)[1]]  # type: ignore[index]
            if heading:
                yield from _block(kind, kept)
                kind, kept = "paragraph", []
        else:
            kept.append(line.strip())
    yield from _block(kind, kept)


def _block(kind: str, lines: list[str]) -> Iterator[Block]:
    text = " ".join(lines).strip()
    if text:
        parts = re.split(r"`([^`]+)`", text)
        yield Block(kind, tuple((part, index % 2 == 1) for index, part in enumerate(parts) if part))
