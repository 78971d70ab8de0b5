"""Transforms of a target with their inverses, and what brings sequencing depths to a common one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.extras import is_a
from zoo.words import near_names

__all__ = ["Step", "Transform", "background_depth", "parse_transform", "subsample_reads"]

KNOWN = ("none", "arcsinh", "log1p", "sqrt", "scale:FACTOR", "clip:LOW:HIGH")


@dataclass(frozen=True)
class Step:
    """One transform and its numbers: (factor,) of ``scale``, (low, high) of ``clip``."""

    name: str
    numbers: tuple[float, ...] = ()

    def __str__(self) -> str:
        return ":".join([self.name, *(f"{number:g}" for number in self.numbers)])


@dataclass(frozen=True)
class Transform:
    """Steps in order, of numpy arrays and torch tensors alike; NaN stays NaN.

    Attributes:
        where: the track, for errors.
    """

    steps: tuple[Step, ...] = ()
    where: str = "a track"

    @property
    def names(self) -> tuple[str, ...]:
        """The steps as ``run.yaml`` writes them; ``("none",)`` for none."""
        return tuple(map(str, self.steps)) or ("none",)

    @property
    def is_identity(self) -> bool:
        """Whether nothing is changed."""
        return not self.steps

    @property
    def is_linear(self) -> bool:
        """Whether a value is only multiplied: ratios, and which losses are right, stay."""
        return all(step.name == "scale" for step in self.steps)

    def forward(self, values: Any) -> Any:
        """Transform an array of any shape; a new one of the same kind and type.

        Raises:
            InputError: log1p or sqrt of a negative value.
        """
        for step in self.steps:
            values = self._step(step, values)
        return values

    def inverse(self, values: Any) -> Any:
        """Undo the steps, the last first.

        ``clip`` cannot be undone and is left. What a model gives below the range of log1p or sqrt, which is 0, is
        taken for 0: the nearest value that the transform can have made.
        """
        for step in reversed(self.steps):
            values = _undo(step, values)
        return values

    def _step(self, step: Step, values: Any) -> Any:
        lib = _library(values)
        if step.name == "scale":
            return values * step.numbers[0]
        if step.name == "clip":
            return lib.clip(values, *step.numbers)
        if step.name == "arcsinh":
            return lib.arcsinh(values)
        negative = int((values < 0).sum())
        if negative:
            lowest = float(values[values < 0].min())
            raise InputError(
                f"{self.where}: {step.name} of negative values, the lowest {lowest:g}",
                f"{negative:,} of {math.prod(values.shape):,} values",
                f"Fix: take arcsinh, which knows negative values, or clip:0:inf before {step.name}",
            )
        return lib.log1p(values) if step.name == "log1p" else lib.sqrt(values)


def _library(values: Any) -> Any:
    if is_a(values, "torch", "Tensor"):
        import torch

        return torch
    return np


def _undo(step: Step, values: Any) -> Any:
    lib = _library(values)
    if step.name == "scale":
        return values / step.numbers[0]
    if step.name == "arcsinh":
        return lib.sinh(values)
    if step.name == "clip":
        return values
    above = values.clip(0)
    return lib.expm1(above) if step.name == "log1p" else lib.square(above)


def parse_transform(names: Sequence[str], where: str) -> Transform:
    """The transform that ``run.yaml`` names.

    Args:
        names: ``none`` alone, or steps in order. where: the target or key, for errors.

    Raises:
        UsageError: an unknown step, or numbers that it cannot have.
    """
    if tuple(names) in ((), ("none",)):
        return Transform((), where)
    return Transform(tuple(_parse(name, where) for name in names), where)


def _parse(text: str, where: str) -> Step:
    name, *given = text.split(":")
    if name == "none":
        raise UsageError(f"{where}: transform `none` beside others", "", "Fix: remove `none`")
    wanted = {"arcsinh": 0, "log1p": 0, "sqrt": 0, "scale": 1, "clip": 2}
    if name not in wanted:
        near = near_names(name, wanted)
        raise UsageError(
            f"{where}: {text!r} is no transform",
            f"known are {', '.join(KNOWN)}",
            f"Fix: write `{(near or ['none'])[0]}`",
        )
    form = next(one for one in KNOWN if one.split(":")[0] == name)
    try:
        numbers = tuple(float(number) for number in given)
    except ValueError:
        numbers = (math.nan,)
    known = (lambda number: not math.isnan(number)) if name == "clip" else math.isfinite  # clip:0:inf has one end
    if len(numbers) != wanted[name] or not all(map(known, numbers)):
        raise UsageError(f"{where}: transform {text!r} is not of the form {form}", "", f"Fix: write {form}")
    if name == "scale" and numbers[0] <= 0:
        raise UsageError(f"{where}: a scale must be above 0, not {numbers[0]:g}", "", "Fix: e.g. scale:0.1")
    if name == "clip" and numbers[0] >= numbers[1]:
        raise UsageError(f"{where}: {text}: the lower end is not below the higher", "", "Fix: write clip:LOW:HIGH")
    return Step(name, numbers)


# ---------------------------------------------------------------- depth


def background_depth(values: np.ndarray, where: str = "a track") -> float:
    """Mean of the lower half of a track's measured bins, untransformed: what lies under its peaks.

    The mean of all bins would take away how much signal there is, which is to be predicted; of the lower half, a peak
    can be any height and nothing changes. Give training windows (and training cells) only.

    Args:
        values: (n, bins), NaN where not measured.

    Raises:
        InputError: nothing was measured, or the lower half is 0, so that no depth can be told from it.
    """
    known = np.sort(values[~np.isnan(values)], axis=None)
    if not len(known):
        raise InputError(
            f"{where}: depth.background has no measured bin in training windows",
            "all are missing",
            "Fix: remove `depth.background`, or correct the track",
        )
    depth = float(known[: (len(known) + 1) // 2].mean(dtype=np.float64))
    if not depth > 0:
        empty = np.count_nonzero(known <= 0) / len(known)
        raise InputError(
            f"{where}: depth.background is {depth:g}, by which nothing can be divided",
            f"{empty:.0%} of the measured bins of training windows are 0 or less",
            "Fix: a wider `bin`, `depth: {reads: N}` for fragments or BAM, or `transform: scale:FACTOR`",
        )
    return depth


def subsample_reads(counts: Sequence[int], reads: int, seed: int, where: str) -> Iterator[np.ndarray]:
    """Draw reads without replacement, evenly over all.

    Args:
        counts: reads on each chromosome, in a fixed order. reads: how many are drawn. seed: of the draw.

    Yields:
        For each chromosome the sorted numbers (k,) int64 of the reads that stay.

    Raises:
        InputError: there are fewer.
    """
    total = int(sum(counts))
    if total < reads:
        raise InputError(
            f"{where}: depth.reads asks for {reads:,} reads",
            f"there are {total:,} on the chromosomes of the FASTA after `length` and `strand`",
            f"Fix: depth.reads: {total} at most, the same in all tracks that are to be compared",
        )
    random = np.random.default_rng(seed)
    left = reads
    for count in map(int, counts):
        total -= count
        taken = int(random.hypergeometric(count, total, left)) if left and count else 0
        left -= taken
        yield np.sort(random.choice(count, taken, replace=False, shuffle=False)) if taken else np.empty(0, np.int64)
