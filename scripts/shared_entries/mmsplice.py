"""``mmsplice-acceptor|donor|exon|intron3|intron5``: modules of MMSplice (Cheng et al. 2019), files of mmsplice 2.4.0.

MMSplice cuts an exon with its flanking introns into five stretches and scores each with a module. The stretches
here are those of mmsplice's ``SeqSpliter`` with 100 bp of intron on each side, its default.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.shared_entries.comparison import Comparison, compare_examples
from scripts.shared_entries.hg38_windows import COMPLEMENT, fasta_text, read_windows

__all__ = ["MODULES", "check", "exons_of", "hg38_example", "random_example", "random_exons", "stretch"]

EXON_LENGTH = 120
FLANK, RANDOM_EXON = 150, 130


@dataclass(frozen=True)
class Module:
    """One module: ``file`` in the package, ``length`` of its stretch, and where it lies in reading direction."""

    file: str
    length: int
    anchor: str  # "exon start" or "exon end"
    offset: int  # bp from the anchor to the start of the stretch, in reading direction


MODULES = {
    "acceptor": Module("Acceptor.h5", 53, "exon start", -50),
    "donor": Module("Donor.h5", 18, "exon end", -5),
    "exon": Module("Exon.h5", EXON_LENGTH, "exon start", 0),
    "intron3": Module("Intron3.h5", 94, "exon start", -100),
    "intron5": Module("Intron5.h5", 94, "exon end", 6),
}


def stretch(module: Module, strand: str, start: int, end: int) -> tuple[int, int]:
    """The module's stretch of an exon, as half-open positions on the genome."""
    at_start = module.anchor == "exon start"
    if strand == "+":
        first = (start if at_start else end) + module.offset
        return first, first + module.length
    last = (end if at_start else start) - module.offset
    return last - module.length, last


def exons_of(data: Path, margin: int) -> Iterator[tuple[str, str, int, int]]:
    """Inner exons of genes: (window, strand, start, end), positions in the window, ``margin`` bp from its ends."""
    for line in (data / "d01_hg38_windows" / "genes_exons_dev.tsv").read_text().splitlines()[1:]:
        _, _, strand, _, _, starts, ends, _, window = line.split("\t")
        first, last = map(int, window.split(":")[1].split("-"))
        for start, end in zip(starts.split(",")[1:-2], ends.split(",")[1:-2], strict=True):
            if first + margin <= int(start) and int(end) <= last - margin:
                yield window, strand, int(start) - first, int(end) - first


def random_exons(number: int, flank: int, length: int, seed: int) -> list[tuple[str, str, str]]:
    """Exons of random bases with the consensus of splice sites: (contig, strand, sequence of the plus strand).

    Introns of ``flank`` bp on both sides, a pyrimidine tract and CAG at the end of the first, GTAAGT at the begin of
    the second; every second exon lies on ``-``.
    """
    rng, found = random.Random(seed), []
    for i in range(number):
        tract = "".join(rng.choices("CT", k=20)) + rng.choice("ACGT") + "CAG"
        before = "".join(rng.choices("ACGT", k=flank - len(tract))) + tract
        exon = "G" + "".join(rng.choices("ACGT", k=length - 4)) + "CAG"
        after = "GTAAGT" + "".join(rng.choices("ACGT", k=flank - 6))
        sequence = before + exon + after
        minus = i % 2
        found.append((f"chrRandom{i}", "+-"[minus], sequence.translate(COMPLEMENT)[::-1] if minus else sequence))
    return found


def random_example(name: str) -> tuple[str, str]:
    """FASTA and BED of the entry's ``example/``."""
    module, fasta, bed = _module(name), "", ""
    for contig, strand, sequence in random_exons(6, FLANK, RANDOM_EXON, seed=0):
        first, last = stretch(module, strand, FLANK, FLANK + RANDOM_EXON)
        fasta += fasta_text(contig, sequence)
        bed += f"{contig}\t{first}\t{last}\t{contig}\t0\t{strand}\n"
    return fasta, bed


def hg38_example(name: str, data: Path) -> tuple[str, str]:
    """FASTA and BED of three exons on each strand, each with 150 bp on both sides."""
    module, windows, taken, fasta, bed = _module(name), read_windows(data), {"+": 0, "-": 0}, "", ""
    for window, strand, start, end in exons_of(data, 400):
        if taken[strand] < 3 and EXON_LENGTH <= end - start <= 200:
            taken[strand] += 1
            contig = f"{window.split(':')[0]}_{start}"
            fasta += fasta_text(contig, windows[window][start - FLANK : end + FLANK])
            first, last = stretch(module, strand, FLANK, FLANK + end - start)
            bed += f"{contig}\t{first}\t{last}\t{contig}\t0\t{strand}\n"
    return fasta, bed


def check(name: str, data: Path) -> Comparison:
    """Compare an entry with TensorFlow's predictions of the authors' file."""
    examples = {"example": random_example(name), "preds": hg38_example(name, data)}
    against = "the authors' file under TensorFlow 2.21 with mmsplice's layers"
    return compare_examples(name, examples, "MMSplice", "Keras 2", against)


def _module(name: str) -> Module:
    return MODULES[name.removeprefix("mmsplice-")]
