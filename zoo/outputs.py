"""What a model gives: its named outputs, predictions of windows, and tracks chosen by name, glob or number."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.words import near_names

__all__ = [
    "OutputSpec",
    "PredictionBatch",
    "TrackChoice",
    "annotations",
    "choose_tracks",
    "common_part",
    "first_of",
    "numbered_notes",
    "track_patterns",
    "tracks_first",
    "unplaced_notes",
]


def first_of(names: Sequence[str], n: int = 4) -> str:
    """The first names of a list, and how many more there are."""
    return ", ".join(names[:n]) + (f" and {len(names) - n:,} more" if len(names) > n else "")


@dataclass(frozen=True)
class OutputSpec:
    """One named output of a model.

    Attributes:
        name: output name, e.g. ``"profile"``; unique in the model.
        kind: ``"scalar"`` (values are ``(N, tracks)``) or ``"profile"`` (``(N, tracks, bins)``).
        tracks: track names, in channel order.
        n_bins: bins of a profile; 1 for a scalar.
        bin_size: bp a bin covers.
        offset: bp from the start of the model's window to the start of its first bin.
        units: units of the values, as the card says; None when unknown.
        placed: whether bin size and offset are known; where they are not, they say nothing.
        axis: which axis of a window's array has the tracks in what the model itself gives; here it is the first.
    """

    name: str
    kind: str
    tracks: tuple[str, ...]
    n_bins: int = 1
    bin_size: int = 1
    offset: int = 0
    units: str | None = None
    placed: bool = True
    axis: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a window's values: (tracks,), or (tracks, bins) for a profile."""
        return (len(self.tracks),) if self.kind == "scalar" else (len(self.tracks), self.n_bins)

    def __str__(self) -> str:
        """One line for people: shape, first tracks, bins and units."""
        bins = ""
        if self.kind == "profile":
            where = f"of {self.bin_size} bp from {self.offset}" if self.placed else "at places that are not known"
            bins = f"; {self.n_bins} bins {where}"
        return f"{self.name} {self.shape}: {first_of(self.tracks)}{bins}{f'; {self.units}' if self.units else ''}"


def annotations(output: OutputSpec) -> dict[str, Any]:
    """What the numbers of an output mean, for the attributes of an array of them."""
    notes = {
        "output": output.name,
        "kind": output.kind,
        "bin_size": output.bin_size,
        "offset": output.offset,
        "units": output.units or "unknown",
    }
    return notes if output.kind == "profile" and output.placed else {k: notes[k] for k in ("output", "kind", "units")}


def unplaced_notes(outputs: Sequence[OutputSpec]) -> list[str]:
    """What to say of profiles whose bins nothing places in the window."""
    names = [spec.name for spec in outputs if not spec.placed]
    if not names:
        return []
    return [f"where the bins of {first_of(names)} lie in the window is not known: neither bin size nor offset is given"]


def tracks_first(array: Any, axis: int) -> Any:
    """(N, ...) as a model gives it -> (N, tracks, ...): numpy or torch, ``axis`` as in ``OutputSpec``."""
    for place in range(axis + 1, 1, -1):
        array = array.swapaxes(place, place - 1)
    return array


def common_part(outputs: Sequence[OutputSpec], length: int) -> tuple[int, int]:
    """What all profiles predict of a window of ``length`` bp; all of it where there are only scalars.

    Returns:
        bp from the window's start, and bp; these are 0 or less where the profiles have no base in common.
    """
    profiles = [spec for spec in outputs if spec.kind == "profile"]
    if not profiles:
        return 0, length
    offset = max(spec.offset for spec in profiles)
    return offset, min(spec.offset + spec.n_bins * spec.bin_size for spec in profiles) - offset


@dataclass(frozen=True)
class PredictionBatch:
    """Predictions for ``n`` consecutive windows, in input order.

    One region gives one window, or several with ``--window tile``; ``region`` then repeats.

    Attributes:
        region: (n,) int64, 0-based number of the region in the input.
        chrom: (n,) object array of str, the names used in the regions file.
        start, end: (n,) int64, the region as written in the regions file (0-based half-open).
        name, score: (n,) object arrays of str, ``"."`` when the file has none.
        strand: (n,) array of ``"+"``, ``"-"`` or ``"."`` (dtype ``<U1``).
        window_start, window_end: (n,) int64, what the model saw; may pass the chromosome's ends.
        reverse: (n,) bool, True where the model was given the reverse complement.
        values: output name -> float32 ``(n, tracks)`` or ``(n, tracks, bins)`` in the model's own
            orientation: for a ``reverse`` row, bin 0 is the one with the highest coordinate.
    """

    region: np.ndarray
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    name: np.ndarray
    score: np.ndarray
    strand: np.ndarray
    window_start: np.ndarray
    window_end: np.ndarray
    reverse: np.ndarray
    values: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.region)


