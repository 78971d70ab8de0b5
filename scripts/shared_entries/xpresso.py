"""``xpresso-human``, ``xpresso-mouse``: Xpresso (Agarwal and Shendure 2020), median expression from the promoter.

The authors' file takes the promoter and six half-life features of the mRNA. Kipoi runs it with these features at 0,
their mean, and so do the entries.
"""

from __future__ import annotations

import random
from pathlib import Path

from scripts.shared_entries.comparison import Comparison, compare_examples
from scripts.shared_entries.hg38_windows import fasta_text, read_windows

__all__ = ["check", "hg38_example", "random_example"]

UPSTREAM, DOWNSTREAM = 7000, 3500
LENGTH = UPSTREAM + DOWNSTREAM
STEP = 1000
SEEDS = {"xpresso-human": 2, "xpresso-mouse": 3}


def random_example(name: str) -> tuple[str, str]:
    """FASTA and BED of the entry's ``example/``: a window on each strand, 1,000 bp apart."""
    rng = random.Random(SEEDS[name])
    rows = [f"chrRandom0\t{i * STEP}\t{i * STEP + LENGTH}\tpromoter_{i}\t0\t{'+-'[i]}\n" for i in range(2)]
    return fasta_text("chrRandom0", "".join(rng.choices("ACGT", k=LENGTH + STEP))), "".join(rows)


def hg38_example(name: str, data: Path) -> tuple[str, str]:
    """Two promoters, one on each strand, from the first window of hg38 that has room for them."""
    windows = read_windows(data)
    found: dict[str, tuple[str, str, int]] = {}
    for line in (data / "d01_hg38_windows" / "genes_exons_dev.tsv").read_text().splitlines()[1:]:
        gene, _, strand, start, end, _, _, _, window = line.split("\t")
        tss = (int(start) if strand == "+" else int(end)) - int(window.split(":")[1].split("-")[0])
        if strand not in found and UPSTREAM < tss < len(windows[window]) - UPSTREAM:
            found[strand] = (gene, window, tss)
    fasta = bed = ""
    for strand, (gene, window, tss) in sorted(found.items()):
        before, after = (UPSTREAM, DOWNSTREAM) if strand == "+" else (DOWNSTREAM, UPSTREAM)
        fasta += fasta_text(gene, windows[window][tss - before : tss + after])
        bed += f"{gene}\t0\t{LENGTH}\t{gene}_promoter\t0\t{strand}\n"
    return fasta, bed


def check(name: str, data: Path) -> Comparison:
    """Compare an entry with TensorFlow's predictions of the authors' file, half-life features 0."""
    examples = {"example": random_example(name), "preds": hg38_example(name, data)}
    return compare_examples(name, examples, "Xpresso", "Keras 2", "the authors' file under TensorFlow 2.21")
