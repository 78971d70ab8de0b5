"""``ci-spliceai``: five SpliceAI-10k networks trained on curated splice sites, averaged (weights CC-BY-4.0)."""

from __future__ import annotations

from pathlib import Path

import torch

from shared_entries import splice_entry
from shared_entries.comparison import Comparison
from shared_entries.writer import EntryFiles

__all__ = ["build", "check"]

N_MEMBERS = 5
# Prefixes of the converted state dicts and the module's own.
NAMES = {"c0.": "first.", "s0.": "first_skip.", "sk.": "skips.", "out.": "last."}
# Of a block's numbered layers: batch norm, convolution, twice; the module numbers the ReLUs too.
LAYERS = {"0": "0", "1": "2", "2": "3", "3": "5"}


def build(data: Path) -> EntryFiles:
    """Read weights and a stretch of hg38 from the data folder."""
    fasta, bed = splice_entry.example(data)
    return EntryFiles(
        name="ci-spliceai",
        module_source=Path(__file__).with_name("ci_spliceai_module.py"),
        module_class="CISpliceAI",
        module_kwargs={"n_members": N_MEMBERS},
        state=_state(data / "m07_cispliceai"),
        length=splice_entry.LENGTH,
        use_strand=True,
        targets={"name": "splicing", "shape": "(3, 5000)", "doc": "probability of neither, acceptor and donor"},
        info={
            "authors": [
                {"name": "Yaron Strauch"},
                {"name": "Jenny Lord"},
                {"name": "Mahesan Niranjan"},
                {"name": "Diana Baralle"},
            ],
            "license": "CC-BY-4.0",
            "doc": "Splice sites from sequence, trained on curated sites of all isoforms of GENCODE.",
            "cite_as": "https://doi.org/10.1371/journal.pone.0269159",
            "tags": ["RNA splicing"],
            "trained_on": "GENCODE",
        },
        card={
            "version": "1.2.2",
            "summary": "Splice acceptors and donors at each base from 10 kb of context; mean of five networks.",
            "genome": {"assembly": "hg38", "chrom_style": "ucsc"},
            "outputs": [splice_entry.output(splice_entry.SPLICE_SITES)],
            "training": {
                "data": [{"name": "GENCODE, curated splice sites of all isoforms", "licence": "free use"}],
                "code": "https://github.com/YStrauch/CI-SpliceAI__Train",
            },
        },
        prose=splice_entry.prose(
            "CI-SpliceAI",
            "Weights of the Python package cispliceai 1.2.2, converted from TensorFlow (CC-BY-4.0; "
            "attribute Strauch et al. 2022). The network is SpliceAI's with 10 kb of context; the prediction is the "
            "mean of five.",
        ),
        fasta=fasta,
        bed=bed,
    )


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with the original program."""
    return splice_entry.check(folder, data, "CI-SpliceAI", "TensorFlow", "the TensorFlow graph of cispliceai 1.2.2")


def _state(folder: Path) -> dict[str, torch.Tensor]:
    """The five state dicts as one, under the names of the module."""
    state = {}
    for member in range(N_MEMBERS):
        tensors = torch.load(folder / f"cispliceai_{member + 1}.pt", weights_only=True)
        state |= {f"members.{member}.{_renamed(name)}": tensor for name, tensor in tensors.items()}
    return state


def _renamed(name: str) -> str:
    """``c0.weight`` -> ``first.weight``; ``b.3.1.bias`` -> ``blocks.3.2.bias``."""
    if name.startswith("b."):
        _, block, layer, parameter = name.split(".")
        return f"blocks.{block}.{LAYERS[layer]}.{parameter}"
    prefix = next(prefix for prefix in NAMES if name.startswith(prefix))
    return NAMES[prefix] + name.removeprefix(prefix)
