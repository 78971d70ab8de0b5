"""The entries of splice site models: their example, and how they compare with the programs that they come from."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.shared_entries.comparison import Comparison, compare, oracle
from scripts.shared_entries.hg38_windows import COMPLEMENT, fasta_text, one_hot, oracle_sequence

__all__ = ["KEPT", "MODELS", "SEED", "Gene", "check", "contig", "example", "example_windows"]


@dataclass(frozen=True)
class Model:
    """What an entry is compared with, and the bp that its windows have on both sides together."""

    family: str
    framework: str
    program: str
    context: int = 10_000


OSAI = "the network of openspliceai 0.0.7"
MODELS = {
    "spliceai": Model("SpliceAI", "Keras", "the five Keras models of spliceai 1.3.1 under TensorFlow"),
    "ci-spliceai": Model("CI-SpliceAI", "TensorFlow", "the TensorFlow graph of cispliceai 1.2.2"),
    "openspliceai-mane-80nt": Model("OpenSpliceAI", "PyTorch", OSAI, 80),
    "openspliceai-mane-400nt": Model("OpenSpliceAI", "PyTorch", OSAI, 400),
    "openspliceai-mane-2000nt": Model("OpenSpliceAI", "PyTorch", OSAI, 2000),
    "openspliceai-mane-10000nt": Model("OpenSpliceAI", "PyTorch", OSAI),
    "openspliceai-mouse-400nt": Model("OpenSpliceAI", "PyTorch", OSAI, 400),
    "openspliceai-arabidopsis-400nt": Model("OpenSpliceAI", "PyTorch", OSAI, 400),
    "pangolin": Model("Pangolin", "PyTorch", "the network of the authors' repository"),
}

# ---------------- the example: random bases, with genes whose splice sites are known because they were written there

SEED = 3
NAME, LENGTH = "chrRandom", 16_000
PREDICTED = 5000
# Regions of 5,000 bp: the gene on + lies in the first, the gene on - in the second, both 600 bp after its begin.
REGIONS = [(5000, 10_000, "+"), (6000, 11_000, "-")]
EXONS, EXON, STEP = 4, 130, 600
BEFORE_ACCEPTOR = "TACTAACGAATAATACTTCTTTTCTTTCTTTTTCCTACAG"  # branch point, pyrimidines, AG
AT_DONOR = "CAGGTAAGTA"  # the first three bases are the exon's
UNKNOWN = slice(6400, 6440)  # N, in the second intron of the gene on +


@dataclass(frozen=True)
class Gene:
    """Splice sites as positions in the contig: first and last base of each exon, in reading direction."""

    strand: str
    acceptors: tuple[int, ...]
    donors: tuple[int, ...]


def contig(seed: int = SEED) -> tuple[str, list[Gene]]:
    """Random bases with a gene on each strand, and the genes."""
    bases = random.Random(seed).choices("ACGT", k=LENGTH)
    genes = []
    for start, end, strand in REGIONS:
        first = (start if strand == "+" else LENGTH - end) + STEP  # counted in reading direction
        acceptors = [first + i * STEP for i in range(EXONS)]
        donors = [acceptor + EXON - 1 for acceptor in acceptors]
        bases = _turned(bases, strand)
        for acceptor, donor in zip(acceptors, donors, strict=True):
            bases[acceptor - len(BEFORE_ACCEPTOR) : acceptor] = BEFORE_ACCEPTOR
            bases[donor - 2 : donor - 2 + len(AT_DONOR)] = AT_DONOR
        bases = _turned(bases, strand)
        places = [[at if strand == "+" else LENGTH - 1 - at for at in sites] for sites in (acceptors, donors)]
        genes.append(Gene(strand, tuple(places[0]), tuple(places[1])))
    bases[UNKNOWN] = "N" * (UNKNOWN.stop - UNKNOWN.start)
    return "".join(bases), genes


def _turned(bases: list[str], strand: str) -> list[str]:
    return bases if strand == "+" else list("".join(bases).translate(COMPLEMENT)[::-1])


def example() -> tuple[str, str]:
    """FASTA and BED of the example, which all these entries share."""
    rows = [f"{NAME}\t{start}\t{end}\tgene_on_{strand}\t0\t{strand}\n" for start, end, strand in REGIONS]
    return fasta_text(NAME, contig()[0]), "".join(rows)


def example_windows(context: int) -> np.ndarray:
    """One-hot windows of the example, (2, 4, 5000 + context); unknown bases are zero, as in the programs."""
    sequence = contig()[0]
    side = context // 2
    windows = [_turned(list(sequence[start - side : end + side]), strand) for start, end, strand in REGIONS]
    return np.stack([one_hot("".join(window)) for window in windows])


# ---------------- comparison

KEPT = slice(500, 1500)  # of the 5,000 predictions: two exons, and unknown bases in the first window


def check(name: str, data: Path | None = None) -> Comparison:
    """Compare an entry with the original program: on its example, and on hg38 where ``data`` and such predictions are.

    Args:
        name: of the entry.
        data: the data folder, or None.

    Raises:
        ValueError: shapes differ, or a value is not finite.
    """
    import zoo

    model, expected = MODELS[name], oracle(name)
    predict = zoo.load_model(name).predict
    ours = {"example": predict(example_windows(model.context), device="cpu")[:, :, KEPT]}
    size = expected["example"].size
    where = f"{size:,} values of the example"
    if "hg38" in expected and data is not None and data.is_dir():
        start = int(expected.pop("start"))
        predicted = predict(one_hot(oracle_sequence(data))[None], device="cpu")[0]
        ours["hg38"] = predicted[:, start : start + expected["hg38"].shape[1]]
        where += f" and {expected['hg38'].size:,} on hg38"
    against = {name: expected[name] for name in ours}
    return compare(model.family, model.framework, f"{model.program}, {where}", ours, against)
