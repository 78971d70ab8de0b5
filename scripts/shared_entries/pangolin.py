"""``pangolin``: splicing and splice site usage in heart, liver, brain and testis (weights GPL-3.0)."""

from __future__ import annotations

from pathlib import Path

import torch

from shared_entries import splice_entry
from shared_entries.comparison import Comparison
from shared_entries.writer import EntryFiles

__all__ = ["TRACKS", "build", "check"]

TISSUES = ["heart", "liver", "brain", "testis"]
TRACKS = [f"{tissue}_{part}" for tissue in TISSUES for part in ("not_spliced", "spliced", "usage")]


def build(data: Path) -> EntryFiles:
    """Read weights and a stretch of hg38 from the data folder."""
    fasta, bed = splice_entry.example(data)
    return EntryFiles(
        name="pangolin",
        module_source=Path(__file__).with_name("pangolin_module.py"),
        module_class="Pangolin",
        module_kwargs={},
        state=torch.load(data / "m09_pangolin" / "final.1.0.3", weights_only=True, map_location="cpu"),
        length=splice_entry.LENGTH,
        use_strand=True,
        targets={
            "name": "splicing",
            "shape": "(12, 5000)",
            "doc": "for heart, liver, brain, testis: P(no splice site), P(splice site), usage",
        },
        info={
            "authors": [{"name": "Tony Zeng", "github": "tkzeng"}, {"name": "Yang I Li"}],
            "license": "GPL-3.0",
            "doc": "Splice sites and their usage in four tissues from sequence.",
            "cite_as": "https://doi.org/10.1186/s13059-022-02664-4",
            "tags": ["RNA splicing"],
            "trained_on": "RNA-seq of heart, liver, brain and testis of human, rhesus macaque, rat and mouse",
        },
        card={
            "version": "1.0.3",
            "summary": "Splice sites and their usage in heart, liver, brain and testis at each base, from sequence.",
            "genome": {"assembly": "hg38", "chrom_style": "ucsc"},
            "outputs": [splice_entry.output(TRACKS)],
            "training": {
                "data": [
                    {
                        "name": "RNA-seq of four tissues of four species, splice sites and their usage",
                        "licence": "ArrayExpress, free use",
                    }
                ],
                "code": "https://github.com/tkzeng/Pangolin",
            },
        },
        prose=splice_entry.prose(
            "Pangolin",
            "One network of the published set: replicate 1 of the model for splicing in heart "
            "(`final.1.0.3`, GPL-3.0). It has outputs for all four tissues, but `heart_spliced` is the one it was "
            "tuned on; the authors average five replicates of one model for each tissue. A splice site is an "
            "acceptor or a donor.",
        ),
        fasta=fasta,
        bed=bed,
    )


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with the original program."""
    return splice_entry.check(folder, data, "Pangolin", "PyTorch", "the network of the authors' repository")
