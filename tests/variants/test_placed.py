"""Models whose windows must stand on something: a window around a variant is no input for them."""

import json

import pytest
from near_models import near_model

import zoo
from zoo.cli import run
from zoo.errors import UsageError

#: What the regions of these entries' cards, and of the programs that they came from, are laid on.
PLACED = {
    "xpresso-human": "transcription start site",
    "xpresso-mouse": "transcription start site",
    "mmsplice-acceptor": "first base of an exon",
    "mmsplice-donor": "last base of an exon",
    "mmsplice-exon": "exon",
    "mmsplice-intron3": "intron before an exon",
    "mmsplice-intron5": "intron after an exon",
    "mtsplice": "exon",
}


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">chr1\n" + "ACGTTGCA" * 200 + "\n")
    return path


@pytest.fixture
def genes(tmp_path):
    path = tmp_path / "genes.bed"
    path.write_text("chr1\t0\t1600\tgene\t0\t+\t0\t1600\t0\t1\t1600\t0\n")
    return path


def test_entries_that_must_be_placed_are_these():
    assert {one["name"] for one in zoo.entries() if one["placed_on"]} == set(PLACED)


@pytest.mark.parametrize(("name", "where"), PLACED.items())
def test_a_placed_entry_is_refused_before_its_weights_are_looked_for(name, where, genome, genes, monkeypatch):
    monkeypatch.setattr("zoo.variants.run.job.load_entry", lambda *_: pytest.fail("was loaded"))
    for more in ({}, {"genes": genes, "any_genome": True}, {"background": 3}, {"share_window": 20}):
        with pytest.raises(UsageError, match=where) as refused:
            zoo.score_variants(name, "chr1:800:A>C", genome, **more)
        assert f'zoo.load_model("{name}").predict' in str(refused.value)


def test_a_loaded_model_is_refused_too_and_predicts_both_alleles(genome):
    model = near_model(100)
    card = model.card.model_copy(update={"input": model.card.input.model_copy(update={"placed_on": "a summit"})})
    model.card = card
    with pytest.raises(UsageError, match="near: its windows must be placed on a summit, says its card"):
        zoo.score_variants(model, "chr1:800:A>C", genome)
    with pytest.raises(UsageError, match="a summit"):
        zoo.score_variants(model, None, genome, saturate=[("chr1", 700, 710)])


def test_the_command_leaves_nothing_behind(genome, genes, tmp_path, capsys):
    out = tmp_path / "x.tsv"
    assert run(["variants", "mmsplice-donor", "chr1:800:A>C", "-g", str(genome), "-o", str(out)]) == 2
    what, why, fix = capsys.readouterr().err.strip().splitlines()
    assert "the last base of an exon, 4 bp after the window's start" in what
    assert "another question" in why
    assert "18 bp" in fix
    assert not list(tmp_path.glob("x.tsv*"))


def test_info_says_where_windows_stand(capsys):
    assert run(["info", "xpresso-mouse"]) == 0
    assert "10500 bp of one-hot sequence, placed on a transcription start site, 7,000 bp" in capsys.readouterr().out
    assert "placed on" in repr(zoo.info("mtsplice"))
    assert run(["info", "yeast-atac", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["placed_on"] is None


@pytest.mark.parametrize(
    ("name", "words"),
    [("spliceai", ", N outside the gene"), ("pangolin", ", the genome's bases outside the gene"), ("yeast-atac", "")],
)
def test_what_stands_outside_a_gene_is_told(name, words, capsys):
    assert run(["info", name]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("input ")]
    assert line.partition(" bp of one-hot sequence")[2] == words
