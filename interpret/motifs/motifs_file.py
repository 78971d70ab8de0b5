"""``motifs.h5``: TF-MoDISco's own result file with what the zoo adds in groups beside it.

``pos_patterns`` and ``neg_patterns`` are as modisco-lite writes them, so its tools read the file. Added:

- ``repeated/``: patterns set aside since their core is that of a pattern of the other sign (``set_repeated_aside``)
- root attributes: format, version, run (JSON: the contributions' record, options, database, versions)
- ``regions/``: chrom, start, end, name, prediction, total; ``windows/``: start, end, reverse
- ``places/PATTERN/``: chrom, start, end, core_start, core_end, strand of each seqlet
- ``matches/PATTERN``, of subpatterns too: JSON of the nearest known motifs with p, q, offset, overlap, strand, matrix
- ``hits/``: sequence, start, end, reverse, pattern, contribution, similarity, match
- ``enrichment/``: occurrences by the bases alone, in the sequences and in their shuffles (``Enrichment``)
- ``explained``: JSON of how much the motifs explain (``Explained``)
- ``effects/PATTERN``: (n,) what inserting the pattern's consensus (an attribute) into n backgrounds does, if measured
- ``views/``: sequence, letters (K, L), projected (K, L) of the regions that a report draws; where the output has bins
  also track (K, bins) with attributes bin_size, offset, name
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interpret.contribs.central import Contributions, Regions, read_rows
from interpret.contribs.file import format_of, plain_attribute
from interpret.motifs.databases import KnownMotif, Match, compare_again
from interpret.motifs.enrichment import Enrichment
from interpret.motifs.explained import Explained
from interpret.motifs.hits import Hits
from interpret.motifs.pattern import (
    ALIKE,
    Effect,
    Pattern,
    Places,
    PredictedTrack,
    Seqlets,
    core_of,
    likeness,
    places_of,
)
from zoo.errors import InputError, UsageError
from zoo.paths import given_path, near_file
from zoo.words import counted

__all__ = [
    "MotifsFile",
    "add_results",
    "choose_views",
    "is_motifs",
    "letters_of",
    "read_motifs",
    "read_patterns",
    "regions_named",
    "set_repeated_aside",
]

FORMAT, VERSION = "seqzoo-motifs", 1
GROUPS, REPEATED = ("pos_patterns", "neg_patterns"), "repeated"
VIEWS, STRONGEST = 50, 3


@dataclass(frozen=True)
class Views:
    """The regions that a report can draw, in the model's orientation.

    Attributes:
        sequence: (K,) index of the region. letters: (K, L) 0-3, 4 is N. projected: (K, L) contributions.
        track: (K, bins) predicted profile, mean of the explained tracks, or None; track_bin, track_offset: bp of a bin,
            and from a window's start to the first bin; track_name: output and tracks.
    """

    sequence: np.ndarray
    letters: np.ndarray
    projected: np.ndarray
    track: np.ndarray | None = None
    track_bin: int = 0
    track_offset: int = 0
    track_name: str = ""


@dataclass(frozen=True)
class MotifsFile:
    """What ``zoo motifs`` found, as a report reads it.

    Attributes:
        path: the file.
        run: how it was made; ``run["contributions"]`` is the record of the contributions.
        window: bp around the centre in which patterns were looked for; window_offset: its start in the sequences.
        length: bp of the sequences.
        regions, prediction, total: of each sequence; total is its summed contribution.
        patterns: positive ones first, in TF-MoDISco's order. matches: of each pattern and
            subpattern, by its name.
        hits: instances of the patterns, or None. enrichment: of their bases; None in older files.
        effects: of each pattern, or None where not measured.
        views: regions to draw.
        pair_error: completeness of the pairs of sequence and reference, where the contributions have it.
        explained: how much the motifs explain; None in older files.
    """

    path: Path
    run: dict[str, Any]
    window: int
    window_offset: int
    length: int
    regions: Regions
    prediction: np.ndarray
    completeness_error: np.ndarray
    total: np.ndarray
    patterns: tuple[Pattern, ...]
    matches: dict[str, list[Match]]
    hits: Hits | None
    enrichment: Enrichment | None
    effects: dict[str, Effect] | None
    views: Views
    pair_error: np.ndarray | None = None
    explained: Explained | None = None

    def places(self, pattern: Pattern) -> tuple[Places, Places]:
        """Where a pattern's seqlets, and their cores, are in the genome."""
        seqlets = pattern.seqlets
        core = seqlets.core(pattern.core)
        return (
            places_of(self.regions, seqlets.sequence, seqlets.start, seqlets.end, seqlets.reverse),
            places_of(self.regions, seqlets.sequence, *core, seqlets.reverse),
        )


