"""Level reproduces: another entry that predicts the same.

Two models of one input length that give the same numbers for the same random sequences are one model, whatever their
files are called. Those that can be run here are compared; the others are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zoo.check.findings import CODES, Finding
from zoo.words import counted_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["check_twins"]


def check_twins(
    name: str,
    mine: dict[str, np.ndarray] | None,
    length: int,
    sizes: list[int],
    others: list[dict[str, Any]],
    fingerprint_of: Callable[[str], dict[str, np.ndarray] | None],
) -> list[Finding]:
    """Name the entries with the same outputs.

    Args:
        mine: the fingerprint; None where the entry could not be run, which is told elsewhere.
        length: of its input. sizes: number of tracks of its outputs, sorted.
        others: index records (`zoo.entries`) of the entries to compare with.
        fingerprint_of: of another entry by name; None where it cannot be run here.
    """
    if mine is None:
        return []
    alike = [
        one
        for one in others
        if one["name"] != name
        and one.get("input_length") == length
        and sorted(output.get("n_tracks") or 0 for output in one.get("outputs") or []) == sizes
    ]
    found, absent = [], 0
    for one in alike:
        other = fingerprint_of(one["name"])
        if other is None:
            absent += 1
        elif _equal(mine, other):
            what = f"predicts the same as {one['name']}: a duplicate"
            fix = f"improve {one['name']}, or say what is different"
            found.append(Finding(name, "reproduces", "duplicate", "error", what, fix, code=CODES["model"]))
    what = f"compared with {counted_of(len(alike) - absent, len(alike), 'entry')} of the same input and outputs"
    return [*found, Finding(name, "reproduces", "duplicate", "note", what)]


def _equal(mine: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    import numpy as np

    pairs = zip(sorted(mine.values(), key=_order), sorted(other.values(), key=_order), strict=False)
    return len(mine) == len(other) and all(
        one.shape == two.shape and np.allclose(one, two, rtol=1e-4, atol=1e-6) for one, two in pairs
    )


def _order(values: np.ndarray) -> tuple[int, float]:
    return values.size, float(values.sum())
