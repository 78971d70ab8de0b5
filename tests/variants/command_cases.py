"""A toy with a genome and variants, whose scores plain Python gives."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from toys import Toy, make_toy_entry, random_sequence, window, write_fasta
from variant_cases import write_vcf

import zoo

CONTIGS = {"chr1": 900, "chr2": 300}
HEADER = (
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Share">',
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
    *(f"##contig=<ID={name},length={length}>" for name, length in CONTIGS.items()),
)


@dataclass
class Case:
    """A toy model, its genome and a VCF of everything that may stand in one.

    Attributes:
        rows: (chrom, position from 1, REF, ALT, INFO, FORMAT, sample) in the order of the genome.
    """

    folder: Path
    toy: Toy
    sequences: dict[str, str]
    genome: Path
    vcf: Path
    rows: list[tuple]

    def score(self, out=None, variants=None, **options):
        given = {"trust": True, "score": "diff", "batch_size": 8} | options
        return zoo.score_variants(self.toy.folder, variants or self.vcf, self.genome, out, **given)

    def windows(self, chrom, pos, ref, alt):
        """The windows of REF and ALT, by an edit of the whole chromosome; ``pos`` from 1."""
        start, whole = pos - 1, self.sequences[chrom].upper()
        while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
            ref, alt = ref[:-1], alt[:-1]
        while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
            start, ref, alt = start + 1, ref[1:], alt[1:]
        first, length = start - self.toy.length // 2, self.toy.length
        edited = whole[:start] + alt + whole[start + len(ref) :]
        return window(whole, first, length), window(edited, first, length)

    def diff(self, *variant):
        """ALT minus REF of the first track of a scalar."""
        ref, alt = (next(iter(self.toy.answer(one).values()))[0] for one in self.windows(*variant))
        return alt - ref


def make_case(folder, kind="gc", n=60, **options):
    rng = random.Random(1)
    sequences = {name: random_sequence(rng, length, "ACGTACGTACGTacgt") for name, length in CONTIGS.items()}
    rows = []
    for i in range(n):
        chrom = rng.choice(list(CONTIGS))
        at = rng.randrange(1, CONTIGS[chrom] - 6)
        there = sequences[chrom][at : at + 5].upper()
        others = [base for base in "ACGT" if base != there[0]]
        ref, alt = rng.choice(
            [
                (there[0], others[0]),
                (there[0], ",".join(others)),
                (there[:4], there[0]),
                (there[0], there[0] + "GAT"),
                (there[:3], others[1] + "C"),
                (there[0], f"*,{others[2]}"),
                (there[0], "<NON_REF>"),
                (there[0], "."),
            ]
        )
        info = f"AF={i / 100}" if "," not in alt and i % 2 and alt != "." else "."
        rows.append((chrom, at + 1, ref, alt, info, "GT", "0|1"))
    rows.sort(key=lambda row: (list(CONTIGS).index(row[0]), row[1]))
    toy = make_toy_entry(folder / "toy", kind, **options)
    vcf = write_vcf(folder / "in.vcf", rows, HEADER, samples=["S1"])
    return Case(folder, toy, sequences, write_fasta(folder / "genome.fa", sequences), vcf, rows)
