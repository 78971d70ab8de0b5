"""``mpra-dragonn``: MPRA-DragoNN's ConvModel (Movva et al. 2019), Keras files of its repository (MIT)."""

from __future__ import annotations

import random
from pathlib import Path

from scripts.shared_entries.comparison import Comparison, compare_examples
from scripts.shared_entries.hg38_windows import fasta_text, read_windows

__all__ = ["check", "hg38_example", "random_example"]

LENGTH = 145


def random_example(name: str) -> tuple[str, str]:
    """FASTA and BED of the entry's ``example/``: six windows."""
    starts = range(0, 850, 150)
    rows = [f"chrRandom0\t{start}\t{start + LENGTH}\tregion{start}\t0\t+\n" for start in starts]
    return fasta_text("chrRandom0", "".join(random.Random(4).choices("ACGT", k=1000))), "".join(rows)


def hg38_example(name: str, data: Path) -> tuple[str, str]:
    """Six windows of a stretch of hg38."""
    window, sequence = next(iter(read_windows(data).items()))
    contig = f"{window.split(':')[0]}_slice"
    rows = [f"{contig}\t{start}\t{start + LENGTH}\tregion{start}\n" for start in range(100, 3700, 600)]
    return fasta_text(contig, sequence[60_000:64_000]), "".join(rows)


def check(name: str, data: Path) -> Comparison:
    """Compare the entry with TensorFlow's predictions of the authors' files."""
    examples = {"example": random_example(name), "preds": hg38_example(name, data)}
    return compare_examples(name, examples, "MPRA-DragoNN", "Keras 2", "the authors' files under TensorFlow 2.21")
