"""What a check found: one finding a problem, at its file and line, and what the worst of them means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.errors import FetchError, MismatchError, ModelError, ZooError

__all__ = ["CODES", "LEVELS", "Finding", "from_error", "worst_code"]

LEVELS = ("valid", "runs", "reproduces")
CODES = {"model": ModelError.exit_code, "bytes": FetchError.exit_code, "differs": MismatchError.exit_code}
#: An entry that is wrong outweighs bytes that are not the recorded ones, and those a prediction that differs.
ORDER = (4, 5, 6, 7, 2)
PLACE = re.compile(r"^(?P<path>(?:/|\.{1,2}/)?[^\s:]+):(?P<line>\d+): (?P<what>.*)", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """One problem of an entry.

    Attributes:
        entry: name of the entry, or of what else it is about.
        level: a key of `LEVELS`.
        rule: a short name of what was looked at, e.g. ``licence``.
        severity: ``error``; ``warning`` (a reviewer decides); ``note`` (what was measured, or not looked at).
        what: what is wrong, in one line.
        fix: what to do.
        path, line: where, as far as it is known; the path as it was opened.
        code: exit code that it stands for, where it is an error.
    """

    entry: str
    level: str
    rule: str
    severity: str
    what: str
    fix: str = ""
    path: str | None = None
    line: int | None = None
    code: int = ModelError.exit_code

    @property
    def place(self) -> str:
        """``path:line``, or as much of it as is known."""
        return "" if self.path is None else self.path + ("" if self.line is None else f":{self.line}")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def from_error(entry: str, level: str, rule: str, error: ZooError) -> Finding:
    """What an error of the package says, as a finding; ``file:line`` at its beginning becomes the place."""
    what, path, line = error.what, None, None
    if match := PLACE.match(what):
        path, line, what = match["path"], int(match["line"]), match["what"]
    elif ": " in what and Path(what.partition(": ")[0]).is_absolute():
        path, _, what = what.partition(": ")
    what = "; ".join(part for part in (what, error.extent) if part)
    return Finding(entry, level, rule, "error", what, error.fix.removeprefix("Fix: "), path, line, error.exit_code)


def worst_code(findings: Iterable[Finding]) -> int:
    """Exit code of all of it: 0 where there is no error, else that of the worst in the order of ``ORDER``."""
    found = {finding.code for finding in findings if finding.severity == "error"}
    return next((code for code in ORDER if code in found), max(found, default=0))
