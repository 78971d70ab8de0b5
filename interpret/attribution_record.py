"""The run record of an attribution: what was explained, how, with which files and versions."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from interpret.attribution_options import COMPARING
from interpret.completeness import MEDIAN_LIMIT

if TYPE_CHECKING:
    from interpret.explainer import Explainer
    from zoo.run.job import Job

__all__ = ["record_of"]


def record_of(job: Job, explainer: Explainer, windows: int, notes: list[str], seconds: float) -> dict[str, Any]:
    """Everything that a reader of the file may ask."""
    options, references, target = explainer.options, explainer.references, explainer.target
    named = {"kind": references.kind, "n": references.n, "seed": references.seed}
    details = explainer.method.details
    common, card = job.record(), job.model.card
    return {
        "command": sys.argv,
        "model": {"version": card.version if card else None} | common["model"],
        "method": explainer.method.name,
        "references": named if explainer.method.name in COMPARING else None,
        "seed": references.seed,
        "output": target.output.name,
        "tracks": list(target.tracks),
        "bins": target.bins,
        "reduction": target.reduction,
        "explained": explainer.explained,
        "genome": common["genome"],
        "assembly": card.genome.assembly if card and card.genome else None,
        "regions": common["regions"],
        "versions": _versions(),
        "options": dataclasses.asdict(options) | {"reading": dataclasses.asdict(job.options)},
        "completeness_threshold": MEDIAN_LIMIT,
        "notes": notes,
        "windows": windows,
        "seconds": round(seconds, 3),
        "one_hot_n_value": job.model.loader.n_value,
    } | ({"method_details": details()} if details else {})


def _versions() -> dict[str, str]:
    found = {}
    for name in ("seqzoo", "torch", "numpy", "captum", "tangermeme"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
