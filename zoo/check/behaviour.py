"""Level runs: is a loaded model the function that its card describes? On random sequences of a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from zoo.errors import ModelError
from zoo.genome.encode import random_windows
from zoo.models.loaded import LoadedModel, Runner, as_list
from zoo.outputs import OutputSpec
from zoo.words import counted_of

if TYPE_CHECKING:
    from zoo.models.entry import Entry

__all__ = ["examine", "fingerprint"]

SEED = 20261129
MIDDLE, LONG = 5_000, 50_000  # bp from which on fewer windows and bins are looked at, and no gradients
RTOL, ATOL = 1e-4, 1e-5
MOST_TRACKS = 64  # of which all pairs are compared
KEPT = 2000  # values of an output that a fingerprint has


class Tells(Protocol):
    """What takes findings."""

    def finding(self, rule: str, what: str, fix: str = "", severity: str = "error", code: int = 4) -> None:
        """Take one."""


def fingerprint(model: LoadedModel) -> dict[str, np.ndarray]:
    """Predictions for the seeded windows, by output: equal ones mean equal models."""
    values = Runner(model, device="cpu").forward(random_windows(2, model.length, SEED))
    return {name: array.reshape(2, -1)[:, :KEPT].astype(np.float32) for name, array in values.items()}


def examine(model: LoadedModel, entry: Entry, teller: Tells) -> None:
    """Eval mode, determinism, batch sizes, finite numbers, both strands, place of bins."""
    n = 2 if model.length > MIDDLE else 5
    windows = random_windows(n, model.length, SEED)
    runner = Runner(model, device="cpu", batch_size=n)
    _training_mode(model, teller, "after it was loaded")
    first, second = runner.forward(windows), runner.forward(windows)
    if _training_mode(model, teller, "after a prediction"):
        model.module.eval()
    same = _same(first, second, teller)
    if same:
        _batches(runner, windows, first, teller)
    finite = _finite(first, teller, "random sequence")
    if same and finite:
        mirrored = runner.forward(np.ascontiguousarray(windows[:, ::-1, ::-1]))
        if _finite(mirrored, teller, "the reverse complement"):
            _strands(model, first, mirrored, teller)
        _constant(first, teller)
        _softmaxes(model, teller)
        _places(model, windows, teller)


def _training_mode(model: LoadedModel, teller: Tells, when: str) -> bool:
    left = [name or type(module).__name__ for name, module in model.module.named_modules() if module.training]
    if left:
        what = f"{len(left)} module(s) are in training mode {when}, e.g. {left[0]}"
        teller.finding("eval", what, "leave it to who runs the model: no train() in the entry")
    return bool(left)


def _differences(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest difference beyond the tolerance, by output that has one."""
    found = {}
    for name, values in one.items():
        difference = np.abs(values - other[name])
        beyond = difference > ATOL + RTOL * np.abs(other[name])
        if beyond.any():
            found[name] = float(difference[beyond].max())
    return found


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray], teller: Tells) -> bool:
    found = _differences(first, second)
    for name, largest in found.items():
        what = f"not deterministic: output {name!r} differs by {largest:.3g} between two runs of the same input"
        teller.finding("deterministic", what, "no random numbers in forward; dropout belongs into nn.Dropout")
    return not found


def _batches(runner: Runner, windows: np.ndarray, whole: dict[str, np.ndarray], teller: Tells) -> None:
    for size in {1, 2} - {len(windows)}:
        parts = [runner.forward(windows[i : i + size]) for i in range(0, len(windows), size)]
        apart = {name: np.concatenate([part[name] for part in parts]) for name in whole}
        for name, largest in _differences(apart, whole).items():
            what = (
                f"output {name!r} depends on the batch: a window alone differs by {largest:.3g}"
                if size == 1
                else f"output {name!r} depends on the batch size: {size} and {len(windows)} differ by {largest:.3g}"
            )
            teller.finding("batch", what, "statistics of a batch are none of the model's: eval mode, no batch mean")
            return


def _finite(values: dict[str, np.ndarray], teller: Tells, of: str) -> bool:
    fine = True
    for name, array in values.items():
        if not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).sum())
            what = f"output {name!r} has {counted_of(bad, array.size, 'value')} not finite (NaN) on {of}"
            teller.finding("finite", what, "a prediction is a number")
            fine = False
    return fine


def _constant(values: dict[str, np.ndarray], teller: Tells) -> None:
    for name, array in values.items():
        if len(array) > 1 and not np.ptp(array, axis=0).any():
            what = f"output {name!r} is the same for {len(array)} random sequences"
            teller.finding("constant", what, "is the input used?", "warning")


def _softmaxes(model: LoadedModel, teller: Tells) -> None:
    """Whether outputs that are averaged as logits are what a softmax gives, and are said to be."""
    try:
        found = model.softmaxes
    except ModelError as error:
        teller.finding(
            "softmax", f"{error.what.removeprefix(f'{model.name}: ')}: {error.extent}", error.fix.removeprefix("Fix: ")
        )
        return
    for spec in model.outputs:
        softmax = found.get(spec.name)
        if softmax is not None and not softmax.stated:
            what = f"output {spec.name!r} is a softmax over {softmax.words}, of whose logits averages are"
            teller.finding("softmax", what, f"say `{softmax.in_a_card(spec.tracks)}` of that output", "note")


# ---------------- strands


