"""One side of the split: all its tracks together, and the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from finetune.config import VerdictConfig
from finetune.verdict.intervals import LEAST_BLOCKS, block_bootstrap
from finetune.verdict.score import skill_of
from finetune.verdict.track import BEST, MODEL, SWAPPED, Scored
from zoo.words import counted

__all__ = ["judge_side"]

#: Skill that is no gain: the same numbers in float32 and float64 differ by as much.
ROUNDING = 1e-6


def judge_side(side: str, tracks: Sequence[Scored], config: VerdictConfig, seed: int) -> dict[str, Any]:
    """One side: all tracks together, each track's error in units of its own variance so that none drowns the rest."""
    pooled, measured = _pool(tracks)
    blocks = int(measured.sum())

    def one(top: str, bottom: str) -> dict[str, Any]:
        pair = np.stack([pooled[top], pooled[bottom]], axis=1)
        ci = block_bootstrap(skill_of, pair, resamples=config.resamples, seed=seed, measured=measured)
        return {"value": float(skill_of(pair.sum(0))), "ci": ci}

    chosen = Counter(_own_width(track)["skill"]["baseline"] for track in tracks)
    name = chosen.most_common(1)[0][0]
    shared = [key for key in tracks[0].errors if key in pooled and key not in (MODEL, BEST, SWAPPED)]
    skill = {
        **one(MODEL, BEST),
        "baseline": name if len(chosen) == 1 else f"best baseline of each track, mostly {name}",
        "over": {key: one(MODEL, key) for key in shared},
        "n": int(sum(_own_width(track)["bins"] for track in tracks)),
    }
    each = [_own_width(track)["skill"] for track in tracks]
    above = sum(item["ci"] is not None and item["ci"][0] > ROUNDING for item in each)
    found: dict[str, Any] = {
        "skill": skill,
        "blocks": blocks,
        "median": float(np.median([item["value"] for item in each])),
        "tracks_above_0": above,
        "tracks": [track.record for track in tracks],
    }
    if SWAPPED in pooled:
        swaps = one(SWAPPED, BEST) | {"over": {key: one(SWAPPED, key) for key in shared}}
        gone = swaps["value"] <= ROUNDING if swaps["ci"] is None else swaps["ci"][0] <= ROUNDING
        found["swaps"] = swaps | {"gone": gone}
    found["gained"] = bool(skill["ci"] and skill["ci"][0] > ROUNDING and found.get("swaps", {"gone": True})["gone"])
    return {"gained": found["gained"], "sentence": _sentence(side, found), **found}


def _own_width(track: Scored) -> dict[str, Any]:
    """The record at the track's own bins, which is the first."""
    return next(iter(track.record["resolutions"].values()))


def _pool(tracks: Sequence[Scored]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Squared errors of all tracks by block of the genome: what all tracks have of model, baselines and swaps."""
    # In the order of the first track, so that one track alone has the very interval of its side.
    number = {name: i for i, name in enumerate(dict.fromkeys(name for track in tracks for name in track.names))}
    places = [np.array([number[name] for name in track.names], dtype=np.int64) for track in tracks]
    keys = [key for key in tracks[0].errors if all(key in track.errors for track in tracks)]
    pooled = {key: np.zeros(len(number)) for key in keys}
    measured = np.zeros(len(number), dtype=bool)
    for track, where in zip(tracks, places, strict=True):
        measured[where] |= track.measured
        for key in keys:
            pooled[key][where] += track.errors[key] / (track.variance or 1.0)
    return pooled, measured


def _sentence(side: str, found: dict[str, Any]) -> str:
    skill, tracks = found["skill"], found["tracks"]
    ahead = f"On {side}: " if side != "both" else "On held-out cells and chromosomes at once: "
    name = skill["baseline"]
    value, ci = _figure(skill["value"]), skill["ci"]
    several = f", intervals above 0 in {found['tracks_above_0']} of {len(tracks)} tracks" if len(tracks) > 1 else ""
    if ci is None:
        few = f"{counted(found['blocks'], 'block is', 'blocks are')} too few for an interval (at least {LEAST_BLOCKS})"
        return f"{ahead}nothing can be said of a gain over {name}: {few}; skill {value}{several}."
    interval = f"interval {_figure(ci[0])} to {_figure(ci[1])}"
    if ci[0] <= ROUNDING:
        return f"{ahead}nothing was gained over {name}: skill {value}, {interval}{several}."
    swaps = found.get("swaps")
    if swaps and not swaps["gone"]:
        stays = f"with other cells' input skill stays at {_figure(swaps['value'])}"
        whole = f"skill {value} over {name}, {interval}"
        return f"{ahead}nothing was gained that is the cell's own: {whole}, but {stays}{several}."
    over = f"the best baseline ({name})" if not name.startswith("best ") else f"the {name}"
    swapped = f"; with other cells' input {_figure(swaps['value'])}" if swaps else ""
    return f"{ahead}gained {value} over {over}, {interval}{several}{swapped}."


def _figure(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
