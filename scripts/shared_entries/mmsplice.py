"""``mmsplice-acceptor|donor|exon|intron3|intron5``: modules of MMSplice (Cheng et al. 2019), files of mmsplice 2.4.0.

MMSplice cuts an exon with its flanking introns into five stretches and scores each with a module. The stretches
here are those of mmsplice's ``SeqSpliter`` with 100 bp of intron on each side, its default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_entries.comparison import Comparison, compare_example
from shared_entries.hg38_windows import fasta_text, read_windows
from shared_entries.writer import KerasEntry

__all__ = ["INFO", "MODULES", "acceptor", "donor", "exon", "exons_of", "intron3", "intron5"]

INFO: dict[str, Any] = {
    "authors": [{"name": "Jun Cheng", "github": "s6juncheng"}, {"name": "Julien Gagneur", "github": "gagneur"}],
    "license": "MIT",
    "tags": ["RNA splicing"],
    "trained_on": "Rosenberg et al. 2015 (MPRA) and GENCODE 24, chromosomes 1 to 8 for training",
}
EXON_LENGTH = 120


@dataclass(frozen=True)
class Module:
    """One module: ``file``, ``length`` of its stretch, where it lies (in reading direction), what it predicts."""

    file: str
    length: int
    where: str
    meaning: str
    units: str
    anchor: str  # "exon start" or "exon end"
    offset: int  # bp from the anchor to the start of the stretch, in reading direction


LOGIT = "MMSplice itself goes on with the logit of this value, clipped to 0.00001 ... 0.99999."
MODULES = {
    "acceptor": Module(
        "Acceptor.h5",
        53,
        "50 bp of intron and the first 3 bp of the exon",
        f"probability that this is an acceptor site. {LOGIT}",
        "probability",
        "exon start",
        -50,
    ),
    "donor": Module(
        "Donor.h5",
        18,
        "the last 5 bp of the exon and 13 bp of intron",
        f"probability that this is a donor site. {LOGIT}",
        "probability",
        "exon end",
        -5,
    ),
    "exon": Module(
        "Exon.h5",
        EXON_LENGTH,
        f"{EXON_LENGTH} bp of exon. The module itself takes exons of any length; positions of zeros do not count",
        "effect of the exon on inclusion",
        "score",
        "exon start",
        0,
    ),
    "intron3": Module(
        "Intron3.h5",
        94,
        "the intron before the exon, from 100 to 7 bp before its first base",
        "effect of the acceptor's intron on 3' splice site choice",
        "score",
        "exon start",
        -100,
    ),
    "intron5": Module(
        "Intron5.h5",
        94,
        "the intron after the exon, from 7 to 100 bp after its last base",
        "effect of the donor's intron on 5' splice site choice",
        "score",
        "exon end",
        6,
    ),
}


def acceptor(data: Path) -> KerasEntry:
    return _entry(data, "acceptor")


def donor(data: Path) -> KerasEntry:
    return _entry(data, "donor")


def exon(data: Path) -> KerasEntry:
    return _entry(data, "exon")


def intron3(data: Path) -> KerasEntry:
    return _entry(data, "intron3")


def intron5(data: Path) -> KerasEntry:
    return _entry(data, "intron5")


def exons_of(data: Path, margin: int) -> Iterator[tuple[str, str, int, int]]:
    """Inner exons of genes: (window, strand, start, end), positions in the window, ``margin`` bp from its ends."""
    for line in (data / "d01_hg38_windows" / "genes_exons_dev.tsv").read_text().splitlines()[1:]:
        _, _, strand, _, _, starts, ends, _, window = line.split("\t")
        first, last = map(int, window.split(":")[1].split("-"))
        for start, end in zip(starts.split(",")[1:-2], ends.split(",")[1:-2], strict=True):
            if first + margin <= int(start) and int(end) <= last - margin:
                yield window, strand, int(start) - first, int(end) - first


def stretch(module: Module, strand: str, start: int, end: int) -> tuple[int, int]:
    """The module's stretch of an exon, as half-open positions on the genome."""
    at_start = module.anchor == "exon start"
    if strand == "+":
        first = (start if at_start else end) + module.offset
        return first, first + module.length
    last = (end if at_start else start) - module.offset
    return last - module.length, last


def _entry(data: Path, name: str) -> KerasEntry:
    module = MODULES[name]
    fasta, bed = _example(data, module)
    track = f"mmsplice_{name}"
    return KerasEntry(
        name=f"mmsplice-{name}",
        files={"model.h5": (data / "m11_mmsplice" / module.file).read_bytes()},
        length=module.length,
        use_strand=True,
        targets={"name": "score", "shape": "(1,)", "column_labels": [track], "doc": module.meaning},
        info=INFO
        | {
            "doc": f"The {name} module of MMSplice: {module.meaning}",
            "cite_as": "https://doi.org/10.1186/s13059-019-1653-z",
        },
        card={
            "version": "1.0.0",
            "summary": f"MMSplice, {name} module, on {module.length} bp.",
            "genome": {"assembly": "hg38", "chrom_style": "ucsc"},
            "outputs": [
                {
                    "name": "score",
                    "kind": "scalar",
                    "tracks": [track],
                    "units": module.units,
                    "transform": "sigmoid" if module.units == "probability" else "none",
                    "strand": "sense",
                }
            ],
            "training": {
                "data": [{"name": "Rosenberg et al. 2015; GENCODE 24", "licence": "free use"}],
                "code": "https://github.com/gagneurlab/MMSplice_MTSplice",
            },
        },
        prose=_prose(name, module),
        fasta=fasta,
        bed=bed,
    )


def _prose(name: str, module: Module) -> str:
    first, last = module.offset, module.offset + module.length
    plus, minus = ("START", "END") if module.anchor == "exon start" else ("END", "START")
    return f"""# MMSplice, {name} module

{module.meaning}.

## Regions
The module reads {module.where}, from 5' to 3'. Give regions of {module.length} bp with the strand of the gene in the
sixth column. For an exon START-END (0-based, half-open) that is {plus}{first:+d} to {plus}{last:+d} on `+`, and
{minus}{-last:+d} to {minus}{-first:+d} on `-`.

## Unknown bases
mmsplice gives an unknown base as 0 in all channels; Kipoi's dataloader, and so this entry, as 0.25.

The Keras file is that of the package mmsplice 2.4.0 (MIT), byte by byte."""


def _example(data: Path, module: Module) -> tuple[str, str]:
    """Three exons on each strand, each with 150 bp on both sides."""
    windows, taken, fasta, bed = read_windows(data), {"+": 0, "-": 0}, "", ""
    for window, strand, start, end in exons_of(data, 400):
        if taken[strand] < 3 and EXON_LENGTH <= end - start <= 200:
            taken[strand] += 1
            contig = f"{window.split(':')[0]}_{start}"
            fasta += fasta_text(contig, windows[window][start - 150 : end + 150])
            first, last = stretch(module, strand, 150, 150 + end - start)
            bed += f"{contig}\t{first}\t{last}\t{contig}\t0\t{strand}\n"
    return fasta, bed


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with TensorFlow's predictions of the authors' file."""
    against = "the authors' file under TensorFlow 2.21 with mmsplice's layers"
    return compare_example(folder, "MMSplice", "Keras 2", against)
