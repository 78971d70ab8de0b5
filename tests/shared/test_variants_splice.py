"""Aligned predictions of OpenSpliceAI beside what its own program makes of the same variants, on real sequence.

``openspliceai variant`` and SpliceAI 1.3.1 read the same: 50 bp and the network's context on either side of POS,
N outside the gene, ALT put in the place of REF and the string left as long as that makes it, both turned round for a
gene on the minus strand; then zeros for deleted bases, the maximum over inserted ones. Written anew here, on strings.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toys import complement, one_hot

import zoo
from zoo.genome.fasta import open_genome
from zoo.models.loaded import Runner
from zoo.outputs import choose_tracks
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.scores.genes import Gene
from zoo.variants.windows.windows import PairPlan

DISTANCE, CONTEXT = 50, 80
#: The donor of an exon of SLC5A1, and the acceptor, on a piece of chromosome 22 that begins at 32,000,000.
DONOR, ACCEPTOR = 50_013, 49_942


@pytest.fixture(scope="module")
def genome(shared_data):
    return open_genome(shared_data / "d02_chr22_slc5a1/hg38_chr22_32000000_32300000.fa")


@pytest.fixture(scope="module")
def model(published):
    return zoo.load_model("openspliceai-mane-80nt")


def by_the_program(model, text, at, ref, alt, gene):
    """(101, 3) of REF and ALT at POS - 50 to POS + 50."""
    covered = 2 * DISTANCE + 1
    middle = (CONTEXT + covered) // 2
    masked = "".join(base if gene.start <= i < gene.end else "N" for i, base in enumerate(text))
    before = masked[at - middle : at + middle + 1]
    after = before[:middle] + alt + before[middle + len(ref) :]
    found = []
    for sequence in (before, after):
        sequence = complement(sequence) if gene.strand == "-" else sequence
        with torch.no_grad():
            values = model.module(torch.tensor([one_hot(sequence, unknown=0.0)]))[0].T.numpy()
        found.append(values[::-1] if gene.strand == "-" else values)
    y_ref, y_alt = found
    if len(ref) > 1:
        zeros = np.zeros((len(ref) - 1, 3), np.float32)
        y_alt = np.concatenate([y_alt[: DISTANCE + 1], zeros, y_alt[DISTANCE + 1 :]])
    elif len(alt) > 1:
        most = y_alt[DISTANCE : DISTANCE + len(alt)].max(axis=0, keepdims=True)
        y_alt = np.concatenate([y_alt[:DISTANCE], most, y_alt[DISTANCE + len(alt) :]])
    return y_ref, y_alt


@pytest.mark.shared
@pytest.mark.parametrize(("low", "high"), [(43_049, 113_000), (DONOR - 30, DONOR + 60), (ACCEPTOR - 5, DONOR + 1)])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_profiles_are_those_of_the_program(genome, model, strand, low, high):
    text = genome.gather(np.array([0]), np.array([0]), 120_000)[0].tobytes().decode().upper()
    gene = Gene("g", "g", 0, low, high, strand, ((low, high),))
    plan = PairPlan(model, choose_tracks(model.outputs, ()))
    variants = [
        (DONOR, 1, "T"),
        (DONOR, 1, "+GTAAG"),
        (DONOR - 1, 4, ""),
        (DONOR - 20, 15, ""),
        (DONOR - 9, 1, "+" + "AC" * 20),
    ]
    for at, n, change in variants:
        ref = text[at : at + n]
        alt = ref[0] + change[1:] if change[:1] in ("", "+") else change
        record = Record(0, 1, "chr22", at, ".", ref, (alt,), None, ())
        pair = plan.pair(genome, Allele(record, 0, 0, Edit(at, ref, alt)), gene)
        encoded = np.array([one_hot(sequence.decode(), unknown=0.0) for sequence in pair.sequences], np.float32)
        values = Runner(model, device="cpu").forward(encoded)["splicing"]
        aligned = pair.join([{"splicing": row} for row in values])
        near = slice(at - DISTANCE - aligned.first["splicing"], at + DISTANCE + 1 - aligned.first["splicing"])
        y_ref, y_alt = by_the_program(model, text, at, ref, alt, gene)
        assert aligned.shared["splicing"][near].all()
        assert np.abs(aligned.ref["splicing"][:, near].T - y_ref).max() < 1e-6
        # The program zeroes `neither`, too, where ALT has no base, and reads it nowhere; here it is 1 (``absent``).
        assert np.abs(aligned.alt["splicing"][1:, near].T - y_alt[:, 1:]).max() < 1e-6
        assert np.abs(y_ref - y_alt).max() > 1e-4
