"""A contributions file whose motifs, places and strands are known before any code runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

# Consensus sequences of budding yeast's ABF1, REB1 and (as one that lowers) MCM1.
MOTIFS = {"ABF1": ("CGTATAAAGTGA", 1.0), "REB1": ("TTACCCGG", 1.2), "MCM1": ("CCTAATTAGG", -1.0)}
LENGTH, N = 160, 360


@dataclass(frozen=True)
class Planted:
    """One planted instance: in the genome, 0-based half-open."""

    motif: str
    chrom: str
    start: int
    end: int
    strand: str


@dataclass(frozen=True)
class PlantedFile:
    path: Path
    genome: dict[str, str]
    instances: list[Planted]


def reverse_complement(text: str) -> str:
    return text.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def one_hot(text: str) -> np.ndarray:
    """(4, L) uint8."""
    return np.array([[letter == base for letter in text] for base in "ACGT"], np.uint8)


def plant(folder: Path, n: int = N, seed: int = 0, motifs: tuple[str, ...] = tuple(MOTIFS)) -> PlantedFile:
    """Write ``contribs.h5``: n windows, every third reversed, one to two motifs in each on either strand."""
    rng = np.random.default_rng(seed)
    chroms, starts, reverse, sequences, values, instances = [], [], [], [], [], []
    genome = {}
    for i in range(n):
        chrom, offset = f"chr{i % 2 + 1}", (i // 2) * 300 + 50
        text, contribution = list(rng.choice(list("ACGT"), LENGTH)), rng.normal(0, 0.01, (4, LENGTH))
        # Each third of a window has room for one motif, so that none touches another.
        for slot in rng.choice(3, 2, replace=False) if motifs else []:
            name = motifs[int(rng.integers(len(motifs)))]
            bases, effect = MOTIFS[name]
            strand = "+-"[int(rng.integers(2))]
            start = int(slot) * 53 + int(rng.integers(10, 30))
            oriented = bases if strand == "+" else reverse_complement(bases)
            text[start : start + len(bases)] = oriented
            hot = one_hot(oriented).astype(float)
            contribution[:, start : start + len(bases)] += effect * (hot - 0.25) * rng.uniform(0.8, 1.2)
            instances.append(Planted(name, chrom, offset + start, offset + start + len(bases), strand))
        sequence = "".join(text)
        genome.setdefault(chrom, []).append((offset, sequence))
        turned = i % 3 == 0
        seen = one_hot(sequence)
        sequences.append(seen[::-1, ::-1] if turned else seen)
        values.append(contribution[::-1, ::-1] if turned else contribution)
        chroms.append(chrom), starts.append(offset), reverse.append(turned)
    path = folder / "contribs.h5"
    write_contribs(path, np.array(sequences), np.array(values, np.float32), chroms, np.array(starts), np.array(reverse))
    return PlantedFile(path, {chrom: _joined(parts) for chrom, parts in genome.items()}, instances)


def _joined(parts: list[tuple[int, str]]) -> str:
    text = ["N"] * (parts[-1][0] + LENGTH + 50)
    for offset, sequence in parts:
        text[offset : offset + LENGTH] = sequence
    return "".join(text)


def write_contribs(path, sequences, hypothetical, chroms, starts, reverse, **attributes) -> None:
    """The contract of ``contribs.h5``, written without the project's writer."""
    n = len(sequences)
    run = {
        "model": {"name": "toy", "version": "1.0"},
        "method": "saliency",
        "references": "none",
        "seed": 0,
        "output": "score",
        "reduction": "sum",
        "explained": "logits",
        "genome": {"path": "/data/toy.fa"},
    }
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "seqzoo-contribs", "version": 1, "run": json.dumps(run)} | attributes)
        file["one_hot"] = sequences.astype(np.uint8)
        file["hypothetical"] = hypothetical.astype(np.float32)
        file["hypothetical"].attrs.update(kind="hypothetical", layout="N,4,L")
        file["projected"] = (hypothetical * sequences).sum(axis=1).astype(np.float32)
        file["projected"].attrs.update(kind="projected", layout="N,L")
        file["prediction"] = (hypothetical * sequences).sum(axis=(1, 2)).astype(np.float32)
        file["reference_prediction"] = np.zeros(n, np.float32)
        file["completeness_error"] = np.linspace(1e-7, 1e-4, n, dtype=np.float32)
        text = h5py.string_dtype()
        file.create_dataset("regions/chrom", data=chroms, dtype=text)
        file.create_dataset("regions/name", data=[f"region{i}" for i in range(n)], dtype=text)
        file.create_dataset("regions/score", data=["0"] * n, dtype=text)
        file.create_dataset("regions/strand", data=["."] * n, dtype=text)
        file["regions/start"], file["regions/end"] = starts + 20, starts + LENGTH - 20
        file["windows/start"], file["windows/end"], file["windows/reverse"] = starts, starts + LENGTH, reverse
