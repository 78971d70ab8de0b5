"""``bpnet-k562-ctcf``: BPNet of CTCF ChIP-seq in K562 (ENCSR000AKO), weights of bpnet-lite's example (MIT)."""

from __future__ import annotations

from pathlib import Path

import torch

from shared_entries.comparison import BPNET_STRETCH, Comparison, compare, oracle
from shared_entries.hg38_windows import fasta_text, one_hot, oracle_sequence, read_windows
from shared_entries.writer import EntryFiles

__all__ = ["build", "check"]

HELD_OUT = ["chr1"]
VALIDATION = ["chr8", "chr10"]
TRAIN = [f"chr{i}" for i in range(2, 23) if i not in (8, 10)] + ["chrX"]
LENGTH = 2114


def build(data: Path) -> EntryFiles:
    """Read weights, a stretch of hg38 and peaks from the data folder."""
    state = torch.load(data / "m02_bpnet_ctcf_k562" / "state_dict.pt", weights_only=True)
    fasta, bed = _example(data)
    return EntryFiles(
        name="bpnet-k562-ctcf",
        module_source=Path(__file__).with_name("bpnet_ctcf_module.py"),
        module_class="BPNet",
        module_kwargs={"n_filters": 64, "n_layers": 8, "trimming": 557},
        state=state,
        length=LENGTH,
        targets=[
            {"name": "profile", "shape": "(2, 1000)", "doc": "logits of where reads start, plus and minus strand"},
            {"name": "counts", "shape": "(1,)", "doc": "log of the number of reads"},
        ],
        info={
            "authors": [{"name": "Jacob Schreiber", "github": "jmschrei"}],
            "license": "MIT",
            "doc": "BPNet of CTCF ChIP-seq in K562 (ENCODE ENCSR000AKO), the example of bpnet-lite.",
            "cite_as": "https://doi.org/10.1038/s41588-021-00782-6",
            "tags": ["DNA binding"],
            "trained_on": "ENCSR000AKO",
        },
        card={
            "version": "1.0.0",
            "summary": "BPNet of CTCF ChIP-seq in K562: base-resolution profile of both strands and total counts.",
            "genome": {"assembly": "hg38", "chrom_style": "ucsc"},
            "outputs": [
                {
                    "name": "profile",
                    "kind": "profile",
                    "tracks": ["ctcf_plus", "ctcf_minus"],
                    "bin_size": 1,
                    "offset": 557,
                    "units": "logit",
                    "transform": "none",
                    "strand": [["ctcf_plus", "ctcf_minus"]],
                },
                {
                    "name": "counts",
                    "kind": "scalar",
                    "tracks": ["ctcf_log_counts"],
                    "units": "log reads",
                    "transform": "none",
                    "strand": "unstranded",
                },
            ],
            "training": {
                "data": [{"name": "CTCF ChIP-seq in K562", "accession": "ENCSR000AKO", "licence": "ENCODE, free use"}],
                "splits": {"train": TRAIN, "validation": VALIDATION, "test": HELD_OUT},
                "code": "https://github.com/jmschrei/bpnet-lite",
                "seed": 0,
            },
            "interpretation": {"output": "counts", "method": "deepliftshap"},
        },
        prose="# BPNet, CTCF in K562\n\nBuilt from the example weights of bpnet-lite (MIT). Chromosome 1 is in neither "
        "list of the training configuration; it is taken as held out.",
        fasta=fasta,
        bed=bed,
    )


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with bpnet-lite."""
    import zoo

    x = one_hot(oracle_sequence(data))[None, :, BPNET_STRETCH]
    ours = {name: array[0] for name, array in zoo.load_model(folder, trust=True).predict(x, device="cpu").items()}
    against = "bpnet-lite 1.1.0, profile of 2 x 1,000 and counts on hg38"
    return compare("BPNet", "PyTorch (bpnet-lite)", against, ours, oracle(folder.name))


def _example(data: Path) -> tuple[str, str]:
    """The first 20 kb of a window of hg38 that has a strong peak, and six regions in it."""
    name, sequence = next(iter(read_windows(data).items()))
    contig = f"{name.split(':')[0]}_slice"
    bed = "".join(f"{contig}\t{start}\t{start + 500}\tregion{i}\n" for i, start in enumerate(range(2000, 17_000, 2500)))
    return fasta_text(contig, sequence[:20_000]), bed
