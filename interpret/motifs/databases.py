"""Known motifs: JASPAR by taxon (pyjaspar's copy), HOCOMOCO (gReLU's copy), or a MEME file of the user's.

``match_patterns`` gives a pattern its name: the known motif that it matches.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from interpret.motifs.chance import Shuffled, chance_of
from interpret.motifs.meme import KnownMotif, read_meme, read_meme_file
from interpret.motifs.pattern import Pattern
from zoo.errors import SystemStateError, UsageError
from zoo.extras import fix_for, needs, require
from zoo.paths import refuse_url
from zoo.words import counted

__all__ = [
    "JASPAR_TAXA",
    "MATCHED_AT",
    "KnownMotif",
    "Match",
    "MotifDatabase",
    "benjamini_hochberg",
    "compare_again",
    "how_compared",
    "match_motifs",
    "match_patterns",
    "names_in",
    "notes_on",
    "open_database",
    "read_meme",
]

INSTEAD = "or --database with a MEME file"
JASPAR_RELEASE = "JASPAR2026"
JASPAR_TAXA = ("vertebrates", "plants", "insects", "nematodes", "fungi", "urochordates")
HOCOMOCO = {"hocomoco-v12": "H12CORE_meme_format.meme", "hocomoco-v13": "H13CORE_meme_format.meme"}


@dataclass(frozen=True)
class MotifDatabase:
    """Known motifs and what they are called together (``JASPAR2026 CORE fungi``).

    Attributes:
        left_out: ids of motifs of a MEME file that have no matrix of probabilities.
    """

    title: str
    motifs: tuple[KnownMotif, ...]
    left_out: tuple[str, ...] = ()


def open_database(choice: str) -> MotifDatabase:
    """Known motifs by ``jaspar``, ``jaspar:TAXON``, ``hocomoco-v12``, ``hocomoco-v13`` or the path of a MEME file.

    Raises:
        UsageError: no such choice. InputError: a file without motifs. SystemStateError: a package is missing.
    """
    refuse_url(choice, UsageError, option="--database")
    name, _, taxon = choice.partition(":")
    if name == "jaspar":
        return _jaspar(taxon)
    if choice in HOCOMOCO:
        return MotifDatabase(choice, tuple(read_meme(_hocomoco_file(HOCOMOCO[choice]))))
    if Path(choice).is_file():
        found = read_meme_file(Path(choice))
        return MotifDatabase(Path(choice).name, found.motifs, found.left_out)
    raise UsageError(
        f"--database {choice}: neither a file nor a known collection",
        f"there are jaspar, {', '.join('jaspar:' + taxon for taxon in JASPAR_TAXA)}, {', '.join(HOCOMOCO)}",
        "Fix: --database with one of these, or the path of a MEME file",
    )


@cache
def names_in(title: str) -> tuple[str, ...]:
    """Names of the motifs of a collection by its title; none where that cannot be told: of a MEME file, say."""
    taxa = {f"{JASPAR_RELEASE} CORE {taxon or 'all taxa'}": f"jaspar:{taxon}" for taxon in ("", *JASPAR_TAXA)}
    choice = taxa.get(title, title if title in HOCOMOCO else None)
    try:
        return () if choice is None else tuple(motif.name for motif in open_database(choice).motifs)
    except SystemStateError:  # its package is not installed here
        return ()


def _jaspar(taxon: str) -> MotifDatabase:
    if taxon and taxon not in JASPAR_TAXA:
        raise UsageError(
            f"--database jaspar:{taxon}: JASPAR has no taxon {taxon!r}",
            f"it has {', '.join(JASPAR_TAXA)}",
            "Fix: --database jaspar:TAXON",
        )
    with needs("pyjaspar", "the database JASPAR", INSTEAD):
        from pyjaspar import jaspardb
    title = f"{JASPAR_RELEASE} CORE {taxon or 'all taxa'}"
    return MotifDatabase(title, tuple(_newest_profiles(jaspardb(release=JASPAR_RELEASE).conn, taxon)))


# Each profile in its latest version. pyjaspar's own fetch_motifs asks ten questions a profile, eight seconds for all.
PROFILES = """
    SELECT ID, BASE_ID || '.' || VERSION, NAME FROM MATRIX
    JOIN (SELECT BASE_ID, MAX(VERSION) AS VERSION FROM MATRIX GROUP BY BASE_ID) USING (BASE_ID, VERSION)
    WHERE COLLECTION = 'CORE'
