"""Which windows and cells train, validate and test; what would let one side know another is refused, rows named."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from finetune.config import CellSplit, SplitConfig
from finetune.data.duplicates import check_duplicates
from finetune.data.exclude import merged
from finetune.data.regions import Geometry, Windows
from zoo.errors import UsageError
from zoo.genome.assembly import alias_map
from zoo.words import counted_of, near_names

__all__ = ["SIDES", "check_base", "check_duplicates", "check_overlap", "split_cells", "split_windows"]

SIDES = ("train", "validation", "test")


def split_windows(
    windows: Windows, config: SplitConfig, geometry: Geometry, shift: int, chromosomes: Collection[str] = ()
) -> np.ndarray:
    """The side of each window by its chromosome.

    Args:
        shift: bp that augmentation moves a training window at most, either way (``augment.shift`` + ``augment.flank``).
        chromosomes: all of the FASTA, so that one without windows is told from a misspelt one.

    Returns:
        (n,) ``<U10``: ``train``, ``validation``, ``test``, or ``""`` where ``split.train`` names others.

    Raises:
        UsageError: a chromosome is unknown or of two sides; a side is empty; windows of two sides overlap.
    """
    present = dict.fromkeys(windows.chrom.tolist())
    side_of = _side_of_names(config, [*present, *(name for name in chromosomes if name not in present)])
    rest = "" if config.train else "train"
    split = np.array([side_of.get(name, rest) for name in windows.chrom.tolist()], dtype="<U10")
    for side in SIDES:
        if not (split == side).any():
            _refuse_empty(side, config, list(present))
    check_overlap(windows, split, geometry, shift)
    return split


def _side_of_names(config: SplitConfig, known: list[str]) -> dict[str, str]:
    side_of: dict[str, str] = {}
    for side in SIDES:
        for name in getattr(config, side):
            if name not in known:
                near = near_names(name, known) or known[:4]
                raise UsageError(
                    f"`split.{side}`: no window lies on a chromosome {name!r}",
                    f"windows lie on {_some(known)}",
                    f"Fix: write {' or '.join(near)}",
                )
            if side_of.setdefault(name, side) != side:
                raise UsageError(
                    f"chromosome {name!r} is of two sides: `split.{side_of[name]}` and `split.{side}`",
                    "",
                    "Fix: leave it in one of them",
                )
    return side_of


def _refuse_empty(side: str, config: SplitConfig, present: list[str]) -> None:
    named = getattr(config, side)
    if named:
        why = f"no window that can be used lies on {_some(named)}"
    elif side == "train":
        why = "all chromosomes with windows are of validation or test"
    else:
        why = f"`split.{side}` names no chromosome"
    raise UsageError(
        f"the {side} side is empty: {why}",
        f"windows lie on {_some(present)}",
        f"Fix: name chromosomes with windows in `split.{side}`"
        if side != "train"
        else "Fix: name fewer chromosomes in `split.validation` and `split.test`",
    )


def check_overlap(windows: Windows, split: np.ndarray, geometry: Geometry, shift: int) -> None:
    """Refuse windows of two sides that share bases once training windows are moved as far as they may be.

    By chromosomes alone that cannot be; it can where sides were given window by window, or two heads of one genome
    have splits of their own.

    Args:
        split: (n,) sides; ``""`` is of none.
        shift: bp that training windows are moved at most, either way.

    Raises:
        UsageError: two overlap; the first pair is named, and how many windows do.
    """
    names = list(dict.fromkeys(windows.chrom.tolist()))
    code = {name: i for i, name in enumerate(names)}
    number = np.fromiter((code[name] for name in windows.chrom), dtype=np.int64, count=len(windows))
    reach = np.where(split == "train", shift, 0)
    low, high = windows.start - reach, windows.start + geometry.length + reach
    guilty = np.zeros(len(split), dtype=bool)
    first: tuple[int, int] | None = None
    for one, other in itertools.combinations(SIDES, 2):
        mine, theirs = np.flatnonzero(split == one), np.flatnonzero(split == other)
        for these, those in ((mine, theirs), (theirs, mine)):
            hit = these[_touching(number, low, high, these, those)]
            guilty[hit] = True
            if len(hit) and first is None:
                row = int(hit[0])
                partners = (number[those] == number[row]) & (low[those] < high[row]) & (low[row] < high[those])
                first = row, int(those[np.argmax(partners)])
    if first is None:
        return

    def place(row: int) -> str:
        start = int(windows.start[row])
        return f"window {row} ({split[row]}, {names[number[row]]}:{start}-{start + geometry.length})"

    raise UsageError(
        f"{place(first[0])} and {place(first[1])} overlap"
        + (f" once training windows move by {shift:,} bp" if shift else ""),
        f"{counted_of(int(guilty.sum()), len(split), 'window', 'overlap')} one of another side",
        "Fix: put whole chromosomes on one side in `split`" + (", or lower `augment.shift`" if shift else ""),
    )


def _touching(
    number: np.ndarray, low: np.ndarray, high: np.ndarray, these: np.ndarray, those: np.ndarray
) -> np.ndarray:
    """(len(these),) bool: whether an interval of those shares a base with each of these."""
    out = np.zeros(len(these), dtype=bool)
    runs = merged(number[those], low[those], high[those])
    for contig, run in runs.items():
        at = np.flatnonzero(number[these] == contig)
        out[at] = run.touched(low[these[at]], high[these[at]])
    return out


def check_base(
    windows: Windows,
    split: np.ndarray,
    trained_on: Iterable[str] | None,
    config: SplitConfig,
    *,
    base: str = "the base",
    held_out: Sequence[str] = (),
) -> str | None:
    """Refuse test windows on chromosomes that the base was trained on: it knows what is asked.

    Args:
        trained_on: training chromosomes of the base's card, in any style; None where it has none; empty for a base
            that was trained on nothing.
        base: its name. held_out: test chromosomes of its card.

    Returns:
        A note for the user and the card, or None.

    Raises:
        UsageError: test windows lie on such chromosomes, under ``split.base_overlap: error``.
    """
    if trained_on is None:
        return (
            f"the card of {base} does not say which chromosomes it was trained on: test windows may be among them, "
            "and figures on them too good"
        )
    tested = list(dict.fromkeys(windows.chrom[split == "test"].tolist()))
    names = list(dict.fromkeys(windows.chrom.tolist()))
    # Joined by form (chr1, 1, an accession), as the lengths of the base's assembly are not known here.
    trained = set(alias_map(list(trained_on), dict.fromkeys(names, 0)).values())
    both = [name for name in tested if name in trained]
    if not both:
        return None
    n, total = int((np.isin(windows.chrom, both) & (split == "test")).sum()), int((split == "test").sum())
    what = f"{counted_of(n, total, 'test window', 'lie')} on chromosomes that {base} was trained on: {_some(both)}"
    if config.base_overlap == "note":
        return f"{what}; figures on them are too good"
    free = list(alias_map(list(held_out), dict.fromkeys(names, 0)).values())
    free = free or [name for name in names if name not in trained]
    raise UsageError(
        what,
        f"test chromosomes are {_some(tested)}",
        (f"Fix: `split.test: [{', '.join(free[:6])}]`, which {base} has not seen, or" if free else "Fix:")
        + " `split.base_overlap: note` to go on, with a warning in the card",
    )


def split_cells(cells: Iterable[str], config: CellSplit | None) -> dict[str, str]:
    """The side of each cell type; those that are not named train.

    Where ``cells.train`` names some, a cell that is named nowhere is of no side (``""``). ``reference`` cells are part
    of averages alone.

    Raises:
        UsageError: a cell that does not exist or is of two sides; no training cell.
    """
    known = list(dict.fromkeys(cells))
    config = config or CellSplit()
    side_of: dict[str, str] = {}
    for side in (*SIDES, "reference"):
        for name in getattr(config, side):
            if name not in known:
                near = near_names(name, known) or known[:4]
                raise UsageError(
                    f"`split.cells.{side}`: no target has the cell {name!r}",
                    f"cells are {_some(known)}" if known else "no target names a cell",
                    f"Fix: write {' or '.join(near)}" if known else "Fix: add `cell:` to the targets",
                )
            if side_of.setdefault(name, side) != side:
                raise UsageError(
                    f"cell {name!r} is of two sides: `split.cells.{side_of[name]}` and `split.cells.{side}`",
                    "",
                    "Fix: leave it in one of them",
                )
    rest = "" if config.train else "train"
    found = {name: side_of.get(name, rest) for name in known}
    if known and "train" not in found.values():
        raise UsageError(
            "no cell trains: all are of another side",
            f"cells are {_some(known)}",
            "Fix: name fewer in `split.cells.validation`, `test` and `reference`",
        )
    return found


def _some(names: Iterable[str], n: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
