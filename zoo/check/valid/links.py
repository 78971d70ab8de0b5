"""Links of a card: local ones and their anchors lead somewhere, addresses are well formed, and asked on request."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zoo.check.draft import Draft
from zoo.check.findings import Finding

__all__ = ["addresses", "check_addresses", "check_links"]

LINK = re.compile(r"(?<!\\)\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?(?P<target>[^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"(?m)^ {0,3}\[[^\]]+\]:\s+<?(?P<target>\S+?)>?\s*$")
AUTOLINK = re.compile(r"<(?P<target>https?://[^>\s]*)>")
FENCED = re.compile(r"(?ms)^(```|~~~).*?^\1|`[^`\n]+`")
SCHEMES = ("http", "https", "mailto", "doi")
SECONDS = 20


def check_links(draft: Draft) -> Iterator[Finding]:
    """Every link of the Markdown files of the folder, offline."""
    for path in draft.files:
        if path.suffix == ".md" and path.is_file():
            for line, target in _targets(draft.text(path)):
                if problem := _problem(path, target, draft.folder):
                    yield draft.finding("link", f"the link {target!r} {problem}", "correct it", path, line)


def _targets(text: str) -> Iterator[tuple[int, str]]:
    """Line and target of each link; what stands in code is none."""
    blank = FENCED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for pattern in (LINK, REFERENCE, AUTOLINK):
        for match in pattern.finditer(blank):
            yield blank.count("\n", 0, match.start()) + 1, match["target"]


def _problem(path: Path, target: str, folder: Path) -> str | None:
    if not target:
        return "is empty"
    if "://" in target or target.split(":")[0] in SCHEMES:
        return _malformed(target)
    place, _, anchor = unquote(target).partition("#")
    if place.startswith("/"):
        return "is an absolute path"
    found = path if not place else path.parent / place
    if not found.exists():
        return "leads to no file"
    if anchor and found.suffix == ".md" and anchor.lower() not in anchors(found):
        return f"leads to no heading of {found.name}"
    return None


def _malformed(target: str) -> str | None:
    parts = urlsplit(target)
    if parts.scheme not in SCHEMES:
        return f"has the scheme {parts.scheme!r}"
    if parts.scheme in ("http", "https") and not re.fullmatch(r"[\w.-]+\.[A-Za-z]{2,}(:\d+)?", parts.netloc):
        return f"has no host: {parts.netloc!r}"
    return None


def anchors(path: Path) -> set[str]:
    """Anchors of a Markdown file's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"(?m)^#{1,6} +(.+?)\s*#*$", path.read_text(encoding="utf-8", errors="replace")):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        n = 1
        while (name := anchor if n == 1 else f"{anchor}-{n - 1}") in found:
            n += 1
        found.add(name)
    return found


def addresses(draft: Draft) -> Iterator[tuple[Path, int, str]]:
    """File, line and address of each http link."""
    for path in draft.files:
        if path.suffix == ".md" and path.is_file():
            for line, target in _targets(draft.text(path)):
                if target.startswith(("http://", "https://")) and not _malformed(target):
                    yield path, line, target


def check_addresses(drafts: Iterable[Draft]) -> Iterator[Finding]:
    """Ask each address once; what does not answer is a warning, since a server may be down."""
    answers: dict[str, str | None] = {}
    for draft in drafts:
        for path, line, url in addresses(draft):
            if url not in answers:
                answers[url] = _asked(url)
            if answers[url]:
                what = f"the link {url} does not answer: {answers[url]}"
                yield draft.finding("link", what, "correct it, or try again", path, line, severity="warning")


def _asked(url: str) -> str | None:
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "seqzoo-check"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):
            return None
    except (OSError, ValueError) as error:
        return str(error)
