"""One track at one width of bins: skill, every metric beside every baseline, and intervals paired with the best one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.verdict.intervals import LEAST_BLOCKS, Interval, block_bootstrap, interval_of
from finetune.verdict.measures import METRICS, View, applicable, beside

__all__ = ["SkillSums", "Swaps", "score_track", "skill_of", "skill_sums", "skills", "swap_gain"]


@dataclass(frozen=True)
class SkillSums:
    """Errors a block: (blocks,) of the model and of each baseline; which blocks hold anything; the best."""

    model: np.ndarray
    baselines: dict[str, np.ndarray]
    measured: np.ndarray
    best: str


def skill_of(sums: np.ndarray) -> np.ndarray:
    """1 - error / error of the baseline, of (..., 2) sums of errors; 0 where both are 0."""
    top, bottom = sums[..., 0], sums[..., 1]
    return np.where(bottom > 0, 1 - top / np.where(bottom > 0, bottom, 1), np.where(top > 0, -np.inf, 0.0))


def error_sums(view: View, predicted: np.ndarray) -> np.ndarray:
    """(blocks,) errors over measured bins."""
    return np.bincount(view.block, weights=view.errors(predicted).sum(1), minlength=view.blocks)


def skill_sums(view: View, predicted: np.ndarray, made: Mapping[str, np.ndarray]) -> SkillSums:
    """Errors a block; the best baseline is the one with the smallest error on these very windows."""
    errors = {name: error_sums(view, values) for name, values in made.items()}
    best = min(errors, key=lambda name: errors[name].sum())
    return SkillSums(error_sums(view, predicted), errors, view.measured, best)


def skills(sums: SkillSums, resamples: int, seed: int) -> dict[str, Any]:
    """Skill over the best baseline and over each, with intervals of resampled blocks, paired by nature."""

    def one(name: str) -> dict[str, Any]:
        pair = np.stack([sums.model, sums.baselines[name]], axis=1)
        ci = block_bootstrap(skill_of, pair, resamples=resamples, seed=seed, measured=sums.measured)
        return {"value": float(skill_of(pair.sum(0))), "ci": ci}

    over = {name: one(name) for name in sums.baselines}
    return {**over[sums.best], "baseline": sums.best, "over": over}


def score_track(view: View, predicted: np.ndarray, made: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Every metric that applies: value, interval, that of every baseline, and the difference from the best of them.

    A metric's best baseline is the best *in that metric*, which is the hardest to gain on.
    """
    names = applicable(view)
    own = {name: METRICS[name].value(view, predicted) for name in names}
    reached: dict[str, dict[str, float]] = {name: {} for name in names}
    for baseline, values in made.items():
        for name in names:
            reached[name][baseline] = METRICS[name].value(view, values)
    draws = _draws(view, predicted, names)
    best = {name: _best(reached[name]) for name in names}
    beaten: dict[str, np.ndarray] = {}
    for baseline, values in made.items():  # one after the other, as each array's order is held while it is asked about
        beaten |= _draws(view, values, [name for name in names if best[name] == baseline])
    return {
        name: _compared(own[name], reached[name], best[name], draws.get(name), beaten.get(name))
        | beside(name, view, predicted)
        for name in names
    }


def _draws(view: View, predicted: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Each metric of resampled blocks; nothing where they are too few for an interval."""
    if int(view.measured.sum()) < LEAST_BLOCKS:
        return {}
    return {name: METRICS[name].draws(view, predicted) for name in names}


def _best(reached: Mapping[str, float]) -> str | None:
    """The baseline that reaches most; None where the metric is defined for none."""
    defined = {name: value for name, value in reached.items() if np.isfinite(value)}
    return max(defined, key=lambda name: defined[name], default=None)


def _compared(
    value: float, reached: dict[str, float], best: str | None, draws: np.ndarray | None, beaten: np.ndarray | None
) -> dict[str, Any]:
    """The record of one metric; ``draws``, ``beaten``: of the same resamples, the model's and the best baseline's."""
    ci = None if draws is None else interval_of(draws)
    result: dict[str, Any] = {"value": value, "ci": ci, "baselines": reached, "best_baseline": best}
    if best is not None:
        result["difference"] = value - reached[best]
        result["difference_ci"] = None if draws is None or beaten is None else interval_of(draws - beaten)
    return result


@dataclass(frozen=True)
class Swaps:
    """Skill over a baseline with wrong cells' inputs.

    Attributes:
        own: with the cell's own input. value: with all wrong ones together, and ci its interval.
        each: by cell. errors: (blocks,) errors of all wrong ones together, a mean over them.
        gone: whether the gain went: ``ci`` is not above 0 (without an interval: ``value`` is not).
    """

    own: float
    value: float
    ci: Interval
    each: dict[str, float]
    errors: np.ndarray
    gone: bool


def swap_gain(
    predict: Callable[[str], np.ndarray], cells: Sequence[str], own: str, view: View, baseline: np.ndarray
) -> Swaps:
    """Skill over a baseline with every wrong cell's input in the place of the cell's own, one at a time.

    A gain that stays is none of the cell's: it came with any input.

    Args:
        predict: the prediction (n, bins) of the judged cell from the input of the cell it is given.
        cells: whose input may be taken; ``own``, the judged one, is left out.
        baseline: (n, bins).

    Raises:
        ValueError: there is no wrong cell.
    """
    wrong = [cell for cell in cells if cell != own]
    if not wrong:
        raise ValueError(f"no cell but {own}: its input cannot be swapped")
    bottom, total, each = error_sums(view, baseline), np.zeros(view.blocks), {}
    for cell in wrong:
        errors = error_sums(view, predict(cell))
        total += errors / len(wrong)
        each[cell] = float(skill_of(np.array([errors.sum(), bottom.sum()])))
    pair = np.stack([total, bottom], axis=1)
    ci = block_bootstrap(skill_of, pair, resamples=view.resamples, seed=view.seed, measured=view.measured)
    value = float(skill_of(pair.sum(0)))
    mine = float(skill_of(np.array([error_sums(view, predict(own)).sum(), bottom.sum()])))
    return Swaps(mine, value, ci, each, total, value <= 0 if ci is None else ci[0] <= 0)
