"""A line of a benchmark: what was measured, its ratio and the limit that the ratio must keep."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Row:
    """One line of the result, as ``build_readme.py`` reads it from JSON."""

    case: str
    measured: str
    ratio: float
    limit: str
    ok: bool

    def line(self, case: int, measured: int) -> str:
        """The row as text, columns of the given widths."""
        verdict = "ok" if self.ok else "MISSED"
        return f"{self.case:<{case}} {self.measured:>{measured}} {self.ratio:>8.3g}  {self.limit:<9} {verdict}"


def limited(case: str, measured: str, ratio: float, limit: str) -> Row:
    """A row whose verdict is its limit's own text: ``<= 1.3``, ``> 1``, ``<= 25 us``."""
    match = re.fullmatch(r"(<=|>=|<|>) (\S+)( us)?", limit)
    if match is None:
        raise ValueError(f"not a limit: {limit!r}")
    return Row(case, measured, ratio, limit, bool(_COMPARE[match[1]](ratio, float(match[2]))))


def save(rows: Iterable[Row], path: Path) -> None:
    """Write the rows as JSON for ``build_readme.py``."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