"""
OF_TAXON = " AND ID IN (SELECT ID FROM MATRIX_ANNOTATION WHERE TAG = 'tax_group' AND VAL = ?)"
COUNTS = "SELECT ID, row, val FROM MATRIX_DATA WHERE ID IN (SELECT ID FROM ({})) ORDER BY col"


def _newest_profiles(jaspar: Any, taxon: str) -> list[KnownMotif]:
    profiles, of = (PROFILES + OF_TAXON, (taxon,)) if taxon else (PROFILES, ())
    counts: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number, base, count in jaspar.execute(COUNTS.format(profiles), of):
        counts[number][base].append(float(count))
    found = jaspar.execute(profiles, of)
    return [KnownMotif(id, name, _frequencies(counts[number])) for number, id, name in sorted(found, key=itemgetter(1))]


def _frequencies(counts: dict[str, list[float]]) -> np.ndarray:
    columns = np.array([counts[base] for base in "ACGT"], dtype=float).T
    return columns / columns.sum(axis=1, keepdims=True)


def _hocomoco_file(name: str) -> Path:
    require("the database HOCOMOCO", "grelu", instead=INSTEAD)
    spec = importlib.util.find_spec("grelu")  # finds the folder; gReLU itself is not imported
    path = Path(spec.origin).parent / "resources" / "meme" / name
    if not path.exists():
        raise SystemStateError(f"{path}: no such file", "this gReLU has no such collection", fix_for("grelu", INSTEAD))
    return path


# ---------------- the name of a pattern: TOMTOM, and q-values over the whole database


MATCHED_AT = 0.05
FEW = 50  # MEME's own TOMTOM warns below: the database's columns are its null distribution
LOOKED_AT = 60


@dataclass(frozen=True)
class Match:
    """A known motif that a pattern resembles.

    Attributes:
        motif: the known motif.
        p: p-value, see ``match_motifs``. q: the same over all motifs of the database.
        offset: column of the known motif (turned, when reverse) at which the pattern's core begins; may be negative.
        overlap: columns that lie on each other.
        reverse: whether the known motif is turned to fit.
    """

    motif: KnownMotif
    p: float
    q: float
    offset: int
    overlap: int
    reverse: bool

    @property
    def significant(self) -> bool:
        return self.q <= MATCHED_AT


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """q-values of (n,) p-values: the smallest false discovery rate at which each would be accepted."""
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def match_patterns(patterns: Sequence[Pattern], database: MotifDatabase) -> dict[str, list[Match]]:
    """The nearest known motifs of each pattern, by its name; offsets count from the core."""
    queries = [pattern.probability[slice(*pattern.query)] for pattern in patterns]
    return {
        pattern.name: [replace(match, offset=match.offset + pattern.core[0] - pattern.query[0]) for match in matches]
        for pattern, matches in zip(patterns, match_motifs(queries, database), strict=True)
    }


def match_motifs(probabilities: Sequence[np.ndarray], database: MotifDatabase, keep: int = 10) -> list[list[Match]]:
    """The known motifs nearest to each matrix, the best first, significant or not.

    The p-value of a match is the larger of TOMTOM's and of the chance that the matrix's columns in another order would
    fit as well (``chance.py``); in a database of fewer than ``FEW`` motifs it is the latter alone. Significant matches
    come first, in TOMTOM's order, which sees finer differences.

    Args:
        probabilities: matrices (W, 4), frequencies of A C G T.
        database: known motifs.
        keep: how many for each matrix.
    """
    if not probabilities:
        return []
    targets = [np.ascontiguousarray(motif.probability.T) for motif in database.motifs]
    queries = [np.ascontiguousarray(matrix.T, dtype=float) for matrix in probabilities]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few targets, of which we take another p-value
        found = _tomtom()(queries, targets)[:5]
    return [
        _matches(np.asarray(matrix, dtype=float), database, [column[i] for column in found], keep)
        for i, matrix in enumerate(probabilities)
    ]


def _matches(matrix: np.ndarray, database: MotifDatabase, found: Sequence[np.ndarray], keep: int) -> list[Match]:
    """Of one matrix. Args: found: TOMTOM's (targets,) p-values, scores, offsets, overlaps and strands."""
    similar, scores, offsets, overlaps, strands = found
    order = np.lexsort((-scores, similar))
    passing = int((benjamini_hochberg(similar) <= MATCHED_AT).sum())
    few = len(database.motifs) < FEW
    looked_at = order if few else order[: max(keep, min(passing, LOOKED_AT))]
    drawn = Shuffled.of(matrix)
    p = np.ones(len(similar))  # of the others: no smaller p-value can make another's q smaller
    for j in looked_at:
        target = database.motifs[j].probability
        chance = chance_of(matrix, drawn, target[::-1, ::-1] if strands[j] else target, int(offsets[j]))
        p[j] = chance if few else max(similar[j], chance)
    q = benjamini_hochberg(p)
    rank = np.lexsort((-scores, p, similar, np.where(q <= MATCHED_AT, 0, p)))
    return [
        Match(database.motifs[j], float(p[j]), float(q[j]), int(offsets[j]), int(overlaps[j]), bool(strands[j]))
        for j in rank[:keep]
    ]


