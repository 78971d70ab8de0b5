"""Where a score stands among those of a background of its own kind: a quantile, p, and q over the file.

A row is ranked among the background variants of its kind alone (``ranks.change_kinds``). For one column, with N
background scores b of that kind (those that are numbers), a score s gets

    quantile   of a score with a sign: 2 * F - 1, in [-1, 1]; of one without: F, in [0, 1]; where
               F = (number of b < s, and half of those equal to s) / N. So 0 with a sign, or 0.5 without, is the median.
    r          how many background scores are at least as extreme: |b| >= |s| with a sign, b >= s without.
               Equal ones count.
    p          (r + 1) / (N + 1): two-sided with a sign, one-sided without; never less than 1 / (N + 1).
    q          Benjamini and Hochberg's: of all m p in the column of the file that are numbers, whatever their kind,
               the smallest p' * m / (number of p <= p') over p' >= p, at most 1.

Where the background has too few scores of a kind, its rows have none of them, and are counted.

Scores with a sign are differences of ALT and REF (``SIGNED``); ``l2``, ``jsd``, levels and the gains and losses of
splice sites have none. Numbers are compared as float32, as they are written.

p has at most N + 1 values a kind, so that q needs how often each r occurs and not the rows: a file of any length is
ranked in the memory of its background.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.variants.ranks.change_kinds import change_kind, kind_name, kind_text
from zoo.variants.scores.scores import Column
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.variants.run.scorer import Row

__all__ = ["KIND", "PARTS", "SIGNED", "Ranks", "kinds_of", "no_ranks", "ranked"]

#: The column that names the kind in which a row is ranked.
KIND = "background_kind"

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
    return Ranks(columns, np.empty((0, len(columns)), np.float32), np.empty(0, np.uint8)).columns


def kinds_of(rows: Sequence[Row]) -> np.ndarray:
    """(rows,) uint8 kinds of their changes."""
    return np.array([change_kind(row.allele.edit) for row in rows], np.uint8)


class _Among:
    """Background scores of one column and kind, and how often each r was met in the file."""

    def __init__(self, values: np.ndarray, signed: bool, least: int) -> None:
        values = np.sort(values[~np.isnan(values)])
        self.n = len(values)
        self.enough = self.n >= max(least, 1)
        self._sorted, self._signed = values, signed
        self._extremes = np.sort(np.abs(values)) if signed else values
        self.seen = np.zeros(self.n + 1, dtype=np.int64)

    def r(self, scores: np.ndarray) -> np.ndarray:
        """(n,) int64 of scores that are numbers."""
        return self.n - np.searchsorted(self._extremes, np.abs(scores) if self._signed else scores, "left")

    def p(self, r: np.ndarray) -> np.ndarray:
        """(n,) p of r."""
        return (r + 1) / (self.n + 1)

    def quantile(self, scores: np.ndarray) -> np.ndarray:
        """(n,) of scores that are numbers."""
        below, upto = (np.searchsorted(self._sorted, scores, side) for side in ("left", "right"))
        share = (below + upto) / (2 * self.n)
        return 2 * share - 1 if self._signed else share


class Ranks:
    """Ranks of scores among those of a background, each kind of change by itself.

    Args:
        columns: of the scores.
        background: (n, columns) float32 scores of the background; NaN where one has none.
        kinds: (n,) of the background, see ``change_kinds``.
        least: scores of a kind and column with fewer in the background have no rank.

    Attributes:
        columns: the columns behind those of the scores: for each that is ranked its quantile, p and q.
        sha256: of the background.
    """

    def __init__(self, columns: Sequence[Column], background: np.ndarray, kinds: np.ndarray, least: int = 1) -> None:
        self._ranked = ranked(columns)
        self._names = [columns[i].name for i in self._ranked]
        self._least = least
        background, kinds = np.asarray(background, np.float32), np.asarray(kinds, np.uint8)
        self._among = {
            kind: [_Among(background[kinds == kind, i], columns[i].score in SIGNED, least) for i in self._ranked]
            for kind in np.unique(kinds).tolist()
        }
        self._rows: Counter[int] = Counter()
        self._without: Counter[int] = Counter()
        self._q: list[tuple[np.ndarray, np.ndarray]] | None = None
        digest = hashlib.sha256(np.ascontiguousarray(background, "<f4").tobytes())
        digest.update(kinds.tobytes())
        self.sha256 = digest.hexdigest()
        self.columns = tuple(self._column(columns[i], part) for i in self._ranked for part in PARTS)

    @staticmethod
    def _column(column: Column, part: str) -> Column:
        signed = column.score in SIGNED
        says = {
            "quantile": f"place of {column.name} among the background variants of its kind, "
            + ("-1 to 1, 0 is their median" if signed else "0 to 1"),
            "p": f"share of the background variants of its kind whose {column.name} is at least as "
            + ("far from 0, (r + 1) / (N + 1)" if signed else "large, (r + 1) / (N + 1)"),
            "q": f"p of {column.name}, corrected for all of the file (Benjamini-Hochberg)",
        }
        return dataclasses.replace(column, name=f"{column.name}_{part}", units="", description=says[part])

    def count(self, values: np.ndarray, kinds: np.ndarray) -> None:
        """Take the scores of rows into account for q.

        Args:
            values: (n, columns) float32; NaN where there is no score.
            kinds: (n,) of their changes.
        """
        for kind in np.unique(kinds).tolist():
            of = values[kinds == kind][:, self._ranked]
            known = ~np.isnan(of)
            self._rows[kind] += int(known.any(1).sum())
            lacking = np.ones(len(self._ranked), bool)
            for place, among in enumerate(self._among.get(kind, ())):
                if among.enough:
                    lacking[place] = False
                    r = among.r(of[known[:, place], place])
                    among.seen += np.bincount(r, minlength=len(among.seen))
            self._without[kind] += int((known & lacking).any(1).sum())
        self._q = None

    def of(self, values: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """Quantile, p and q of each ranked column, after all rows were counted.

        Args:
            values: (n, columns) float32, of rows that were counted.
            kinds: (n,) of their changes.

        Returns:
            (n, 3 * ranked) float32 in the order of ``columns``; NaN where there is no score, or no background.
        """
        if self._q is None:
            self._q = [
                _adjusted([among[place] for among in self._among.values()]) for place in range(len(self._ranked))
            ]
        found = np.full((len(values), len(PARTS) * len(self._ranked)), np.nan, dtype=np.float32)
        for kind, of_kind in self._among.items():
            for place, (i, among) in enumerate(zip(self._ranked, of_kind, strict=True)):
                known = (kinds == kind) & ~np.isnan(values[:, i])
                if not among.enough or not known.any():
                    continue
                scores, at = np.asarray(values[known, i], np.float32), len(PARTS) * place
                p = among.p(among.r(scores))
                all_p, all_q = self._q[place]
                found[known, at] = among.quantile(scores)
                found[known, at + 1] = p
                found[known, at + 2] = all_q[np.searchsorted(all_p, p)]
        return found

    def notes(self) -> list[str]:
        """Which rows have no rank, after all were counted."""
        without = {kind: n for kind, n in sorted(self._without.items()) if n}
        if not without:
            return []
        few = f"fewer than {self._least}" if self._least > 1 else "no"
        each = ", ".join(f"{kind_text(kind)}: {counted(n, 'row')}" for kind, n in without.items())
        rows = counted(sum(without.values()), "row has", "rows have")
        return [
            f"--background: {rows} scores without quantile, p and q: "
            f"the background has {few} scores of their kind ({each})"
        ]

    def as_dict(self) -> dict[str, Any]:
        """Each kind of the file and of the background, for the run record, after all rows were counted.

        Returns:
            ``least``, and ``kinds``: name -> ``rows`` of the file with scores, how many of them have a score without
            a rank, and how many background scores each ranked column has.
        """
        kinds = sorted({*self._among, *(kind for kind, n in self._rows.items() if n)})
        return {
            "least": self._least,
            "kinds": {
                kind_name(kind): {
                    "rows": self._rows[kind],
                    "rows_without_ranks": self._without[kind],
                    "background_scores": {
                        name: self._among[kind][place].n if kind in self._among else 0
                        for place, name in enumerate(self._names)
                    },
                }
                for kind in kinds
            },
        }


def _adjusted(among: Sequence[_Among]) -> tuple[np.ndarray, np.ndarray]:
    """All p of a column of the file, ascending, and the q of each."""
    p = np.concatenate([one.p(np.flatnonzero(one.seen)) for one in among] or [np.empty(0)])
    seen = np.concatenate([one.seen[one.seen > 0] for one in among] or [np.empty(0, np.int64)])
    p, place = np.unique(p, return_inverse=True)  # of two kinds equal fractions are equal numbers
    upto = np.cumsum(np.bincount(place, seen, minlength=len(p)))
    q = p * (upto[-1] if len(upto) else 0) / np.maximum(upto, 1)
    return p, np.minimum(np.minimum.accumulate(q[::-1])[::-1], 1)
