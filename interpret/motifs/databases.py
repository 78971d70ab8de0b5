"""Known motifs: JASPAR by taxon (pyjaspar's copy), HOCOMOCO (gReLU's copy), or a MEME file of the user's.

``match_patterns`` gives a pattern its name: the known motif that it matches.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interpret.motifs.pattern import Pattern
from zoo.errors import InputError, SystemStateError, UsageError
from zoo.extras import fix_for, needs, require
from zoo.paths import refuse_pointers, refuse_url

__all__ = [
    "JASPAR_TAXA",
    "MATCHED_AT",
    "KnownMotif",
    "Match",
    "MotifDatabase",
    "benjamini_hochberg",
    "match_motifs",
    "match_patterns",
    "open_database",
    "read_meme",
]

INSTEAD = "or --database with a MEME file"
JASPAR_RELEASE = "JASPAR2026"
JASPAR_TAXA = ("vertebrates", "plants", "insects", "nematodes", "fungi", "urochordates")
HOCOMOCO = {"hocomoco-v12": "H12CORE_meme_format.meme", "hocomoco-v13": "H13CORE_meme_format.meme"}


@dataclass(frozen=True)
class KnownMotif:
    """A motif of a database: ``MA0265.3``, ``ABF1``, frequencies (W, 4) of A C G T."""

    id: str
    name: str
    probability: np.ndarray


@dataclass(frozen=True)
class MotifDatabase:
    """Known motifs and what they are called together (``JASPAR2026 CORE fungi``)."""

    title: str
    motifs: tuple[KnownMotif, ...]


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
        return MotifDatabase(Path(choice).name, tuple(read_meme(Path(choice))))
    raise UsageError(
        f"--database {choice}: neither a file nor a known collection",
        f"there are jaspar, {', '.join('jaspar:' + taxon for taxon in JASPAR_TAXA)}, {', '.join(HOCOMOCO)}",
        "Fix: --database with one of these, or the path of a MEME file",
    )


def _jaspar(taxon: str) -> MotifDatabase:
    if taxon and taxon not in JASPAR_TAXA:
        raise UsageError(
            f"--database jaspar:{taxon}: JASPAR has no taxon {taxon!r}",
            f"it has {', '.join(JASPAR_TAXA)}",
            "Fix: --database jaspar:TAXON",
        )
    with needs("pyjaspar", "the database JASPAR", INSTEAD):
        from pyjaspar import jaspardb
    # Annotations of some profiles are duplicated in the database, so that a profile can come twice.
    taxa = {"tax_group": [taxon]} if taxon else {}
    found = jaspardb(release=JASPAR_RELEASE).fetch_motifs(collection="CORE", **taxa)
    motifs = {motif.matrix_id: KnownMotif(motif.matrix_id, motif.name, _frequencies(motif)) for motif in found}
    title = f"{JASPAR_RELEASE} CORE {taxon or 'all taxa'}"
    return MotifDatabase(title, tuple(motifs[id] for id in sorted(motifs)))


def _frequencies(motif: Any) -> np.ndarray:
    counts = np.array([motif.counts[base] for base in "ACGT"], dtype=float).T
    return counts / counts.sum(axis=1, keepdims=True)


def _hocomoco_file(name: str) -> Path:
    require("the database HOCOMOCO", "grelu", instead=INSTEAD)
    spec = importlib.util.find_spec("grelu")  # finds the folder; gReLU itself is not imported
    path = Path(spec.origin).parent / "resources" / "meme" / name
    if not path.exists():
        raise SystemStateError(f"{path}: no such file", "this gReLU has no such collection", fix_for("grelu", INSTEAD))
    return path


def read_meme(path: Path) -> list[KnownMotif]:
    """Motifs of a file in MEME's minimal format.

    Raises:
        InputError: no motifs, a matrix with other than four columns, or shorter than it says.
    """
    motifs: list[KnownMotif] = []
    header: list[str] | None = None
    rows: list[list[float]] = []
    width = 0
    refuse_pointers((path,), InputError)
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if words[0] == "MOTIF":
            _refuse_short(path, header, rows, width)
            header, rows, width = words[1:], [], 0
        elif line.startswith("letter-probability matrix") and header:
            width = _width(path, number, line)
        elif header and len(rows) < width:
            rows.append(_row(path, number, words))
            if len(rows) == width:
                motifs.append(_motif(header, rows))
                header = None
    _refuse_short(path, header, rows, width)
    if not motifs:
        raise InputError(
            f"{path}: no motif",
            "0 lines of MOTIF with a letter-probability matrix",
            "Fix: give a file in MEME's minimal format",
        )
    return motifs


def _refuse_short(path: Path, header: list[str] | None, rows: list[list[float]], width: int) -> None:
    if header is not None:
        raise InputError(
            f"{path}: the matrix of motif {' '.join(header)} ends early",
            f"{len(rows)} of {width} rows",
            "Fix: give the whole file",
        )


def _width(path: Path, number: int, line: str) -> int:
    after = line.partition("w=")[2].split()
    if not after or not after[0].isdigit() or int(after[0]) == 0:
        raise InputError(f"{path}:{number}: the matrix does not say its width (w=)", "one motif", "Fix: add w= NUMBER")
    return int(after[0])


def _row(path: Path, number: int, words: list[str]) -> list[float]:
    try:
        row = [float(word) for word in words]
    except ValueError:
        row = []
    if len(row) != 4 or not abs(sum(row) - 1) < 0.05 or min(row) < 0:
        raise InputError(
            f"{path}:{number}: not four probabilities that sum to 1",
            "one row of a matrix",
            "Fix: DNA motifs, rows A C G T",
        )
    return row


def _motif(header: list[str], rows: list[list[float]]) -> KnownMotif:
    matrix = np.array(rows)
    name = header[1] if len(header) > 1 else header[0].split(".")[0]
    return KnownMotif(header[0], name, matrix / matrix.sum(axis=1, keepdims=True))


# ---------------- the name of a pattern: TOMTOM, and q-values over the whole database


MATCHED_AT = 0.05


@dataclass(frozen=True)
class Match:
    """A known motif that a pattern resembles.

    Attributes:
        motif: the known motif.
        p: TOMTOM's p-value. q: the same over all motifs of the database.
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
        warnings.simplefilter("ignore")  # of few targets; the report says how many there are
        p, scores, offsets, overlaps, strands = _tomtom()(queries, targets)[:5]
    matches = []
    for i in range(len(queries)):
        q = benjamini_hochberg(p[i])
        best = np.lexsort((-scores[i], p[i]))[:keep]
        matches.append(
            [
                Match(
                    database.motifs[j],
                    float(p[i, j]),
                    float(q[j]),
                    int(offsets[i, j]),
                    int(overlaps[i, j]),
                    bool(strands[i, j]),
                )
                for j in best
            ]
        )
    return matches


def _tomtom():
    with needs("memelite", "matching of motifs"):
        from memelite import tomtom
    return tomtom
