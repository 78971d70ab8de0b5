"""``mtsplice``: MTSplice (Cheng et al. 2021), tissue-specific splicing; the mean of mmsplice's eight networks.

The eight Keras files take two inputs, 400 bp around the acceptor and 400 bp around the donor. The entry's file joins
them: one input of 800 bp, cut in its middle, the eight networks as inner models, their average.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from shared_entries.comparison import Comparison, compare_example
from shared_entries.hg38_windows import fasta_text, read_windows
from shared_entries.mmsplice import INFO, exons_of
from shared_entries.writer import KerasEntry

__all__ = ["HALF", "TISSUES", "build", "joined"]

HALF, INTRON, EXON = 400, 300, 100
NETWORKS = 8
TISSUES = [
    "Retina - Eye",
    "RPE/Choroid/Sclera - Eye",
    "Subcutaneous - Adipose",
    "Visceral (Omentum) - Adipose",
    "Adrenal Gland",
    "Aorta - Artery",
    "Coronary - Artery",
    "Tibial - Artery",
    "Bladder",
    "Amygdala - Brain",
    "Anterior cingulate - Brain",
    "Caudate nucleus - Brain",
    "Cerebellar Hemisphere - Brain",
    "Cerebellum - Brain",
    "Cortex - Brain",
    "Frontal Cortex - Brain",
    "Hippocampus - Brain",
    "Hypothalamus - Brain",
    "Nucleus accumbens - Brain",
    "Putamen - Brain",
    "Spinal cord (C1) - Brain",
    "Substantia nigra - Brain",
    "Mammary Tissue - Breast",
    "EBV-xform lymphocytes - Cells",
    "Leukemia (CML) - Cells",
    "Xform. fibroblasts - Cells",
    "Ectocervix - Cervix",
    "Endocervix - Cervix",
    "Sigmoid - Colon",
    "Transverse - Colon",
    "Gastroesoph. Junc. - Esophagus",
    "Mucosa - Esophagus",
    "Muscularis - Esophagus",
    "Fallopian Tube",
    "Atrial Appendage - Heart",
    "Left Ventricle - Heart",
    "Cortex - Kidney",
    "Liver",
    "Lung",
    "Minor Salivary Gland",
    "Skeletal - Muscle",
    "Tibial - Nerve",
    "Ovary",
    "Pancreas",
    "Pituitary",
    "Prostate",
    "Not Sun Exposed - Skin",
    "Sun Exposed (Lower leg) - Skin",
    "Ileum - Small Intestine",
    "Spleen",
    "Stomach",
    "Testis",
    "Thyroid",
    "Uterus",
    "Vagina",
    "Whole Blood",
]


def joined(files: list[Path]) -> bytes:
    """The Keras files as one, with an input of 800 bp and the mean as output."""
    buffer = io.BytesIO()
    layers = [
        _layer("InputLayer", "sequence", [], batch_input_shape=[None, 2 * HALF, 4], dtype="float32"),
        _layer("Cropping1D", "acceptor", ["sequence"], cropping=[0, HALF]),
        _layer("Cropping1D", "donor", ["sequence"], cropping=[HALF, 0]),
    ]
    with h5py.File(buffer, "w") as target:
        weights = target.create_group("model_weights")
        for number, path in enumerate(files):
            name = f"mtsplice{number}"
            with h5py.File(path, "r") as source:
                config = json.loads(source.attrs["model_config"])["config"] | {"name": name}
                _copy_arrays(config, source["model_weights"], weights.create_group(name))
            layers.append(
                {
                    "class_name": "Model",
                    "name": name,
                    "config": config,
                    "inbound_nodes": [[["acceptor", 0, 0, {}], ["donor", 0, 0, {}]]],
                }
            )
        networks = [f"mtsplice{number}" for number in range(len(files))]
        layers.append(_layer("Average", "mean", networks, call=1))  # Keras 2 counts calls of inner models from 1
        for name in ("sequence", "acceptor", "donor", "mean"):
            weights.create_group(name).attrs["weight_names"] = np.array([], dtype="S1")
        weights.attrs["layer_names"] = [layer["name"].encode() for layer in layers]
        config = {
            "name": "mtsplice",
            "layers": layers,
            "input_layers": [["sequence", 0, 0]],
            "output_layers": [["mean", 0, 0]],
        }
        target.attrs["model_config"] = json.dumps({"class_name": "Model", "config": config}).encode()
        for group in (target, weights):
            group.attrs["keras_version"], group.attrs["backend"] = b"2.2.4", b"tensorflow"
    return buffer.getvalue()


def _layer(kind: str, name: str, inputs: list[str], call: int = 0, **options: Any) -> dict[str, Any]:
    nodes = [[[source, call, 0, {}] for source in inputs]] if inputs else []
    return {"class_name": kind, "name": name, "config": {"name": name, **options}, "inbound_nodes": nodes}


def _copy_arrays(config: dict[str, Any], source: h5py.Group, target: h5py.Group) -> None:
    """The arrays of an inner model in Keras's order: those that are trained of all layers, then the others."""
    trained, fixed = [], []
    for layer in config["layers"]:
        group = source[layer["name"]]
        for name in (text.decode() if isinstance(text, bytes) else text for text in group.attrs["weight_names"]):
            short = f"{layer['name']}/{name.rpartition('/')[2]}"
            (fixed if "moving_" in name else trained).append((short, group[name][()]))
    for name, array in trained + fixed:
        target[name] = array
    target.attrs["weight_names"] = [name.encode() for name, _ in trained + fixed]


