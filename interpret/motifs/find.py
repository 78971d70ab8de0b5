"""The whole way from ``contribs.h5`` to ``motifs.h5`` and the text files beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from interpret.contribs.central import Contributions, no_such_window, read_contributions, read_rows
from interpret.motifs.databases import how_compared, match_patterns, notes_on, open_database
from interpret.motifs.discover import capped, modisco_options, parse_options, run_modisco, too_few
from interpret.motifs.effects import ModelAndTarget, backgrounds_of, load_again, measure_effects, predict_track
from interpret.motifs.enrichment import find_enrichment
from interpret.motifs.explained import how_much
from interpret.motifs.exports import EXPORTS
from interpret.motifs.grades import grade_patterns
from interpret.motifs.hits import find_hits
from interpret.motifs.motifs_file import (
    MotifsFile,
    add_results,
    choose_views,
    read_motifs,
    read_patterns,
    regions_named,
    set_repeated_aside,
)
from interpret.motifs.pattern import Effect, Pattern, PredictedTrack
from zoo.errors import ZooError
from zoo.extras import require
from zoo.results.check_out import check_out
from zoo.results.whole import replacing_all, sole_writer
from zoo.words import counted

__all__ = ["check_motifs_out", "find_motifs", "given_options", "texts_beside"]

SUFFIXES = (".h5", ".hdf5")


def find_motifs(
    contribs: str | Path,
    out: str | Path,
    *,
    database: str = "jaspar",
    central: int | None = None,
    max_seqlets: int | None = None,
    seqlet_fdr: float | None = None,
    modisco: Mapping[str, Any] | Sequence[str] = (),
    hits: bool = True,
    seed: int = 0,
    effects: bool = True,
    model: str | None = None,
    trust: bool = False,
    region: str | Sequence[str] = (),
    report: Callable[[str], None] | None = None,
    progress: Callable[[str], None] | None = None,
    window: object = None,
) -> MotifsFile:
    """Find patterns, place, match and scan for them, and write ``out`` and the text files beside it.

    Args:
        contribs: file of ``zoo attribute``.
        out: ``motifs.h5``; beside it ``motifs.meme``, ``motifs.motifs.tsv`` and the others of ``EXPORTS``.
        database: what ``open_database`` takes.
        central: bp around the centre of the windows to look at; None is the whole window.
        max_seqlets: of each sign, the first in the file; default 20,000. seqlet_fdr: their false discovery rate;
            default 0.05.
        modisco: any other options of TF-MoDISco, by name or as ``NAME=VALUE``.
        hits: scan for all instances.
        seed: of the shuffles with which occurrences are compared; TF-MoDISco seeds itself.
        effects: load the model again, measure what each pattern does and predict the regions that a report draws;
            a note says why where the model cannot be loaded.
        model: where the model is now; default as recorded in ``contribs``. An error if it cannot be loaded.
        trust: as in ``zoo.load_model``, for the model that is loaded again.
        region: region or regions that a report must draw, by name or ``chrom:start-end``.
        report: takes notes on what is done.
        progress: takes a line each second while TF-MoDISco runs.
        window: the name that ``central`` had; refused with the new one.

    Raises:
        InputError, UsageError: a file or option is wrong; nothing is left under the final names then.
    """
    if window is not None:
        raise no_such_window(window)
    out, report = check_motifs_out(out, [contribs, database, model]), report or (lambda note: None)
    options = given_options(modisco, max_seqlets, seqlet_fdr)
    require("finding motifs", "modiscolite", "memelite", "scipy", "tangermeme")
    known = open_database(database)
    contributions = read_contributions(contribs, central)
    n, length, offset = len(contributions.regions), contributions.length, contributions.offset
    if note := too_few(n, contributions.window, options):
        report(note)
    first = regions_named(contributions.regions, [region] if isinstance(region, str) else region)
    explained = _load_again(contributions, model, trust, report) if effects else None
    with sole_writer(out), replacing_all([*texts_beside(out).values(), out]) as parts:
        *texts, partial = parts
        report(
            f"{counted(n, 'sequence')} of {length:,} bp; TF-MoDISco looks at the central {contributions.window:,} bp"
        )
        positive, negative, said = run_modisco(
            contributions.one_hot, contributions.hypothetical, partial, options, progress
        )
        if note := capped(said, options):
            report(note)
        report(f"{positive} positive and {counted(negative, 'negative pattern')}; matching with {known.title}")
        for note in notes_on(known):
            report(note)
        for name in set_repeated_aside(partial):
            report(f"{name} is left out: its core contributes in the other sign, and is a pattern of that sign already")
        patterns = _patterns(partial, offset)
        for pattern in patterns:
            if pattern.turned:
                report(f"{pattern.name} is called {pattern.short_name}: its core contributes in the other sign")
        matches = match_patterns([p for pattern in patterns for p in (pattern, *pattern.subpatterns)], known)
        found = None
        if hits:
            if patterns:
                report(f"scanning for instances of {counted(len(patterns), 'pattern')}")
            found = find_hits(contributions.one_hot, contributions.hypothetical, patterns, offset)
        enrichment = find_enrichment(contributions.one_hot, patterns, seed)
        outputs = explained.model.outputs if explained else ()
        held = how_much(contributions, patterns, found, said, options, outputs)
        views = choose_views(contributions, patterns, first)
        measured = _ask(explained, contributions, patterns, views, seed, report) if explained else (None, None)
        run = _run_record(contributions.run, known.title, len(known.motifs), contributions.window, options, said)
        run |= {"matching": how_compared(known)}
        run |= {"command": sys.argv, "contribs": str(contribs), "seed": seed}
        add_results(partial, contributions, patterns, matches, found, enrichment, run, views, *measured, held)
        _write_texts(dict(zip(EXPORTS, texts, strict=True)), read_motifs(partial))
    result = read_motifs(out)
    report(_summary(result, out))
    return result


def given_options(
    others: Mapping[str, Any] | Sequence[str] = (), max_seqlets: int | None = None, seqlet_fdr: float | None = None
) -> dict[str, Any]:
    """Options of TF-MoDISco as ``find_motifs`` takes them, by their names."""
    named = {"max_seqlets_per_metacluster": max_seqlets, "target_seqlet_fdr": seqlet_fdr}
    given = {name: value for name, value in named.items() if value is not None}
    if isinstance(others, Mapping):
        return given | dict(others)
    return given | (parse_options([others] if isinstance(others, str) else others) if others else {})


def _summary(found: MotifsFile, out: Path) -> str:
    grades = [name.grade for name in grade_patterns(found)]
    if not grades:
        return f"no pattern -> {out}"
    weak = grades.count("weak")
    named = f"{grades.count('strong')} with a known motif, {weak} that resemble{'s' * (weak == 1)} one"
    hits = f", {counted(len(found.hits), 'hit')}" if found.hits is not None else ""
    return f"{counted(len(found.patterns), 'pattern')}, {named}{hits} -> {out}"


def _load_again(
    contributions: Contributions, model: str | None, trust: bool, report: Callable[[str], None]
) -> ModelAndTarget | None:
    """The model; None, with a note why, where it is not at hand and was not named."""
    try:
        return load_again(contributions.run, contributions.length, model, trust=trust)
    except ZooError as error:
        if model is not None:
            raise
        report(f"effects of patterns are not measured: {error.what}; --model MODEL says where it is now")
        return None


def _ask(
    explained: ModelAndTarget,
    contributions: Contributions,
    patterns: Sequence[Pattern],
    views: np.ndarray,
    seed: int,
    report: Callable[[str], None],
) -> tuple[dict[str, Effect], PredictedTrack | None]:
    """What the patterns do, and what is predicted in the regions to draw."""
    if patterns:
        report(f"inserting {counted(len(patterns), 'pattern')} into background sequences")
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


def check_motifs_out(out: str | Path, inputs: Sequence[str | Path | None]) -> Path:
    """``check_out`` for a file of motifs and the text files beside it."""
    return check_out(
        out, inputs=inputs, suffixes=SUFFIXES, beside=lambda out: texts_beside(out).values(), what="motifs"
    )


def texts_beside(out: Path) -> dict[str, Path]:
    """Key of ``EXPORTS`` -> the text file that lies beside ``out``."""
    stem = out.name.removesuffix(".h5")
    return {suffix: out.with_name(stem + suffix) for suffix in EXPORTS}


def _write_texts(paths: dict[str, Path], motifs: MotifsFile) -> None:
    for suffix, path in paths.items():
        with path.open("w", encoding="utf-8") as file:
            file.writelines(EXPORTS[suffix](motifs))
