"""A small world for runs: chromosomes of random bases, and fragments whose density the bundled base knows in part.

The track is made from the base's own prediction and what it does not know, the share of G and C in the bin:
``rate = 4 * prediction * exp(6 * (share - 0.38))``. So a head on the base's embedding gains over the frozen base.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

import zoo
from zoo.genome.encode import one_hot

CHROMS = ("chrA", "chrB", "chrC", "chrD", "chrE", "chrF")
#: Windows that tile a chromosome.
WINDOWS = 24
LENGTH = 1280 + 1024 * (WINDOWS - 1)
BASES = np.frombuffer(b"ACGT", np.uint8)


@dataclass(frozen=True)
class World:
    """Files: genome, fragments; and the expected counts of each chromosome's 32-bp bins from base 128 on."""

    folder: Path
    genome: Path
    fragments: Path
    rate: dict[str, np.ndarray]

    def config(self, **changes) -> dict:
        """Of a run that takes seconds."""
        made = {
            "base": "yeast-atac",
            "genome": str(self.genome),
            "targets": [
                {
                    "name": "centres",
                    "files": str(self.fragments),
                    "read": "centres",
                    "length": "140-220",
                    "bin": 32,
                    "reduce": "sum",
                }
            ],
            "split": {"validation": ["chrE"], "test": ["chrF"]},
            "mode": "head",
            "train": {"lr": 0.01, "epochs": 2, "batch": 16, "threads": 1},
            "verdict": {"block": 1024},
        }
        for key, value in changes.items():
            made[key] = made[key] | value if isinstance(value, dict) and isinstance(made.get(key), dict) else value
        return made

    def write(self, name: str = "run.yaml", **changes) -> Path:
        """The configuration as a file."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(self.config(**changes), sort_keys=False))
        return path


def make_world(folder: Path, seed: int = 0) -> World:
    """Write genome and fragments."""
    rng = np.random.default_rng(seed)
    model = zoo.load_model("yeast-atac")
    genome, fragments = folder / "genome.fa", folder / "fragments.bed.gz"
    rates, rows = {}, []
    with genome.open("w") as fasta:
        for chrom in CHROMS:
            letters = BASES[rng.choice(4, LENGTH, p=[0.31, 0.19, 0.19, 0.31])]
            fasta.write(f">{chrom}\n{letters.tobytes().decode()}\n")
            windows = np.stack([letters[i * 1024 : i * 1024 + 1280] for i in range(WINDOWS)])
            known = model.predict(one_hot(windows, 0.25))[:, 0].ravel()
            inside = letters[128 : 128 + 32 * len(known)].reshape(-1, 32)
            strong = ((inside == ord("C")) | (inside == ord("G"))).mean(1)
            rates[chrom] = 4 * known * np.exp(6 * (strong - 0.38))
            counts = rng.poisson(rates[chrom])
            starts = 128 + 32 * np.repeat(np.arange(len(counts)), counts) + rng.integers(0, 32, counts.sum())
            rows += [(chrom, centre - 80, centre + 80) for centre in starts if 80 <= centre < LENGTH - 80]
    with gzip.open(fragments, "wt") as bed:
        bed.writelines(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in rows)
    return World(folder, genome, fragments, rates)
