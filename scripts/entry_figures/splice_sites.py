"""Splice models on genes of hg38 (``d01_hg38_windows``), base by base, on chromosomes that SpliceAI's split leaves out.

What lies less than 5,000 bp from the end of a window is left out, since models read that much around a base. Sites are
those of one transcript a gene: a site of another transcript counts as none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.entry_figures.composition import log_odds, scores_of
from scripts.entry_figures.figure import Figure, measured, of_rows
from scripts.shared_entries.comparison import predicted
from scripts.shared_entries.hg38_windows import COMPLEMENT, Gene, fasta_text, genes, one_hot, read_windows

__all__ = [
    "FLANK",
    "MATRIX",
    "Stretch",
    "all_stretches",
    "figures",
    "matrix_scores",
    "site_matrix",
    "stretches",
    "top_k",
]

MARGIN, LENGTH = 5000, 5000
FLANK = 50  # bp that a stretch knows on both sides
TEST = ("chr1", "chr3", "chr5", "chr7", "chr9")
#: bp of a site's matrix before it and after: from the base that is called acceptor, or donor, on.
REACH = {"acceptor": (20, 3), "donor": (2, 7)}
MATRIX = "matrix of splice sites of other chromosomes"
ALL_TRAINED = {"ci-spliceai": "; the published networks were trained on all chromosomes"}


@dataclass(frozen=True)
class Stretch:
    """5,000 bp of a window, on the strand of a gene.

    Attributes:
        start: 0-based, in the window.
        counts: (5000,) bool of the bases of the gene that no stretch before has, in reading direction.
        sites: (2, 5000) bool of acceptors and donors, in reading direction.
        sequence: 5,000 bp and 50 more on both sides, in reading direction.
    """

    gene: str
    window: str
    start: int
    strand: str
    counts: np.ndarray
    sites: np.ndarray
    sequence: str


def stretches(gene: Gene, window: str) -> Iterator[Stretch]:
    """A gene in stretches of 5,000 bp. ``window`` is the sequence of its window."""
    low, high = max(gene.start, MARGIN), min(gene.end, gene.length - MARGIN)
    covered = low
    while covered < high:
        start = min(covered, gene.length - MARGIN - LENGTH)
        at = np.arange(start, start + LENGTH)
        counts = (at >= covered) & (at < high)
        sites = np.stack([np.isin(at, gene.first), np.isin(at, gene.last)])
        sequence = window[start - FLANK : start + LENGTH + FLANK]
        if gene.strand == "-":
            counts, sites, sequence = counts[::-1], sites[::-1, ::-1], sequence.translate(COMPLEMENT)[::-1]
        yield Stretch(gene.name, gene.window, start, gene.strand, counts, sites, sequence)
        covered = start + LENGTH


def all_stretches(data: Path, test: bool) -> list[Stretch]:
    """Of all genes on the test chromosomes, or on the others."""
    windows = read_windows(data)
    chosen = (gene for gene in genes(data) if (gene.window.split(":")[0] in TEST) == test)
    return [one for gene in chosen for one in stretches(gene, windows[gene.window])]


def top_k(score: np.ndarray, label: np.ndarray) -> float:
    """Of as many best places as there are sites, the share that are sites; NaN without a site.

    Args:
        score: flat. label: flat, 1 is a site; NaN counts nowhere.
    """
    known = np.isfinite(label)
    score, site = score[known], label[known] > 0
    k = int(site.sum())
    return float(site[np.argpartition(-score, k - 1)[:k]].mean()) if k else np.nan


def site_matrix(kind: str, rows: list[Stretch]) -> np.ndarray:
    """(4, W) log-odds of the letters around the sites of a kind."""
    before, after = REACH[kind]
    around = [
        one.sequence[FLANK + at - before : FLANK + at + after]
        for one in rows
        for at in np.flatnonzero(one.sites[list(REACH).index(kind)] & one.counts)
    ]
    return log_odds(np.stack([one_hot(letters) for letters in around]))


def matrix_scores(kind: str, matrix: np.ndarray, rows: list[Stretch]) -> np.ndarray:
    """(n, 5000) score of the matrix at each base of the stretches."""
    before, _ = REACH[kind]
    scores = scores_of(np.stack([one_hot(one.sequence) for one in rows]), matrix)
    return scores[:, FLANK - before : FLANK - before + LENGTH]


def predictions(name: str, data: Path, rows: list[Stretch]) -> np.ndarray:
    """(n, tracks, 5000) of an entry, in reading direction."""
    windows = read_windows(data)
    fasta = "".join(fasta_text(window, windows[window]) for window in sorted({one.window for one in rows}))
    bed = "".join(f"{one.window}\t{one.start}\t{one.start + LENGTH}\t{one.gene}\t0\t{one.strand}\n" for one in rows)
    return predicted(name, fasta, bed)


def figures(name: str, data: Path) -> list[Figure]:
    """Area under the precision-recall curve and top-k accuracy of acceptors and of donors, over all bases of genes."""
    if name.startswith("openspliceai") and "mane" not in name:
        return []  # no genes of the mouse or of Arabidopsis are in the data folder
    rows, others = all_stretches(data, test=True), all_stretches(data, test=False)
    scored = predictions(name, data, rows)
    matrices = {kind: matrix_scores(kind, site_matrix(kind, others), rows) for kind in REACH}
    labels = np.where(np.stack([one.counts for one in rows])[:, None], np.stack([one.sites for one in rows]), np.nan)
    if name == "pangolin":  # one track for sites of both kinds: that of the tissue that the network was tuned on
        best = np.maximum(*matrices.values())
        judged = [("splice sites", scored[:, 1], np.where(np.isnan(labels[:, 0]), np.nan, labels.max(1)), best)]
    else:
        judged = [(f"{kind}s", scored[:, i + 1], labels[:, i], matrices[kind]) for i, kind in enumerate(REACH)]
    found = []
    for kind, scores, label, matrix in judged:
        sites, genes_in = int(np.nansum(label)), len({one.gene for one in rows})
        split = (
            f"{sites} {kind} among {int(np.isfinite(label).sum()):,} bases of {genes_in} genes in windows of hg38, on "
            f"chromosomes 1, 3, 5, 7 and 9{ALL_TRAINED.get(name, ': test')}"
        )
        block = np.array([one.gene for one in rows])
        named = {"auprc": f"area under the precision-recall curve, {kind}"}
        found += measured(named, scores, label, block, {MATRIX: matrix}, split, "splicing", n=sites)

        def of(values: np.ndarray, chosen: np.ndarray, label: np.ndarray = label) -> float:
            return top_k(values[chosen].ravel(), label[chosen].ravel())

        called = f"top-k accuracy, {kind}"
        found.append(of_rows(called, of, scores, {MATRIX: matrix}, block, sites, split, "splicing"))
    return found