def read_patterns(file: Any, window_offset: int) -> list[Pattern]:
    """Patterns of an open result file; positions are shifted to those of the whole sequences."""
    found = [
        _read_pattern(f"{group}.{name}", file[group][name], window_offset)
        for group in GROUPS
        if group in file
        for name in _numbered(file[group], "pattern_")
    ]
    last = {positive: _last(file, group) for positive, group in zip((True, False), GROUPS, strict=True)}
    for i, pattern in enumerate(found):
        if pattern.turned:
            number = last[pattern.positive] = last[pattern.positive] + 1
            children = tuple(replace(child, turned=True, number=number) for child in pattern.subpatterns)
            found[i] = replace(pattern, number=number, subpatterns=children)
    return found


def _last(file: Any, group: str) -> int:
    names = [*file.get(group, ()), *file.get(f"{REPEATED}/{group}", ())]
    return max((int(name.split("_")[1]) + 1 for name in names), default=0)


def set_repeated_aside(path: Path) -> list[str]:
    """Move to the group ``repeated`` what is another pattern's site, so that one site stands once.

    Only patterns whose core contributes in the other sign than their seqlets are looked at (``Pattern.turned``).

    Returns:
        their names.
    """
    import h5py

    with h5py.File(path, "r+") as file:
        patterns = read_patterns(file, 0)
        plain = [pattern for pattern in patterns if not pattern.turned]
        again = [pattern.name for pattern in patterns if pattern.turned and _same_site(pattern, plain)]
        for name in again:
            group, _, own = name.partition(".")
            file.require_group(f"{REPEATED}/{group}")
            file.move(f"{group}/{own}", f"{REPEATED}/{group}/{own}")
    return again


def _same_site(pattern: Pattern, others: Sequence[Pattern]) -> bool:
    core = pattern.contribution[slice(*pattern.core)]
    return any(
        other.positive == pattern.positive and likeness(core, other.contribution[slice(*other.core)]) >= ALIKE
        for other in others
    )


def _numbered(group: Any, prefix: str) -> list[str]:
    return sorted((name for name in group if name.startswith(prefix)), key=lambda name: int(name.split("_")[1]))


def _read_pattern(name: str, group: Any, offset: int) -> Pattern:
    contribution = group["contrib_scores"][:]
    probability = group["sequence"][:]
    core = core_of(contribution, probability)
    found = group["seqlets"]
    by_column = found["contrib_scores"][:].sum(axis=2)
    seqlets = Seqlets(
        found["example_idx"][:].astype(np.int64),
        found["start"][:].astype(np.int64) + offset,
        found["end"][:].astype(np.int64) + offset,
        found["is_revcomp"][:].astype(bool),
        by_column.sum(axis=1),
        by_column[:, slice(*core)].sum(axis=1),
        letters_of(found["sequence"][:]),
    )
    children = tuple(
        _read_pattern(f"{name}.{child}", group[child], offset) for child in _numbered(group, "subpattern_")
    )
    turned = contribution[slice(*core)].sum() * (1 if name.startswith("pos") else -1) < 0
    hypothetical = group["hypothetical_contribs"][:]
    # A subpattern has the sign of its pattern, which sets it.
    turned = bool(turned) and name.count(".") == 1
    return Pattern(name, probability, contribution, hypothetical, core, seqlets, children, turned)


def letters_of(one_hot: np.ndarray) -> np.ndarray:
    """(n, W) 0-3 for A C G T, 4 for N, of (n, W, 4)."""
    return np.where(one_hot.any(axis=2), one_hot.argmax(axis=2), 4).astype(np.uint8)


