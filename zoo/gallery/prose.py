"""The prose of a card as HTML: Markdown without HTML, images of other hosts, or links that could run anything.

Cards are other people's text. What is no Markdown is shown as it stands; a link leads to http or https, or is text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

__all__ = ["first_paragraph", "html_of", "is_web_address"]

#: The page has its own title and headings of parts above those of the card.
LOWER = 1
DEEPEST = 6


def html_of(text: str) -> Markup:
    """The prose, escaped: no element in it but those of Markdown."""
    return Markup(_markdown().render(text))


def first_paragraph(text: str) -> str:
    """The words of the first paragraph; empty where there is none."""
    tokens = _markdown().parse(text)
    for before, token in pairwise(tokens):
        if before.type == "paragraph_open":
            parts = (" " if "break" in child.type else child.content for child in token.children or ())
            return " ".join("".join(parts).split())
    return ""


def is_web_address(address: str) -> bool:
    """Whether an address is http or https, with a host."""
    try:
        parts = urlsplit(address.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    made.validateLink = lambda address: True  # what is no address of the web is text, by the rules below
    for name in ("link_open", "link_close", "image", "heading_open", "heading_close", "table_open", "table_close"):
        made.add_render_rule(name, RULES[name])
    made.core.ruler.push("web_links", lambda state: _keep_web_links(state.tokens))
    return made


def _keep_web_links(tokens: Sequence[Token]) -> None:
    """Mark the links whose address is one of the web; the others are shown as their text."""
    for token in tokens:
        opened: list[bool] = []
        for child in token.children or ():
            if child.type == "link_open":
                opened.append(is_web_address(str(child.attrGet("href") or "")))
                child.meta["shown"] = opened[-1]
            elif child.type == "link_close" and opened:
                child.meta["shown"] = opened.pop()


def _link_open(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    if not tokens[index].meta.get("shown"):
        return ""
    return f'<a href="{escape(str(tokens[index].attrGet("href")))}" rel="noopener noreferrer">'


def _link_close(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    return "</a>" if tokens[index].meta.get("shown") else ""


def _image(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    """An image is not loaded: its description, linked where it lies on the web."""
    address, text = str(tokens[index].attrGet("src") or ""), escape(tokens[index].content or "image")
    if is_web_address(address):
        return f'<a href="{escape(address)}" rel="noopener noreferrer">{text} (image)</a>'
    return f"{text} (image)"


def _heading_open(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    return f"<{_lower(tokens[index].tag)}>"


def _heading_close(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    return f"</{_lower(tokens[index].tag)}>\n"


def _lower(tag: str) -> str:
    return f"h{min(max(int(tag[1:]), 2) + LOWER, DEEPEST)}"


def _table_open(self: Any, *_: Any) -> str:
    return '<div class="scroll" tabindex="0" role="region" aria-label="table of the card"><table>\n'


def _table_close(self: Any, *_: Any) -> str:
    return "</table></div>\n"


RULES: Mapping[str, Any] = {
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
    "heading_open": _heading_open,
    "heading_close": _heading_close,
    "table_open": _table_open,
    "table_close": _table_close,
}
