"""What a run met in its variants: statuses, windows, letters; counted as rows are written, and said at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.genome.unknown import NAMED, UnknownBases, unknown_notes
from zoo.variants.alleles.status import STATUSES
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.genome.fasta import Genome
    from zoo.variants.run.scorer import Row

__all__ = ["VariantCounts", "counted_notes"]

FIELDS = (
    *("records", "rows", "scored", "padded_windows", "unknown_bases", "padded_bases", "unknown_windows"),
    "not_finite",
)


class VariantCounts:
    """Counts of rows that were written.

    Args:
        genome: of the windows.
        length: bp of one.
        counts: of an earlier run, to go on from.
    """

    def __init__(self, genome: Genome, length: int, counts: Mapping[str, Any] | None = None) -> None:
        self._sizes, self._length = genome.lengths(np.arange(len(genome.contigs))), length
        earlier = counts or {}
        self.numbers: Counter[str] = Counter({name: earlier.get(name, 0) for name in FIELDS})
        self.statuses: Counter[str] = Counter(earlier.get("statuses", {}))
        self.chroms: Counter[str] = Counter(earlier.get("chroms", {}))
        self.first_unknown: list[str] = list(earlier.get("first_unknown", []))

    def add(self, rows: Iterable[Row]) -> None:
        """The rows of one record."""
        self.numbers["records"] += 1
        for row in rows:
            self.numbers["rows"] += 1
            if row.status:
                self.statuses[row.status] += 1
                continue
            self.numbers["scored"] += 1
            if row.values is not None and np.isinf(row.values).any():
                self.numbers["not_finite"] += 1
            if row.start is not None:
                self._add_window(row)

    def _add_window(self, row: Row) -> None:
        allele, length = row.allele, self._length
        self.chroms[allele.record.chrom] += 1
        beyond = max(-row.start, 0) + max(row.start + length - int(self._sizes[allele.contig]), 0)
        if beyond:
            self.numbers["padded_windows"] += 1
            self.numbers["padded_bases"] += min(beyond, length)
        self.numbers["unknown_bases"] += row.unknown - min(beyond, row.unknown)
        if row.unknown == length:
            self.numbers["unknown_windows"] += 1
            if len(self.first_unknown) < NAMED:
                self.first_unknown.append(f"{allele.record.chrom}:{allele.record.pos + 1}")

    def as_dict(self) -> dict[str, Any]:
        """A copy, as JSON takes it."""
        return {
            **{name: self.numbers[name] for name in FIELDS},
            "statuses": dict(self.statuses),
            "chroms": dict(self.chroms),
            "first_unknown": list(self.first_unknown),
        }


def counted_notes(counts: Mapping[str, Any], length: int) -> list[str]:
    """What the user should know of it, in sentences: one a status."""
    notes = []
    for status, n in sorted(counts["statuses"].items(), key=lambda item: -item[1]):
        notes.append(f"{counted(n, 'ALT has', 'ALTs have')} the status {status} and no score: {STATUSES[status]}")
    if n := counts["padded_windows"]:
        passes = "window passes the end of its chromosome and was", "windows pass the end of their chromosome and were"
        notes.append(f"{counted(n, *passes)} padded with N (--edges)")
    met = UnknownBases(
        unknown_bases=counts["unknown_bases"],
        padded_bases=counts["padded_bases"],
        unknown_windows=counts["unknown_windows"],
        first_unknown=counts["first_unknown"],
    )
    notes += unknown_notes(met, counts["scored"], counts["scored"] * length) if counts["scored"] else []
    if n := counts["not_finite"]:
        notes.append(f"{counted(n, 'row has', 'rows have')} a score that is infinite")
    return notes