def add_results(
    path: Path,
    contributions: Contributions,
    patterns: Sequence[Pattern],
    matches: dict[str, list[Match]],
    hits: Hits | None,
    enrichment: Enrichment,
    run: dict[str, Any],
    views: np.ndarray,
    effects: dict[str, Effect] | None = None,
    track: PredictedTrack | None = None,
    explained: Explained | None = None,
) -> None:
    """Write what the zoo adds into a result file of modisco-lite.

    Args:
        views: (K,) indices of the regions that a report draws. track: predicted in them.
        explained: how much the patterns explain.
    """
    import h5py

    regions = contributions.regions
    text = h5py.string_dtype()
    with h5py.File(path, "a") as file:
        file.attrs.update(
            format=FORMAT,
            version=VERSION,
            window_offset=contributions.offset,
            length=contributions.length,
            run=json.dumps(run, default=str),
        )
        for name in ("chrom", "name"):
            file.create_dataset(f"regions/{name}", data=getattr(regions, name), dtype=text)
        numbers = {
            "regions/start": regions.start,
            "regions/end": regions.end,
            "windows/start": regions.window_start,
            "windows/end": regions.window_end,
            "windows/reverse": regions.reverse,
            "regions/prediction": contributions.prediction,
            "regions/total": contributions.total,
            "regions/completeness_error": contributions.completeness_error,
        }
        if contributions.pair_error is not None:
            numbers["regions/pair_error"] = contributions.pair_error
        for name, data in numbers.items():
            file[name] = data
        for pattern in patterns:
            _add_places(file, regions, pattern, text)
        for name, found in matches.items():
            file[f"matches/{name}"] = json.dumps([_match_as_json(match) for match in found])
        if hits is not None:
            for name, data in vars(hits).items():
                file.create_dataset(f"hits/{name}", data=data, compression="gzip" if len(data) else None)
        for name, data in vars(enrichment).items():
            file[f"enrichment/{name}"] = data
        for name, effect in (effects or {}).items():
            file[f"effects/{name}"] = effect.values
            file[f"effects/{name}"].attrs["consensus"] = effect.consensus
        if explained is not None:
            file["explained"] = explained.as_json()
        one_hot, projected = read_rows(contributions.path, views)
        letters = letters_of(one_hot.transpose(0, 2, 1))
        for name, data in {"sequence": views, "letters": letters, "projected": projected}.items():
            file.create_dataset(f"views/{name}", data=data, compression="gzip")
        if track is not None:
            file.create_dataset("views/track", data=track.values, compression="gzip").attrs.update(
                bin_size=track.bin_size, offset=track.offset, name=track.name
            )


def _add_places(file: Any, regions: Regions, pattern: Pattern, text: Any) -> None:
    seqlets = pattern.seqlets
    whole = places_of(regions, seqlets.sequence, seqlets.start, seqlets.end, seqlets.reverse)
    core = places_of(regions, seqlets.sequence, *seqlets.core(pattern.core), seqlets.reverse)
    group = file.create_group(f"places/{pattern.name}")
    group.create_dataset("chrom", data=whole.chrom, dtype=text)
    group.create_dataset("strand", data=whole.strand.astype(object), dtype=text)
    group["start"], group["end"] = whole.start, whole.end
    group["core_start"], group["core_end"] = core.start, core.end


def choose_views(contributions: Contributions, patterns: Sequence[Pattern], first: Sequence[int] = ()) -> np.ndarray:
    """Indices of the regions that a report draws, 50 or as many as ``first`` holds.

    Those in ``first``, then those of each pattern's strongest seqlets, then those of the largest contributions.
    """
    ranked = [pattern.seqlets.sequence[pattern.strongest[:STRONGEST]].tolist() for pattern in patterns]
    strongest = [places[rank] for rank in range(STRONGEST) for places in ranked if rank < len(places)]
    largest = np.argsort(-contributions.size, kind="stable").tolist()
    return np.array(list(dict.fromkeys([*first, *strongest, *largest]))[: max(VIEWS, len(first))])


def regions_named(regions: Regions, texts: Sequence[str]) -> list[int]:
    """Indices of the regions that bear a name, or whose window overlaps ``chrom:start-end``.

    Raises:
        UsageError: there is none, or there are more than a report draws.
    """
    return list(dict.fromkeys(i for text in texts for i in _named(regions, text)))


def _named(regions: Regions, text: str) -> list[int]:
    place = re.fullmatch(r"(.+):([\d,]+)-([\d,]+)", text)
    found = regions.name == text
    if place and not found.any():
        start, end = (int(number.replace(",", "")) for number in place.groups()[1:])
        found = (regions.chrom == place[1]) & (regions.window_start < end) & (regions.window_end > start)
    if not found.any():
        raise UsageError(
            f"--region {text}: no region of that name or place",
            counted(len(regions), "region"),
            "Fix: a name of the BED's fourth column, or chrom:start-end",
        )
    if found.sum() > VIEWS:
        raise UsageError(
            f"--region {text}: {counted(int(found.sum()), 'region is', 'regions are')} there",
            f"a report draws {VIEWS}",
            "Fix: a shorter chrom:start-end, or a name that is unique",
        )
    return np.flatnonzero(found).tolist()


