"""Toys with a genome and regions, whose predictions plain Python gives."""

from __future__ import annotations

import csv
import dataclasses
import random

from toys import complement, make_toy_entry, random_sequence, window, write_fasta

import zoo

CONTIGS = {"chr1": 1500, "chr2": 300, "tiny": 11}


@dataclasses.dataclass
class Case:
    """A toy with a genome and regions in no order, of all lengths, also at the ends of contigs."""

    toy: object
    sequences: dict
    genome: object
    bed: object
    rows: list

    def expected(self, row, use_strand=False):
        """Plain Python: the answer for the window centred on a row."""
        chrom, start, end, *_, strand = row
        seen = window(self.sequences[chrom], (start + end) // 2 - self.toy.length // 2, self.toy.length)
        return self.toy.answer(complement(seen) if use_strand and strand == "-" else seen)

    def predict(self, out, **options):
        return zoo.predict(self.toy.folder, self.bed, self.genome, out, **({"trust": True} | options))


def make_case(folder, kind, n=150, inside=False, **options):
    rng = random.Random(kind)
    sequences = {name: random_sequence(rng, length) for name, length in CONTIGS.items()}
    rows = []
    for i in range(n):
        chrom = rng.choice(["chr1", "chr2"]) if inside else rng.choice(list(CONTIGS))
        margin = 30 if inside else 0
        start = rng.randint(margin, CONTIGS[chrom] - margin - 1)
        end = min(start + rng.randint(1, 10 if inside else 120), CONTIGS[chrom] - margin)
        rows.append((chrom, start, max(end, start + 1), f"region {i}", str(i), rng.choice("+-.")))
    bed = folder / "regions.bed"
    bed.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    toy = make_toy_entry(folder / "toy", kind, **options)
    return Case(toy, sequences, write_fasta(folder / "genome.fa", sequences), bed, rows)


def flat(answer):
    """Every value of an answer in the order of the columns."""
    tracks = [track for tracks in answer.values() for track in tracks]
    return [value for track in tracks for value in (track if isinstance(track, list) else [track])]


def read_tsv(path):
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def values_of(record, n_columns=8):
    return [float(value) for value in list(record.values())[n_columns:]]