def compare_again(pattern: Pattern, matches: Sequence[Match], size: int) -> list[Match]:
    """Matches of an older file, whose p-values are TOMTOM's alone, with those of ``match_motifs``.

    Args:
        pattern: what was compared. matches: the nearest motifs. size: how many motifs the database had.
    """
    if not matches:
        return []
    matrix = pattern.probability[slice(*pattern.query)]
    drawn, shift = Shuffled.of(matrix), pattern.query[0] - pattern.core[0]
    p = np.ones(max(size, len(matches)))
    for i, match in enumerate(matches):
        target = match.motif.probability
        chance = chance_of(matrix, drawn, target[::-1, ::-1] if match.reverse else target, match.offset + shift)
        p[i] = max(match.p, chance)
    q = benjamini_hochberg(p)
    again = [replace(match, p=float(p[i]), q=max(match.q, float(q[i]))) for i, match in enumerate(matches)]
    return sorted(again, key=lambda match: 0 if match.significant else match.p)


def how_compared(database: MotifDatabase) -> str:
    """A sentence on the p-values of matches with this database."""
    n = len(database.motifs)
    if n >= FEW:
        return "p: the larger of TOMTOM's and of the chance that the pattern's columns in another order fit as well"
    return (
        f"{database.title} has {counted(n, 'motif')}, too few for TOMTOM's p-values (they need {FEW}): p is the "
        "chance that the pattern's columns in another order fit as well"
    )


def notes_on(database: MotifDatabase) -> list[str]:
    """What a user must be told of a database: motifs without a matrix, too few of them."""
    notes = []
    if n := len(database.left_out):
        names = ", ".join(database.left_out[:5]) + (", ..." if n > 5 else "")
        notes.append(f"{database.title}: {counted(n, 'motif')} without a letter-probability matrix left out: {names}")
    return notes + ([how_compared(database)] if len(database.motifs) < FEW else [])


def _tomtom():
    with needs("memelite", "matching of motifs"):
        from memelite import tomtom
    return tomtom
