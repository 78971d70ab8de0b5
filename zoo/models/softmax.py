"""Means of what a softmax gives: its logits are averaged, then the softmax is taken.

Both strands and moved windows are averaged as the network gives them: logits where it gives logits, counts where it
gives counts. Of what ends in a softmax the logits are averaged. They need not be had: up to one constant, which the
softmax takes away, they are the logarithms of what it gave.

Which outputs are meant, ``softmax`` of the card says. Where it does not, two windows are asked: the network computes
a softmax over as many numbers, and the output sums to one over its tracks, groups of as many tracks, its bins or both.
A mean of several networks' softmaxes is one more such output: its logits are the logarithms of the mean. What sums to
one without a softmax that is seen (written out as exponentials over their sum; shares of counts) is averaged as it is,
which a note says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.errors import ModelError
from zoo.genome.encode import random_windows
from zoo.models.scale import Described, scales_of
from zoo.outputs import first_of

if TYPE_CHECKING:
    from zoo.outputs import OutputSpec

__all__ = ["Softmax", "softmax_notes", "softmaxes_of"]

#: How far from one a sum in float32 may be.
ROUNDING = 1e-4
#: bp above which one window is asked, not two.
LONG = 1 << 15
#: What is never a softmax, as it is no probability.
OTHER_KINDS = frozenset({"counts", "log", "logit"})


@dataclass(frozen=True)
class Softmax:
    """Of one output, whose arrays are (..., tracks) or, of a profile, (..., tracks, bins).

    Attributes:
        over: ``tracks``, ``bins``, or ``all``: tracks and bins together.
        groups: numbers of the tracks that sum to one, where it is over several groups of tracks; other tracks are no
            softmax.
        profile: whether arrays have bins.
        stated: whether the card says so.
    """

    over: str
    profile: bool
    groups: tuple[tuple[int, ...], ...] = ()
    stated: bool = True

    @property
    def crosses_tracks(self) -> bool:
        """Whether a track's mean depends on what other tracks have."""
        return self.over != "bins"

    @property
    def words(self) -> str:
        """What it is over, in a message."""
        return "groups of tracks" if self.groups else "tracks and bins together" if self.over == "all" else self.over

    def in_a_card(self, tracks: Sequence[str]) -> str:
        """The line of a card that says so, of an output with these tracks."""
        groups = ", ".join(f"[{', '.join(tracks[i] for i in group)}]" for group in self.groups)
        return f"softmax: {f'[{groups}]' if groups else self.over}"

    def mean(self, several: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
        """The softmax of the mean of the logits, float32.

        Where the sum is not one (bins that were cut off, inserted bases folded into one), it stays the mean of the
        sums. Where every number is zero in one of the arrays, which has no logits, numbers are averaged as they are.

        Args:
            several: arrays of one shape. weights: of each; they sum to one; default all the same.
        """
        shares = np.full(len(several), 1 / len(several)) if weights is None else np.asarray(weights, dtype=float)
        plain = sum(share * one.astype(np.float64) for share, one in zip(shares, several, strict=True))
        found = plain.copy()
        for part in self._parts():
            with np.errstate(divide="ignore"):
                logits = [
                    share * np.log(one[part], dtype=np.float64) for share, one in zip(shares, several, strict=True)
                ]
            found[part] = self._scaled(sum(logits), plain[part])
        return found.astype(np.float32)

    def is_true_of(self, values: np.ndarray) -> bool:
        """Whether the numbers are those of such a softmax: not negative, with sums of one."""
        for part in self._parts():
            numbers = values[part].astype(np.float64)
            sums = numbers.sum(axis=self._axes())
            if not ((numbers >= 0).all() and np.abs(sums - 1).max(initial=0) <= ROUNDING):
                return False
        return True

    def _axes(self) -> int | tuple[int, ...]:
        if not self.profile:
            return -1
        return {"tracks": -2, "bins": -1, "all": (-2, -1)}[self.over]

    def _parts(self) -> list[Any]:
        """Index of each part of an array that is one softmax along the axes."""
        if not self.groups:
            return [...]
        after = (slice(None),) if self.profile else ()
        return [(..., list(group), *after) for group in self.groups]

    def _scaled(self, logits: np.ndarray, plain: np.ndarray) -> np.ndarray:
        axes = self._axes()
        top = logits.max(axis=axes, keepdims=True)
        shares = np.exp(logits - np.where(np.isfinite(top), top, 0))
        sums = shares.sum(axis=axes, keepdims=True)
        wanted = plain.sum(axis=axes, keepdims=True)
        return np.where(sums > 0, shares * (wanted / np.where(sums > 0, sums, 1)), plain)


def softmaxes_of(
    model: Described, forward: Callable[[torch.Tensor], Mapping[str, torch.Tensor]]
) -> tuple[dict[str, Softmax], dict[str, Softmax]]:
    """Output -> its softmax, of those that have one; and of those that sum to one as if they had, and none was seen.

    Args:
        forward: (n, 4, L) float32 one-hot -> all outputs, (n, tracks[, bins]).

    Raises:
        ModelError: the card says so of an output whose numbers do not sum to one.
    """
    stated = _stated(model)
    kinds = scales_of(model)
    open_ = [spec for spec in model.outputs if spec.name not in stated and kinds[spec.name].kind not in OTHER_KINDS]
    if not stated and not any(_choices(spec) for spec in open_):
        return {}, {}
    windows = torch.from_numpy(random_windows(1 if model.length > LONG else 2, model.length))
    with torch.inference_mode(), _Watch() as watch:
        values = {name: value.to("cpu", torch.float32).numpy() for name, value in forward(windows).items()}
    for name, softmax in stated.items():
        if not softmax.is_true_of(values[name]):
            raise ModelError(
                f"{model.name}: the card says that output {name!r} is a softmax over {softmax.words}",
                "its numbers for random sequence do not sum to one",
                "Fix: correct `softmax` of that output, or leave it out",
            )
    found, unseen = dict(stated), {}
    for spec in open_:
        for one in _choices(spec):
            seen = watch.may_be(one, spec)
            if (seen or not one.groups) and one.is_true_of(values[spec.name]):
                (found if seen else unseen)[spec.name] = one
                break
    return found, unseen


def softmax_notes(
    softmaxes: Mapping[str, Softmax],
    outputs: Sequence[OutputSpec],
    options: str,
    unseen: Mapping[str, Softmax] | None = None,
) -> list[str]:
    """What to say where a softmax was found that no card states, or may be there and was not found.

    Args:
        softmaxes: of the model. outputs: those that are averaged. options: what averages: ``--rc-average``, say.
        unseen: outputs that sum to one, and no softmax was seen.
    """
    names = {spec.name for spec in outputs}
    notes = []
    if found := [f"{name} (over {one.words})" for name, one in softmaxes.items() if name in names and not one.stated]:
        notes.append(
            f"{options}: logits are averaged, not probabilities, of what a softmax gives: {first_of(found)}, which no "
            "card says and random sequence shows"
        )
    if found := [f"{name} (over {one.words})" for name, one in (unseen or {}).items() if name in names]:
        notes.append(
            f"{options}: numbers are averaged as they are, though they sum to one: {first_of(found)}; if a softmax "
            "makes them, say so in the card (`softmax`), and its logits are averaged"
        )
    return notes


def _stated(model: Described) -> dict[str, Softmax]:
    found = {}
    for spec, output in zip(model.outputs, model.card.outputs if model.card else (), strict=False):
        if isinstance(output.softmax, str):
            found[spec.name] = Softmax(output.softmax, spec.kind == "profile")
        elif output.softmax is not None:
            place = {track: number for number, track in enumerate(spec.tracks)}
            groups = tuple(tuple(place[track] for track in group) for group in output.softmax)
            found[spec.name] = Softmax("tracks", spec.kind == "profile", groups)
    return found


def _choices(spec: OutputSpec) -> list[Softmax]:
    """Over what an output of that shape may be a softmax; of a single number there is none."""
    profile = spec.kind == "profile"
    n = len(spec.tracks)
    found = [Softmax("tracks", profile, stated=False)] if n > 1 else []
    if profile and spec.n_bins > 1:
        found += [Softmax(over, profile, stated=False) for over in ("bins", "all")]
    for size in (size for size in range(2, n // 2 + 1) if n % size == 0):
        groups = tuple(tuple(range(first, first + size)) for first in range(0, n, size))
        found.append(Softmax("tracks", profile, groups, stated=False))
    return found


class _Watch(TorchDispatchMode):
    """Sees over how many numbers each softmax is that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: set[int] = set()

    def may_be(self, softmax: Softmax, spec: OutputSpec) -> bool:
        """Whether one was over as many numbers; bins may have been cut off."""
        if softmax.over == "tracks":
            return len(softmax.groups[0] if softmax.groups else spec.tracks) in self._sizes
        least = spec.n_bins if softmax.over == "bins" else len(spec.tracks) * spec.n_bins
        return any(size >= least for size in self._sizes)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if "softmax" in str(func) and isinstance(made, torch.Tensor) and made.ndim:
            axis = args[1] if len(args) > 1 else (kwargs or {}).get("dim", -1)
            self._sizes.add(made.shape[axis])
        return made
