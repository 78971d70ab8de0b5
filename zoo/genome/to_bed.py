"""The command that makes a BED of another table: what errors advise, so that it can be pasted."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Source", "as_bed6", "awk", "shell"]


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes:
        label: for messages.
        path: the file that the user can name in a command; None for standard input, a pipe or a table of Python's.
        compressed: whether it is gzip.
        table: whether it is a frame or tuples.
        crlf: whether its lines end as those of Windows.
    """

    label: str
    path: str | None = None
    compressed: bool = False
    table: bool = False
    crlf: bool = False

    @property
    def bed(self) -> str:
        """A name for the converted file, never its own."""
        stem = Path(self.path or "x")
        stem = stem.with_suffix("") if self.compressed and stem.suffix in (".gz", ".bgz") else stem
        made = stem.with_suffix(".bed")
        return str(stem.with_suffix(".converted.bed") if made == stem else made)


def awk(
    source: Source, print_: str, *, skip: int = 0, guard: str = "", separator: str | None = None, clean: str = ""
) -> str:
    """The command that prints fields of a file's rows as a BED.

    Args:
        print_: what each row becomes, a tuple of ``as_bed6`` or a whole action in braces.
        skip: lines before the first row.
        guard: awk's condition for rows, where lines are not told by their number.
        separator: between fields, where blanks may stand in one.
        clean: statement in front, as ``gsub(/"/, "")``.
    """
    test = f"NR>{skip}&&NF" if skip else guard
    first = "".join(f"{one};" for one in (r'sub(/\r$/,"")' if source.crlf else "", clean) if one)
    action = "{" + first + (print_[1:] if print_.startswith("{") else f"print {print_}}}")
    between = f" -F'{separator}'" if separator in ("\\t", ",") else ""
    return shell(source, f"awk{between} -v OFS='\\t' '{test}{action}'")


def shell(source: Source, command: str) -> str:
    """A command that reads a file, as it is typed for a source."""
    if source.table:
        return "subtract 1 from its start: a table here counts from 0, and its columns are chrom, start, end"
    if source.path is None:
        unpack = "gzip -dc | " if source.compressed else ""
        return f"put {unpack}{command} into the pipe, in front of zoo"
    path = shlex.quote(source.path)
    read = f"gzip -dc {path} | {command}" if source.compressed else f"{command} {path}"
    return f"{read} > {shlex.quote(source.bed)}"


def as_bed6(
    chrom: int,
    start: int,
    end: int,
    name: int | None = None,
    score: int | None = None,
    strand: int | None = None,
    *,
    base: int = 1,
    strand_values: frozenset[str] = frozenset(),
) -> str:
    """What awk prints for columns, counted from 0, of a table whose first base is ``base``.

    Args:
        strand_values: those seen; R's ``*`` and HOMER's 0 and 1 are turned into BED's.
    """
    first = f"${start + 1}-1" if base == 1 else f"${start + 1}"
    fields = [f"${chrom + 1}", first, f"${end + 1}"]
    if name is None and score is None and strand is None:
        return ",".join(fields)
    fields.append('"."' if name is None else f"${name + 1}")
    if score is None and strand is None:
        return ",".join(fields)
    fields.append('"."' if score is None else f"${score + 1}")
    if strand is not None:
        at = f"${strand + 1}"
        if strand_values & {"0", "1"}:
            at = f'({at}=="1"?"-":{at}=="0"?"+":{at})'
        elif strand_values - {"+", "-", "."}:
            at = f'({at}=="+"||{at}=="-"?{at}:".")'
        fields.append(at)
    return ",".join(fields)
