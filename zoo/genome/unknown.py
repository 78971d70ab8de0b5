"""Unknown bases: what counts as one, and from when on the user is told. They are read, never changed or left out.

Every letter but A, C, G, T, either case, is an unknown base: N, the ambiguity codes of IUPAC, and whatever else stands
in a file (X, ``-``, ``*``). U is T, as RNA is written, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.words import counted, counted_of

__all__ = ["UNKNOWN_SHARE", "Met", "UnknownBases", "unknown_notes"]

#: Of all bases of the windows; a larger share of unknown ones is said.
UNKNOWN_SHARE = 0.1
#: Windows without a known base that are named in the record.
NAMED = 10


@dataclass(frozen=True)
class Met:
    """What letters other than A, C, G, T were met in N sequences.

    Attributes:
        unknown: bases that are neither A, C, G, T nor U.
        whole: int64 numbers of the sequences without any other.
        iupac: ambiguity codes other than N. rna: U, which is read as T. other: letters that are none of all these.
    """

    unknown: int
    whole: np.ndarray
    iupac: int
    rna: int
    other: int


@dataclass
class UnknownBases:
    """What was met in windows; stands in the run record.

    Attributes:
        unknown_bases: letters inside chromosomes that are no A, C, G, T; those of the next two are among them.
        iupac_bases: ambiguity codes other than N.
        other_letters: letters that are neither.
        rna_bases: U, read as T.
        padded_bases: places outside chromosomes, which are unknown too.
        unknown_windows: windows without a known base. first_unknown: where the first of them are.
    """

    unknown_bases: int = 0
    iupac_bases: int = 0
    other_letters: int = 0
    rna_bases: int = 0
    padded_bases: int = 0
    unknown_windows: int = 0
    first_unknown: list[str] = field(default_factory=list)

    def add(self, met: Met) -> None:
        """Count the letters of windows."""
        self.unknown_bases += met.unknown
        self.iupac_bases += met.iupac
        self.rna_bases += met.rna
        self.other_letters += met.other

    def name(self, places: list[str]) -> None:
        """Count windows without a known base, given by where they are."""
        self.unknown_windows += len(places)
        self.first_unknown += places[: NAMED - len(self.first_unknown)]

    def add_one_hot(self, inputs: Any, n: int, place: Callable[[int], str]) -> int:
        """Count what a model's own dataloader made, as far as it is one-hot: padding cannot be told from N there.

        Args:
            inputs: an array, or a list or mapping of such.
            n: the first samples, which are predicted.
            place: number of a sample in these inputs -> how it is named.

        Returns:
            How many bases were looked at.
        """
        found = [unknown for array in _arrays(inputs) if (unknown := _unknown_of(array)) is not None]
        if not (found and n):
            return 0
        unknown = sum(one[:n].sum(1) for one in found)
        bases = sum(one.shape[1] for one in found)
        self.unknown_bases += int(unknown.sum())
        whole = np.flatnonzero(unknown == bases)
        self.name([place(int(row)) for row in whole])
        return bases * n


def _arrays(inputs: Any) -> Iterator[np.ndarray]:
    if isinstance(inputs, np.ndarray):
        yield inputs
    elif isinstance(inputs, Mapping | list | tuple):
        for one in inputs.values() if isinstance(inputs, Mapping) else inputs:
            yield from _arrays(one)


def _unknown_of(array: np.ndarray) -> np.ndarray | None:
    """(N, L) bool: where a one-hot array has no base; None where the array is none."""
    axes = [axis for axis in range(1, array.ndim) if array.shape[axis] == len("ACGT")]
    if array.ndim < 3 or len(axes) != 1 or array.dtype.kind not in "fiub":
        return None
    channels = np.moveaxis(array, axes[0], -1).reshape(len(array), -1, 4)
    unknown = (channels == channels[..., :1]).all(-1)
    known = (channels.max(-1) == 1) & (channels.sum(-1) == 1) & (channels.min(-1) == 0)
    return unknown if (unknown | known).all() else None


def unknown_notes(met: UnknownBases, windows: int, bases: int, one: str = "window") -> list[str]:
    """What the user should know of unknown bases, in sentences.

    Args:
        windows: how many were read.
        bases: of them, inside chromosomes or not.
        one: what a window is called.
    """
    notes = []
    inside = bases - met.padded_bases
    if met.rna_bases:
        one_was, they_were = "base is U, as in RNA: it was", "bases are U, as in RNA: they were"
        notes.append(f"{counted(met.rna_bases, one_was, they_were)} read as T")
    if met.unknown_windows:
        first = f", first: {met.first_unknown[0]}" if met.first_unknown else ""
        some = counted_of(met.unknown_windows, windows, one, "hold")
        each = f"the only {one} holds" if windows == 1 else f"all {windows:,} {one}s hold"
        which = each if met.unknown_windows == windows else some
        them = "it" if met.unknown_windows == 1 else "them"
        notes.append(f"{which} no known base{first}; what a model gives for {them} is of no sequence")
    if inside and met.unknown_bases > UNKNOWN_SHARE * inside and met.unknown_windows < windows:
        notes.append(
            f"{met.unknown_bases / inside:.0%} of the bases of the {one}s are unknown "
            f"({counted(met.unknown_bases, 'letter')} "
            "other than A, C, G, T)"
        )
    if met.iupac_bases:
        notes.append(f"{counted(met.iupac_bases, 'IUPAC ambiguity code was', 'IUPAC ambiguity codes were')} read as N")
    if met.other_letters:
        such = "(X, -, * and the like)"
        one_was, they_were = f"letter that is no base {such} was", f"letters that are no bases {such} were"
        notes.append(f"{counted(met.other_letters, one_was, they_were)} read as N")
    return notes
