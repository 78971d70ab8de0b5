"""``deepbind``: the 927 DeepBind models of Kipoi (Alipanahi et al. 2015), a folder each under their Kipoi names."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Iterator
from pathlib import Path

import torch

from scripts.shared_entries.comparison import Comparison, compare_example, oracle
from scripts.shared_entries.hg38_windows import fasta_text, read_windows
from scripts.shared_entries.writer import KerasEntry

__all__ = ["build"]

LENGTH = 101
ASSAYS = {
    "PBM": ("protein binding microarray", "Mukherjee et al. 2004, Weirauch et al. 2013"),
    "SELEX": ("HT-SELEX", "Jolma et al. 2013"),
    "RNAcompete": ("RNAcompete", "Ray et al. 2013"),
    "ChIP-seq": ("ChIP-seq", "ENCODE"),
}


def build(data: Path) -> Iterator[KerasEntry]:
    """Every model of the archive, ``deepbind/<Kipoi's name>``."""
    folder = data / "m03_deepbind_927"
    with (folder / "index.tsv").open() as handle:
        names = {row["id"]: row["kipoi_name"] for row in csv.DictReader(handle, delimiter="\t")}
    contig, sequence = next(iter(read_windows(data).items()))
    contig = f"{contig.split(':')[0]}_slice"
    fasta = fasta_text(contig, sequence[60_000:61_000])
    bed = "".join(f"{contig}\t{start}\t{start + LENGTH}\tregion{i}\n" for i, start in enumerate(range(100, 900, 200)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are small: to share one among cores takes longer than to run it
    try:
        with tarfile.open(folder / "deepbind_h5.tar.xz") as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".h5"):
                    model_id = Path(member.name).stem
                    yield _entry(names[model_id], archive.extractfile(member).read(), fasta, bed)
    finally:
        torch.set_num_threads(threads)


def _entry(name: str, weights: bytes, fasta: str, bed: str) -> KerasEntry:
    species, kind, leaf = name.split("/")
    model_id, assay, protein = leaf.split("_", 2)
    method, source = ASSAYS.get(assay, (assay, "see the paper"))
    what = f"{protein} of {species.replace('_', ' ')}, {method}"
    track = f"{protein}_{assay}"
    return KerasEntry(
        name=f"deepbind/{name}",
        files={"model.h5": weights},
        length=LENGTH,
        targets={"name": "binding_prob", "shape": "(1,)", "column_labels": [track], "doc": "probability of binding"},
        info={
            "authors": [
                {"name": "Babak Alipanahi"},
                {"name": "Andrew Delong"},
                {"name": "Matthew T Weirauch"},
                {"name": "Brendan J Frey"},
            ],
            "contributors": [{"name": "Johnny Israeli", "github": "jisraeli"}],
            "doc": f"DeepBind {model_id}: {what}.",
            "cite_as": "https://doi.org/10.1038/nbt.3300",
            "license": "BSD 3-Clause",
            "tags": ["RNA binding" if kind == "RBP" else "DNA binding"],
        },
        card={
            "version": "1.0.0",
            "summary": f"DeepBind: binding of {what}.",
            "outputs": [
                {
                    "name": "binding_prob",
                    "kind": "scalar",
                    "tracks": [track],
                    "units": "probability",
                    "transform": "sigmoid",
                    "strand": "sense" if kind == "RBP" else "unstranded",
                }
            ],
            "training": {"data": [{"name": f"{method} of {protein} ({source})", "licence": "see the source"}]},
        },
        prose=f"# DeepBind {model_id}: {what}\n\nThe Keras file is Kipoi's. Its Lambda layers pad with 0.25, turn the "
        "sequence to its other strand and take the maximum over positions; modules that do the same replace them.",
        fasta=fasta,
        bed=bed,
    )


def check(folder: Path, data: Path) -> Comparison | None:
    """Compare a built entry with TensorFlow's predictions of Kipoi's file; None for the eight of nine not kept."""
    expected = oracle("deepbind").get(folder.name.split("_")[0])
    if expected is None:
        return None
    against = "Kipoi's files under TensorFlow 2.21, Lambdas written anew"
    return compare_example(folder, "DeepBind", "Keras 2", against, expected)
