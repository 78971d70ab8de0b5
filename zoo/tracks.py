"""Choose tracks by name, glob or number."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.errors import UsageError
from zoo.store.registry import near_names
from zoo.writers.base import OutputSpec

__all__ = ["TrackChoice", "choose_tracks"]


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


def choose_tracks(outputs: Sequence[OutputSpec], patterns: Sequence[str]) -> TrackChoice:
    """Resolve ``--tracks``.

    Args:
        outputs: all outputs of the model.
        patterns: each a track name, a glob (``*DNASE*``), a number or range of numbers (``0``, ``3-7``),
            optionally after ``output/``; none means all tracks. Order and repeats do not matter: channels
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
    if numbers := re.fullmatch(r"(\d+)(?:-(\d+))?", pattern):
        low, high = int(numbers[1]), int(numbers[2] or numbers[1])
        return set(range(low, high + 1)) if low <= high < len(spec.tracks) else set()
    return {i for i, name in enumerate(spec.tracks) if fnmatch.fnmatchcase(name.lower(), pattern.lower())}


def _unknown(pattern: str, outputs: Sequence[OutputSpec]) -> UsageError:
    names = [name for spec in outputs for name in spec.tracks]
    near = near_names(pattern, names) or names[:3]
    total = ", ".join(f"{spec.name}: {len(spec.tracks)}" for spec in outputs)
    return UsageError(
        f"--tracks {pattern}: no such track",
        f"tracks a model output has: {total}; near: {', '.join(near)}",
        "Fix: give a name, a glob such as '*CTCF*', or a number from 0",
    )
