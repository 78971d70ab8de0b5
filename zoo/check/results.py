"""What a check found of each entry, and of all: the summary, the exit code, plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.check.changed import Changes
from zoo.check.confine import Guards
from zoo.check.findings import Finding, worst_code
from zoo.words import counted

__all__ = ["CheckReport", "EntryResult"]


@dataclass(frozen=True)
class EntryResult:
    """What was found of one entry.

    Attributes:
        name, version, folder: of the entry; the version is None where its card cannot be read.
        level: up to which it was checked.
        findings: of all levels, in order.
        facts: what was measured.
        seconds: by level.
    """

    name: str
    version: str | None
    folder: Path
    level: str
    findings: list[Finding]
    facts: dict[str, Any]
    seconds: dict[str, float]

    @property
    def code(self) -> int:
        """Exit code of the worst finding."""
        return worst_code(self.findings)

    def count(self, severity: str, level: str | None = None) -> int:
        """How many findings are of a severity, of one level or of all."""
        return sum(one.severity == severity and level in (None, one.level) for one in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "folder": str(self.folder),
            "level": self.level,
            "exit_code": self.code,
            "findings": [one.as_dict() for one in self.findings],
            "facts": self.facts,
            "seconds": {level: round(value, 2) for level, value in self.seconds.items()},
        }


@dataclass
class CheckReport:
    """What ``check`` found.

    Attributes:
        level: that was asked for.
        results: an item an entry.
        general: findings that are about no single entry.
        guards: what confined foreign code; None where none ran.
        changed: what the branch changes, where that was asked.
    """

    level: str
    results: list[EntryResult] = field(default_factory=list)
    general: list[Finding] = field(default_factory=list)
    guards: Guards | None = None
    changed: Changes | None = None

    @property
    def findings(self) -> list[Finding]:
        """All of them."""
        return [*self.general, *(one for result in self.results for one in result.findings)]

    @property
    def code(self) -> int:
        """Exit code of the worst finding; 0 where there is no error."""
        return worst_code(self.findings)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return self.code == 0

    def summary(self) -> str:
        """One sentence."""
        if not self.results:
            if self.changed and self.changed.removed:
                n = len(self.changed.removed)
                return (
                    f"{n:,} {'entry is' if n == 1 else 'entries are'} removed, no other is changed: nothing was checked"
                )
            return "no entry is changed: nothing was checked" if self.changed else "no entry was checked"
        n, wrong = len(self.results), sum(result.code != 0 for result in self.results)
        wrong_or_general = wrong or any(one.severity == "error" for one in self.general)
        errors, warnings = (sum(one.severity == kind for one in self.findings) for kind in ("error", "warning"))
        entries_ = f"{counted(n, 'entry')} checked, level {self.level}"
        verdict = "no errors" if not wrong_or_general else counted(errors, "error")
        if wrong and n > 1:
            verdict += f" in {wrong:,} of them"
        said = f"{entries_}: {verdict}, {warnings:,} {'warning' if warnings == 1 else 'warnings'}"
        return said + (f"; {self.guards.sentence()}" if self.guards else "")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "schema_version": 1,
            "level": self.level,
            "exit_code": self.code,
            "summary": self.summary(),
            "confinement": self.guards.answers if self.guards else None,
            "general": [one.as_dict() for one in self.general],
            "entries": [one.as_dict() for one in self.results],
        }
