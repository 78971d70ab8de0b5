"""``xpresso-human``, ``xpresso-mouse``: Xpresso (Agarwal and Shendure 2020), median expression from the promoter.

The file of the authors takes the promoter and six half-life features of the mRNA. Kipoi runs it with these
features at 0, their mean, so that the rows of the first dense layer that belong to them have no effect. The entry's
file is that of the authors without the second input and those rows: a Keras model of one input with the same output.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py

from shared_entries.comparison import Comparison, compare_example
from shared_entries.hg38_windows import fasta_text, read_windows
from shared_entries.writer import KerasEntry

__all__ = ["human", "mouse", "without_half_life"]

UPSTREAM, DOWNSTREAM = 7000, 3500
LENGTH = UPSTREAM + DOWNSTREAM
CITE = "https://doi.org/10.1016/j.celrep.2020.107663"


def human(data: Path) -> KerasEntry:
    return _entry(data, "human", "hg38")


def mouse(data: Path) -> KerasEntry:
    return _entry(data, "mouse", "mm10")


def without_half_life(path: Path) -> bytes:
    """The Keras file ``path`` with the half-life features taken as 0, as HDF5 of one input."""
    buffer = io.BytesIO()
    with h5py.File(path, "r") as source, h5py.File(buffer, "w") as target:
        config = json.loads(_text(source.attrs["model_config"]))
        target.attrs["model_config"] = json.dumps(_promoter_only(config)).encode()
        target.attrs["keras_version"] = _text(source.attrs["keras_version"]).encode()
        target.attrs["backend"] = b"tensorflow"
        source.copy("model_weights", target)
        weights = target["model_weights"]
        dropped = ("halflife", "concatenate_1")
        weights.attrs["layer_names"] = [name for name in weights.attrs["layer_names"] if _text(name) not in dropped]
        for name in dropped:
            if name in weights:
                del weights[name]
        dense = weights["dense_1/dense_1"]
        kernel = dense["kernel:0"][:-6]  # the six features come after the flattened sequence
        del dense["kernel:0"]
        dense["kernel:0"] = kernel
    return buffer.getvalue()


def _promoter_only(model: dict[str, Any]) -> dict[str, Any]:
    """The architecture without the input ``halflife`` and the layer that joins it."""
    config = model["config"]
    config["layers"] = [layer for layer in config["layers"] if layer["name"] not in ("halflife", "concatenate_1")]
    config["input_layers"] = [["promoter", 0, 0]]
    for layer in config["layers"]:
        if layer["name"] == "dense_1":
            layer["inbound_nodes"] = [[["flatten_1", 0, 0, {}]]]
    return model


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _entry(data: Path, species: str, assembly: str) -> KerasEntry:
    fasta, bed = _example(data)
    return KerasEntry(
        name=f"xpresso-{species}",
        files={"model.h5": without_half_life(data / "m04_xpresso" / f"{species}_median.h5")},
        length=LENGTH,
        use_strand=True,
        targets={
            "name": "expression",
            "shape": "(1,)",
            "column_labels": ["median_expression"],
            "doc": "predicted log10 of RNA expression, standardised",
        },
        info={
            "authors": [{"name": "Vikram Agarwal", "github": "vagarwal87"}, {"name": "Jay Shendure"}],
            "doc": f"Xpresso, median expression over {species} cell types, from the promoter; Kipoi's "
            f"Xpresso/{species}_median.",
            "cite_as": CITE,
            "license": "MIT",
            "tags": ["RNA expression"],
            "trained_on": "promoters of about 17,000 protein-coding genes, chosen at random",
        },
        card={
            "version": "1.0.0",
            "summary": f"Median expression of {species} genes from 10.5 kb around the transcription start site.",
            "genome": {"assembly": assembly, "chrom_style": "ucsc"},
            "outputs": [
                {
                    "name": "expression",
                    "kind": "scalar",
                    "tracks": ["median_expression"],
                    "units": "log10 RPKM, standardised",
                    "transform": "none",
                    "strand": "sense",
                }
            ],
            "training": {
                "data": [
                    {
                        "name": "Roadmap Epigenomics RNA-seq" if species == "human" else "ENCODE RNA-seq",
                        "licence": "free use",
                    }
                ],
                "code": "https://github.com/vagarwal87/Xpresso",
            },
        },
        prose=f"""# Xpresso, {species}

## Regions
Give windows of {LENGTH:,} bp with the strand of the gene in the sixth column: from {UPSTREAM:,} bp upstream of the
transcription start site to {DOWNSTREAM:,} bp downstream of it. On `+` that is `TSS - 7000` to `TSS + 3500`, on `-`
`TSS - 3500` to `TSS + 7000`, where TSS is the start (on `-` the end) of the gene's BED interval. Shorter or longer
regions are resized around their middle, which is not the TSS.

## Half-life
As in Kipoi, features of the mRNA's half-life are taken as 0, their mean. The authors' file with two inputs loads with
`zoo.models.keras.load_keras`.

The promoters of the example are human, for both species.""",
        fasta=fasta,
        bed=bed,
    )


def _example(data: Path) -> tuple[str, str]:
    """Two promoters, one on each strand, from the first window of hg38 that has room for them."""
    windows = read_windows(data)
    found: dict[str, tuple[str, str, int]] = {}
    for line in (data / "d01_hg38_windows" / "genes_exons_dev.tsv").read_text().splitlines()[1:]:
        gene, _, strand, start, end, _, _, _, window = line.split("\t")
        tss = (int(start) if strand == "+" else int(end)) - int(window.split(":")[1].split("-")[0])
        if strand not in found and UPSTREAM < tss < len(windows[window]) - UPSTREAM:
            found[strand] = (gene, window, tss)
    fasta = bed = ""
    for strand, (gene, window, tss) in sorted(found.items()):
        before, after = (UPSTREAM, DOWNSTREAM) if strand == "+" else (DOWNSTREAM, UPSTREAM)
        fasta += fasta_text(gene, windows[window][tss - before : tss + after])
        bed += f"{gene}\t0\t{LENGTH}\t{gene}_promoter\t0\t{strand}\n"
    return fasta, bed


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with TensorFlow's predictions of the authors' file, half-life features 0."""
    return compare_example(folder, "Xpresso", "Keras 2", "the authors' file under TensorFlow 2.21")