def _match_as_json(match: Match) -> dict[str, Any]:
    motif = match.motif
    return {
        "id": motif.id,
        "name": motif.name,
        "p": match.p,
        "q": match.q,
        "offset": match.offset,
        "overlap": match.overlap,
        "reverse": match.reverse,
        "probability": motif.probability.tolist(),
    }


def is_motifs(path: object) -> bool:
    """Whether a path is that of a file of ``zoo motifs``; False for anything else, a model say."""
    return format_of(path) == FORMAT


def read_motifs(path: str | Path) -> MotifsFile:
    """Read ``motifs.h5``.

    Raises:
        InputError: no such file, or not one that ``zoo motifs`` wrote.
    """
    import h5py

    path = given_path(path)
    fix = "Fix: zoo motifs contribs.h5 -o motifs.h5"
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if not path.exists():
            raise InputError(f"{path}: no such file", near_file(path) or "nothing was read", fix) from error
        raise InputError(f"{path}: not an HDF5 file", "nothing was read", fix) from error
    with file:
        found = plain_attribute(file, "format"), plain_attribute(file, "version")
        if found != (FORMAT, VERSION):
            has = "its format is not named" if found[0] is None else f"its format is {found[0]} version {found[1]}"
            raise InputError(f"{path}: not a file of motifs", f"{has}; {FORMAT} version {VERSION} is read", fix)
        try:
            return _read(path, file)
        except KeyError as error:
            raise InputError(f"{path}: incomplete: {error.args[0]!s}", "nothing was read", fix) from error


def _read(path: Path, file: Any) -> MotifsFile:
    offset = int(file.attrs["window_offset"])
    regions = Regions(
        file["regions/chrom"].asstr()[:].astype(object),
        file["regions/start"][:],
        file["regions/end"][:],
        file["regions/name"].asstr()[:].astype(object),
        file["windows/start"][:],
        file["windows/end"][:],
        file["windows/reverse"][:],
    )
    patterns = tuple(read_patterns(file, offset))
    run = json.loads(file.attrs["run"])
    parts = [part for pattern in patterns for part in (pattern, *pattern.subpatterns)]
    matches = {part.name: list(_matches(file[f"matches/{part.name}"].asstr()[()])) for part in parts}
    if "matching" not in run:
        size = int(run.get("database_motifs", 0))
        matches = {part.name: compare_again(part, matches[part.name], size) for part in parts}
    hits = Hits(**{name: file[f"hits/{name}"][:] for name in file["hits"]}) if "hits" in file else None
    enrichment = _enrichment(file["enrichment"]) if "enrichment" in file else None
    effects = (
        {name: Effect(data.attrs["consensus"], data[:]) for name, data in file["effects"].items()}
        if "effects" in file
        else None
    )
    views = Views(*(file[f"views/{name}"][:] for name in ("sequence", "letters", "projected")), *_read_track(file))
    return MotifsFile(
        path,
        run,
        int(file.attrs["window_size"]),
        offset,
        int(file.attrs["length"]),
        regions,
        file["regions/prediction"][:],
        file["regions/completeness_error"][:],
        file["regions/total"][:],
        patterns,
        matches,
        hits,
        enrichment,
        effects,
        views,
        file["regions/pair_error"][:] if "regions/pair_error" in file else None,
        Explained.from_json(file["explained"].asstr()[()]) if "explained" in file else None,
    )


def _enrichment(group: Any) -> Enrichment:
    return Enrichment(int(group["sequences"][()]), **{name: group[name][:] for name in group if name != "sequences"})


def _read_track(file: Any) -> tuple[Any, ...]:
    if "views/track" not in file:
        return ()
    data = file["views/track"]
    return data[:], int(data.attrs["bin_size"]), int(data.attrs["offset"]), data.attrs["name"]


def _matches(text: str) -> Iterator[Match]:
    for item in json.loads(text):
        motif = KnownMotif(item["id"], item["name"], np.array(item["probability"]))
        yield Match(motif, item["p"], item["q"], item["offset"], item["overlap"], item["reverse"])
