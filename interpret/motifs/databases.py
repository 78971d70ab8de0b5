"""Known motifs: JASPAR by taxon (pyjaspar's copy), HOCOMOCO (gReLU's copy), or a MEME file of the user's."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import InputError, SystemStateError, UsageError
from zoo.extras import fix_for, needs, require

__all__ = ["JASPAR_TAXA", "KnownMotif", "MotifDatabase", "open_database", "read_meme"]

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
