"""Where a score stands among those of a background: a quantile, p, and q over the file.

For one column, with N background scores b (those that are numbers), a score s gets

    quantile   of a score with a sign: 2 * F - 1, in [-1, 1]; of one without: F, in [0, 1]; where
               F = (number of b < s, and half of those equal to s) / N. So 0 with a sign, or 0.5 without, is the median.
    r          how many background scores are at least as extreme: |b| >= |s| with a sign, b >= s without.
               Equal ones count.
    p          (r + 1) / (N + 1): two-sided with a sign, one-sided without; never less than 1 / (N + 1).
    q          Benjamini and Hochberg's: of all m p in the column of the file that are numbers, the smallest
               p' * m / (number of p <= p') over p' >= p, at most 1.

Scores with a sign are differences of ALT and REF (``SIGNED``); ``l2``, ``jsd``, levels and the gains and losses of
splice sites have none. Numbers are compared as float32, as they are written.

p has at most N + 1 values, so that q needs how often each r occurs and not the rows: a file of any length is ranked in
the memory of its background.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from zoo.variants.scores import Column

__all__ = ["PARTS", "SIGNED", "Ranks", "no_ranks", "ranked"]

#: Scores whose sign says in which direction a variant acts.
SIGNED = {"diff", "log2fc", "logit", "max"}
#: What each ranked column gets, in this order, behind all scores.
PARTS = ("quantile", "p", "q")


def ranked(columns: Sequence[Column]) -> list[int]:
    """Which columns have ranks: scores of a variant as it is written.

    Not whole numbers, such as distances, nor what stands beside a gain or loss of a splice site: REF and ALT there.
    """
    return [
        i
        for i, one in enumerate(columns)
        if not one.integer
        and not one.name.endswith(("_leftmost", "_rightmost"))
        and not one.score.startswith(("REF_", "ALT_"))
    ]


def no_ranks(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that ranks will have, before there is a background."""
    return Ranks(columns, np.empty((0, len(columns)), np.float32)).columns


class Ranks:
    """Ranks of scores among those of a background.

    Args:
        columns: of the scores.
        background: (n, columns) float32 scores of the background; NaN where one has none.

    Attributes:
        columns: the columns behind those of the scores: for each that is ranked its quantile, p and q.
        n: (ranked,) int64 background scores of each ranked column.
        sha256: of the background.
    """

    def __init__(self, columns: Sequence[Column], background: np.ndarray) -> None:
        self._ranked = ranked(columns)
        self._signed = [columns[i].score in SIGNED for i in self._ranked]
        self._sorted, self._extremes = [], []
        for i, signed in zip(self._ranked, self._signed, strict=True):
            values = np.asarray(background[:, i], np.float32)
            values = np.sort(values[~np.isnan(values)])
            self._sorted.append(values)
            self._extremes.append(np.sort(np.abs(values)) if signed else values)
        self.n = np.array([len(values) for values in self._sorted], dtype=np.int64)
        self._seen = [np.zeros(n + 1, dtype=np.int64) for n in self.n.tolist()]
        self._q: list[np.ndarray] | None = None
        self.sha256 = hashlib.sha256(np.ascontiguousarray(background, "<f4").tobytes()).hexdigest()
        self.columns = tuple(
            self._column(columns[i], part, n) for i, n in zip(self._ranked, self.n, strict=True) for part in PARTS
        )

    @staticmethod
    def _column(column: Column, part: str, n: int) -> Column:
        signed = column.score in SIGNED
        says = {
            "quantile": f"place of {column.name} among {n:,} background variants, "
            + ("-1 to 1, 0 is their median" if signed else "0 to 1"),
            "p": f"share of {n:,} background variants whose {column.name} is at least as "
            + ("far from 0, (r + 1) / (N + 1)" if signed else "large, (r + 1) / (N + 1)"),
            "q": f"p of {column.name}, corrected for all of the file (Benjamini-Hochberg)",
        }
        return dataclasses.replace(column, name=f"{column.name}_{part}", units="", description=says[part])

    def count(self, values: np.ndarray) -> None:
        """Take the scores of rows into account for q.

        Args:
            values: (n, columns) float32; NaN where there is no score.
        """
        for seen, r in zip(self._seen, self._r(values), strict=True):
            seen += np.bincount(r[r >= 0], minlength=len(seen))
        self._q = None

    def of(self, values: np.ndarray) -> np.ndarray:
        """Quantile, p and q of each ranked column, after all rows were counted.

        Args:
            values: (n, columns) float32, of rows that were counted.

        Returns:
            (n, 3 * ranked) float32 in the order of ``columns``; NaN where there is no score, or no background.
        """
        if self._q is None:
            self._q = [_adjusted(seen) for seen in self._seen]
        found = np.full((len(values), len(PARTS) * len(self._ranked)), np.nan, dtype=np.float32)
        for place, (i, r) in enumerate(zip(self._ranked, self._r(values), strict=True)):
            known, n = r >= 0, len(self._sorted[place])
            if not known.any():
                continue
            at = len(PARTS) * place
            below = np.searchsorted(self._sorted[place], values[known, i], "left")
            upto = np.searchsorted(self._sorted[place], values[known, i], "right")
            share = (below + upto) / (2 * n)
            found[known, at] = 2 * share - 1 if self._signed[place] else share
            found[known, at + 1] = (r[known] + 1) / (n + 1)
            found[known, at + 2] = self._q[place][r[known]]
        return found

    def _r(self, values: np.ndarray) -> list[np.ndarray]:
        """For each ranked column (n,) int64 r, -1 where there is none."""
        found = []
        for i, extremes, signed in zip(self._ranked, self._extremes, self._signed, strict=True):
            column = np.asarray(values[:, i], np.float32)
            least = np.abs(column) if signed else column
            r = len(extremes) - np.searchsorted(extremes, least, "left")
            found.append(np.where(np.isnan(column) | (len(extremes) == 0), -1, r))
        return found


def _adjusted(seen: np.ndarray) -> np.ndarray:
    """(N + 1,) q of each r, of how often each occurs."""
    upto, m = np.cumsum(seen), seen.sum()
    p = np.arange(1, len(seen) + 1) / len(seen)
    q = np.where(upto > 0, p * m / np.maximum(upto, 1), np.inf)
    q[seen == 0] = np.inf  # no row has this p
    return np.minimum(np.minimum.accumulate(q[::-1])[::-1], 1)
