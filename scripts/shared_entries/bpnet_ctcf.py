"""``bpnet-k562-ctcf``: BPNet of CTCF ChIP-seq in K562 (ENCSR000AKO), weights of bpnet-lite's example (MIT)."""

from __future__ import annotations

import random
from pathlib import Path

from scripts.shared_entries.comparison import BPNET_STRETCH, Comparison, compare, oracle
from scripts.shared_entries.hg38_windows import COMPLEMENT, fasta_text, one_hot, oracle_sequence

__all__ = ["check", "random_example"]

LENGTH = 2114
CTCF = "TGGCCACCAGGGGGCGCTA"  # JASPAR MA0139, its best sequence
SITES: list[list[tuple[int, str]]] = [[(1000, "+")], [(800, "+"), (1200, "-")], []]


def random_example(name: str) -> tuple[str, str]:
    """FASTA and BED of the entry's ``example/``: random windows with one site of CTCF, with two, and with none."""
    rng, fasta, bed = random.Random(0), "", ""
    for number, sites in enumerate(SITES):
        contig, sequence = f"chrRandom{number}", "".join(rng.choices("ACGT", k=LENGTH))
        for at, strand in sites:
            site = CTCF if strand == "+" else CTCF.translate(COMPLEMENT)[::-1]
            sequence = sequence[:at] + site + sequence[at + len(site) :]
        fasta += fasta_text(contig, sequence)
        bed += f"{contig}\t957\t1157\t{contig}\t0\t{'+-.'[number]}\n"
    return fasta, bed


def check(name: str, data: Path) -> Comparison:
    """Compare the entry with bpnet-lite."""
    import zoo

    x = one_hot(oracle_sequence(data))[None, :, BPNET_STRETCH]
    ours = {output: array[0] for output, array in zoo.load_model(name).predict(x, device="cpu").items()}
    against = "bpnet-lite 1.1.0, profile of 2 x 1,000 and counts on hg38"
    return compare("BPNet", "PyTorch (bpnet-lite)", against, ours, oracle(name))
