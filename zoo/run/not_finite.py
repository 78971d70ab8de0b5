"""NaN and infinite values that a model predicts: counted by output, and said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.outputs import PredictionBatch
from zoo.words import counted

__all__ = ["NotFinite", "not_finite_notes"]


class NotFinite:
    """Counts values that are no numbers; under the key ``not_finite`` of a run's counts.

    Output name -> ``nan``, ``infinite`` (values), ``windows`` (that have any) and ``first`` (the region of the first).
    An output whose values are all finite has no entry.

    Args:
        counts: of an earlier run, to go on from.
    """

    def __init__(self, counts: Mapping[str, Any] | None = None) -> None:
        self.found: dict[str, dict[str, Any]] = {k: dict(v) for k, v in (counts or {}).get("not_finite", {}).items()}

    def add(self, batch: PredictionBatch) -> None:
        """Count the values of consecutive windows."""
        for name, values in batch.values.items():
            if not _all_finite(values):
                self._count(name, values, batch)

    def as_dict(self) -> dict[str, Any]:
        """What stands in the counts, as a copy."""
        return {"not_finite": {name: dict(found) for name, found in self.found.items()}}

    def _count(self, name: str, values: np.ndarray, batch: PredictionBatch) -> None:
        absent = ~np.isfinite(values).reshape(len(batch), -1)
        rows = np.flatnonzero(absent.any(1))
        nan = int(np.isnan(values).sum())
        place = f"{batch.chrom[rows[0]]}:{batch.start[rows[0]]}-{batch.end[rows[0]]}"
        found = self.found.setdefault(name, {"nan": 0, "infinite": 0, "windows": 0, "first": place})
        found["nan"] += nan
        found["infinite"] += int(absent.sum()) - nan
        found["windows"] += len(rows)


def _all_finite(values: np.ndarray) -> bool:
    """By their sum, which nothing that is not finite leaves finite, and in full only where that is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum())) or bool(np.isfinite(values).all())


def not_finite_notes(counts: Mapping[str, Any], left_out: bool) -> list[str]:
    """A sentence an output.

    Args:
        left_out: whether the format has no place for them, see ``Writer.holds_not_finite``.
    """
    end = "left out of the file" if left_out else "written as nan, inf and -inf"
    return [
        f"output {name!r}: {counted(n := found['nan'] + found['infinite'], 'value')} of "
        f"{counted(found['windows'], 'window')} {'is' if n == 1 else 'are'} not finite "
        f"({found['nan']:,} NaN, {found['infinite']:,} infinite), first: {found['first']}; {end}"
        for name, found in counts.get("not_finite", {}).items()
    ]
