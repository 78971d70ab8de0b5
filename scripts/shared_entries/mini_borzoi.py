"""``mini-borzoi``: the small Borzoi of baskerville's tests (Apache-2.0), 131,072 bp to 2,048 bins of 74 tracks."""

from __future__ import annotations

import csv
from pathlib import Path

from shared_entries.comparison import BORZOI_BINS, Comparison, compare_example
from shared_entries.hg38_windows import fasta_text, read_windows
from shared_entries.writer import KerasEntry

__all__ = ["build"]

LENGTH, BINS, BIN_SIZE = 131_072, 2048, 32
OFFSET = (LENGTH - BINS * BIN_SIZE) // 2


def build(data: Path) -> KerasEntry:
    """Read the Keras file, the list of tracks and one window of hg38."""
    folder = data / "m01_mini_borzoi"
    with (folder / "targets_hg38.txt").open() as handle:
        targets = list(csv.DictReader(handle, delimiter="\t"))
    tracks = [row["identifier"] for row in targets]
    partners = [int(row["strand_pair"]) for row in targets]
    # The example is one window of the folder's held-out ones.
    name = _held_out(data)
    contig = name.replace(":", "_").replace("-", "_")
    return KerasEntry(
        name="mini-borzoi",
        files={"model.h5": (folder / "model.h5").read_bytes()},
        extra={"tracks.tsv": _track_table(targets)},
        length=LENGTH,
        targets={"name": "coverage", "shape": f"({BINS}, {len(tracks)})", "doc": "coverage of each bin and track"},
        info={
            "authors": [{"name": "David Kelley", "github": "davek44"}],
            "license": "Apache-2.0",
            "doc": "A small Borzoi: convolutions, two layers of attention with relative positions, and a U-Net.",
            "cite_as": "https://doi.org/10.1038/s41588-024-02053-6",
            "tags": ["RNA expression", "DNA accessibility"],
        },
        card={
            "version": "1.0.0",
            "summary": "A small Borzoi: CAGE, DNase and RNA coverage in bins of 32 bp, 74 tracks, from 131 kb.",
            "genome": {"assembly": "hg38", "chrom_style": "ucsc"},
            "outputs": [
                {
                    "name": "coverage",
                    "kind": "profile",
                    "tracks_file": "tracks.tsv",
                    "bin_size": BIN_SIZE,
                    "offset": OFFSET,
                    "units": "reads per bin; CAGE and RNA after Borzoi's squashing",
                    "transform": "softplus",
                    "strand": [[tracks[i], tracks[j]] for i, j in enumerate(partners) if i < j],
                }
            ],
            "training": {
                "data": [
                    {"name": "FANTOM5 CAGE", "licence": "CC-BY-4.0"},
                    {"name": "ENCODE DNase-seq and RNA-seq", "licence": "ENCODE, free use"},
                    {"name": "GTEx and Tabula Sapiens RNA-seq", "licence": "open access"},
                ],
                "code": "https://github.com/calico/baskerville",
            },
        },
        prose=PROSE,
        fasta=fasta_text(contig, read_windows(data)[name]),
        bed=f"{contig}\t0\t{LENGTH}\t{contig}\n",
    )


PROSE = """# Mini-Borzoi

The Keras file is that of baskerville's tests (`tests/data/eval/model.h5`), byte by byte. It was made to test code: do
not use it for biology. Values of CAGE and RNA tracks are squashed as Borzoi's targets are.

baskerville gives an unknown base as 0 in all channels; Kipoi's dataloader, and so this entry, as 0.25."""


def _track_table(targets: list[dict[str, str]]) -> bytes:
    return "".join(f"{row['identifier']}\t{row['description'].strip()}\n" for row in targets).encode()


def _held_out(data: Path) -> str:
    for line in (data / "d01_hg38_windows" / "hg38_windows_dev.bed").read_text().splitlines():
        chrom, start, end, split, *_ = line.split("\t")
        if split == "valid":
            return f"{chrom}:{start}-{end}"
    raise ValueError("no held-out window")


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with TensorFlow's predictions of the authors' file."""
    against = "the authors' file under TensorFlow 2.21, baskerville's layers written anew"
    return compare_example(folder, "Mini-Borzoi", "Keras 2", against, bins=BORZOI_BINS)
