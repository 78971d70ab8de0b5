"""One track on one side: what is given of it, checked, and everything that is computed of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from finetune.config import VerdictConfig
from finetune.verdict import metrics
from finetune.verdict.example import Drawing, Place, drawing_of
from finetune.verdict.intervals import block_ids
from finetune.verdict.loci import bins_of_loci
from finetune.verdict.measures import View, positives
from finetune.verdict.score import Swaps, score_track, skill_of, skill_sums, skills, swap_gain
from zoo.errors import ModelError

__all__ = ["BEST", "MODEL", "SWAPPED", "Judged", "Scored", "judge_track"]


@dataclass(frozen=True)
class Judged:
    """One track on one side of the split, and what else is known there. Arrays may be memory maps.

    Attributes:
        side: ``held-out chromosomes``, ``held-out cells`` or ``both``. name, cell: of the track.
        observed, predicted: (n, bins); NaN in ``observed`` is not measured, in ``predicted`` it is an error.
        baselines: name -> (n, bins); ``finetune.verdict.baselines`` makes them.
        chrom: (n,) names. start: (n,) bp of the first bin. bin_size: bp.
        average: (n, bins) of training cells, or None. variance: (n, bins) over training cells, or None.
        swapped: wrong cell -> prediction (n, bins) of this cell from that one's input; read one at a time. Or None.
        specific: (n, bins) bool of the bins of specific loci. None: those of ``verdict.loci``, else bins that are
            no positives in the average.
        depth: (n,) reads of each window, or None.
        raw: whether values are signals or counts, not their logarithm; log1p and Poisson are then computed too.
        of_counts: of counts and coverage: gives, for a number of bins that are summed, further forms of the baselines,
            fitted by the Poisson likelihood (``count_baselines``); skill is then one of deviances. None: skill is of
            squared errors.
    """

    side: str
    name: str
    observed: np.ndarray
    predicted: np.ndarray
    baselines: Mapping[str, np.ndarray]
    chrom: np.ndarray
    start: np.ndarray
    bin_size: int
    cell: str | None = None
    average: np.ndarray | None = None
    variance: np.ndarray | None = None
    swapped: Mapping[str, np.ndarray] | None = None
    specific: np.ndarray | None = None
    depth: np.ndarray | None = None
    raw: bool = True
    of_counts: Callable[[int], Mapping[str, Sequence[np.ndarray]]] | None = None


@dataclass(frozen=True)
class Scored:
    """A judged track: its record, errors a named block for the pool, its drawing."""

    record: dict[str, Any]
    names: tuple[str, ...]
    errors: dict[str, np.ndarray]
    measured: np.ndarray
    variance: float
    drawing: Drawing | None


#: Keys of ``Scored.errors`` beside the names of baselines.
MODEL, BEST, SWAPPED = "\0model", "\0best", "\0swapped"


def judge_track(track: Judged, config: VerdictConfig, seed: int, drawn: bool) -> Scored:
    """Everything that is computed of one track.

    Args:
        drawn: keep what the page draws.

    Raises:
        ModelError: a prediction or a baseline is no number where something was measured.
        InputError: ``config.loci`` is no BED, or lies outside all windows.
        ValueError: shapes differ; ``config.coarse`` does not fit the track's bins.
    """
    observed, predicted, made = _checked(track)
    block, names = block_ids(track.chrom, track.start, config.block)
    view = View(
        observed, block, len(names), positives(observed), raw=track.raw, resamples=config.resamples, seed=seed,
        average=None if track.average is None else np.asarray(track.average, dtype=np.float64),
    )  # fmt: skip
    if track.variance is not None:
        view = replace(view, variable=metrics.most_variable(np.asarray(track.variance)))
    if track.specific is not None:
        view = replace(view, specific=np.asarray(track.specific, dtype=bool))
    elif config.loci is not None:
        inside = bins_of_loci(config.loci, track.chrom, track.start, observed.shape[1], track.bin_size)
        view = replace(view, specific=inside)
    elif view.average is not None:
        view = replace(view, specific=~positives(view.average))
    at, beside = _for_skill(track, view, made, 1)
    sums = skill_sums(at, predicted, beside)
    swaps = _swaps(track, at, predicted, beside[sums.best])
    record: dict[str, Any] = {
        "track": track.name,
        "cell": track.cell,
        "windows": len(observed),
        "blocks": int(view.measured.sum()),
        "masked_bins": int((~np.isfinite(observed)).sum()),
        "resolutions": {
            str(track.bin_size): _resolution(view, predicted, made, {"skill": skills(sums, view.resamples, view.seed)})
            | {"skill_of": "squared errors" if track.of_counts is None else "deviances"}
        },
        "calibration": _calibration(predicted, observed),
        "chromosomes": _chromosomes(track.chrom, at, predicted, beside[sums.best]),
    }
    if track.depth is not None:
        groups, rank = metrics.residual_by_depth(predicted, observed, np.asarray(track.depth))
        record["residual_by_depth"] = {
            "groups": [dict(zip(("depth", "residual", "windows"), group, strict=True)) for group in groups],
            "spearman": rank,
        }
    if swaps is not None:
        record["swaps"] = {key: getattr(swaps, key) for key in ("own", "value", "ci", "each", "gone")}
    if config.coarse and config.coarse != track.bin_size:
        record["resolutions"][str(config.coarse)] = _coarse(track, view, predicted, made, config.coarse)
    errors = {**sums.baselines, MODEL: sums.model, BEST: sums.baselines[sums.best]}
    if swaps is not None:
        errors[SWAPPED] = swaps.errors
    drawing = _drawing(track, observed, predicted, (sums.best, made[sums.best])) if drawn else None
    known = np.isfinite(observed)
    scatter = at.errors(np.full_like(observed, np.nanmean(observed))).sum() / known.sum() if known.any() else 0.0
    return Scored(record, names, errors, sums.measured, float(scatter), drawing)


def _drawing(track: Judged, observed: np.ndarray, predicted: np.ndarray, best: tuple[str, np.ndarray]) -> Drawing:
    label = track.name if track.cell in (None, track.name) else f"{track.name} in {track.cell}"
    return drawing_of(label, Place(track.chrom, track.start, track.bin_size), observed, predicted, best, track.raw)


def _checked(track: Judged) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Observed, predicted and baselines as float64; bins without a measurement are NaN in the first alone."""
    observed = np.asarray(track.observed, dtype=np.float64)
    if observed.ndim != 2 or not track.baselines:
        raise ValueError(f"{track.name}: arrays are (n, bins), and there is at least one baseline")
    known = np.isfinite(observed)
    arrays = {MODEL: track.predicted, **track.baselines}
    for name, values in arrays.items():
        if np.shape(values) != observed.shape:
            raise ValueError(f"{track.name}: {name.strip()} is {np.shape(values)}, observed {observed.shape}")
        values = arrays[name] = np.asarray(values, dtype=np.float64)
        wrong = int((known & ~np.isfinite(values)).sum())
        if wrong:
            row, column = np.argwhere(known & ~np.isfinite(values))[0]
            place = f"{track.chrom[row]}:{int(track.start[row]) + int(column) * track.bin_size}"
            what = "the model's prediction" if name == MODEL else f"the baseline {name!r}"
            raise ModelError(
                f"track {track.name}: {what} is no number at {place}",
                f"{wrong} of {int(known.sum())} measured bins",
                "Fix: lower `train.lr`, or train again from the last good checkpoint",
            )
    return np.where(known, observed, np.nan), arrays.pop(MODEL), arrays


