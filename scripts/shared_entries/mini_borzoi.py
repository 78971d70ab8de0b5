"""``mini-borzoi``: the small Borzoi of baskerville's tests (Apache-2.0), 131,072 bp to 2,048 bins of 74 tracks."""

from __future__ import annotations

import random
from pathlib import Path

from scripts.shared_entries.comparison import BORZOI_BINS, Comparison, compare_examples
from scripts.shared_entries.hg38_windows import fasta_text, read_windows

__all__ = ["check", "hg38_example", "random_example"]

LENGTH = 131_072


def random_example(name: str) -> tuple[str, str]:
    """FASTA and BED of the entry's ``example/``: one window."""
    sequence = "".join(random.Random(5).choices("ACGT", k=LENGTH))
    return fasta_text("chrRandom0", sequence), f"chrRandom0\t0\t{LENGTH}\tchrRandom0\n"


def hg38_example(name: str, data: Path) -> tuple[str, str]:
    """One window of hg38, of those that the data folder holds out."""
    window = _held_out(data)
    contig = window.replace(":", "_").replace("-", "_")
    return fasta_text(contig, read_windows(data)[window]), f"{contig}\t0\t{LENGTH}\t{contig}\n"


def _held_out(data: Path) -> str:
    for line in (data / "d01_hg38_windows" / "hg38_windows_dev.bed").read_text().splitlines():
        chrom, start, end, split, *_ = line.split("\t")
        if split == "valid":
            return f"{chrom}:{start}-{end}"
    raise ValueError("no held-out window")


def check(name: str, data: Path) -> Comparison:
    """Compare the entry with TensorFlow's predictions of the authors' file."""
    examples = {"example": random_example(name), "preds": hg38_example(name, data)}
    against = "the authors' file under TensorFlow 2.21, baskerville's layers written anew"
    return compare_examples(name, examples, "Mini-Borzoi", "Keras 2", against, BORZOI_BINS)
