"""Level valid: rules on the files of an entry, one concern a file; nothing is imported, run or fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zoo.check.draft import Draft
from zoo.check.findings import Finding
from zoo.check.valid.evidence import check_evidence
from zoo.check.valid.facts import check_facts
from zoo.check.valid.licences import check_licences
from zoo.check.valid.links import check_links
from zoo.check.valid.python_files import check_python
from zoo.check.valid.recorded import check_recorded
from zoo.check.valid.text import check_text

__all__ = ["RULES", "check_valid"]

RULES: tuple[Callable[[Draft], Iterator[Finding]], ...] = (
    check_licences,
    check_recorded,
    check_facts,
    check_evidence,
    check_links,
    check_python,
    check_text,
)


def check_valid(draft: Draft) -> list[Finding]:
    """Every problem of an entry's files that can be seen without running it; `zoo.check.names` compares entries."""
    return [*draft.problems, *(finding for rule in RULES for finding in rule(draft))]
