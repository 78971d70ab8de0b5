"""``bpnet-k562-ctcf``: BPNet of CTCF ChIP-seq in K562 (ENCSR000AKO), weights of bpnet-lite's example (MIT)."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from scripts.shared_entries.comparison import BPNET_STRETCH, Comparison, compare, oracle
from scripts.shared_entries.hg38_windows import COMPLEMENT, fasta_text, one_hot, oracle_sequence

__all__ = ["check", "compared_windows", "random_example"]

LENGTH = 2114
CTCF = "TGGCCACCAGGGGGCGCTA"  # JASPAR MA0139, its best sequence
SITES: list[list[tuple[int, str]]] = [[(1000, "+")], [(800, "+"), (1200, "-")], []]


def random_windows() -> list[str]:
    """Random sequences with one site of CTCF, with two, and with none."""
    rng, found = random.Random(0), []
    for sites in SITES:
        sequence = "".join(rng.choices("ACGT", k=LENGTH))
        for at, strand in sites:
            site = CTCF if strand == "+" else CTCF.translate(COMPLEMENT)[::-1]
            sequence = sequence[:at] + site + sequence[at + len(site) :]
        found.append(sequence)
    return found


def random_example(name: str) -> tuple[str, str]:
    """FASTA and BED of the entry's ``example/``."""
    fasta = bed = ""
    for number, sequence in enumerate(random_windows()):
        contig = f"chrRandom{number}"
        fasta += fasta_text(contig, sequence)
        bed += f"{contig}\t957\t1157\t{contig}\t0\t{'+-.'[number]}\n"
    return fasta, bed


def compared_windows(data: Path) -> np.ndarray:
    """(4, 4, 2114) one-hot: a window of hg38, and those of the example."""
    sequences = [oracle_sequence(data)[BPNET_STRETCH], *random_windows()]
    return np.stack([one_hot(sequence) for sequence in sequences])


def check(name: str, data: Path) -> Comparison:
    """Compare the entry with bpnet-lite."""
    import zoo

    ours = zoo.load_model(name).predict(compared_windows(data), device="cpu")
    against = "bpnet-lite 1.1.0, profile of 2 x 1,000 and counts on hg38 and the example"
    return compare("BPNet", "PyTorch (bpnet-lite)", against, ours, oracle(name))
