"""The whole way from ``contribs.h5`` to ``motifs.h5`` and the text files beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from interpret.motifs.contributions import Contributions, read_contributions, read_rows
from interpret.motifs.databases import open_database
from interpret.motifs.discover import capped, modisco_options, run_modisco
from interpret.motifs.effect import Effect, PredictedTrack
from interpret.motifs.enrichment import find_enrichment
from interpret.motifs.exports import EXPORTS
from interpret.motifs.hits import find_hits
from interpret.motifs.match import match_patterns
from interpret.motifs.measure_effects import backgrounds_of, measure_effects, predict_track
from interpret.motifs.model_again import ExplainedModel, load_again
from interpret.motifs.motifs_file import (
    MotifsFile,
    add_results,
    choose_views,
    read_motifs,
    read_patterns,
    regions_named,
)
from interpret.motifs.pattern import Pattern
from zoo.errors import UsageError, ZooError
from zoo.extras import require

__all__ = ["find_motifs"]


def find_motifs(
    contribs: str | Path,
    out: str | Path,
    *,
    database: str = "jaspar",
    window: int | None = None,
    modisco: dict[str, Any] | None = None,
    hits: bool = True,
    seed: int = 0,
    effects: bool = True,
    model: str | None = None,
    trust: bool = False,
    regions: Sequence[str] = (),
    report: Callable[[str], None] = lambda note: None,
    progress: Callable[[str], None] | None = None,
) -> MotifsFile:
    """Find patterns, place, match and scan for them, and write ``out`` and the text files beside it.

    Args:
        contribs: file of ``zoo attribute``.
        out: ``motifs.h5``; beside it ``motifs.meme``, ``motifs.motifs.tsv`` and the others of ``EXPORTS``.
        database: what ``open_database`` takes.
        window: bp around the centre to look at; None is the whole sequence.
        modisco: options of TF-MoDISco by name.
        hits: scan for all instances.
        seed: of the shuffles with which occurrences are compared; TF-MoDISco seeds itself.
        effects: load the model again, measure what each pattern does and predict the regions that a report draws;
            a note says why where the model cannot be loaded.
        model: where the model is now; default as recorded in ``contribs``. An error if it cannot be loaded.
        trust: as in ``zoo.load_model``, for the model that is loaded again.
        regions: regions that a report must draw, by name or ``chrom:start-end``.
        report: takes notes on what is done.
        progress: takes a line each second while TF-MoDISco runs.

    Raises:
        InputError, UsageError: a file or option is wrong; nothing is left under the final names then.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise UsageError(f"-o {out}: no folder {out.parent}", "nothing was written", f"Fix: mkdir -p {out.parent}")
    require("finding motifs", "modiscolite", "memelite", "scipy", "tangermeme")
    known = open_database(database)
    contributions = read_contributions(contribs, window)
    n, length, window, offset = (
        len(contributions.regions),
        contributions.length,
        contributions.window,
        contributions.offset,
    )
    first = regions_named(contributions.regions, regions)
    explained = _load_again(contributions, model, trust, report) if effects else None
    partial = out.with_name(out.name + ".partial")
    try:
        report(f"{n:,} sequences of {length:,} bp; TF-MoDISco looks at the central {window:,} bp")
        positive, negative, said = run_modisco(
            contributions.one_hot, contributions.hypothetical, partial, modisco or {}, progress
        )
        if note := capped(said, modisco or {}):
            report(note)
        report(f"{positive} positive and {negative} negative patterns; matching with {known.title}")
        patterns = _patterns(partial, offset)
        matches = match_patterns([p for pattern in patterns for p in (pattern, *pattern.subpatterns)], known)
        found = None
        if hits:
            report(f"scanning for instances of {len(patterns)} patterns")
            found = find_hits(contributions.one_hot, contributions.hypothetical, patterns, offset)
        enrichment = find_enrichment(contributions.one_hot, patterns, seed)
        views = choose_views(contributions, patterns, first)
        measured = _ask(explained, contributions, patterns, views, seed, report) if explained else (None, None)
        run = _run_record(contributions.run, known.title, len(known.motifs), window, modisco or {}, said)
        run |= {"command": sys.argv, "contribs": str(contribs), "seed": seed}
        add_results(partial, contributions, patterns, matches, found, enrichment, run, views, *measured)
        result = read_motifs(partial)
        _write_texts(out, result)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return read_motifs(out)


def _load_again(
    contributions: Contributions, model: str | None, trust: bool, report: Callable[[str], None]
) -> ExplainedModel | None:
    """The model; None, with a note why, where it is not at hand and was not named."""
    try:
        return load_again(contributions.run, contributions.length, model, trust=trust)
    except ZooError as error:
        if model is not None:
            raise
        report(f"effects of patterns are not measured: {error.what}; --model MODEL says where it is now")
        return None


def _ask(
    explained: ExplainedModel,
    contributions: Contributions,
    patterns: Sequence[Pattern],
    views: np.ndarray,
    seed: int,
    report: Callable[[str], None],
) -> tuple[dict[str, Effect], PredictedTrack | None]:
    """What the patterns do, and what is predicted in the regions to draw."""
    report(f"inserting {len(patterns)} patterns into background sequences")
    shuffled = backgrounds_of(len(contributions.regions), contributions.length)
    effects = measure_effects(explained, patterns, read_rows(contributions.path, shuffled)[0], seed)
    return effects, predict_track(explained, read_rows(contributions.path, views)[0])


def _patterns(path: Path, offset: int):
    import h5py

    with h5py.File(path, "r") as file:
        return read_patterns(file, offset)


def _run_record(run: dict[str, Any], title: str, size: int, window: int, given: dict, said: str) -> dict[str, Any]:
    names = ("seqzoo", "modisco-lite", "memelite", "pyjaspar", "numpy")
    return {
        "contributions": run,
        "database": title,
        "database_motifs": size,
        "window": window,
        "modisco": modisco_options() | given,
        "modisco_said": said.splitlines(),
        "versions": {name: _version(name) for name in names},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _write_texts(out: Path, motifs: MotifsFile) -> None:
    for suffix, lines in EXPORTS.items():
        path = out.with_name(out.name.removesuffix(".h5") + suffix)
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.writelines(lines(motifs))
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
