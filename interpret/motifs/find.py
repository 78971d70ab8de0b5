"""The whole way from ``contribs.h5`` to ``motifs.h5`` and the text files beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from interpret.motifs.contributions import read_contributions
from interpret.motifs.databases import open_database
from interpret.motifs.discover import capped, modisco_options, run_modisco
from interpret.motifs.enrichment import find_enrichment
from interpret.motifs.exports import EXPORTS
from interpret.motifs.hits import find_hits
from interpret.motifs.match import match_patterns
from interpret.motifs.motifs_file import MotifsFile, add_results, read_motifs, read_patterns
from zoo.errors import UsageError

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
        report: takes notes on what is done.
        progress: takes a line each second while TF-MoDISco runs.

    Raises:
        InputError, UsageError: a file or option is wrong; nothing is left under the final names then.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise UsageError(f"-o {out}: no folder {out.parent}", "nothing was written", f"Fix: mkdir -p {out.parent}")
    known = open_database(database)
    contributions = read_contributions(contribs, window)
    n, length, window, offset = (len(contributions.regions), contributions.length, contributions.window,
                                 contributions.offset)
    partial = out.with_name(out.name + ".partial")
    try:
        report(f"{n:,} sequences of {length:,} bp; TF-MoDISco looks at the central {window:,} bp")
        positive, negative, said = run_modisco(contributions.one_hot, contributions.hypothetical, partial,
                                               modisco or {}, progress)
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
        run = _run_record(contributions.run, known.title, len(known.motifs), window, modisco or {}, said)
        run |= {"contribs": str(contribs), "seed": seed}
        add_results(partial, contributions, patterns, matches, found, enrichment, run)
        result = read_motifs(partial)
        _write_texts(out, result)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return read_motifs(out)


def _patterns(path: Path, offset: int):
    import h5py

    with h5py.File(path, "r") as file:
        return read_patterns(file, offset)


def _run_record(run: dict[str, Any], title: str, size: int, window: int, given: dict, said: str) -> dict[str, Any]:
    names = ("seqzoo", "modisco-lite", "memelite", "pyjaspar", "numpy")
    return {
        "contributions": run, "database": title, "database_motifs": size, "window": window,
        "modisco": modisco_options() | given, "modisco_said": said.splitlines(),
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
