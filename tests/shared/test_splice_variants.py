"""Variants of SLC5A1 by OpenSpliceAI at its full length: what is gained, what is lost, and where."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from zoo.genome.encode import one_hot
from zoo.genome.fasta import Contig, Genome, open_genome
from zoo.models.loaded import Runner
from zoo.outputs import choose_tracks
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.scores.genes import Gene, Genes
from zoo.variants.scores.placements import places_of
from zoo.variants.scores.scores import scores_of_run
from zoo.variants.windows.windows import PairPlan

pytestmark = pytest.mark.shared
FIRST = 32_000_000  # 0-based, of hg38's chr22, where the FASTA begins
# Of SLC5A1, which is read on +: its ends, and one exon between them, 72 bp long.
GENE = ((43_050, 43_200), (49_942, 50_014), (112_000, 113_029))


@pytest.fixture(scope="module")
def genome(shared_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "chr22.fa"
    shutil.copyfile(shared_data / "d02_chr22_slc5a1" / "hg38_chr22_32000000_32300000.fa", path)
    return open_genome(path)


@pytest.fixture(scope="module")
def genes(genome, tmp_path_factory):
    path = tmp_path_factory.mktemp("genes") / "genes.gtf"
    attributes = 'gene_id "ENSG00000100170"; transcript_id "T"; gene_name "SLC5A1";'
    rows = [f"chr22\tH\texon\t{start + 1}\t{end}\t.\t+\t.\t{attributes}\n" for start, end in GENE]
    path.write_text("".join(rows))
    return Genes.load(path, genome)


class Scored:
    """Rows of scores by column name; each sequence is predicted once."""

    def __init__(self, genome, genes):
        self.model = zoo.load_model("openspliceai-mane-10000nt")
        self.genome, self.genes = genome, genes
        choice = choose_tracks(self.model.outputs, ())
        self.plan = PairPlan(self.model, choice)
        options = {"genes": True, "splicing": True, "distance": 50}
        self.scores = scores_of_run(self.model, choice.outputs, **options)
        self.masked = scores_of_run(self.model, choice.outputs, **options, mask=True)
        self.runner = Runner(self.model, "cpu", batch_size=1)
        self.known = {}

    def predicted(self, sequence):
        if sequence not in self.known:
            encoded = one_hot(np.frombuffer(sequence, np.uint8)[None], self.model.loader.n_value)
            self.known[sequence] = {name: value[0] for name, value in self.runner.forward(encoded).items()}
        return self.known[sequence]

    def __call__(self, position, ref, alt, mask=False):
        edit = Edit(position - 1 - FIRST, ref, alt)
        one = Allele(Record(0, 1, "chr22", edit.start, ".", ref, (alt,), None, ()), 0, 0, edit)
        (gene,) = self.scores.genes_of(self.genes, one)
        assert isinstance(gene, Gene)
        pair = self.plan.pair(self.genome, one, gene)
        places = places_of(self.plan, self.genome, one, gene, pair)
        joined = (places or pair).join([self.predicted(sequence) for sequence in (places or pair).sequences])
        aligned, placed = joined if places else (joined, ())
        values = (self.masked if mask else self.scores).of(aligned, one, gene, placed)
        return dict(zip([column.name for column in self.scores.columns], values.tolist(), strict=True))


def test_the_table_of_spliceai(shared_data):
    contigs = [Contig(f"chr{name}", 250_000_000, 0, 60, 61) for name in (*range(1, 23), "X", "Y")]
    path = shared_data / "d01_hg38_windows" / "genes_exons_dev.tsv"
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    found = Genes.load(path, Genome(Path("hg38.fa"), contigs), translate=True)
    assert sorted((gene.name, gene.start, gene.end, gene.strand, len(gene.exons)) for gene in found) == sorted(
        (row[0], int(row[3]), int(row[4]), row[2], row[5].count(",")) for row in rows
    )


@pytest.fixture(scope="module")
def scored(published, genome, genes):
    return Scored(genome, genes)


@pytest.mark.parametrize(
    ("change", "event", "score", "place"),
    [
        ((32050015, "G", "A"), "DL", 0.9291, -1),
        ((32049942, "G", "A"), "AL", 0.9622, 1),
        ((32049942, "G", "A"), "AG", 0.0387, 2),
        ((32050014, "GGT", "G"), "DL", 0.9291, 0),
        ((32050013, "CGGT", "TA"), "DL", 0.9291, 1),
    ],
)
def test_what_a_variant_gains_and_loses(scored, change, event, score, place):
    row = scored(*change)
    assert row[f"DS_{event}"] == pytest.approx(score, abs=5e-5) and row[f"DP_{event}"] == place
    other_sites = [row[f"DS_{one}"] for one in ("AG", "AL", "DG", "DL") if one[0] != event[0]]
    assert max(other_sites) < 0.001 and np.isnan(row["placements_differ"])
    sign = 1 if event.endswith("G") else -1
    assert (row[f"ALT_{event}"] - row[f"REF_{event}"]) * sign == pytest.approx(row[f"DS_{event}"], abs=1e-6)


def test_a_mask_leaves_losses_of_the_exon_and_gains_beside_it(scored):
    row, masked = (scored(32049942, "G", "A", mask=mask) for mask in (False, True))
    assert masked["DS_AL"] == row["DS_AL"] and masked["DS_AG"] == row["DS_AG"]
    assert scored(32050015, "G", "A", mask=True)["DS_DL"] == pytest.approx(0.9291, abs=5e-5)
    elsewhere = scored(32099181, "A", "AGGTTG", mask=True)  # of an exon that the file of genes lacks
    assert elsewhere["DS_AL"] == 0 and elsewhere["DS_AG"] == pytest.approx(0.9917, abs=5e-5)


def test_one_insertion_at_both_ends_of_its_repeat(scored):
    first, second = scored(32099181, "A", "AGGTTG"), scored(32099186, "G", "GGGTTG")
    assert first["DS_AG"] == pytest.approx(0.9917, abs=5e-5) and first["DP_AG"] == 0
    assert first["DS_AL"] == pytest.approx(0.9959, abs=5e-5) and first["DP_AL"] == 2
    assert max(second[f"DS_{one}"] for one in ("AG", "AL", "DG", "DL")) == pytest.approx(0.0042, abs=5e-5)
    for row, moved in ((first, 0), (second, -5)):
        assert row["placements_differ"] == 1
        for event in ("AG", "AL", "DG", "DL"):
            assert row[f"DS_{event}_leftmost"] == first[f"DS_{event}"]
            assert row[f"DS_{event}_rightmost"] == second[f"DS_{event}"]
            assert row[f"DP_{event}_leftmost"] == first[f"DP_{event}"] + moved


def test_shifts_average_the_logits_of_the_published_network(published, genome, genes):
    """Against the convolution before its softmax, of the three windows that each begin elsewhere."""
    model, shifts = zoo.load_model("openspliceai-mane-80nt"), (-8, 0, 5)
    plan = PairPlan(model, choose_tracks(model.outputs, ["donor"]), shifts=shifts)
    edit = Edit(32_050_014 - FIRST, "G", "A")
    one = Allele(Record(0, 1, "chr22", edit.start, ".", "G", ("A",), None, ()), 0, 0, edit)
    pair = plan.pair(genome, one, next(iter(genes)))
    assert len(pair.sequences) == 6  # of REF and ALT at each shift, in turn
    logits, values = [], []
    with torch.inference_mode():
        model.module.final_conv.register_forward_hook(lambda _, given, made: logits.append(made[0].double()))
        for sequence in pair.sequences:
            encoded = one_hot(np.frombuffer(sequence, np.uint8)[None], model.loader.n_value)
            values.append({"splicing": model.module(torch.from_numpy(encoded))[0].numpy()})
    aligned = pair.join(values)
    bins = model.outputs[0].n_bins
    for found, own in ((aligned.ref, logits[::2]), (aligned.alt, logits[1::2])):
        # Bins that all three have: the window that begins 8 bp further left gives them 8 bins further right.
        moved = [one[:, 5 - shift : bins - 8 - shift] for one, shift in zip(own, shifts, strict=True)]
        donor = torch.stack(moved).mean(0).softmax(0)[2]
        np.testing.assert_allclose(found["splicing"], donor[None].numpy(), rtol=1e-4, atol=1e-9)
    assert (aligned.ref["splicing"] - aligned.alt["splicing"]).max() > 0.1  # it is a donor that is lost
