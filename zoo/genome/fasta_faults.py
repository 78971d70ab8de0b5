"""What is wrong with a FASTA that cannot be indexed, or whose lines are not where an index would have them.

The file is read line by line, which takes a minute for a large genome: only once indexing has failed.
"""

from __future__ import annotations

import gzip
import re
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zoo.errors import InputError
from zoo.words import counted

__all__ = ["explain_faults"]

# What no line of bases may hold: blanks, control characters, bytes that are not ASCII. samtools counts them for none.
_NO_LETTER = re.compile(rb"[^\x21-\x7e]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# Writes every sequence as one line: without blanks, numbers of lines and comments, and with every letter.
_ONE_LINE = r"""awk '/^>/{if(n++)print"";print;next}/^;/{next}{gsub(/[ \t\r0-9]/,"");printf "%s",$0}END{print""}'"""


@dataclass(frozen=True)
class Fault:
    """One line that is wrong.

    Attributes:
        kind: faults of one kind are counted together.
        line: its number, from 1.
        what: said of it.
    """

    kind: str
    line: int
    what: str


#: kind -> how the second line of an error counts one such line or name, and several; and the command that mends it.
KINDS = {
    "blank": (
        "line of bases holds a blank or another character that is no letter",
        "lines of bases hold a blank or another character that is no letter",
        _ONE_LINE + " {} > NEW.fa",
    ),
    "ragged": (
        "line is shorter or longer than the others of its sequence",
        "lines are shorter or longer than the others of their sequence",
        _ONE_LINE + " {} > NEW.fa",
    ),
    "gap": ("blank line stands within a sequence", "blank lines stand within a sequence", _ONE_LINE + " {} > NEW.fa"),
    "early": (
        "line stands before the first header",
        "lines stand before the first header",
        "sed -n '/^>/,$p' {} > NEW.fa",
    ),
    "nameless": ("header without a name", "headers without a name", "give each sequence a name right after its '>'"),
    "text": (
        "name is not UTF-8 text",
        "names are not UTF-8 text",
        "iconv -f LATIN1 -t UTF-8 {} > NEW.fa   (if it was written as Latin-1)",
    ),
    "control": (
        "name holds a NUL or another control character",
        "names hold a NUL or another control character",
        r"tr -d '\000-\010\013-\037\177' < {} > NEW.fa",
    ),
    "twice": (
        "sequence repeats a name",
        "sequences repeat a name",
        "give each sequence its own name, or remove the copies",
    ),
    "last": (
        "no base stands behind it: the file may have been cut off",
        "",
        "sed '{line},$d' {} > NEW.fa   (or fetch it again)",
    ),
}


def explain_faults(path: Path) -> None:
    """Raise InputError for the first line of a FASTA that is wrong; nothing happens where none is."""
    first: Fault | None = None
    n = 0
    with _opened(path) as handle:
        for fault in _faults(handle):
            first = first or fault
            n += fault.kind == first.kind
    if first is None:
        return
    extent, several, fix = KINDS[first.kind]
    quoted = shlex.quote(str(path))
    if _is_gzip(path) and "{}" in fix:
        fix = f"gunzip -c {{}} | {fix.replace('< {}', '').replace(' {}', '')}"
    fix = fix.replace("{line}", str(first.line)).replace("{}", quoted)
    raise InputError(
        f"{path}:{first.line}: {first.what}", counted(n, extent, several) if several else extent, f"Fix: {fix}"
    )


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(path) if _is_gzip(path) else path.open("rb") as handle:
            yield handle
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(
            f"{path}: the compressed file is cut off or damaged",
            "no window can be read",
            "Fix: fetch the genome again; `gzip -t` tells whether a file is whole",
        ) from None


class _Record:
    """What was met of one sequence."""

    def __init__(self, line: int, name: str) -> None:
        self.line, self.name = line, name
        self.width = self.bases = 0
        #: The line after which no base of it may come: a shorter one, or a blank one.
        self.short = self.blank = 0


def _faults(handle: BinaryIO) -> Iterator[Fault]:
    """All faults, in order of the lines that show them."""
    record: _Record | None = None
    with_bases, empty = False, 0  # and line of the first of the headers at the end that have none
    names: set[bytes] = set()
    for number, line in enumerate(handle, start=1):
        if line.startswith(b">"):
            yield from _header_faults(number, line, names)
            words = line[1:].split(None, 1)
            record = _Record(number, words[0].decode("utf-8", "backslashreplace") if words else "")
            empty = empty or number
        elif not line.strip():
            if record and record.bases and not record.blank:
                record.blank = number
        elif record is None:
            yield Fault("early", number, "the first header is not above this line")
            return
        else:
            with_bases, empty = True, 0
            yield from _line_faults(number, line, record)
    if record and empty:
        whose = f"the last sequence, {record.name!r}, has" if with_bases else "its sequences have"
        yield Fault("last", empty, f"{whose} no bases")


def _header_faults(number: int, line: bytes, names: set[bytes]) -> Iterator[Fault]:
    words = line[1:].split(None, 1)
    if not words:
        yield Fault("nameless", number, "the header has no name")
        return
    name = words[0]
    shown = name[:60].decode("ascii", "backslashreplace")
    if _CONTROL.search(name):
        yield Fault("control", number, f"the name {shown!r} holds a control character")
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        yield Fault("text", number, f"the name {shown} is not UTF-8 text")
    if name in names:
        yield Fault("twice", number, f"two sequences are named {shown!r}")
    names.add(name)


def _line_faults(number: int, line: bytes, record: _Record) -> Iterator[Fault]:
    letters = line.rstrip()
    if record.blank:
        yield Fault("gap", record.blank, f"is blank, and more bases of {record.name!r} follow at line {number}")
        record.blank = 0
    if record.short:
        yield Fault(
            "ragged",
            record.short,
            f"is shorter than the lines of {record.name!r} before it ({record.width}), and line {number} follows",
        )
        record.short = 0
    if found := _NO_LETTER.search(letters):
        held = {32: "a blank", 9: "a tab", 13: "a carriage return (CR)", 0: "a NUL"}.get(letters[found.start()])
        yield Fault(
            "blank",
            number,
            f"{held or f'the byte {letters[found.start()]}'} stands among the bases of {record.name!r} "
            f"(column {found.start() + 1}); no base's place can be computed",
        )
    width, bases = len(line.rstrip(b"\n")), len(letters)
    if not record.bases:
        record.width, record.bases = width, bases
    elif width > record.width and bases <= record.bases:
        before = record.width - record.bases
        yield Fault(
            "ragged",
            number,
            f"{counted(width - bases, 'blank or CR stands', 'blanks or CR stand')} at the end "
            f"of the line; at those of {record.name!r} before it, "
            f"{before:,}",
        )
    elif width > record.width or (width == record.width and bases != record.bases):
        yield Fault(
            "ragged",
            number,
            f"line has {counted(bases, 'letter')}, those of {record.name!r} before it have {record.bases:,}",
        )
    elif width < record.width:
        record.short = number
