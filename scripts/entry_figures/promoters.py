"""``xpresso-human`` on promoters in the windows of hg38, beside measured median expression (``m04_xpresso``)."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.entry_figures.composition import CPG, GC, cpg, gc
from scripts.entry_figures.figure import Figure, measured
from scripts.shared_entries.hg38_windows import COMPLEMENT, one_hot, read_windows
from scripts.shared_entries.xpresso import DOWNSTREAM, UPSTREAM

__all__ = ["Promoter", "figures", "promoters"]

CORE = slice(UPSTREAM - 500, UPSTREAM + 500)  # around the start of transcription: CpG islands are there
SPLIT = (
    "promoters of one-to-one orthologs in 55 windows of hg38; the authors drew training promoters at random, about 7 "
    "of 8, so that most of these were trained on"
)


@dataclass(frozen=True)
class Promoter:
    """A gene's promoter: Ensembl id, the window that it lies in, 10,500 bp in reading direction."""

    gene: str
    window: str
    sequence: str


def promoters(data: Path) -> list[Promoter]:
    """Those of Kipoi's list (20 kb around the start of transcription) that lie in a window as a whole."""
    windows, found = read_windows(data), []
    places = [(name, *_place(name)) for name in windows]
    with gzip.open(data / "m04_xpresso" / "promoters_hg38.bed.gz", "rt") as rows:
        for chrom, start, end, gene, _, strand in map(str.split, rows):
            tss = (int(start) + int(end)) // 2
            before, after = (UPSTREAM, DOWNSTREAM) if strand == "+" else (DOWNSTREAM, UPSTREAM)
            for name, chromosome, first, last in places:
                if chrom == chromosome and first <= tss - before and tss + after <= last:
                    sequence = windows[name][tss - before - first : tss + after - first]
                    sequence = sequence if strand == "+" else sequence.translate(COMPLEMENT)[::-1]
                    found.append(Promoter(gene, name, sequence))
    return found


def expression(data: Path) -> dict[str, float]:
    """Ensembl id of a human gene -> its median expression, as the authors standardised it."""
    with gzip.open(data / "m04_xpresso" / "human_mouse_ortholog_expression.txt.gz", "rt") as rows:
        return {gene: float(human) for gene, _, _, human, _ in map(str.split, rows)}


def figures(name: str, data: Path) -> list[Figure]:
    """Correlation over genes of the prediction with measured expression."""
    import zoo

    values = expression(data)
    chosen = [one for one in promoters(data) if one.gene in values]
    sequences = np.stack([one_hot(one.sequence) for one in chosen])
    observed = np.array([values[one.gene] for one in chosen])[:, None]
    core = sequences[:, :, CORE]
    return measured(
        {"pearson": "Pearson correlation over genes", "spearman": "Spearman correlation over genes"},
        zoo.load_model(name).predict(sequences, device="cpu").reshape(-1, 1),
        observed,
        np.array([one.window for one in chosen]),
        {f"{GC} of the middle 1,000 bp": gc(core)[:, None], f"{CPG} of the middle 1,000 bp": cpg(core)[:, None]},
        SPLIT,
        "expression",
    )


def _place(window: str) -> tuple[str, int, int]:
    chrom, _, span = window.partition(":")
    first, last = map(int, span.split("-"))
    return chrom, first, last
