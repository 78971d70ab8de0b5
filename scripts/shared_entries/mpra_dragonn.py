"""``mpra-dragonn``: MPRA-DragoNN's ConvModel (Movva et al. 2019), Keras files of its repository (MIT)."""

from __future__ import annotations

from pathlib import Path

from shared_entries.comparison import Comparison, compare_example
from shared_entries.hg38_windows import fasta_text, read_windows
from shared_entries.writer import KerasEntry

__all__ = ["build"]

LENGTH = 145
# In the order of the file's outputs, as Kipoi's description of the model gives it.
TASKS = [
    f"{cell}_{promoter}_{replicate}"
    for cell in ("k562", "hepg2")
    for promoter in ("minP", "sv40p")
    for replicate in ("rep1", "rep2", "pooled")
]


def build(data: Path) -> KerasEntry:
    """Read the model's two files and a stretch of hg38 from the data folder."""
    name, sequence = next(iter(read_windows(data).items()))
    contig = f"{name.split(':')[0]}_slice"
    folder = data / "m05_mpra_dragonn"
    return KerasEntry(
        name="mpra-dragonn",
        files={name: (folder / name).read_bytes() for name in ("pretrained.hdf5", "model.json")},
        length=LENGTH,
        targets={"name": "activity", "shape": "(12,)", "column_labels": TASKS, "doc": "Sharpr-MPRA activity"},
        info={
            "authors": [{"name": "Rajiv Movva"}, {"name": "Surag Nair", "github": "suragnair"}],
            "license": "MIT",
            "doc": "Sharpr-MPRA activity of 145 bp, three convolutional layers (MPRA-DragoNN/ConvModel of Kipoi).",
            "cite_as": "https://doi.org/10.1371/journal.pone.0218073",
            "tags": ["RNA expression"],
            "trained_on": "Sharpr-MPRA of 487,137 sequences; chr8 for validation, chr18 for test",
        },
        card={
            "version": "1.0.0",
            "summary": "Regulatory activity of 145 bp in reporter assays in K562 and HepG2, 12 tasks.",
            "genome": {"assembly": "hg19", "chrom_style": "ucsc"},
            "outputs": [
                {
                    "name": "activity",
                    "kind": "scalar",
                    "tracks": TASKS,
                    "units": "normalised log2(RNA/DNA)",
                    "transform": "none",
                    "strand": "unstranded",
                }
            ],
            "training": {
                "data": [
                    {"name": "Sharpr-MPRA (Ernst et al. 2016)", "accession": "GSE71279", "licence": "GEO, free use"}
                ],
                "splits": {
                    "train": [f"chr{i}" for i in [*range(1, 23), "X"] if i not in (8, 18)],
                    "validation": ["chr8"],
                    "test": ["chr18"],
                },
                "code": "https://github.com/kundajelab/MPRA-DragoNN",
            },
        },
        prose="# MPRA-DragoNN, ConvModel\n\nThe Keras files are those of Kipoi's MPRA-DragoNN/ConvModel, byte by byte.",
        fasta=fasta_text(contig, sequence[60_000:64_000]),
        bed="".join(f"{contig}\t{start}\t{start + LENGTH}\tregion{start}\n" for start in range(100, 3700, 600)),
    )


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with TensorFlow's predictions of the authors' file."""
    return compare_example(folder, "MPRA-DragoNN", "Keras 2", "the authors' file under TensorFlow 2.21")
