"""A track opened: any file that can be a target, read as bins of windows, in pieces of flat memory.

``sources`` says what a file is; ``bigwig``, ``counts``, ``labels`` and ``table`` read one kind each.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from finetune.data.reading.bigwig import BigWigBases
from finetune.data.reading.bins import reduce_bases
from finetune.data.reading.counts import CountedBases
from finetune.data.reading.labels import LabelBases
from finetune.data.reading.sources import TrackSource, source_of
from finetune.data.reading.table import TableBins
from zoo.errors import InputError
from zoo.files import sha256_of
from zoo.words import counted, counted_of

__all__ = ["Track", "TrackSource", "check_sides", "check_track", "open_track", "source_of"]

#: Bases read at once: 16 MB of float32.
BASES = 4 << 20
#: Values checked at once.
VALUES = 4 << 20


class _Bases(Protocol):
    """What reads bases of one kind of file. ``TableBins`` has ``bins`` in the place of ``bases``."""

    chroms: frozenset[str]
    notes: tuple[str, ...]

    def bases(self, chrom: np.ndarray, start: np.ndarray, width: int) -> np.ndarray: ...

    def close(self) -> None: ...


class Track:
    """An open track.

    Attributes:
        name: of the target. source: what it was opened from.
        chroms: those on which its files have anything.
        notes: what was left out, for the user.
    """

    def __init__(self, source: TrackSource, sizes: Mapping[str, int], reader: _Bases | TableBins) -> None:
        self.name, self.source = source.name, source
        self._sizes, self._reader = sizes, reader
        self.chroms, self.notes = reader.chroms, reader.notes

    def read(self, chrom: np.ndarray, start: np.ndarray, n_bins: int, bin_size: int) -> np.ndarray:
        """The bins of windows.

        Args:
            chrom: (n,) names as in the FASTA. start: (n,) int64, of the first bin; may lie before the chromosome.

        Returns:
            (n, n_bins) float32; NaN where not measured, which is so outside of the chromosome too. How bases become a
            bin: ``finetune.data.reading.bins``, ``labels`` and ``table``.

        Raises:
            InputError: windows on a chromosome that the file has nothing on (``missing: zero`` allows it); a damaged
                file; an infinite value.
        """
        chrom, start = np.asarray(chrom, dtype=object), np.asarray(start, dtype=np.int64)
        self.check_asked(chrom)
        out = np.empty((len(start), n_bins), dtype=np.float32)
        order = np.lexsort((start, chrom.astype(str)))
        step = max(1, BASES // (n_bins * bin_size))
        for first in range(0, len(order), step):
            rows = order[first : first + step]
            out[rows] = self._some(chrom[rows], start[rows], n_bins, bin_size)
        return out

    def check_asked(self, chrom: Sequence[str] | np.ndarray) -> None:
        """Refuse windows on chromosomes that the file has nothing on: 0 or masked would both be a guess.

        Raises:
            InputError: there are such, and ``missing`` is not ``zero``.
        """
        if self.source.missing == "zero" or self.chroms.issuperset(chrom):
            return
        counts = Counter(list(chrom))
        absent = [(name, n) for name, n in sorted(counts.items()) if name not in self.chroms]
        if absent:
            raise InputError(
                f"track {self.name}: {self._files()} has nothing on {absent[0][0]}",
                f"{counted_of(sum(n for _, n in absent), counts.total(), 'window')}, on "
                f"{counted(len(absent), 'such chromosome')}",
                "Fix: leave them out with `regions.chromosomes`, or `missing: zero` where there is truly nothing",
            )

    def fingerprint(self) -> str:
        """Hex sha256 of the files' contents and of every option that changes a value; not of names and places."""
        source = self.source
        options = (source.read, source.length, source.column, source.reduce, source.missing, source.reads)
        drawn = source.seed if source.reads is not None else None
        strand = source.strand if source.read in ("coverage", "centres", "cuts") else None
        parts = [repr((*options, drawn, strand)), *(sha256_of(path) for path in source.files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def close(self) -> None:
        """Release files, temporary ones too."""
        self._reader.close()

    def __enter__(self) -> Track:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _files(self) -> str:
        first, *others = self.source.files
        return f"{first}" + (f" (and {len(others)} more)" if others else "")

    def _some(self, chrom: np.ndarray, start: np.ndarray, n_bins: int, bin_size: int) -> np.ndarray:
        if isinstance(self._reader, TableBins):
            return self._reader.bins(chrom, start, n_bins, bin_size)
        bases = self._inside(chrom, start, n_bins * bin_size)
        bins = reduce_bases(bases, bin_size, "mean" if self.source.read == "labels" else self.source.reduce)
        if self.source.read == "labels":
            # At the end of a chromosome the mean is over what lies inside, as everywhere.
            least = 0.5 if self.source.reduce == "mean" else np.finfo(np.float32).tiny
            return np.where(np.isnan(bins), np.nan, bins >= least).astype(np.float32)
        self._refuse_infinite(bins, chrom, start, bin_size)
        return bins

    def _inside(self, chrom: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
        """(n, width) bases, NaN before and after the chromosome."""
        bases = self._reader.bases(chrom, np.maximum(start, 0), width)
        for row in np.flatnonzero(start < 0):
            before = min(int(-start[row]), width)
            bases[row, before:] = bases[row, : width - before].copy()
            bases[row, :before] = np.nan
        sizes = np.array([self._sizes[name] for name in chrom.tolist()], dtype=np.int64)
        for row in np.flatnonzero(start + width > sizes):
            bases[row, max(int(sizes[row] - start[row]), 0) :] = np.nan
        return bases

    def _refuse_infinite(self, bins: np.ndarray, chrom: np.ndarray, start: np.ndarray, bin_size: int) -> None:
        with np.errstate(invalid="ignore"):  # one pass where all is well
            if np.isfinite(bins.sum()):
                return
        infinite = np.isinf(bins)
        if infinite.any():
            row, place = np.argwhere(infinite)[0].tolist()
            low = int(start[row]) + place * bin_size
            raise InputError(
                f"track {self.name}: {self._files()}: {chrom[row]}:{low}-{low + bin_size} holds an infinite value",
                f"{int(infinite.sum()):,} of the {infinite.size:,} bins read with it",
                "Fix: make the file again without infinite values (of a ratio or a logarithm of 0, as a rule)",
            )


def open_track(source: TrackSource, sizes: Mapping[str, int], asked: Sequence[str] | None = None) -> Track:
    """Open a track and check it against the FASTA. Text files and BAM are read through once, with every row checked.

    Args:
        sizes: chromosome -> bp of the FASTA. asked: the windows' chromosomes, where known: checked at once.

    Raises:
        InputError: another assembly, or names of another style; a row off its chromosome; a damaged or empty file;
            peaks or reads where fragments are read; nothing on an asked chromosome.
        SystemStateError: figwig is missing, or there is no room for temporary files.
    """
    kinds = {"signal": BigWigBases, "labels": LabelBases, "table": TableBins}
    reader = kinds.get(source.read, CountedBases)(source, sizes)
    track = Track(source, sizes, reader)
    try:
        if asked is not None:
            track.check_asked(asked)
    except InputError:
        track.close()
        raise
    return track


def check_track(name: str, values: np.ndarray, chrom: np.ndarray | None = None) -> list[str]:
    """Refuse a track of which nothing can be learned.

    Args:
        values: (n, bins), NaN where not measured; may be a memory map. chrom: (n,) of the windows.

    Returns:
        Notes on single chromosomes that are constant or missing, where others are not.

    Raises:
        InputError: all of it is missing, 0, or one value.
    """
    low, high, measured = _range(values)
    if not measured:
        raise InputError(
            f"track {name}: no bin of any window was measured",
            f"{counted(values.size, 'bin is', 'bins are')} missing",
            "Fix: correct its `files`, or `missing: zero` where the file leaves zeros out",
        )
    if low == high:
        raise InputError(
            f"track {name}: every bin is {low:g}: there is nothing to learn",
            f"{measured:,} measured bins",
            "Fix: correct its `files`; with counts also `length` and `strand`",
        )
    notes = []
    for one in dict.fromkeys(chrom.tolist() if chrom is not None else []):
        low, high, measured = _range(values[np.flatnonzero(chrom == one)])
        if not measured or low == high:
            notes.append(f"track {name}: {f'every bin of {one} is {low:g}' if measured else f'{one} is all missing'}")
    return notes


def check_sides(name: str, values: np.ndarray, split: np.ndarray, *, trains: bool = True) -> None:
    """Refuse a track that a side of the split cannot use: for that side alone the rest of the track is no help.

    Args:
        values: (n, bins), NaN where not measured; may be a memory map. split: (n,) sides of the windows.
        trains: whether its cell trains; else its training windows are not looked at.

    Raises:
        InputError: nothing was measured on a side, or every bin of training is the same.
    """
    for side in ("train", "validation", "test"):
        if side == "train" and not trains:
            continue
        rows = np.flatnonzero(split == side)
        low, high, measured = _range(values[rows])
        if not measured:
            raise InputError(
                f"track {name}: no bin of a {side} window was measured",
                f"{counted(len(rows), 'window')}, all masked",
                f"Fix: name chromosomes that it measures in `split.{side}`, or `missing: zero` where its file leaves "
                "zeros out",
            )
        if side == "train" and low == high:
            raise InputError(
                f"track {name}: every bin of training is {low:g}: there is nothing to learn",
                f"{counted(len(rows), 'window')}, {measured:,} measured bins",
                "Fix: name chromosomes where it is not constant in `split.train`",
            )


def _range(values: np.ndarray) -> tuple[float, float, int]:
    """Lowest and highest value, and how many there are; a few rows at a time."""
    low, high, measured = np.inf, -np.inf, 0
    step = max(1, VALUES // max(int(np.prod(values.shape[1:])), 1))
    for first in range(0, len(values), step):
        part = np.asarray(values[first : first + step])
        known = part[~np.isnan(part)]
        if len(known):
            low, high = min(low, float(known.min())), max(high, float(known.max()))
            measured += len(known)
    return low, high, measured