def _resolution(
    view: View, predicted: np.ndarray, made: dict[str, np.ndarray], start: dict[str, Any]
) -> dict[str, Any]:
    return {**start, "bins": int(np.isfinite(view.observed).sum()), "metrics": score_track(view, predicted, made)}


def _for_skill(
    track: Judged, view: View, made: Mapping[str, np.ndarray], group: int
) -> tuple[View, Mapping[str, np.ndarray]]:
    """The view with the error that skill is one of, and each baseline in its best form on these very windows."""
    if track.of_counts is None:
        return view, made
    at, forms = replace(view, counts=True), track.of_counts(group)
    best = {
        name: min([values, *forms.get(name, ())], key=lambda form: float(at.errors(form).sum()))
        for name, values in made.items()
    }
    return at, best


def _coarse(
    track: Judged, view: View, predicted: np.ndarray, made: dict[str, np.ndarray], width: int
) -> dict[str, Any]:
    """The same in sums of bins; classes and most variable bins are those of the own bins only."""
    group, rest = divmod(width, track.bin_size)
    if rest or group < 1 or view.observed.shape[1] % group:
        raise ValueError(f"verdict.coarse: {width} bp is no multiple of {track.bin_size} bp that divides the window")
    observed = metrics.coarser(view.observed, group)
    wide = replace(
        view,
        observed=observed,
        positive=positives(observed),
        average=None if view.average is None else metrics.coarser(view.average, group),
        variable=None,
        specific=None,
    )
    small = {name: metrics.coarser(values, group) for name, values in made.items()}
    own = metrics.coarser(predicted, group)
    at, beside = _for_skill(track, wide, small, group)
    sums = skill_sums(at, own, beside)
    return _resolution(wide, own, small, {"skill": skills(sums, view.resamples, view.seed)})


def _swaps(track: Judged, view: View, predicted: np.ndarray, baseline: np.ndarray) -> Swaps | None:
    if not track.swapped:
        return None
    own = track.cell or track.name
    swapped = track.swapped

    def predict(cell: str) -> np.ndarray:
        return predicted if cell == own else swapped[cell]

    return swap_gain(predict, list(swapped), own, view, baseline)


def _calibration(predicted: np.ndarray, observed: np.ndarray) -> dict[str, Any]:
    found = metrics.calibration(predicted, observed)
    columns = {"predicted": found.predicted, "observed": found.observed, "n": found.n}
    return columns | {"slope": found.slope, "intercept": found.intercept}


def _chromosomes(
    chrom: np.ndarray, view: View, predicted: np.ndarray, baseline: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Skill and Pearson of each chromosome."""
    made = {}
    names = np.asarray(chrom, dtype=str)
    errors = np.stack([view.errors(values).sum(1) for values in (predicted, baseline)])
    for name in dict.fromkeys(names.tolist()):
        rows = names == name
        made[name] = {
            "windows": int(rows.sum()),
            "skill": float(skill_of(errors[:, rows].sum(1))),
            "pearson": metrics.pearson(predicted[rows], view.observed[rows]),
        }
    return made
