"""A small convolution network with random weights: its sums round, so that bits tell in which batch they were made."""

from __future__ import annotations

import random

import torch

from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec

__all__ = ["a_genome", "conv_model", "some_variants", "write_vcf"]

LENGTH = 60


class Conv(torch.nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = torch.nn.Sequential(
            torch.nn.Conv1d(4, 24, 9, padding=4),
            torch.nn.ReLU(),
            torch.nn.Conv1d(24, 24, 5, padding=2),
            torch.nn.ReLU(),
        )
        self.bases = torch.nn.Conv1d(24, 2, 1)
        self.total = torch.nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.body(x)
        return {"profile": self.bases(hidden), "counts": self.total(hidden.mean(2))}


def conv_model(seed: int = 0) -> LoadedModel:
    """60 bp, two tracks a base and a scalar."""
    outputs = (
        OutputSpec("profile", "profile", ("a", "b"), LENGTH, 1, 0, "score"),
        OutputSpec("counts", "scalar", ("n",), units="score"),
    )
    module = Conv(seed).eval()
    return LoadedModel("conv", module, SequenceLoader(LENGTH), outputs, hashes={"weights": f"seed {seed}"})


def a_genome(path, seed=1):
    """chr1 and chr2 of 3,000 and 500 bp; name -> letters."""
    rng = random.Random(seed)
    sequences = {"chr1": "".join(rng.choices("ACGT", k=3000)), "chr2": "".join(rng.choices("ACGTacgt", k=500))}
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in sequences.items()))
    return sequences


def some_variants(sequences, n, seed=2):
    """(chrom, pos from 1, ref, alt): substitutions, insertions and deletions, sorted; no two at one place."""
    rng = random.Random(seed)
    places = sorted(rng.sample([(c, p) for c, s in sequences.items() for p in range(40, len(s) - 40, 3)], n))
    rows = []
    for chrom, at in places:
        ref = sequences[chrom][at].upper()
        other = rng.choice([base for base in "ACGT" if base != ref])
        rows.append(
            rng.choice(
                [
                    (chrom, at + 1, ref, other),
                    (chrom, at + 1, ref, other),
                    (chrom, at + 1, ref, ref + other * rng.randint(1, 3)),
                    (chrom, at + 1, sequences[chrom][at : at + 3].upper(), ref),
                ]
            )
        )
    return rows


def write_vcf(path, rows, samples=None):
    """Rows of (chrom, pos, ref, alt, and with samples a text for each)."""
    head = "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n##contig=<ID=chr2>\n"
    if samples:
        head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    names = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *(["FORMAT", *samples] if samples else [])]
    lines = ["\t".join(names)]
    for chrom, pos, ref, alt, *rest in rows:
        lines.append("\t".join([chrom, str(pos), ".", ref, alt, ".", ".", ".", *rest]))
    path.write_text(head + "\n".join(lines) + "\n")
    return path
