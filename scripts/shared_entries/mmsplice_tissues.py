"""``mtsplice``: MTSplice (Cheng et al. 2021), tissue-specific splicing; the mean of mmsplice's eight networks.

The eight Keras files take two inputs, 400 bp around the acceptor and 400 bp around the donor. The entry's window of
800 bp is both, one after the other.
"""

from __future__ import annotations

from pathlib import Path

from scripts.shared_entries.comparison import Comparison, compare_examples
from scripts.shared_entries.hg38_windows import fasta_text, read_windows
from scripts.shared_entries.mmsplice import exons_of, random_exons

__all__ = ["HALF", "NETWORKS", "check", "hg38_example", "random_example"]

HALF, INTRON, EXON = 400, 300, 100
NETWORKS = 8


def random_example(name: str) -> tuple[str, str]:
    """FASTA and BED of the entry's ``example/``: exons of 200 bp, whose halves lie side by side."""
    fasta = bed = ""
    for contig, strand, sequence in random_exons(4, INTRON, 2 * EXON, seed=1):
        fasta += fasta_text(contig, sequence)
        bed += f"{contig}\t0\t{2 * HALF}\t{contig}\t0\t{strand}\n"
    return fasta, bed


def hg38_example(name: str, data: Path) -> tuple[str, str]:
    """Four exons as contigs of 800 bp, the acceptor's half and the donor's; all as on the genome's plus strand."""
    windows, fasta, bed, taken = read_windows(data), "", "", {"+": 0, "-": 0}
    for window, strand, start, end in exons_of(data, HALF):
        if taken[strand] < 2:
            taken[strand] += 1
            contig, sequence = f"{window.split(':')[0]}_{start}_{end}", windows[window]
            fasta += fasta_text(contig, sequence[start - INTRON : start + EXON] + sequence[end - EXON : end + INTRON])
            bed += f"{contig}\t0\t{2 * HALF}\t{contig}\t0\t{strand}\n"
    return fasta, bed


def check(name: str, data: Path) -> Comparison:
    """Compare the entry with the mean of TensorFlow's predictions of the authors' eight files."""
    examples = {"example": random_example(name), "preds": hg38_example(name, data)}
    against = "the authors' eight files under TensorFlow 2.21 with mmsplice's layers"
    return compare_examples(name, examples, "MTSplice", "Keras 2", against)
