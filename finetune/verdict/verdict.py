"""Whether anything was gained, on each side that was held out, in words and in figures that cannot flatter.

A gain is skill over the *best* baseline whose interval lies above 0, and which goes when the model is given another
cell's input. Everything else that is computed stands beside it. One track is held at a time: ``judge`` takes an
iterator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetune.config import VerdictConfig
from finetune.verdict.example import Drawing
from finetune.verdict.side import judge_side
from finetune.verdict.track import Judged, Scored, judge_track
from zoo.errors import ModelError

__all__ = ["SIDES", "Judged", "Verdict", "judge"]

#: Sides from the easiest to the hardest.
SIDES = ("held-out chromosomes", "held-out cells", "both")
#: Tracks of a side that are drawn.
DRAWN = 4
#: Tracks of a side whose figures go into a card one by one; of more, those of the side alone.
CARD_TRACKS = 10
#: Metrics of a card, beside the skill.
CARD_METRICS = ("pearson", "pearson_log1p", "profile", "counts", "poisson_deviance", "auprc", "partial")


@dataclass(frozen=True)
class Verdict:
    """What was found; ``as_dict`` is the record, ``drawings`` only serve the page.

    Attributes:
        gained: on every side. sentence: in words. sides: by name, hardest last.
        config, facts: as given to ``judge``. drawings: by side, of the first tracks.
    """

    gained: bool
    sentence: str
    sides: dict[str, dict[str, Any]]
    config: dict[str, Any]
    facts: dict[str, Any]
    drawings: dict[str, list[Drawing]] = field(default_factory=dict, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The record: JSON types only, what is not defined is None."""
        return {
            "gained": self.gained,
            "sentence": self.sentence,
            "sides": self.sides,
            "config": self.config,
            "facts": self.facts,
        }

    def evaluation_lines(self, command: str, output: str | None = None) -> list[dict[str, Any]]:
        """Lines of a card's ``evaluation``: each metric with interval and number beside its best baseline.

        Args:
            command: that made the figures. output: of the card; default the track's name.
        """
        lines = []
        for side, found in self.sides.items():
            for track in found["tracks"] if len(found["tracks"]) <= CARD_TRACKS else ():
                lines += _track_lines(track, side, output or track["track"], command)
            if len(found["tracks"]) > 1:
                skill = found["skill"]
                line = _line("skill", skill, skill["n"], {"name": skill["baseline"], "value": 0.0})
                lines.append({**line, "split": side, "output": output or "all tracks", "command": command})
        return lines


def _track_lines(track: dict[str, Any], side: str, output: str, command: str) -> list[dict[str, Any]]:
    lines = []
    for width, found in track["resolutions"].items():
        skill = found["skill"]
        made = [_line(f"skill_{width}bp", skill, found["bins"], {"name": skill["baseline"], "value": 0.0})]
        for name in CARD_METRICS:
            metric = found["metrics"].get(name)
            if metric is None or metric["value"] is None:
                continue
            best = metric["best_baseline"]
            beside = None if best is None else {"name": best, "value": metric["baselines"][best]}
            made.append(_line(f"{name}_{width}bp", metric, metric["n"], beside))
        lines += [{**line, "split": side, "output": output, "command": command} for line in made]
    return lines


def _line(metric: str, found: dict[str, Any], n: int, baseline: dict[str, Any] | None) -> dict[str, Any]:
    line = {"metric": metric, "value": found["value"], "ci": found["ci"], "n": n, "baseline": baseline}
    return {key: value for key, value in line.items() if value is not None}


def judge(judged: Iterable[Judged], config: VerdictConfig | None = None, facts: Mapping[str, Any] | None = None,
          seed: int = 0) -> Verdict:  # fmt: skip
    """Judge a model on every side and track.

    Args:
        judged: one after another; an iterator that reads each when asked keeps one in memory.
        config: blocks, resamples, coarser bins. facts: what the page and the record say of the run.
        seed: of the resamples.

    Raises:
        ModelError: a prediction or a baseline holds NaN where something was measured, or no track is judged.
        ValueError: shapes differ; coarser bins are no multiple that divides the track.
    """
    config = config or VerdictConfig()
    sides: dict[str, list[Scored]] = {}
    for track in judged:
        drawn = len(sides.get(track.side, ())) < DRAWN
        sides.setdefault(track.side, []).append(judge_track(track, config, seed, drawn))
    if not sides:
        raise ModelError("no track was judged", "0 tracks on the test side", "Fix: name chromosomes in `split.test`")
    ordered = sorted(sides, key=lambda side: (SIDES.index(side) if side in SIDES else -1, side))
    found = {side: judge_side(side, sides[side], config, seed) for side in ordered}
    return Verdict(
        all(side["gained"] for side in found.values()),
        " ".join(side["sentence"] for side in found.values()),
        {name: _plain(side) for name, side in found.items()},
        _plain(config.model_dump() | {"seed": seed}),
        _plain(dict(facts or {})),
        {side: [track.drawing for track in sides[side] if track.drawing is not None] for side in ordered},
    )


def _plain(value: Any) -> Any:
    """JSON types: six significant digits, None for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.6g}") if math.isfinite(value) else None
    return value if value is None else str(value)
