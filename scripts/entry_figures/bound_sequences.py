"""``deepbind``: models of CTCF and of SPI1 (PU.1) tell sequences that one binds from those of the other.

The sequences (``d05_ctcf_pu1_sequences``) are 100 bp of hg19 each. Those that overlap one of the other protein are left
out on both sides, because both proteins may bind there.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.verdict.intervals import block_ids
from scripts.entry_figures.composition import GC, best_match, gc, known_matrix
from scripts.entry_figures.figure import Figure, measured
from scripts.shared_entries.deepbind import LENGTH
from scripts.shared_entries.hg38_windows import one_hot

__all__ = ["MODELS", "Bound", "apart", "figures"]

FILES = {"CTCF": "ctcf.fa.gz", "SPI1": "pu1.fa.gz"}
JASPAR = {"CTCF": "MA0139", "SPI1": "MA0080"}
MODELS = {
    f"deepbind/Homo_sapiens/TF/{one}"
    for one in (
        "D00328.003_SELEX_CTCF",
        "D00328.018_ChIP-seq_CTCF",
        "D00655.002_SELEX_SPI1",
        "D00655.006_ChIP-seq_SPI1",
    )
}
BLOCK = 1_000_000  # bp
SEEN = {
    "SELEX": "the model was trained on no genome",
    "ChIP-seq": "the model was trained on such peaks, some of these among them",
}


@dataclass(frozen=True)
class Bound:
    """Sequences of one protein: (n,) names of chromosomes, (n,) starts, (n, 4, 100) one-hot."""

    chrom: np.ndarray
    start: np.ndarray
    sequences: np.ndarray

    def __getitem__(self, kept: np.ndarray) -> Bound:
        return Bound(self.chrom[kept], self.start[kept], self.sequences[kept])


def read_bound(path: Path) -> Bound:
    """The sequences of a FASTA whose names are ``chrom:start-end``; one with unknown bases, or twice, is left out."""
    found: dict[tuple[str, int], str] = {}
    with gzip.open(path, "rt") as handle:
        for record in handle.read().split(">")[1:]:
            name, *lines = record.split("\n")
            chrom, _, span = name.partition(":")
            sequence = "".join(lines).upper()
            if set(sequence) <= set("ACGT"):
                found[chrom, int(span.split("-")[0])] = sequence
    chroms, starts = zip(*found, strict=True)
    return Bound(np.array(chroms), np.array(starts), np.stack([one_hot(one) for one in found.values()]))


def apart(ours: Bound, theirs: Bound) -> np.ndarray:
    """(n,) bool of those of ours that overlap none of theirs; all are of one length."""
    length, free = ours.sequences.shape[-1], np.ones(len(ours.start), bool)
    for chrom in np.unique(ours.chrom):
        rows, others = ours.chrom == chrom, np.sort(theirs.start[theirs.chrom == chrom])
        start = ours.start[rows]
        free[rows] = np.searchsorted(others, start - length, "right") == np.searchsorted(others, start + length)
    return free


def figures(name: str, data: Path) -> list[Figure]:
    """AUROC of one model; none for a model of another protein."""
    import zoo

    if name not in MODELS:
        return []
    _, assay, protein = name.rpartition("/")[2].split("_")
    other = next(one for one in FILES if one != protein)
    ours, theirs = (read_bound(data / "d05_ctcf_pu1_sequences" / FILES[one]) for one in (protein, other))
    ours, theirs = ours[apart(ours, theirs)], theirs[apart(theirs, ours)]
    sequences = np.concatenate([ours.sequences, theirs.sequences])
    sides = LENGTH - sequences.shape[-1]
    padded = np.pad(sequences, ((0, 0), (0, 0), (0, sides)), constant_values=0.25)
    block, _ = block_ids(np.append(ours.chrom, theirs.chrom), np.append(ours.start, theirs.start), BLOCK)
    identifier, matrix = known_matrix(JASPAR[protein])
    baselines = {GC: gc(sequences), f"low {GC}": -gc(sequences), f"JASPAR {identifier}": best_match(sequences, matrix)}
    split = (
        f"{len(ours.start):,} sequences of 100 bp that {protein} binds against {len(theirs.start):,} that {other} "
        f"binds, all human chromosomes; {SEEN[assay]}"
    )
    return measured(
        {"auroc": f"AUROC, sequences of {protein} against {other}"},
        zoo.load_model(name).predict(padded, device="cpu").reshape(-1, 1),
        np.repeat([1.0, 0.0], [len(ours.start), len(theirs.start)])[:, None],
        block,
        {key: values[:, None] for key, values in baselines.items()},
        split,
        "binding_prob",
    )
