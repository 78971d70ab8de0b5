"""What the entries of 10-kb splice site models have in common: example, outputs, prose, comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared_entries.comparison import Comparison, compare, oracle
from shared_entries.hg38_windows import fasta_text, one_hot, oracle_sequence, read_windows, splice_regions

__all__ = ["CONTEXT", "LENGTH", "SPLICE_SITES", "check", "example", "output", "prose"]

CONTEXT = 5000  # bp on each side that a prediction sees
LENGTH = 15_000
SPLICE_SITES = ["neither", "acceptor", "donor"]


def example(data: Path) -> tuple[str, str]:
    """FASTA and BED of the stretch of hg38 with most annotated splice sites on each strand."""
    windows = read_windows(data)
    regions = splice_regions(data, None)
    fasta = bed = ""
    for strand in "+-":
        region = next(region for region in regions if region.strand == strand)
        contig = region.window.replace(":", "_").replace("-", "_")
        fasta += fasta_text(contig, windows[region.window][region.start - CONTEXT : region.end + CONTEXT])
        bed += f"{contig}\t{CONTEXT}\t{LENGTH - CONTEXT}\tgene_on_{strand}\t0\t{strand}\n"
    return fasta, bed


def output(tracks: list[str]) -> dict[str, Any]:
    """The card's description of the one output."""
    return {
        "name": "splicing",
        "kind": "profile",
        "tracks": tracks,
        "bin_size": 1,
        "offset": CONTEXT,
        "units": "probability",
        "transform": "none",
        "strand": "sense",
    }


def prose(title: str, text: str) -> str:
    """The card's text; the paragraphs on positions and strands hold for all of these models."""
    return f"""# {title}

{text}

## Positions
A window of 15,000 bp gives a prediction at each of its middle 5,000 bp. An acceptor is the first base of an exon, a
donor the last.

## Strands
The model reads one strand: a splice site is found only when its gene is read from 5' to 3'. Give the strand in the
sixth column of the BED; regions on `-` are reverse-complemented, and their predictions run in that direction.
Averaging over both strands has no meaning here, and `--rc-average` is refused.

## Unknown bases
N is zero in all four channels, as in training: the module turns the 0.25 of Kipoi's dataloader into zeros.
"""


def check(folder: Path, data: Path, family: str, framework: str, program: str) -> Comparison:
    """Compare the entry in ``folder`` with the original program on 1,000 bp of hg38, unknown bases among them."""
    import zoo

    expected = oracle(folder.name)
    start, splicing = int(expected["start"]), expected["splicing"]
    predicted = zoo.load_model(folder, trust=True).predict(one_hot(oracle_sequence(data))[None], device="cpu")
    ours = {"splicing": predicted[0, :, start : start + splicing.shape[1]]}
    against = f"{program}, {splicing.shape[0]} x {splicing.shape[1]:,} values on hg38"
    return compare(family, framework, against, ours, {"splicing": splicing})
