"""The genome contract, from names and lengths alone: no FASTA of 3 GB is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.cards.schema import Card
from zoo.errors import InputError
from zoo.genome.assembly import load_assembly
from zoo.genome.checks import check_assembly, check_regions, training_note
from zoo.genome.fasta import Contig, Genome
from zoo.genome.intervals import RegionFile


def genome_of(sizes):
    return Genome(Path("genome.fa"), [Contig(name, length, 0, 60, 61) for name, length in sizes.items()])


def assembly_genome(assembly, style="ucsc"):
    named = [(getattr(c, style), c.length) for c in load_assembly(assembly).chromosomes]
    return genome_of({name: length for name, length in named if name})


def card_of(assembly="hg38", train=("chr1", "chr2")):
    return Card.model_validate(
        {
            "schema_version": 1,
            "name": "toy",
            "version": "1.0.0",
            "summary": "x",
            "input": {"length": 10},
            "genome": {"assembly": assembly} if assembly else None,
            "outputs": [{"name": "y", "kind": "scalar", "tracks": ["y"]}],
            "training": {"data": [], "splits": train and {"train": train, "validation": ["chr3"], "test": ["chr4"]}},
        }
    )


def bed(tmp_path, *rows):
    path = tmp_path / "x.bed"
    path.write_text("# header\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def checked(path, genome, translate=False, limit=None):
    with RegionFile(path) as regions:
        return check_regions(regions, genome, translate=translate, limit=limit)


def refused(path, genome, translate=False):
    with pytest.raises(InputError) as caught:
        checked(path, genome, translate)
    return caught.value


def test_regions_that_fit(tmp_path):
    path = bed(tmp_path, ("chr1", 0, 10), ("chr1", 5, 100), ("chrX", 0, 1))
    summary, aliases = checked(path, genome_of({"chr1": 100, "chrX": 1}))
    assert (summary.regions, summary.max_length, dict(summary.chrom_counts)) == (3, 95, {"chr1": 2, "chrX": 1})
    assert aliases == {}


def test_unknown_chromosome_names_line_count_and_what_the_fasta_has(tmp_path):
    path = bed(tmp_path, ("chr1", 0, 10), ("chrZ", 0, 10), ("chrQ", 0, 10), ("chrZ", 5, 10))
    error = refused(path, genome_of({"chr1": 100, "chr2": 100}))
    assert error.what == f"{path}:3: chromosome 'chrZ' is not in genome.fa"
    assert error.extent == "3 of 4 regions are on chromosomes that the FASTA lacks (2 names: chrQ, chrZ)"
    assert "chr1, chr2" in error.fix


@pytest.mark.parametrize(
    ("region", "contigs"),
    [
        ("chr1", {"1": 248_956_422, "2": 242_193_529}),
        ("1", {"chr1": 500}),
        ("chrM", {"MT": 16_569}),
        ("NC_000001.11", {"chr1": 248_956_422, "chr2": 242_193_529, "chr3": 198_295_559}),
    ],
)
def test_another_style_is_named_and_can_be_translated(tmp_path, region, contigs):
    path, genome = bed(tmp_path, (region, 10, 20)), genome_of(contigs)
    contig = next(iter(contigs))
    error = refused(path, genome)
    assert f"{path}:2: chromosome {region!r}" in error.what and repr(contig) in error.what
    assert "--translate-chroms" in error.fix
    summary, aliases = checked(path, genome, translate=True)
    assert aliases == {region: contig}
    assert summary.chrom_counts == {region: 1}


def test_translated_regions_are_checked_against_the_contig_they_mean(tmp_path):
    path = bed(tmp_path, ("chr1", 10, 20), ("chr1", 490, 501))
    error = refused(path, genome_of({"1": 500}), translate=True)
    assert error.what.startswith(f"{path}:3: end 501 is past the end of chr1 (500 bp")


def test_translation_does_not_join_accessions_of_two_assemblies(tmp_path):
    path = bed(tmp_path, ("NC_000001.10", 10, 20))  # hg19's chromosome 1
    error = refused(path, assembly_genome("hg38"), translate=True)
    assert "NC_000001.10" in error.what


def test_limit_ignores_what_comes_after(tmp_path):
    path = bed(tmp_path, ("chr1", 0, 10), ("chrZ", 0, 10))
    summary, _ = checked(path, genome_of({"chr1": 100}), limit=1)
    assert summary.regions == 1


# Assembly


@pytest.mark.parametrize("style", ["ucsc", "plain", "refseq", "genbank"])
def test_the_assembly_of_the_card_is_accepted_in_any_style(style):
    assert check_assembly(card_of("hg38"), assembly_genome("hg38", style)) is None


def test_a_synonym_of_the_assembly_is_accepted():
    assert check_assembly(card_of("GRCh38"), assembly_genome("hg38")) is None


def test_another_assembly_is_refused_by_its_lengths():
    with pytest.raises(InputError) as caught:
        check_assembly(card_of("hg38"), assembly_genome("hg19"))
    error = caught.value
    assert "chr1 has 249,250,621 bp; in hg38, which toy was trained on, it has 248,956,422" in error.what
    # chr1-22, X, Y and the old chrM differ; chrMT of hg19 is the mitochondrion of hg38.
    assert error.extent == "25 of 26 known chromosomes differ; the file looks like hg19"
    assert "--any-genome" in error.fix


def test_a_slice_named_like_a_chromosome_is_refused():
    with pytest.raises(InputError, match=r"chr22 has 300,000 bp"):
        check_assembly(card_of("hg38"), genome_of({"chr22": 300_000}))


def test_what_cannot_be_compared_is_said():
    assert "not in the table" in check_assembly(card_of("hg99"), genome_of({"chr1": 5}))
    assert "no contig of genome.fa" in check_assembly(card_of("hg38"), genome_of({"slice_1": 5}))
    assert check_assembly(card_of(None), genome_of({"chr1": 5})) is None
    assert check_assembly(None, genome_of({"chr1": 5})) is None


# Training chromosomes


def test_regions_on_training_chromosomes_are_counted():
    note = training_note(card_of(), {"chr1": 2, "chr2": 1, "chr4": 7})
    assert note.startswith("3 of 10 regions lie on chromosomes that toy was trained on")


def test_training_chromosomes_are_known_in_any_style():
    assert training_note(card_of(), {"1": 2, "NC_000002.12": 3, "4": 1}).startswith("5 of 6 regions")


@pytest.mark.parametrize("card", [card_of(), card_of(train=None), None])
def test_no_note_without_reason(card):
    assert training_note(card, {"chr4": 7, "chr3": 1}) is None


def test_a_split_given_as_a_file_says_nothing_of_chromosomes():
    assert training_note(card_of(train="splits.bed"), {"chr1": 1}) is None


def test_many_unknown_names_are_counted_and_the_first_four_shown(tmp_path):
    rows = [(f"scaffold_{i}", 0, 5) for i in range(9)] * 200
    error = refused(bed(tmp_path, *rows), genome_of({f"chr{i}": 10 for i in range(1, 8)}))
    assert error.extent == (
        "1,800 of 1,800 regions are on chromosomes that the FASTA lacks "
        "(9 names: scaffold_0, scaffold_1, scaffold_2, scaffold_3, ...)"
    )
    assert "this one has chr1, chr2, chr3, chr4, ...; ucsc style" in error.fix


def test_a_fasta_of_unknown_style_is_not_given_one(tmp_path):
    error = refused(bed(tmp_path, ("chr1", 0, 5)), genome_of({"scaffold_1": 10}))
    assert "this one has scaffold_1)" in error.fix and "style" not in error.fix


def test_where_some_names_can_be_joined_the_first_that_cannot_is_still_named(tmp_path):
    """`chrZ` comes first in the file; chr1 would join. The line is that of the first unknown name."""
    error = refused(bed(tmp_path, ("chrZ", 0, 5), ("chr1", 0, 5)), genome_of({"1": 10}))
    assert error.what.startswith(f"{tmp_path / 'x.bed'}:2: chromosome 'chrZ' is not in genome.fa, which writes '1'")
    assert "--translate-chroms" in error.fix


def test_translation_leaves_what_cannot_be_joined_to_the_error(tmp_path):
    error = refused(bed(tmp_path, ("chr1", 0, 5), ("chrZ", 0, 5)), genome_of({"1": 10}), translate=True)
    assert error.what == f"{tmp_path / 'x.bed'}:3: chromosome 'chrZ' is not in genome.fa"
    assert error.extent == "1 of 2 regions is on a chromosome that the FASTA lacks"


def test_a_file_that_is_cut_off_does_not_look_like_another_assembly():
    sizes = {one.ucsc: one.length for one in load_assembly("hg38").chromosomes[:5]}
    *_, last = sizes
    with pytest.raises(InputError) as caught:
        check_assembly(card_of("hg38"), genome_of(sizes | {last: 70_000}))
    assert (
        caught.value.extent == "1 of 5 known chromosomes differs; the others are those of hg38: the file may be cut off"
    )


def test_a_malformed_row_comes_before_a_missing_chromosome(tmp_path):
    error = refused(bed(tmp_path, ("chrZ", 0, 5), ("chr1", 7, 3)), genome_of({"chr1": 10}))
    assert error.what == f"{tmp_path / 'x.bed'}:3: start 7 is not below end 3"


def test_the_last_base_of_a_chromosome_is_inside_and_the_next_is_not(tmp_path):
    assert checked(bed(tmp_path, ("chr1", 99, 100)), genome_of({"chr1": 100}))[0].regions == 1
    error = refused(bed(tmp_path, ("chr1", 99, 101)), genome_of({"chr1": 100}))
    assert "end 101 is past the end of chr1 (100 bp" in error.what


@pytest.mark.parametrize(("found", "named"), [("hg19", "hg19"), ("mm10", "mm10")])
def test_a_genome_that_is_known_but_another_is_called_by_its_name(found, named):
    with pytest.raises(InputError) as caught:
        check_assembly(card_of("hg38"), assembly_genome(found))
    assert caught.value.extent.endswith(f"the file looks like {named}")
    assert caught.value.fix == "Fix: give the hg38 FASTA, or --any-genome if another one is meant"
    assert caught.value.exit_code == 3


def test_a_genome_that_looks_like_none_is_not_guessed_at():
    with pytest.raises(InputError) as caught:
        check_assembly(card_of("hg38"), genome_of({"chr1": 1000, "chr2": 2000}))
    assert caught.value.extent == "2 of 2 known chromosomes differ"


def test_scaffolds_beside_the_chromosomes_do_not_count():
    sizes = {c.ucsc: c.length for c in load_assembly("hg38").chromosomes} | {"chrUn_KI270742v1": 186_739, "phiX": 5386}
    assert check_assembly(card_of("hg38"), genome_of(sizes)) is None


def test_the_training_note_has_commas_and_the_name():
    note = training_note(card_of(), {"chr1": 1_234_567, "chrX": 3})
    assert note.startswith("1,234,567 of 1,234,570 regions lie on chromosomes that toy was trained on; ")