@dataclass(frozen=True)
class TrackChoice:
    """The outputs that will be written, and which channels of each.

    ``channels`` maps output name -> (k,) int64, or None for all channels in order.
    """

    outputs: tuple[OutputSpec, ...]
    channels: dict[str, np.ndarray | None]

    def apply(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Restrict (n, tracks[, bins]) arrays to the chosen channels."""
        return {
            spec.name: values[spec.name]
            if self.channels[spec.name] is None
            else values[spec.name][:, self.channels[spec.name]]
            for spec in self.outputs
        }


#: A number of a track, or a range of them.
NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")


def track_patterns(tracks: str | int | Iterable[str | int] | None) -> tuple[str, ...]:
    """Names, globs and numbers as ``choose_tracks`` takes them; one may stand alone, a number as one; None is all.

    Raises:
        UsageError: something else, such as 1.5.
    """
    if tracks is None:
        return ()
    if not isinstance(tracks, str | int | np.integer | Iterable) or isinstance(tracks, bool):
        raise UsageError(
            f"tracks={tracks!r}: is no track", "", "Fix: a name, a glob such as '*DNASE*', a number, or a list of these"
        )
    alone = isinstance(tracks, str | int | np.integer)
    return tuple(str(track) for track in ([tracks] if alone else tracks))


def choose_tracks(outputs: Sequence[OutputSpec], patterns: Sequence[str]) -> TrackChoice:
    """Resolve ``--tracks``.

    Args:
        outputs: all outputs of the model.
        patterns: each a track name, a glob (``*DNASE*``), a number or range of numbers (``0``, ``3-7``),
            optionally after ``output/``; none means all tracks. A number alone is one in each output that has so many,
            see ``numbered_notes``. Order and repeats do not matter: channels
            keep the model's order.

    Raises:
        UsageError: a pattern fits no track; near names are given.
    """
    if not patterns:
        return TrackChoice(tuple(outputs), {spec.name: None for spec in outputs})
    chosen: dict[str, set[int]] = {spec.name: set() for spec in outputs}
    for pattern in patterns:
        hits = [(spec, _matches(spec, pattern)) for spec in outputs]
        if not any(found for _, found in hits):
            raise _unknown(pattern, outputs)
        for spec, found in hits:
            chosen[spec.name] |= found
    kept, channels = [], {}
    for spec in outputs:
        order = sorted(chosen[spec.name])
        if order:
            kept.append(dataclasses.replace(spec, tracks=tuple(spec.tracks[i] for i in order)))
            channels[spec.name] = np.array(order, dtype=np.int64)
    return TrackChoice(tuple(kept), channels)


def _matches(spec: OutputSpec, pattern: str) -> set[int]:
    if pattern in spec.tracks:
        return {spec.tracks.index(pattern)}
    output, slash, rest = pattern.partition("/")
    if slash and output == spec.name:
        return _matches(spec, rest)
    if pattern == spec.name:
        return set(range(len(spec.tracks)))
    if numbers := NUMBERS.fullmatch(pattern):
        low, high = int(numbers[1]), int(numbers[2] or numbers[1])
        return set(range(low, high + 1)) if low <= high < len(spec.tracks) else set()
    return {i for i, name in enumerate(spec.tracks) if fnmatch.fnmatchcase(name.lower(), pattern.lower())}


def numbered_notes(outputs: Sequence[OutputSpec], patterns: Sequence[str]) -> list[str]:
    """What a number in ``--tracks`` chose where it fits several outputs, whose tracks of that number differ."""
    notes = []
    for pattern in filter(NUMBERS.fullmatch, patterns):
        fitting = [(spec, min(found)) for spec in outputs if (found := _matches(spec, pattern))]
        if len(fitting) > 1:
            places = ", ".join(f"{spec.name}/{spec.tracks[first]}" for spec, first in fitting)
            notes.append(
                f"--tracks {pattern} was counted in each of {len(fitting)} outputs and "
                f"{'begins at' if '-' in pattern else 'is'} {places}; --tracks {fitting[0][0].name}/{pattern} is of one"
            )
    return notes


def _unknown(pattern: str, outputs: Sequence[OutputSpec]) -> UsageError:
    names = [name for spec in outputs for name in spec.tracks]
    near = near_names(pattern, names) or names[:3]
    total = ", ".join(f"{spec.name}: {len(spec.tracks)}" for spec in outputs)
    return UsageError(
        f"--tracks {pattern}: no such track",
        f"tracks a model output has: {total}; near: {', '.join(near)}",
        "Fix: give a name, a glob such as '*CTCF*', or a number from 0",
    )