def build(data: Path) -> KerasEntry:
    """Join the eight files; the example is exons of hg38."""
    fasta, bed = _example(data)
    return KerasEntry(
        name="mtsplice",
        files={"model.h5": joined([data / "m11_mmsplice" / f"mtsplice{i}.h5" for i in range(NETWORKS)])},
        length=2 * HALF,
        use_strand=True,
        targets={
            "name": "tissue_effect",
            "shape": f"({len(TISSUES)},)",
            "column_labels": TISSUES,
            "doc": "predicted deviation of logit(PSI) in each tissue from the mean over tissues",
        },
        info=INFO
        | {
            "doc": "MTSplice: tissue-specific splicing of an exon in 56 tissues of ASCOT/GTEx.",
            "trained_on": "PSI of ASCOT over 56 tissues",
            "cite_as": "https://doi.org/10.1186/s13059-021-02273-7",
        },
        card={
            "version": "1.0.0",
            "summary": "Tissue-specific inclusion of an exon, 56 tissues: mean of the eight networks of MTSplice.",
            "genome": {"assembly": "hg38", "chrom_style": "ucsc"},
            "outputs": [
                {
                    "name": "tissue_effect",
                    "kind": "scalar",
                    "tracks": TISSUES,
                    "units": "logit PSI, deviation",
                    "transform": "none",
                    "strand": "sense",
                }
            ],
            "training": {
                "data": [{"name": "ASCOT (Ling et al. 2020), GTEx", "licence": "free use"}],
                "code": "https://github.com/gagneurlab/MMSplice_MTSplice",
            },
        },
        prose=PROSE,
        fasta=fasta,
        bed=bed,
    )


PROSE = """# MTSplice

## Regions
The networks read 400 bp around the acceptor (300 bp of intron, 100 bp of exon) and 400 bp around the donor (100 bp of
exon, 300 bp of intron). The entry reads both in one window of 800 bp, the acceptor's half first, from 5' to 3'. For an
exon of 200 bp this window is the stretch of the genome around it. For exons of another length the two halves must be
written one after the other into a FASTA, as in `example/genome.fa`, whose contigs are such windows.

The output is that of mmsplice's `MTSplice(deep=False)`: the mean of eight networks. To the value of the alternative
sequence mmsplice adds a variant's effect in all tissues, the delta logit PSI of MMSplice.

## Unknown bases
mmsplice gives an unknown base as 0 in all channels; Kipoi's dataloader, and so this entry, as 0.25."""


def _example(data: Path) -> tuple[str, str]:
    """Four exons as contigs of 800 bp, the acceptor's half and the donor's; all as on the genome's plus strand."""
    windows, fasta, bed, taken = read_windows(data), "", "", {"+": 0, "-": 0}
    for window, strand, start, end in exons_of(data, HALF):
        if taken[strand] < 2:
            taken[strand] += 1
            contig, sequence = f"{window.split(':')[0]}_{start}_{end}", windows[window]
            fasta += fasta_text(contig, sequence[start - INTRON : start + EXON] + sequence[end - EXON : end + INTRON])
            bed += f"{contig}\t0\t{2 * HALF}\t{contig}\t0\t{strand}\n"
    return fasta, bed


def check(folder: Path, data: Path) -> Comparison:
    """Compare a built entry with the mean of TensorFlow's predictions of the authors' eight files."""
    against = "the authors' eight files under TensorFlow 2.21 with mmsplice's layers"
    return compare_example(folder, "MTSplice", "Keras 2", against)
