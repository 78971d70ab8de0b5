"""``openspliceai-mane-10000nt``: SpliceAI-10k retrained in PyTorch on MANE transcripts (weights GPL-3.0)."""

from __future__ import annotations

from pathlib import Path

import torch

from shared_entries import splice_entry
from shared_entries.comparison import Comparison
from shared_entries.writer import EntryFiles

__all__ = ["build", "check"]


def build(data: Path) -> EntryFiles:
    """Read weights and a stretch of hg38 from the data folder."""
    fasta, bed = splice_entry.example(data)
    return EntryFiles(
        name="openspliceai-mane-10000nt",
        module_source=Path(__file__).with_name("openspliceai_module.py"),
        module_class="OpenSpliceAI",
        module_kwargs={},
        state=torch.load(
            data / "m08_openspliceai" / "mane_model_10000nt_rs10.pt", weights_only=True, map_location="cpu"
        ),
        length=splice_entry.LENGTH,
        use_strand=True,
        targets={"name": "splicing", "shape": "(3, 5000)", "doc": "probability of neither, acceptor and donor"},
        info={
            "authors": [
                {"name": "Kuan-Hao Chao", "github": "Kuanhao-Chao"},
                {"name": "Alan Mao"},
                {"name": "Anqi Liu"},
                {"name": "Mihaela Pertea"},
                {"name": "Steven L. Salzberg"},
            ],
            "license": "GPL-3.0",
            "doc": "Splice sites from sequence: SpliceAI retrained in PyTorch on human MANE transcripts.",
            "cite_as": "https://doi.org/10.7554/eLife.107454",
            "tags": ["RNA splicing"],
            "trained_on": "MANE",
        },
        card={
            "version": "1.0.0",
            "summary": "Splice acceptors and donors at each base from 10 kb of context, trained on MANE transcripts.",
            "genome": {"assembly": "hg38", "chrom_style": "ucsc"},
            "outputs": [splice_entry.output(splice_entry.SPLICE_SITES)],
            "training": {
                "data": [{"name": "MANE transcripts", "licence": "free use"}],
                "code": "https://github.com/Kuanhao-Chao/OpenSpliceAI",
                "seed": 10,
            },
        },
        prose=splice_entry.prose(
            "OpenSpliceAI, MANE, 10,000 nt",
            "One network (random seed 10) of the published set, from the authors' "
            "repository (GPL-3.0). The authors average several seeds; this entry is one of them.",
        ),
        fasta=fasta,
        bed=bed,
    )


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with the original program."""
    return splice_entry.check(folder, data, "OpenSpliceAI", "PyTorch", "the network of openspliceai 0.0.7")
