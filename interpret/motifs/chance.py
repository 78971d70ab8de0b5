"""How often a known motif would fit a pattern as well if the pattern's columns had come in another order.

TOMTOM asks how often columns drawn one by one from the whole database would fit the pattern as well. Columns of a
motif are not drawn one by one: those without information lie side by side, as in the 34 columns of CTCF's zinc
fingers, and so do those of G and C. To a flat query only a target column's information matters, so that a run of flat
columns, which TOMTOM takes for ten independent strokes of luck, gives it p = 1e-15. Of 60 queries of ten columns drawn
from a Dirichlet distribution around equal frequencies (concentration 20), 60 had a match in JASPAR at q 0.05, 43 in
HOCOMOCO 12.

So the question is also put the other way round. The known motif stands as it is, and columns are drawn for the pattern:
those of the pattern itself, so that they have its composition, and, of a column with information, also the columns with
the same frequencies at other letters, more often at those that are frequent in the pattern. A flat pattern fits no
better than its own shuffles, and neither does weak noise of any composition; a motif with information does, unless it
is one letter again and again. The p-value of a match is the larger of the two (``databases.match_motifs``).

A pattern is laid on a motif in many ways, each of them a try; but only where so small a chance can be had at all: two
columns that meet are no try where eight fit (Tarone's correction, see ``chance_of``).

Measured by ``python -m scripts.bench.known_motifs``, on every motif as it stands, and (``--sites 100``) as 100 sites
give it with two columns of background beside it, as ``zoo motifs`` compares a pattern:

- 96.9% and 97.4% of JASPAR's 2,633 motifs find themselves at q 0.05, all of HOCOMOCO 12's 1,443, all but two of
  HOCOMOCO 13's 1,611 as they stand; 94.9% of JASPAR's where every offset is a try. TOMTOM alone finds all.
- As they stand, 63% of motifs of 4 or 5 columns find themselves in JASPAR, 89% of 6, 96% of 7, 99% of 8, all of more.
  Nearly all others stand first all the same, at q 0.05 to 1: their few columns in another order, or with other letters,
  fit as well in one case of 10,000 or so, and q counts each of the motifs compared as a case of its own.
- Of 1,200 queries of noise of 6 to 30 columns, six compositions at concentrations 2 to 400, at most one matches any of
  the three; by TOMTOM alone 800 or more do. Of 200 queries of 6 to 10 letters at random between columns of background,
  which are most like a motif, 0 to 7 match (``tests/interpret/motifs/test_chance.py`` holds both to 5%).

The limits of ``turned_share`` and the composition were measured too. With the pattern's own columns alone motifs of 6
columns are never found: 6**6 orders are fewer than the 50,000 comparisons with JASPAR ask for. With letters turned to
any order alike, 23% of queries of nine columns of 85% A match; with letters half as skewed as the pattern's, all of 30
such columns match HOCOMOCO 12.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from interpret.motifs.pattern import information

__all__ = ["Shuffled", "chance_of"]

ORDERS = np.array(list(itertools.permutations(range(4))))
BINS = 128
STEP = np.sqrt(2) / (BINS - 1)  # two columns of one letter each lie sqrt(2) apart
LEAST_TURNED, ALL_TURNED = 0.25, 1.0


@dataclass(frozen=True)
class Shuffled:
    """Columns that chance could put into a pattern.

    Attributes:
        columns: (n, 4) frequencies. weights: (n,), their probabilities.
    """

    columns: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, probability: np.ndarray) -> Shuffled:
        """Those of a pattern (W, 4)."""
        turned = turned_share(information(probability))
        orders = probability[:, ORDERS]
        likely = orders @ probability.mean(axis=0)  # (W, 24): letters as frequent as they are in the whole pattern
        each = turned[:, None] * likely / likely.sum(axis=1, keepdims=True)
        columns = np.concatenate([probability, orders.reshape(-1, 4)])
        weights = np.concatenate([1 - turned, each.ravel()]) / len(probability)
        return cls(columns[weights > 0], weights[weights > 0])


def turned_share(bits: np.ndarray) -> np.ndarray:
    """How often a column of so many bits is drawn with its letters in any order: never up to 0.25 bits, always at 1.

    A weak column with its letters turned would lose the pattern's composition, which is all that it may have.
    """
    return np.clip((bits - LEAST_TURNED) / (ALL_TURNED - LEAST_TURNED), 0, 1)


def chance_of(probability: np.ndarray, drawn: Shuffled, target: np.ndarray, offset: int) -> float:
    """Chance that drawn columns lie as near to a known motif as the pattern's do, wherever they are laid on it.

    As near is as improbable at their offset. Where few columns lie on each other nothing is as improbable as a good fit
    of many, so that such offsets are no further tries (Tarone's correction). Columns with information stand together in
    a pattern, those drawn one by one do not: each place in the pattern where their run could stand is a try too. As a
    run at another place is the same as another offset, there are no more tries than offsets.

    Args:
        probability: the pattern, (W, 4). drawn: ``Shuffled.of`` it.
        target: the known motif, (V, 4), turned if it fits turned.
        offset: column of the known motif at which the pattern begins; may be negative.

    Returns:
        p-value over these tries, by Euclidean distances summed over the columns that lie on each other; 1 where none
        does.
    """
    first, last = max(0, -offset), min(len(probability), len(target) - offset)
    if last <= first:
        return 1.0
    aligned = target[first + offset : last + offset]
    here = _steps(np.linalg.norm(probability[first:last] - aligned, axis=1)).sum()
    apart = _apart(drawn.columns, target)
    reached = np.ones(1)
    for column in apart.T[first + offset : last + offset]:
        # Sums only grow: what is beyond the pattern's own distance never comes back.
        counts = np.bincount(column, drawn.weights, minlength=BINS)
        reached = np.convolve(reached, counts[: here + 1])[: here + 1]
    once = min(float(reached.sum()), 1.0)
    if once >= 1 - 1e-12:
        return 1.0
    strands = (apart, _apart(drawn.columns[:, ::-1], target))
    least = np.concatenate([_least(strand, drawn.weights, len(probability)) for strand in strands])
    tries = int((least <= np.log(max(once, 1e-300)) + 1e-9).sum()) * _places(probability)
    tries = min(tries, len(least))
    return float(-np.expm1(tries * np.log1p(-once)))


def _places(probability: np.ndarray) -> int:
    """At how many places the run from the first to the last column with information could stand in the pattern."""
    clear = np.flatnonzero(information(probability) >= LEAST_TURNED)
    return len(probability) - int(clear[-1] - clear[0]) if len(clear) else 1


def _least(apart: np.ndarray, weights: np.ndarray, width: int) -> np.ndarray:
    """(W + V - 1,) logarithms of the smallest chance at each offset: of the nearest column at every place.

    Args:
        apart: (n, V) steps from each drawn column to each of the known motif. weights: (n,). width: W of the pattern.
    """
    nearest = np.log(((apart == apart.min(axis=0)) * weights[:, None]).sum(axis=0))
    summed = np.concatenate([[0.0], np.cumsum(nearest)])
    offsets = np.arange(1 - width, len(nearest))
    return summed[np.minimum(offsets + width, len(nearest))] - summed[np.maximum(offsets, 0)]


def _apart(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    squares = (columns**2).sum(axis=1)[:, None] + (target**2).sum(axis=1) - 2 * columns @ target.T
    return _steps(np.sqrt(np.maximum(squares, 0)))


def _steps(distance: np.ndarray) -> np.ndarray:
    return np.rint(distance / STEP).astype(int)
