"""Genes on both strands: a genome and its reverse complement give the same sites, with distances turned round."""

from __future__ import annotations

import random

import pytest
import torch
from near_models import allele_of, predicted

from zoo.cards.schema import Card
from zoo.errors import UsageError
from zoo.genome.fasta import open_genome
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec, choose_tracks
from zoo.variants.scores.genes import Gene
from zoo.variants.scores.placements import places_of
from zoo.variants.scores.scores import scores_of_run
from zoo.variants.windows.windows import PairPlan

LENGTH, CROP = 161, 20
TRACKS = ("neither", "acceptor", "donor")
TURN = str.maketrans("ACGT", "TGCA")


class Sites(torch.nn.Module):
    """Acceptors behind AG, donors before GT; how strong they are, the three bases behind them say."""

    def forward(self, x):
        a, c, g, t = x.unbind(1)
        ag = torch.zeros_like(a)
        ag[:, 2:] = a[:, :-2] * g[:, 1:-1]
        gt = torch.zeros_like(a)
        gt[:, :-2] = g[:, 1:-1] * t[:, 2:]
        strength = 0.1 * a + 0.2 * c + 0.3 * g + 0.4 * t + 0.5
        acceptor, donor = ag * strength, gt * strength
        found = torch.stack([1 - torch.maximum(acceptor, donor), acceptor, donor], 1)
        return found[:, :, CROP : x.shape[2] - CROP]


@pytest.fixture(scope="module")
def model():
    output = {"name": "splicing", "kind": "profile", "tracks": list(TRACKS), "offset": CROP, "units": "probability"}
    card = Card(
        name="sites",
        version="1.0.0",
        summary="",
        input={"length": LENGTH},
        outputs=[output | {"strand": "sense"}],
        training={"data": [{"name": "none", "licence": "MIT"}]},
    )
    spec = OutputSpec("splicing", "profile", TRACKS, LENGTH - 2 * CROP, 1, CROP, "probability")
    return LoadedModel("sites", Sites().eval(), SequenceLoader(LENGTH), (spec,), card)


@pytest.fixture(scope="module")
def sequence():
    draw = random.Random(5)
    return "".join(draw.choice("ACGT") for _ in range(600))


def genome_of(sequence, folder):
    path = folder / "genome.fa"
    path.write_text(f">chr\n{sequence}\n")
    return open_genome(path)


def rows(model, genome, alleles, gene, mask=False):
    choice = choose_tracks(model.outputs, ())
    plan = PairPlan(model, choice)
    scores = scores_of_run(model, choice.outputs, genes=True, splicing=True, distance=30, mask=mask)
    pairs = [plan.pair(genome, one, gene) for one in alleles]
    assert not [pair for pair in pairs if isinstance(pair, str)]
    found = zip(alleles, pairs, predicted(model, pairs), strict=True)
    return [(one, pair, scores.of(aligned, one, gene)[scores.sites], aligned) for one, pair, aligned in found]


def test_who_asks_for_no_score_hears_of_splicing(model):
    outputs = choose_tracks(model.outputs, ()).outputs
    (told,) = scores_of_run(model, outputs, genes=True).notes
    assert "splicing has acceptors and donors: --splicing gives" in told and "this is max" in told
    assert scores_of_run(model, outputs, ("max",), genes=True).notes == []
    assert scores_of_run(model, outputs, genes=True, splicing=True).notes == []
    alone = choose_tracks(model.outputs, ("acceptor",)).outputs
    assert scores_of_run(model, alone, genes=True).notes == []


def test_what_splicing_cannot_use_is_refused(model):
    outputs = choose_tracks(model.outputs, ()).outputs
    with pytest.raises(UsageError, match="--span 11: chooses the bins of scores") as refused:
        scores_of_run(model, outputs, genes=True, splicing=True, distance=30, span=11)
    assert "30 bp on each side" in refused.value.extent
    assert scores_of_run(model, outputs, ("max",), genes=True, splicing=True, distance=30, span=11).columns
    alone = choose_tracks(model.outputs, ("acceptor",)).outputs
    with pytest.raises(UsageError, match="--tracks leaves out a track of splicing") as refused:
        scores_of_run(model, alone, genes=True, splicing=True, distance=30)
    assert refused.value.fix == "Fix: leave out --tracks, or choose both"
    with pytest.raises(UsageError, match="--distance 9999"):
        scores_of_run(model, outputs, genes=True, splicing=True, distance=9999)


def test_a_donor_by_hand_on_both_strands(model, sequence, tmp_path):
    """A GT on - is an AC on +: its donor is the base right of it there."""
    start = 300
    letters = sequence[:start] + "TTACCTT" + sequence[start + 7 :]  # AC at 302; on - the last exon base is 304
    genome = genome_of(letters, tmp_path)
    gene = Gene("G", "G", 0, 0, 600, "-", ((0, 600),))
    ((_, _, found, _),) = rows(model, genome, [allele_of(0, 302, "A", "G")], gene)
    # The donor reads as G (a C on +): 0.3 + 0.5, and goes.
    assert found[[3, 7, 11, 15]] == pytest.approx([0.8, 2, 0.8, 0])


@pytest.mark.parametrize("mask", [False, True])
def test_a_genome_and_its_reverse_complement(model, sequence, tmp_path, mask):
    size = len(sequence)
    (tmp_path / "plus").mkdir()
    (tmp_path / "minus").mkdir()
    genomes = genome_of(sequence, tmp_path / "plus"), genome_of(sequence.translate(TURN)[::-1], tmp_path / "minus")
    exons = ((0, 250), (290, 310), (340, 600))
    turned = tuple((size - end, size - start) for start, end in reversed(exons))
    genes = Gene("G", "G", 0, 0, size, "+", exons), Gene("G", "G", 0, 0, size, "-", turned)
    plus, minus = [], []
    for start in range(280, 320):
        alt = "ACGT"["ACGT".index(sequence[start]) - 1]
        plus.append(allele_of(0, start, sequence[start], alt))
        minus.append(allele_of(0, size - 1 - start, sequence[start].translate(TURN), alt.translate(TURN)))
    told = 0
    for (_, _, one, _), (_, _, other, _) in zip(
        rows(model, genomes[0], plus, genes[0], mask), rows(model, genomes[1], minus, genes[1], mask), strict=True
    ):
        assert one[:4].tolist() == other[:4].tolist()
        sites = one[:4] > 0
        assert (one[4:8][sites] == -other[4:8][sites]).all()
        told += int(sites.sum())
    assert told > 10


def test_of_an_indel_in_a_repeat_both_strands_see_the_same_places(model, tmp_path):
    flank = "GATTACCAGT" * 28
    letters = flank + "CAG" * 6 + "TTGCAA" * 50
    genome = genome_of(letters, tmp_path)
    found = {}
    for strand in "+-":
        gene = Gene("G", "G", 0, 0, len(letters), strand, ((0, len(letters)),))
        plan = PairPlan(model, choose_tracks(model.outputs, ()))
        one = allele_of(0, 282, "G", "GCAG")
        places = places_of(plan, genome, one, gene, plan.pair(genome, one, gene))
        found[strand] = [allele.edit for allele, _ in (places.leftmost, places.rightmost)]
    assert found["+"] == found["-"] and found["+"][0].start == 279 and found["+"][1].start == 297