def _strands(model: LoadedModel, forward: dict[str, np.ndarray], reverse: dict[str, np.ndarray], teller: Tells) -> None:
    """Where the model is exactly symmetric, its pairs are proven right or wrong; else what was measured is noted."""
    declared = {output.name: output.strand for output in model.card.outputs} if model.card else {}
    for spec in model.outputs:
        if declared.get(spec.name) == "sense" or len(spec.tracks) > MOST_TRACKS:
            continue
        there, back = forward[spec.name], reverse[spec.name]
        back = back[..., ::-1] if back.ndim == 3 else back
        order = model.strand_pairs.get(spec.name, np.arange(len(spec.tracks)))
        exact, measured = _pairing(there, back)
        wrong = [
            (i, int(np.flatnonzero(exact[i])[0]))
            for i in range(len(order))
            if not exact[i, order[i]] and exact[i].any()
        ]
        if wrong:
            i, j = wrong[0]
            partner = "itself" if i == j else repr(spec.tracks[j])
            said = "itself" if order[i] == i else repr(spec.tracks[order[i]])
            what = (
                f"wrong strand pairs of output {spec.name!r}: on the other strand {spec.tracks[i]!r} becomes {partner} "
                f"exactly, and the card pairs it with {said}"
            )
            teller.finding("strand", what, "correct `strand` of the output")
        else:
            proven = all(exact[i, order[i]] for i in range(len(order)))
            largest = max(measured[i, order[i]] for i in range(len(order)))
            what = f"output {spec.name!r} on the other strand: " + (
                "the declared pairs hold exactly"
                if proven
                else f"differs by up to {largest:.3g}, so that the declared pairs are neither proven nor refuted"
            )
            teller.finding("strand", what, severity="note")


def _pairing(there: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which track equals which on the other strand, (tracks, tracks), and the largest differences."""
    tracks = there.shape[1]
    largest = np.zeros((tracks, tracks))
    exact = np.zeros((tracks, tracks), bool)
    for i in range(tracks):
        difference = np.abs(there[:, i : i + 1] - back)
        limit = 10 * (ATOL + RTOL * np.abs(there[:, i : i + 1]))
        axes = (0, *range(2, there.ndim))
        largest[i], exact[i] = difference.max(axis=axes), (difference <= limit).all(axis=axes)
    return exact, largest


# ---------------- bins


def _places(model: LoadedModel, windows: np.ndarray, teller: Tells) -> None:
    """Do the bases below a bin, by the card's offset, matter to it? The gradient of some bins says which bases do."""
    for i, spec in enumerate(model.outputs):
        if spec.kind != "profile" or not spec.placed:
            continue
        middle = 2 * spec.offset + spec.n_bins * spec.bin_size
        in_middle = middle == model.length
        if model.length > LONG:
            if not in_middle:
                teller.finding("bins", _not_in_middle(spec, model.length), "correct offset or bin_size", "warning")
            continue
        shift, touched = _shift(model, i, spec, windows)
        if touched == 0:
            what = f"wrong bin offset of output {spec.name!r}: the bases below its bins do not change them"
            teller.finding("bins", what, _offset_fix(spec, shift))
        elif not in_middle and shift is not None and abs(shift) > spec.bin_size / 4:
            what = (
                f"wrong bin offset of output {spec.name!r}: {_not_in_middle(spec, model.length)}, and the bases that "
                f"matter to a bin lie {shift:+.1f} bp from it on average"
            )
            teller.finding("bins", what, _offset_fix(spec, shift))
        elif not in_middle:
            teller.finding("bins", _not_in_middle(spec, model.length), "correct offset if it is wrong", "warning")


def _not_in_middle(spec: OutputSpec, length: int) -> str:
    end = spec.offset + spec.n_bins * spec.bin_size
    return f"{spec.n_bins:,} bins from {spec.offset:,} to {end:,} are not in the middle of {length:,} bp"


def _offset_fix(spec: OutputSpec, shift: float | None) -> str:
    if shift is None:
        return "correct offset or bin_size in the card"
    return f"offset is about {max(0, round(spec.offset + shift))}, if bin_size is right"


def _shift(model: LoadedModel, index: int, spec: OutputSpec, windows: np.ndarray) -> tuple[float | None, float | None]:
    """Mean distance in bp between bins and the bases that matter to them, and how much those below them do.

    None where the model has no gradient.
    """
    most = 3 if model.length > MIDDLE else 7
    bins = np.unique(np.linspace(0, spec.n_bins - 1, min(most, spec.n_bins)).round().astype(int))
    shifts, below = [], 0.0
    for k in bins:
        weight = _gradient(model, index, windows, int(k))
        if weight is None:
            return None, None
        if not weight.sum():
            continue
        centre = float((weight * (np.arange(len(weight)) + 0.5)).sum() / weight.sum())
        start = spec.offset + int(k) * spec.bin_size
        shifts.append(centre - (start + spec.bin_size / 2))
        below += float(weight[start : start + spec.bin_size].sum())
    return (float(np.median(shifts)), below) if shifts else (None, None)


def _gradient(model: LoadedModel, index: int, windows: np.ndarray, k: int) -> np.ndarray | None:
    """(length,) absolute gradient of bin k by base, over windows, tracks and channels; None where there is none."""
    x = torch.from_numpy(windows).requires_grad_()
    forward: Callable[..., Any] = model.module
    try:
        named = model.named(as_list(forward(model.loader.arrange(x)), model.outputs))
        values = list(named.values())[index]
        (found,) = torch.autograd.grad(values[:, :, k].sum(), x)
    except (RuntimeError, TypeError):
        return None
    return found.abs().sum((0, 1)).detach().numpy().astype(np.float64)
