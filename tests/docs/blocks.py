"""Fenced blocks of the pages that people read, and the commands in them.

A block's tag says what it is: ``sh`` holds commands, one a line (a line that ends in a backslash goes on); ``console``
holds commands after ``$ `` with what they print; ``python`` is a script; ``yaml`` a file; ``text`` is none of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAGS = {"sh", "console", "python", "yaml", "text", "markdown"}

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: the page, the line of its fence, its tag, and the text between."""

    page: Path
    line: int
    tag: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[str]:
        """What a reader types."""
        if self.tag == "python":
            return [self.text]
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        if self.tag == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in _with_here_documents(lines) if line.strip() and not line.lstrip().startswith("#")]

    def printed(self) -> list[tuple[str, list[str]]]:
        """Of a ``console`` block: each command with the lines below it."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return found


def _with_here_documents(lines: list[str]) -> list[str]:
    """``cat > file <<'END'`` and what follows to ``END`` are one command."""
    found: list[str] = []
    end = ""
    for line in lines:
        if end:
            found[-1] += f"\n{line}"
            end = "" if line == end else end
            continue
        found.append(line)
        if opened := re.search(r"<<'(\w+)'", line):
            end = opened[1]
    return found


def pages() -> list[Path]:
    """Every page that tells a reader what to type."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1].strip(), match[2])
        for match in FENCE.finditer(text)
    ]
