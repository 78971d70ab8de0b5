"""Write ``models.tsv`` and the example of ``model_cards/deepbind`` from the 927 Keras files of Kipoi's repository.

    python -m scripts.make_deepbind_group ../shared/data

The folder has ``m03_deepbind_927`` (the files in one archive, and Kipoi's names) and ``d01_hg38_windows``, on which the
predictions of TensorFlow in ``tests/shared/oracles/deepbind.npz`` were made. The files are put into the cache.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import random
import sys
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from shared_entries.deepbind import LENGTH, check

import zoo
from zoo.entries.cache_add import cache_add
from zoo.genome.encode import one_hot

FOLDER = Path(__file__).resolve().parents[1] / "model_cards" / "deepbind"
CONTIG, BASES = "chrRandom", 1000
STARTS = range(100, 900, 200)
COMMON_NAMES = {
    "Arabidopsis thaliana": "thale cress",
    "Caenorhabditis elegans": "worm",
    "Danio rerio": "zebrafish",
    "Drosophila melanogaster": "fruit fly",
    "Gallus gallus": "chicken",
    "Homo sapiens": "human",
    "Mus musculus": "mouse",
    "Plasmodium falciparum": "malaria parasite",
    "Saccharomyces cerevisiae": "budding yeast",
    "Xenopus tropicalis": "frog",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    torch.set_num_threads(1)  # the models are small: to share one among cores takes longer than to run it
    rows = table(data / "m03_deepbind_927")
    write_table(rows)
    cache_add(data / "m03_deepbind_927" / "deepbind_h5.tar.xz")
    write_example([row["model"] for row in rows])
    for row in rows:
        found = check(f"deepbind/{row['model']}", data)
        row["largest_difference"] = f"{found.difference:.1e}"
    write_table(rows)
    sys.stdout.write(
        f"{len(rows)} models, largest difference {max(float(row['largest_difference']) for row in rows):.1e}\n"
    )


def table(folder: Path) -> list[dict[str, Any]]:
    """A row a model, by name: what its name says, and checksums and size of its file."""
    with (folder / "index.tsv").open() as handle:
        names = {row["id"]: row["kipoi_name"] for row in csv.DictReader(handle, delimiter="\t")}
    rows = []
    with tarfile.open(folder / "deepbind_h5.tar.xz") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".h5"):
                rows.append(_row(names[Path(member.name).stem], archive.extractfile(member).read()))
    return sorted(rows, key=lambda row: row["model"])


def _row(name: str, content: bytes) -> dict[str, Any]:
    species, kind, leaf = name.split("/")
    model_id, assay, protein = leaf.split("_", 2)
    species = species.replace("_", " ").capitalize()
    common = COMMON_NAMES.get(species)
    return {
        "model": name,
        "id": model_id,
        "organism": f"{common}, {species}" if common else species,
        "molecule": "RNA" if kind == "RBP" else "DNA",
        "assay": assay,
        "protein": protein,
        "md5": hashlib.md5(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "largest_difference": "0.0",
    }


def write_table(rows: list[dict[str, Any]]) -> None:
    with (FOLDER / "models.tsv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_example(models: list[str]) -> None:
    """Seeded random bases, windows on them, and a row of predictions for each model."""
    sequence = "".join(random.Random(0).choices("ACGT", k=BASES))
    example = FOLDER / "example"
    lines = [sequence[i : i + 50] for i in range(0, BASES, 50)]
    (example / "genome.fa").write_text(f">{CONTIG}\n" + "\n".join(lines) + "\n")
    (example / "genome.fa.fai").write_text(f"{CONTIG}\t{BASES}\t{len(CONTIG) + 2}\t50\t51\n")
    (example / "regions.bed").write_text(
        "".join(f"{CONTIG}\t{start}\t{start + LENGTH}\twindow{i}\n" for i, start in enumerate(STARTS))
    )
    letters = np.stack([np.frombuffer(sequence[start : start + LENGTH].encode(), np.uint8) for start in STARTS])
    windows = one_hot(letters)
    preds = np.stack([zoo.load_model(f"deepbind/{name}").predict(windows) for name in models])
    with h5py.File(example / "expected.h5", "w") as handle:
        handle.create_dataset("models", data=np.array(models, "S"), compression="gzip")  # of fixed length: compressed
        handle.create_dataset("preds", data=preds.astype(np.float32), compression="gzip")


if __name__ == "__main__":
    main()
