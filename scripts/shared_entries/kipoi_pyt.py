"""``kipoi-pyt``: the PyTorch example model of Kipoi (MIT), one hidden layer over 1,000 bp."""

from __future__ import annotations

from pathlib import Path

import h5py
import torch

from scripts.shared_entries.comparison import Comparison, compare
from scripts.shared_entries.hg38_windows import fasta_text, read_windows
from scripts.shared_entries.writer import EntryFiles

__all__ = ["build", "check"]

LENGTH = 1000


def build(data: Path) -> EntryFiles:
    """Read weights and a stretch of hg38 from the data folder."""
    name, sequence = next(iter(read_windows(data).items()))
    contig = f"{name.split(':')[0]}_slice"
    starts = range(0, 8000, 1600)
    return EntryFiles(
        name="kipoi-pyt",
        module_source=Path(__file__).with_name("kipoi_pyt_module.py"),
        module_class="ExampleModel",
        module_kwargs={},
        state=torch.load(data / "m13_kipoi_pyt" / "only_weights.pth", weights_only=True),
        length=LENGTH,
        alphabet_axis=1,
        targets={
            "name": "some_probability",
            "shape": "(1,)",
            "column_labels": ["some_probability"],
            "doc": "between 0 and 1; of no biological meaning",
        },
        info={
            "authors": [{"name": "Roman Kreuzhuber", "github": "krrome"}],
            "license": "MIT",
            "doc": "Kipoi's example of a PyTorch model; trained on random numbers.",
            "cite_as": "https://doi.org/10.1038/s41587-019-0140-0",
            "tags": ["example"],
        },
        card={
            "version": "1.0.0",
            "summary": "Kipoi's example of a PyTorch model: for tests, of no biological meaning.",
            "outputs": [
                {
                    "name": "some_probability",
                    "kind": "scalar",
                    "tracks": ["some_probability"],
                    "units": "probability",
                    "transform": "none",
                    "strand": "unstranded",
                }
            ],
            "training": {
                "data": [{"name": "random numbers", "licence": "MIT"}],
                "code": "https://github.com/kipoi/kipoi",
            },
        },
        prose="# Kipoi's example `pyt`\n\nWeights and expected predictions are those of Kipoi's repository (MIT).",
        fasta=fasta_text(contig, sequence[:8000]),
        bed="".join(f"{contig}\t{start}\t{start + LENGTH}\tregion{i}\n" for i, start in enumerate(starts)),
    )


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with the expected predictions that Kipoi keeps beside the model."""
    import zoo

    with h5py.File(data / "m13_kipoi_pyt" / "expected.pred.h5") as kept:
        inputs, expected = kept["inputs"][:], kept["preds"][:]
    ours = zoo.load_model(folder, trust=True).predict(inputs.transpose(0, 2, 1), device="cpu")
    against = f"expected predictions in Kipoi's repository, {len(expected)} windows (of unknown bases only)"
    return compare("Kipoi's example pyt", "PyTorch", against, {"preds": ours}, {"preds": expected})
