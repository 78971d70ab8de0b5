"""Tables of the command line: columns that fit a terminal, tab-separated lines in a pipe, JSON where it is asked for.

One writer for every command that prints a table, so that widths, alignment and what is left out follow one rule.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

__all__ = [
    "Column",
    "RowPrinter",
    "middle_cut",
    "on_a_terminal",
    "print_json",
    "print_table",
    "table_lines",
    "width_of_terminal",
    "words_of",
]

GAP = "  "
LEAST = 20  # letters below which prose says nothing, and its column is left out
SENTENCE = 36  # letters below which a few words say more than the beginning of a sentence


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its header, and the key of its cells.
        right: whether cells stand at its right end, as numbers do.
        prose: whether it takes the room that is left, its end cut at a word; the last resort is to leave it out.
        brief: of prose, the key of a few words that stand for it where there is no room for a sentence.
        leaves: letters that must be left for prose where this column is shown; of two columns the one that leaves
            less comes first. The first column of a table is always shown.
    """

    name: str
    right: bool = False
    prose: bool = False
    brief: str = ""
    leaves: int = LEAST


def on_a_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def width_of_terminal() -> int:
    """Columns of the terminal, $COLUMNS first; 80 where nothing says."""
    return shutil.get_terminal_size().columns


def print_json(facts: Any) -> None:
    """Print plain data as JSON, the only thing on standard output; numbers that it has not (NaN) are null."""
    click.echo(json.dumps(_finite(facts), indent=1, allow_nan=False, default=str))


def _finite(facts: Any) -> Any:
    if isinstance(facts, Mapping):
        return {key: _finite(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_finite(value) for value in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts


def print_table(columns: Sequence[Column], rows: Sequence[Mapping[str, str]], plain: bool = False) -> None:
    """Print rows: laid out on a terminal, tab-separated in a pipe or where ``plain``; the header is first."""
    if plain or not on_a_terminal():
        lines = ["\t".join(one.name for one in columns)]
        lines += ["\t".join(" ".join(row[one.name].split()) for one in columns) for row in rows]
    else:
        lines = list(table_lines(columns, rows, width_of_terminal(), _dots()))
    click.echo("\n".join(lines))


def _dots() -> str:
    """What stands for letters that are left out, in the encoding of the terminal."""
    try:
        "…".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "..."
    return "…"


def table_lines(
    columns: Sequence[Column], rows: Sequence[Mapping[str, str]], width: int, dots: str = "…"
) -> Iterator[str]:
    """A header and a line a row, no line longer than ``width``.

    Columns that find no room, or say nothing of any row, are left out. A first cell that is longer than the line loses
    letters of its middle, where names of models are alike, for ``dots``.
    """
    first, *others = columns
    columns = [first, *(one for one in others if any(row[one.name] not in ("", "-") for row in rows))]
    rows = [{one.name: one.name for one in columns}, *rows]
    natural = {one.name: max(len(row[one.name]) for row in rows) for one in columns}
    natural[columns[0].name] = min(natural[columns[0].name], width)
    shown, room = _shown(columns, natural, width)
    for row in rows:
        cells = []
        for column in shown:
            text, size = " ".join(row[column.name].split()), natural[column.name]
            if column.prose:
                size = min(size, room)
                if size < min(SENTENCE, natural[column.name]) and row.get(column.brief):
                    text = row[column.brief]
                text = words_of(text, size, dots)
            elif column is columns[0]:
                text = middle_cut(text, size, dots)
            cells.append(_placed(text, column, size))
        yield GAP.join(cells).rstrip()


def _placed(text: str, column: Column, size: int) -> str:
    return text.rjust(size) if column.right else text.ljust(size)


def _shown(columns: Sequence[Column], natural: dict[str, int], width: int) -> tuple[list[Column], int]:
    """The columns that find room, in order, and how many letters there are for prose."""
    first, *others = columns
    prose = next((one for one in others if one.prose), None)
    shown, left = {first.name}, width - natural[first.name]
    wanted = natural[prose.name] if prose else 0
    for column in sorted((one for one in others if not one.prose), key=lambda one: one.leaves):
        rest = left - len(GAP) - natural[column.name]
        reserved = min(column.leaves, wanted) + len(GAP) if prose else 0
        if rest >= (reserved if left >= min(LEAST, wanted) + len(GAP) else 0):
            shown.add(column.name)
            left = rest
    room = left - len(GAP)
    if prose and room >= min(LEAST, wanted):
        shown.add(prose.name)
    return [one for one in columns if one.name in shown], room


def middle_cut(text: str, room: int, dots: str = "…") -> str:
    """The text, or its beginning and end with ``dots`` between, in ``room`` letters."""
    if len(text) <= room:
        return text
    end = (room - len(dots)) // 2
    return f"{text[: room - len(dots) - end]}{dots}{text[len(text) - end :]}"


def words_of(text: str, room: int, dots: str = "…") -> str:
    """The text, or as many whole words of it as there is room for; letters, where words would leave half of it."""
    if len(text) <= room:
        return text
    begun = text[: room - len(dots) + 1]
    cut = begun.rfind(" ")
    # "Histone modificatio…" says more than "Histone…" where there is room for so little.
    return (begun[:cut].rstrip(" ,;:") if cut > room // 2 else begun[:-1].rstrip(" ,;:")) + dots


class RowPrinter:
    """Rows that are printed as they come: their widths are said before the first, JSON is printed when all are there.

    Args:
        columns: of the table; none where its lines have no header and are tab-separated everywhere.
        widths: letters of each column on a terminal; 0 for the last.
        as_json: keep the records for ``finish``.
    """

    def __init__(self, columns: Sequence[Column], widths: Sequence[int] = (), as_json: bool = False) -> None:
        self._columns, self._widths, self._as_json = columns, widths, as_json
        self._records: list[Any] = []
        self._begun = False

    def add(self, record: Any, cells: Sequence[str]) -> None:
        """A row: its cells for people, its facts for JSON."""
        self._records.append(record)
        if self._as_json:
            return
        if self._columns and not self._begun:
            self._begun = True
            self._line([one.name for one in self._columns])
        self._line(cells)

    def _line(self, cells: Sequence[str]) -> None:
        if not self._columns or not on_a_terminal():
            click.echo("\t".join(cells))
            return
        cells = [middle_cut(cells[0], self._widths[0], _dots()), *cells[1:]]
        laid = zip(cells, self._columns, self._widths, strict=True)
        click.echo(GAP.join(_placed(text, column, size) for text, column, size in laid).rstrip())

    def finish(self) -> None:
        """Print the records, where JSON was asked for."""
        if self._as_json:
            print_json(self._records)
