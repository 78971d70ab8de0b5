"""Both windows of 20,000 random variants against an edit of the whole chromosome."""

from __future__ import annotations

import random

import numpy as np
import pytest
from near_models import allele_of, near_model
from toys import random_sequence, write_fasta

from zoo.genome.fasta import open_genome
from zoo.outputs import choose_tracks
from zoo.variants.windows.windows import PairPlan

ANCHORS = ("center", "left")
REFILLS = ("right", "left", "both")
LENGTHS = (256, 257)


def contigs_of(genome):
    """Letters of each contig, read in one piece."""
    return [
        genome.gather(np.array([i]), np.array([0]), c.length)[0].tobytes().decode()
        for i, c in enumerate(genome.contigs)
    ]


def cut(text, first, length):
    """Bases of [first, first + length), N outside the text, in upper case."""
    low, high = min(max(first, 0), len(text)), min(max(first + length, 0), len(text))
    return ("N" * (low - first) + text[low:high]).ljust(length, "N").upper()


def random_variants(contigs, n, seed):
    """(contig, start, ref, alt): substitutions to 20 bp, indels to 50, mixtures; one in eight at a contig's end."""
    rng = random.Random(seed)
    found = []
    while len(found) < n:
        contig = rng.randrange(len(contigs))
        text = contigs[contig]
        kind = rng.choice(["substitution", "insertion", "deletion", "mixture"])
        r = {"substitution": rng.choice([1, 1, rng.randint(2, 20)]), "insertion": 1}.get(kind, rng.randint(2, 50))
        end = rng.random() < 1 / 8
        start = (
            rng.choice([rng.randint(0, 60), len(text) - r - rng.randint(0, 60)])
            if end
            else rng.randrange(len(text) - r)
        )
        ref = text[start : start + r].upper()
        if set(ref) - set("ACGT"):
            continue
        if kind == "substitution":
            alt = "".join(rng.choice("ACGT".replace(base, "")) for base in ref)
        elif kind == "insertion":
            alt = ref + "".join(rng.choices("ACGT", k=rng.randint(1, 50)))
        elif kind == "deletion":
            alt = ref[0]
        else:
            alt = rng.choice("ACGT".replace(ref[0], "")) + "".join(rng.choices("ACGT", k=rng.randint(0, 50)))
        found.append((contig, start, ref, alt))
    return found


def check_strings(genome, n, seed):
    contigs = contigs_of(genome)
    plans = {}
    for length in LENGTHS:
        model = near_model(length)
        choice = choose_tracks(model.outputs, ())
        for anchor in ANCHORS:
            for refill in REFILLS:
                plans[length, anchor, refill] = PairPlan(model, choice, anchor=anchor, refill=refill)
    kinds = list(plans)
    for i, (contig, start, ref, alt) in enumerate(random_variants(contigs, n, seed)):
        length, anchor, refill = kinds[i % len(kinds)]
        pair = plans[kinds[i % len(kinds)]].pair(genome, allele_of(contig, start, ref, alt))
        text = contigs[contig]
        changed = text[:start] + alt + text[start + len(ref) :]
        index = length // 2 - (anchor == "left" and length % 2 == 0)
        first = start - index
        moved = first + len(alt) - len(ref)
        begins = {"right": (first,), "left": (moved,), "both": (first, moved)}[refill]
        wanted = [cut(text, first, length), *(cut(changed, begin, length) for begin in begins)]
        assert pair.sequences == tuple(dict.fromkeys(one.encode() for one in wanted)), (contig, start, ref, alt)
        assert pair.start == first
        assert pair.sequences[0][index : index + len(ref)].decode() == ref
        assert pair.unknown == length - sum(map(wanted[0].count, "ACGT"))


@pytest.mark.shared
def test_windows_of_chr22_are_those_of_the_edited_chromosome(shared_data):
    genome = open_genome(shared_data / "d02_chr22_slc5a1/hg38_chr22_32000000_32300000.fa")
    check_strings(genome, 12_000, seed=1)


def test_windows_of_two_contigs_are_those_of_the_edited_contig(tmp_path):
    """Soft-masked letters, runs of N, and a contig hardly longer than a window, so that most windows leave it."""
    rng = random.Random(5)
    long = random_sequence(rng, 3_000, "ACGTACGTACGTacgt")
    long = long[:700] + "N" * 150 + long[850:2_000] + "n" * 30 + long[2_030:]
    fasta = write_fasta(tmp_path / "two.fa", {"one": long, "two": random_sequence(rng, 400)}, width=61)
    check_strings(open_genome(fasta), 8_000, seed=2)
